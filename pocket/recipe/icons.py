"""Fetch the icon sets and render them: ``{(set, subject): RGBA uint8 (128, 128, 4)}``."""

import io
import json
import subprocess
import tarfile
from pathlib import Path

import numpy as np
from PIL import Image

SIZE = 128
# set name → (npm package, look word or None, sampling weight). The three fluent sets share their drawings.
SETS = {
    "twemoji": ("@iconify-json/twemoji@1.2.5", "flat", 2.0),
    "noto": ("@iconify-json/noto@1.2.9", "shaded", 2.0),
    "fluent-flat": ("@iconify-json/fluent-emoji-flat@1.2.6", "flat", 3.0),
    "fluent": ("@iconify-json/fluent-emoji@1.2.7", "gradient", 1.5),
    "fluent-3d": ("@lobehub/fluent-emoji-3d@1.1.0", "3d", 1.5),
}


def vocabulary() -> dict:
    return json.loads((Path(__file__).parent.parent / "vocabulary.json").read_text())


def fetch(work: Path, sets: dict = SETS) -> None:
    """``npm pack`` every set into ``work/npm`` (kept between runs)."""
    folder = work / "npm"
    folder.mkdir(parents=True, exist_ok=True)
    for package, *_ in sets.values():
        if not archive(work, package).exists():
            subprocess.run(["npm", "pack", "--silent", package], cwd=folder, check=True)


def archive(work: Path, package: str) -> Path:
    name, version = package.lstrip("@").rsplit("@", 1)
    return work / "npm" / f"{name.replace('/', '-')}-{version}.tgz"


def _svg_set(path: Path) -> tuple[dict[str, str], dict[str, str]]:
    """→ slug → SVG text, and code point → slug (the 3D set is named by code point)."""
    with tarfile.open(path) as tar:
        icons = json.load(tar.extractfile("package/icons.json"))
        chars = json.load(tar.extractfile("package/chars.json"))
    bodies = {slug: icon["body"] for slug, icon in icons["icons"].items()}
    for alias, target in icons.get("aliases", {}).items():
        bodies.setdefault(alias, bodies.get(target["parent"], ""))
    side = icons.get("height", 16)
    svg = '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="0 0 {0} {0}">{1}</svg>'
    return {slug: svg.format(side, body) for slug, body in bodies.items() if body}, chars


def _rgba(data: bytes) -> np.ndarray:
    picture = Image.open(io.BytesIO(data)).convert("RGBA")
    if picture.size != (SIZE, SIZE):
        picture = picture.resize((SIZE, SIZE), Image.LANCZOS)
    return np.array(picture)


def render(work: Path, slugs: dict[str, str], sets: dict = SETS) -> dict[tuple[str, str], np.ndarray]:
    """Render ``slugs`` (subject → icon slug, as the first set calls it) in every set that has them."""
    import resvg_py

    out: dict[tuple[str, str], np.ndarray] = {}
    codes: dict[str, str] = {}
    for name, (package, *_) in sets.items():
        if name == "fluent-3d":
            with tarfile.open(archive(work, package)) as tar:
                names = set(tar.getnames())
                for subject, slug in slugs.items():
                    members = [f"package/assets/{codes.get(slug)}{end}.webp" for end in ("", "-fe0f")]
                    for member in names.intersection(members):
                        out[name, subject] = _rgba(tar.extractfile(member).read())
            continue
        svgs, chars = _svg_set(archive(work, package))
        codes = {slug: code for code, slug in chars.items()} | codes
        for subject, slug in slugs.items():
            slug = slug if slug in svgs else chars.get(codes.get(slug))
            if slug in svgs:
                out[name, subject] = _rgba(resvg_py.svg_to_bytes(svg_string=svgs[slug], width=SIZE, height=SIZE))
    return out
