"""What goes wrong in this room, said in one sentence that an artist can act on."""


class CommentsError(ValueError):
    """The comments cannot be read."""


class PreferencesError(ValueError):
    """A preference, a profile file, a share code or an edit cannot be used."""


class AttributesError(ValueError):
    """An artist's own list of attributes cannot be read."""
