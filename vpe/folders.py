"""Where models of other libraries lie: folders below the host's ``models``, the Hugging Face cache, and how to get them."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from .. import host
from .errors import ModelError

log = logging.getLogger("viper")

BASE_REPO, ADAPTER_REPO, PROXY_REPO = "HuggingFaceM4/idefics2-8b", "EPFL-VILAB/VPE-ViPer", "EPFL-VILAB/Metric-ViPer"
ROOM = {BASE_REPO: "34 GB", ADAPTER_REPO: "0.1 GB", PROXY_REPO: "0.1 GB"}


def folders(kinds: Sequence[str], file: str = "config.json") -> dict[str, Path]:
    """Every folder below ``models/KIND`` (two levels deep) that holds ``file``, by its name; the first of a name counts."""
    found: dict[str, Path] = {}
    for root in host.model_folders(*kinds):
        for path in sorted([*root.glob(f"*/{file}"), *root.glob(f"*/*/{file}")]):
            found.setdefault(path.parent.relative_to(root).as_posix(), path.parent)
    return found


def locate(name: str, repo: str, kinds: Sequence[str], file: str, download: bool) -> Path:
    """The folder ``name``, or the copy of ``repo`` that the Hugging Face cache holds; fetched only if ``download``.

    Raises ModelError with the exact repository and folder when it is nowhere.
    """
    if path := folders(kinds, file).get(name):
        return path
    if path := _cached(repo, file):
        return path
    if name != Path(name).name or name in ("", ".", ".."):  # it comes out of a graph, and becomes a folder
        raise ModelError(f'"{name}" is not on this machine: choose a folder from the list.')
    target = host.model_folders(*kinds)[0] / name
    if not download:
        raise ModelError(
            f"{repo} ({ROOM[repo]}) is not on this machine: put the files of the repository into {target}, for example with "
            f'\u201chf download {repo} --local-dir "{target}"\u201d, or switch on "download" on this node.'
        )
    return _downloaded(repo, target)


def _cached(repo: str, file: str) -> Path | None:
    from huggingface_hub import try_to_load_from_cache

    path = try_to_load_from_cache(repo, file)
    return Path(path).parent if isinstance(path, str) else None


def _downloaded(repo: str, target: Path) -> Path:
    import huggingface_hub
    from tqdm.auto import tqdm

    class Watched(tqdm):
        def update(self, n=1):
            host.stop_if_cancelled()
            return super().update(n)

    log.info("Downloading %s into %s.", repo, target)
    try:
        huggingface_hub.snapshot_download(
            repo, local_dir=target, tqdm_class=Watched, allow_patterns=["*.json", "*.jinja", "*.safetensors", "*.model", "*.txt"]
        )
    except (OSError, ValueError) as error:
        raise ModelError(f"{repo} could not be downloaded ({error}): what has arrived is kept, try again, or fetch it by hand.") from error
    return target


def named(name: str, kinds: Sequence[str]) -> Path:
    """The folder of a model by its name in the list. Raises ModelError where there is none."""
    found = folders(kinds)
    if name in found:
        return found[name]
    place = host.model_folders(*kinds)[0]
    known = f"There are {', '.join(found)}." if found else f"Put one into a folder of its own in {place}, as transformers saves it."
    raise ModelError(f'There is no chat model called "{name}". {known}' if name != "none" else f"There is no chat model yet. {known}")
