"""From what an artist has (batches, folders, masks, lines of text) to a `Dataset`."""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from ..vpe.image_set import open_picture, own_files
from .dataset import Dataset, Picture, prompt
from .errors import DatasetError

log = logging.getLogger("viper")

FEW, MANY = 3, 20
# No model is trained above this, and a folder of photographs would fill the memory: larger ones are reduced as they are read.
SHORTER_SIDE = 2048


def gather(
    identifier: str,
    class_noun: str,
    images: Sequence[Tensor] = (),
    folder: Path | None = None,
    masks: Sequence[Tensor] = (),
    captions: str | Sequence[str] = "",
    class_images: Sequence[Tensor] = (),
    class_folder: Path | None = None,
    before_each: Callable[[], None] = lambda: None,
    **settings,
) -> Dataset:
    """Pictures of batches come before those of a folder; ``settings`` are the other fields of `Dataset`. Raises DatasetError.

    ``images`` and ``class_images``: tensors ``(B, H, W, 3 or 4)`` or ``(H, W, 3 or 4)`` in [0, 1], each of any size; ``masks``:
    ``(B, H, W)`` or ``(H, W)``. ``captions``: see `captions_of`; where it is empty, a picture of the folder takes the text of the
    .txt file of its name, if there is one. ``before_each`` is called before each file.
    """
    identifier, class_noun = identifier.strip(), class_noun.strip()
    # A bucket may want a little more than the resolution of a picture that fits it badly.
    shorter = max(SHORTER_SIDE, math.ceil(1.25 * settings.get("resolution", 0) * (1 + settings.get("scale", 0.0))))
    pixels = batched(images)
    files, read = read_folder(folder, shorter, before_each)
    texts = [None] * len(pixels) + [beside(file) for file in files]
    pixels += read
    if not pixels:
        raise DatasetError("There is no picture of the subject: connect images, or name a folder inside ComfyUI's input folder.")
    if not FEW <= len(pixels) <= MANY:
        many = "s" * (len(pixels) > 1)
        log.warning("%d picture%s of the subject: 3 to 5 are advised, and more than %d seldom help.", len(pixels), many, MANY)
    lines = captions_of(captions, texts, identifier, class_noun)
    if identifier and not any(identifier in line for line in lines):
        log.warning('The identifier "%s" stands in no caption: nothing would be linked with it. Write [V] where it belongs.', identifier)
    sized = masks_of(masks, pixels, settings.get("outside_mask", 0.0))
    instances = [Picture(p, m, c) for p, m, c in zip(pixels, sized, lines, strict=True)]
    of_class = batched(class_images) + read_folder(class_folder, shorter, before_each)[1]
    plain = [Picture(p, None, prompt(class_noun)) for p in of_class]
    return Dataset(identifier, class_noun, tuple(instances), tuple(plain), **settings)


# --- pictures ------------------------------------------------------------------------------------------------------------


def batched(images: Sequence[Tensor]) -> list[Tensor]:
    """Each picture of all batches, ``(H, W, 3)`` float32 on the CPU; what is transparent becomes white."""
    found = []
    for batch in images:
        for image in batch if batch.ndim == 4 else batch[None]:
            image = image.detach().cpu().float().clamp(0, 1)
            if image.shape[-1] == 4:
                alpha = image[..., 3:]
                image = image[..., :3] * alpha + (1 - alpha)
            found.append(image[..., :3] if image.shape[-1] >= 3 else image[..., :1].expand(-1, -1, 3))
    return found


def read_folder(folder: Path | None, shorter: int, before_each: Callable[[], None] = lambda: None) -> tuple[list[Path], list[Tensor]]:
    """The pictures of a folder, ``(H, W, 3)`` uint8, upright and on white; the shorter side has at most ``shorter`` pixels."""
    if folder is None:
        return [], []
    files = folder_files(folder)
    pictures = []
    for path in files:
        before_each()
        try:
            with Image.open(path) as file:
                low, high = sorted(file.size)
            picture = open_picture(path, round(high * shorter / low) if low > shorter else 0)
        except Exception as error:  # Pillow raises whatever it meets in a broken file
            raise DatasetError(f"{path.name} cannot be read as a picture ({error}): replace it, or take it out of the folder.") from error
        pictures.append(torch.from_numpy(np.array(picture)))
    return files, pictures


def folder_files(folder: Path) -> list[Path]:
    """The pictures of a folder, in the order a person counts. Raises DatasetError when there is no folder or nothing in it."""
    if not folder.is_dir():
        raise DatasetError(f'There is no folder "{folder.name}" in ComfyUI\'s input folder: make it and put your pictures there, '
                           "or correct the name.")  # fmt: skip
    files = own_files(folder)
    if not files:
        raise DatasetError(f'The folder "{folder.name}" holds no picture: put PNG, JPEG, WebP or BMP files into it.')
    return files


# --- captions ------------------------------------------------------------------------------------------------------------


def captions_of(captions: str | Sequence[str], texts: Sequence[str | None], identifier: str, class_noun: str) -> list[str]:
    """The prompt of each picture, ``[V]`` and ``[class]`` replaced.

    ``captions``: a text with one line for each, or one for all; or a list of them. When it is empty, ``texts`` has what lay beside
    the pictures. An empty item of a list, and None among ``texts``, is the paper's prompt. Raises DatasetError.
    """
    lines = [line for line in captions.splitlines() if line.strip()] if isinstance(captions, str) else list(captions)
    n = len(texts)
    if lines and len(lines) not in (1, n):
        raise DatasetError(f"There are {len(lines)} captions for {n} picture{'s' * (n > 1)}: write one a line for each, a single one "
                           "for all, or none.")  # fmt: skip
    usual = prompt(identifier, class_noun)
    chosen = (lines * n if len(lines) == 1 else lines) or texts
    filled = [fill(line, identifier, class_noun) if line and line.strip() else usual for line in chosen]
    if not all(filled):
        raise DatasetError("The subject has no name: give an identifier, a class noun, or a caption for each picture.")
    return filled


def fill(line: str, identifier: str, class_noun: str) -> str:
    """A caption with the two words in place of ``[V]`` and ``[class]``."""
    for mark, word in ((r"\[v\]", identifier), (r"\[class\]", class_noun)):
        line = re.sub(mark, lambda _, word=word: word, line, flags=re.IGNORECASE)
    return " ".join(line.split())


def beside(picture: Path) -> str | None:
    """What the .txt file of the same name says, on one line; None when there is none or it is empty. Raises DatasetError."""
    try:
        text = picture.with_suffix(".txt").read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise DatasetError(f"{picture.stem}.txt, the caption of {picture.name}, cannot be read ({error}): save it as UTF-8.") from error
    return " ".join(text.split()) or None


# --- masks ---------------------------------------------------------------------------------------------------------------


def masks_of(masks: Sequence[Tensor], pictures: Sequence[Tensor], outside_mask: float) -> list[Tensor | None]:
    """The mask of each picture in its size: one for all, or one for each. Raises DatasetError."""
    each = [mask.detach().cpu().float().clamp(0, 1) for batch in masks for mask in batch.reshape(-1, *batch.shape[-2:])]
    if not each:
        return [None] * len(pictures)
    if len(each) not in (1, len(pictures)):
        raise DatasetError(f"There are {len(each)} masks for {len(pictures)} picture{'s' * (len(pictures) > 1)}: connect one for each, "
                           "in their order, or one for all.")  # fmt: skip
    for n, mask in enumerate(each, 1):
        if outside_mask == 0 and not mask.any():
            raise DatasetError(f"Mask {n} is empty, so that nothing of its picture would be learned: paint the subject white, raise "
                               "outside_mask, or disconnect the masks.")  # fmt: skip
    same = each * len(pictures) if len(each) == 1 else each
    return [_sized(mask, picture, n) for n, (mask, picture) in enumerate(zip(same, pictures, strict=True), 1)]


def _sized(mask: Tensor, picture: Tensor, n: int) -> Tensor:
    (h, w), (height, width) = mask.shape, picture.shape[:2]
    if (h, w) == (height, width):
        return mask
    # Sizes are whole numbers: a mask of the same shape may be off by half a pixel.
    if abs(h * width / height - w) > max(1, width / height):
        log.warning("The mask of picture %d has another shape (%d × %d) than the picture (%d × %d): it is stretched over it.",
                    n, w, h, width, height)  # fmt: skip
    return F.interpolate(mask[None, None], size=(height, width), mode="bilinear", antialias=True)[0, 0].clamp(0, 1)
