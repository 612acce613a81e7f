"""What goes wrong in this room, said in one sentence that an artist can act on."""


class CommentsError(ValueError):
    """The comments cannot be read."""


class PreferencesError(ValueError):
    """A preference, a profile file, a share code or an edit cannot be used."""


class AttributesError(ValueError):
    """An artist's own list of attributes cannot be read."""


class AnswerError(ValueError):
    """A language model's answer cannot be read; the message shows it."""


class TooLongError(ValueError):
    """A question does not fit into a model's context."""


class ModelError(ValueError):
    """A model cannot be loaded, or a server cannot be asked."""


class ImageSetError(ValueError):
    """A set of pictures cannot be planned, read or written."""
