"""What goes wrong in training, said in one sentence that an artist can act on."""


class TrainingError(ValueError):
    """This model or these settings cannot be trained."""


class DatasetError(TrainingError):
    """These pictures, masks, captions or words cannot be learned from."""
