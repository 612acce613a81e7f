"""What goes wrong in this room, said in one sentence that an artist can act on."""


class EvaluationError(ValueError):
    """A measure cannot be taken: pictures are missing, or the encoder cannot do what is asked."""
