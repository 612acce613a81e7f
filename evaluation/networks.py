"""Networks that measures are defined by, from local files: Inception-v3 (FID, inception score) and LPIPS. Nothing is downloaded."""

from __future__ import annotations

from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import Tensor

from .. import host
from .diversity import lpips, pairwise, unit_channels
from .encoders import BATCH
from .errors import EvaluationError

# Where each file comes from, and what it is called there (the names that torch-fidelity and torchvision look for themselves).
INCEPTION = ("inception", "weights-inception-2015-12-05-6726825d.pth", "the releases of toshas/torch-fidelity on GitHub (v0.2.0)")
BACKBONES = {
    "alex": ("alexnet", "alexnet-owt-7be5be79.pth", (2, 5, 8, 10, 12)),  # a layer ends after each of these
    "vgg": ("vgg16", "vgg16-397923af.pth", (4, 9, 16, 23, 30)),
}
SHIFT, SPREAD = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)  # of pictures in [-1, 1]


class Inception:
    """torch-fidelity's Inception-v3 with the weights that FID was defined with."""

    name = "Inception-v3"

    def __init__(self, path: Path):
        _need("torch_fidelity", "torch-fidelity", "FID and inception score")
        from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

        weights = _weights(path)  # read safely first: the library itself would run what a manipulated file says
        try:
            net = FeatureExtractorInceptionV3("inception", ["2048"], feature_extractor_weights_path=str(path))
        except (RuntimeError, KeyError) as error:
            raise EvaluationError(f"{path} is not the Inception-v3 of FID: download it again from {INCEPTION[2]}.") from error
        self._classes = weights["fc.weight"].double()  # without the bias, as the inception score's own code has it
        self._net = host.Managed(net)

    def features(self, pictures: Tensor) -> Tensor:
        """(B, H, W, 3) in [0, 1] → (B, 2048), as they are; the bar runs and Cancel stops it."""
        bar, found = host.progress(len(pictures)), []
        for part in pictures[..., :3].split(BATCH):
            host.stop_if_cancelled()
            net, device = self._net.use(), host.torch_device()
            pixels = torch.from_numpy(host.eight_bit(part)).movedim(-1, 1).to(device)
            with torch.no_grad():
                found.append(net(pixels)[0].float().cpu())
            bar.update(len(part))
        return torch.cat(found)

    def logits(self, features: Tensor) -> Tensor:
        """(B, 2048) → (B, 1008)."""
        return features.double() @ self._classes.T


def inception() -> Inception:
    """Raises EvaluationError that names the file and its folder where it is missing."""
    return _inception(_file(*INCEPTION))


@lru_cache(maxsize=1)
def _inception(path: Path) -> Inception:
    return Inception(path)


class LPIPS:
    """Zhang et al. 2018 (arXiv 1801.03924), version 0.1: ImageNet's network from a local file, the learned weights from torchmetrics.

    torchmetrics rather than the lpips package, which has seen no release since 2021; its own function would download the network and
    look at every picture once a pair, so that only its weights are used.
    """

    def __init__(self, kind: str, path: Path):
        _need("torchmetrics", "torchmetrics", "LPIPS")
        import torchvision

        name, _, ends = BACKBONES[kind]
        layers = getattr(torchvision.models, name)(weights=None).features
        weights = {key.removeprefix("features."): value for key, value in _weights(path).items() if key.startswith("features.")}
        try:
            layers.load_state_dict(weights)
        except RuntimeError as error:
            raise EvaluationError(f"{path} does not hold the weights of {name}: download it again, as torchvision offers it.") from error
        begins = (0, *ends)
        parts = [layers[a:b] for a, b in zip(begins, ends, strict=False)]
        self._parts = host.Managed(torch.nn.ModuleList(parts).eval().requires_grad_(False))
        folder = Path(find_spec("torchmetrics").submodule_search_locations[0])
        linear = _weights(folder / "functional" / "image" / "lpips_models" / f"{kind}.pth")
        self.weights = [linear[f"lin{n}.model.1.weight"].flatten() for n in range(len(ends))]

    def layers(self, picture: Tensor) -> list[Tensor]:
        """(H, W, 3) in [0, 1] → (C, H', W') of unit channels for each layer."""
        parts, device = self._parts.use(), host.torch_device()
        shift, spread = (torch.tensor(v)[:, None, None] for v in (SHIFT, SPREAD))
        x = ((picture[..., :3].float().cpu().movedim(-1, 0) * 2 - 1 - shift) / spread)[None].to(device)
        found = []
        with torch.no_grad():
            for part in parts:
                x = part(x)
                found.append(unit_channels(x[0].float()).cpu())
        return found

    def distances(self, pictures: Tensor) -> Tensor:
        """(N, H, W, 3) of one prompt → (N, N); the bar runs and Cancel stops it."""
        if min(pictures.shape[1:3]) < 64:
            raise EvaluationError(f"LPIPS needs pictures of 64 pixels or more, and these are {pictures.shape[2]} × {pictures.shape[1]}.")
        bar = host.progress(len(pictures) * (len(pictures) - 1) // 2)

        def distance(a: list[Tensor], b: list[Tensor]) -> float:
            host.stop_if_cancelled()
            bar.update(1)
            return lpips(a, b, self.weights)

        return pairwise(lambda i: self.layers(pictures[i]), distance, len(pictures))


def perceptual(kind: str) -> LPIPS:
    """``alex`` or ``vgg``. Raises EvaluationError that names the file and its folder where it is missing."""
    return _perceptual(kind, _file("lpips", BACKBONES[kind][1], "torchvision's list of models (download.pytorch.org/models)"))


@lru_cache(maxsize=2)
def _perceptual(kind: str, path: Path) -> LPIPS:
    return LPIPS(kind, path)


def _file(kind: str, name: str, source: str) -> Path:
    """The file in ``models/KIND``, or where PyTorch itself keeps what it has downloaded."""
    places = [*host.model_folders(kind), Path(torch.hub.get_dir()) / "checkpoints"]
    for place in places:
        if (place / name).is_file():
            return place / name
    raise EvaluationError(f"The file {name} is missing: put it into {places[0]}; it comes from {source}.")


def _weights(path: Path) -> dict[str, Tensor]:
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except OSError:
        raise
    except Exception as error:  # a broken file fails in many ways
        raise EvaluationError(f"{path} cannot be read as weights: download it again.") from error


def _need(library: str, package: str, what: str) -> None:
    if find_spec(library) is None:
        raise EvaluationError(
            f'The Python package "{package}" is missing, which {what} need: install it with “pip install {package}” in ComfyUI\'s '
            "environment."
        )
