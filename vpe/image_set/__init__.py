"""An image set: what to draw so that a person's comments cover the whole taxonomy, and the folder that keeps the pictures.

Four parts, none of which knows the host: the plan, the folder on disk, pictures of one's own, and the sheet that shows them.
"""

from .own import open_picture, own_files, own_pictures
from .planning import Picture, plan
from .sheet import contact_sheet
from .store import Settings, complete, picture_file, set_name

__all__ = [
    "Picture",
    "Settings",
    "complete",
    "contact_sheet",
    "open_picture",
    "own_files",
    "own_pictures",
    "picture_file",
    "plan",
    "set_name",
]
