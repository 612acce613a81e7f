"""Pictures in the host's folders, and as files hold them."""

from __future__ import annotations

import os
from pathlib import Path

SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".avif"}
MOST = 1000  # an output folder may hold a hundred thousand; nobody chooses from more than the newest of them


def pictures_in(place: str) -> list[dict[str, str]]:
    """``{"filename", "subfolder", "type"}`` of the pictures in ``place`` (input or output), newest first. Raises ValueError."""
    import folder_paths

    if place not in ("input", "output"):
        raise ValueError(f'There is no place "{place}": choose input or output.')
    root = Path(folder_paths.get_directory_by_type(place))
    found = []
    for folder, folders, files in os.walk(root):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in files:
            path = Path(folder, name)
            if path.suffix.lower() in SUFFIXES and not name.startswith("."):
                try:
                    found.append((path.stat().st_mtime, path))
                except OSError:
                    continue  # just deleted
    found.sort(key=lambda pair: (-pair[0], str(pair[1])))
    places = ((path.name, path.parent.relative_to(root).as_posix()) for _, path in found[:MOST])
    return [{"filename": name, "subfolder": "" if sub == "." else sub, "type": place} for name, sub in places]


def eight_bit(picture):
    """A tensor in [0, 1] as a contiguous array of bytes of the same shape, as the host's own nodes save it but rounded."""
    import numpy as np

    return np.ascontiguousarray(picture.detach().cpu().float().clamp(0, 1).mul(255).round().byte().numpy())
