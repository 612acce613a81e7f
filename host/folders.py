"""Where things lie: the host's user, input, output and models directories."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

from .pictures import eight_bit

PACK = "viper"


def attributes_file() -> Path:
    """Where artists may add attributes and wordings of their own, in the host's user directory."""
    import folder_paths

    return Path(folder_paths.get_user_directory()) / PACK / "attributes.json"


def profile_folder() -> Path:
    """Where saved preferences live: the host's user directory, so that they outlive an update of the pack."""
    import folder_paths

    return Path(folder_paths.get_user_directory()) / PACK / "profiles"


def picture_path(filename: str, subfolder: str, kind: str) -> Path | None:
    """The file behind a picture reference (``kind``: input, output or temp); None when it is not there.

    A reference comes out of a shared workflow: one that points outside the host's folder counts as missing.
    """
    import folder_paths

    root = folder_paths.get_directory_by_type(kind)
    if root is None:
        return None
    root = Path(root).resolve()
    path = (root / subfolder / filename).resolve()
    return path if path.is_relative_to(root) and path.is_file() else None


def keep_picture(path: Path) -> tuple[str, str]:
    """Copy a temporary picture into ``input/viper/`` and return (filename, subfolder); the same picture is kept once."""
    import folder_paths

    name = f"{hashlib.sha256(path.read_bytes()).hexdigest()[:16]}{path.suffix.lower()}"
    folder = Path(folder_paths.get_input_directory()) / PACK
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / name
    if not target.exists():
        part = target.with_name(f".{name}.part")
        shutil.copyfile(path, part)
        part.replace(target)
    return name, PACK


def preview_pictures(images) -> list[dict]:
    """Write a batch of pictures (B, H, W, 3 or 4) in [0, 1] as PNG into the temp folder: a reference and ``index`` for each.

    Each has the name that ``keep_picture`` would give it: a page sees which ones were kept, and the same one is written once.
    """
    from io import BytesIO

    import folder_paths
    from PIL import Image

    folder = Path(folder_paths.get_temp_directory()) / PACK
    folder.mkdir(parents=True, exist_ok=True)
    found = []
    for n, image in enumerate(images):
        file = BytesIO()
        Image.fromarray(eight_bit(image)).save(file, format="PNG", compress_level=1)
        name = f"{hashlib.sha256(file.getvalue()).hexdigest()[:16]}.png"
        if not (folder / name).exists():
            part = folder / f".{name}.part"
            part.write_bytes(file.getvalue())
            part.replace(folder / name)
        found.append({"filename": name, "subfolder": PACK, "type": "temp", "index": n})
    return found


def set_folder(name: str) -> Path:
    """Where the pictures of a set are kept: in the host's output directory, where an artist looks for pictures."""
    import folder_paths

    return Path(folder_paths.get_output_directory()) / PACK / "sets" / name


def blind_folder() -> Path:
    """Where blind tests lie: pictures, and the answers of people."""
    import folder_paths

    return Path(folder_paths.get_output_directory()) / PACK / "blind"


def evaluation_folder() -> Path:
    """Where reports of measurements are kept."""
    import folder_paths

    return Path(folder_paths.get_output_directory()) / PACK / "evaluation"


def training_folder(name: str) -> Path:
    """Where a training keeps its state and previews."""
    import folder_paths

    return Path(folder_paths.get_output_directory()) / PACK / "training" / name


def class_picture_folder(key: str) -> Path:
    """Where pictures of a class are kept: several trainings share them."""
    import folder_paths

    return Path(folder_paths.get_output_directory()) / PACK / "class pictures" / key


def subject_folder() -> Path:
    """Where Save Subject writes: among the LoRAs, so that the host's own loaders list it too."""
    import folder_paths

    return Path(folder_paths.get_folder_paths("loras")[0]) / PACK


def lora_files() -> list[str]:
    """All LoRA files by the names that the host lists them under, subjects of this pack first."""
    import folder_paths

    names = folder_paths.get_filename_list("loras")
    return sorted(names, key=lambda name: (not name.replace("\\", "/").startswith(f"{PACK}/"), name))


def lora_path(name: str) -> Path | None:
    import folder_paths

    path = folder_paths.get_full_path("loras", name)
    return None if path is None else Path(path)


def input_folder(folder: str) -> Path:
    """A folder inside the host's input directory, which need not be there. Raises ValueError for one that lies elsewhere."""
    import folder_paths

    root = Path(folder_paths.get_input_directory()).resolve()
    path = (root / folder.strip().replace("\\", "/")).resolve()
    if not path.is_relative_to(root):
        raise ValueError(f'The folder "{folder.strip()}" is not inside ComfyUI\'s input folder: put your pictures there and give the '
                         "folder's name alone.")  # fmt: skip
    return path


def input_subfolder(folder: Path) -> str:
    """The subfolder by which the host's pages refer to a folder of `input_folder`."""
    import folder_paths

    relative = folder.relative_to(Path(folder_paths.get_input_directory()).resolve()).as_posix()
    return "" if relative == "." else relative


def model_folders(*kinds: str) -> list[Path]:
    """The folders where models of these kinds may lie: ``models/KIND`` and whatever the user's model paths add to it."""
    import folder_paths

    folders: list[Path] = []
    for kind in kinds:
        own = Path(folder_paths.models_dir) / kind
        known = folder_paths.folder_names_and_paths.get(kind, ([], set()))[0]
        folders += [path for path in (own, *map(Path, known)) if path not in folders]
    return folders


def text_in_pictures() -> bool:
    """Whether prompts may be written into files (``--disable-metadata``)."""
    from comfy.cli_args import args

    return not args.disable_metadata
