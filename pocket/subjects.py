"""Four pictures each of things that the pocket model has never seen, to try DreamBooth with and nothing to download.

Poses out of Microsoft's animated Fluent emoji (MIT), as ``@lobehub/fluent-emoji-anim`` packs them; 256 × 256 on white, side by side
in one file a subject.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

FOLDER = Path(__file__).parent / "subjects"
# Held out of the training of the pocket model in every drawing style; the class noun is one that it knows.
CLASS_NOUNS = {"t-rex": "lizard", "owl": "bird", "poodle": "dog"}


def subject_pictures(name: str) -> Tensor:
    """``(4, 256, 256, 3)`` in [0, 1]. Raises ValueError for an unknown name."""
    from PIL import Image

    if name not in CLASS_NOUNS:
        raise ValueError(f'There is no subject called "{name}": choose {", ".join(CLASS_NOUNS)}.')
    with Image.open(FOLDER / f"{name}.webp") as image:
        strip = torch.from_numpy(np.array(image.convert("RGB"))).float().div_(255.0)
    return torch.stack(strip.split(strip.shape[0], dim=1))
