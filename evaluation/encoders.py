"""What measures look with: an encoder of pictures, and of texts where it has that side. Embeddings have unit length.

``pocket()`` ships with the pack; ``from_clip`` takes a CLIP_VISION (and a CLIP) of the host; ``from_folder`` a model as transformers
saves it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from .. import host
from ..vpe.folders import folders
from ..vpe.versions import dtype_option
from .errors import EvaluationError

KIND = "image_encoders"  # their folder below the host's models
POCKET = "pocket"
PRECISIONS = {"float32": torch.float32, "bf16": torch.bfloat16, "float16": torch.float16}
# Of these the embedding is the class token of the last layer, as DreamBooth takes it of DINO (ViT-S/16).
BY_CLASS_TOKEN = ("vit", "deit", "dinov2", "dinov2_with_registers", "dinov3_vit")
BATCH = 16  # pictures a call, so that a large batch of large ones needs no more memory than sampling did


@dataclass(frozen=True, eq=False)
class Encoder:
    """``see``: pictures (B, H, W, 3) in [0, 1] → (B, d); ``read``: a text → (d,), or None where there is no text side."""

    name: str
    see: Callable[[Tensor], Tensor]
    read: Callable[[str], Tensor] | None = None

    @property
    def reads(self) -> bool:
        return self.read is not None

    def pictures(self, pictures: Tensor) -> Tensor:
        """(B, H, W, 3 or 4) in [0, 1] → (B, d) of unit length, float32 on the CPU; the bar runs and Cancel stops it."""
        if pictures.ndim != 4 or pictures.shape[-1] < 3 or not len(pictures):
            raise EvaluationError(f"Pictures to look at are needed, (B, H, W, 3), not {tuple(pictures.shape)}.")
        bar, found = host.progress(len(pictures)), []
        for part in pictures[..., :3].split(BATCH):
            host.stop_if_cancelled()
            with torch.no_grad():
                found.append(F.normalize(self.see(part).float().cpu(), dim=-1))
            bar.update(len(part))
        return torch.cat(found)

    def texts(self, texts: Sequence[str]) -> Tensor:
        """(B, d) of unit length; equal texts are read once. Raises EvaluationError for an encoder that only sees."""
        if self.read is None:
            raise EvaluationError(
                f"The encoder {self.name} only sees: connect one that also reads, such as pocket or a CLIP with its text side."
            )
        known: dict[str, Tensor] = {}
        for text in texts:
            if text not in known:
                host.stop_if_cancelled()
                with torch.no_grad():
                    known[text] = F.normalize(self.read(text).float().cpu(), dim=-1)
        return torch.stack([known[text] for text in texts])


@lru_cache(maxsize=1)
def pocket() -> Encoder:
    """The encoders that ship with the pack: they know icons, the pocket model's subjects and its looks."""
    from ..pocket.encoders import load_pocket_encoders, text_embeddings

    clip_vision, clip = load_pocket_encoders()
    return Encoder(POCKET, lambda x: clip_vision.encode_image(x)["image_embeds"], lambda text: text_embeddings(clip, [text])[0])


def from_clip(clip_vision, clip=None) -> Encoder:
    """The host's CLIP_VISION, and as its text side a CLIP of the same model. Raises EvaluationError where the two do not fit."""
    if clip is None:
        return Encoder("CLIP vision", lambda x: _seen(clip_vision, x))
    try:
        width = host.projected_text(clip, "a picture").shape[-1]
    except ValueError as error:
        raise EvaluationError(str(error)) from error
    seen = _seen(clip_vision, torch.zeros(1, 32, 32, 3)).shape[-1]
    if seen != width:
        raise EvaluationError(
            f"clip_vision and clip are sides of different CLIPs (their embeddings have {seen} and {width} numbers): connect the two "
            "sides of one."
        )
    return Encoder("CLIP", lambda x: _seen(clip_vision, x), lambda text: host.projected_text(clip, text))


def _seen(clip_vision, pictures: Tensor) -> Tensor:
    return torch.stack([host.picture_embedding(clip_vision, picture) for picture in pictures])


def encoder_names() -> list[str]:
    """What there is to choose from: pocket, and the folders of ``models/image_encoders``."""
    return [POCKET, *folders((KIND,))]


def encoder_folder(name: str) -> Path | None:
    """The folder of an encoder by its name, None for pocket. Raises EvaluationError where there is none."""
    if name == POCKET:
        return None
    found = folders((KIND,))
    if name not in found:
        place = host.model_folders(KIND)[0]
        known = f"choose {', '.join([POCKET, *found])}" if found else "choose pocket"
        raise EvaluationError(
            f'There is no encoder "{name}": put its folder, as transformers saves it, into {place}, so that {place / name / "config.json"} '
            f"is there, or {known}."
        )
    return found[name]


def from_folder(folder: Path, precision: str = "float32") -> Encoder:
    """CLIP and SigLIP with both sides, their vision sides alone, or DINO (ViT), DINOv2 and DINOv3, from a local folder.

    Raises EvaluationError that names the file which is missing, or says why the folder cannot be loaded.
    """
    if precision not in PRECISIONS:
        raise EvaluationError(f'There is no precision "{precision}": choose {", ".join(PRECISIONS)}.')
    folder, dtype = Path(folder), PRECISIONS[precision]
    for file in ("config.json", "preprocessor_config.json"):
        if not (folder / file).is_file():
            raise EvaluationError(f"{folder / file} is missing: copy it from where the model came from.")
    if not [*folder.glob("*.safetensors"), *folder.glob("pytorch_model*.bin")]:
        raise EvaluationError(f"{folder} holds no weights: model.safetensors (or pytorch_model.bin) is missing.")
    from transformers import AutoConfig, AutoImageProcessor

    kind = _loaded(folder, AutoConfig.from_pretrained).model_type
    model = _loaded(folder, _class_of(kind, folder).from_pretrained, **dtype_option(dtype)).eval().requires_grad_(False)
    processor = _loaded(folder, AutoImageProcessor.from_pretrained)
    embed = _class_token if kind in BY_CLASS_TOKEN else _picture_side
    reads = hasattr(model, "get_text_features")
    managed = host.Managed(model)

    def see(pictures: Tensor) -> Tensor:
        inputs = processor(images=list(host.eight_bit(pictures)), return_tensors="pt", input_data_format="channels_last")
        return embed(managed.use(), **_there(inputs, dtype))

    def read(text: str) -> Tensor:
        # SigLIP is trained on texts of full length, and takes the last place for the whole.
        padding = "max_length" if kind.startswith("siglip") else True
        room = model.config.text_config.max_position_embeddings  # some tokenizers know no end of their own
        inputs = _tokenizer(folder)([text], padding=padding, truncation=True, max_length=room, return_tensors="pt")
        return _pooled(managed.use().get_text_features(**_there(inputs, dtype)))[0]

    name = folder.name if precision == "float32" else f"{folder.name}, {precision}"
    return Encoder(name, see, read if reads else None)


def _class_of(kind: str, folder: Path) -> type:
    import transformers

    if kind == "clip_vision_model":
        return transformers.CLIPVisionModelWithProjection
    if kind in (*BY_CLASS_TOKEN, "clip", "siglip", "siglip2", "siglip_vision_model"):
        return transformers.AutoModel
    raise EvaluationError(f'{folder} holds a model of the kind "{kind}": put in CLIP, SigLIP, DINO (ViT), DINOv2 or DINOv3.')


def _loaded(folder: Path, load: Callable, **options):
    try:
        return load(folder, local_files_only=True, **options)
    except torch.OutOfMemoryError:
        raise  # the host knows what to say
    except Exception as error:  # every model has its own way to fail
        first = (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
        raise EvaluationError(f"{folder} cannot be loaded ({first}): check its files, or download it again.") from error


@lru_cache(maxsize=4)
def _tokenizer(folder: Path):
    from transformers import AutoTokenizer

    if not [f for f in ("tokenizer.json", "vocab.json", "spiece.model", "tokenizer.model") if (folder / f).is_file()]:
        raise EvaluationError(f"{folder / 'tokenizer.json'} is missing, which reading prompts needs: copy it from the model's own place.")
    return _loaded(folder, AutoTokenizer.from_pretrained)


def _there(inputs, dtype: torch.dtype) -> dict:
    device = host.torch_device()
    return {key: value.to(device, dtype) if value.is_floating_point() else value.to(device) for key, value in inputs.items()}


def _class_token(model, **inputs) -> Tensor:
    return model(**inputs).last_hidden_state[:, 0]


def _picture_side(model, **inputs) -> Tensor:
    return _pooled(model.get_image_features(**inputs) if hasattr(model, "get_image_features") else model(**inputs))


def _pooled(out) -> Tensor:
    """transformers 5 gives an output of several parts where 4 gave the embedding."""
    if isinstance(out, Tensor):
        return out
    embedding = getattr(out, "image_embeds", None)
    return out.pooler_output if embedding is None else embedding
