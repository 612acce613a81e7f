"""How well the features read off pictures hold.

usage: python benchmarks/appearance.py --folder DIR [--part open|held-out|all] [--errors]

DIR holds the pictures of appearance_pictures.json (found by SHA-256, under any name and in any subfolder; nothing is
downloaded: each entry says which repository, commit and path or which package holds it). A named attribute is right if it
was labelled present, wrong if labelled absent, and open if the label was arguable; precision is right / (right + wrong),
recall is over the pictures with that label, with at most three names an aspect. ``--errors`` lists what was wrong, never of
held-out pictures. SVG icons are drawn with resvg_py on white.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import io
import json
import sys
import time
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".svg"}


def load_pack():
    """The pack as ``viper``; no host is needed."""
    spec = importlib.util.spec_from_file_location("viper", HERE.parent / "__init__.py", submodule_search_locations=[str(HERE.parent)])
    sys.modules["viper"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sys.modules["viper"])
    from viper.vpe import appearance

    return appearance


def read(path: Path) -> np.ndarray:
    """(H, W, 3) in 0..1; transparent pictures on white."""
    from PIL import Image

    source: Path | io.BytesIO = path
    if path.suffix.lower() == ".svg":
        import resvg_py

        source = io.BytesIO(bytes(resvg_py.svg_to_bytes(svg_string=path.read_text(encoding="utf-8"), width=256, height=256)))
    with Image.open(source) as image:
        layer = image.convert("RGBA")
    sheet = Image.new("RGBA", layer.size, "white")
    sheet.alpha_composite(layer)
    return np.asarray(sheet.convert("RGB"), dtype=np.float32) / 255


def find(folder: Path, entries: list[dict]) -> dict[str, Path]:
    """Name → file, for the entries that are there."""
    wanted = {e["sha256"]: e["name"] for e in entries}
    files = (p for p in sorted(folder.rglob("*")) if p.suffix.lower() in SUFFIXES and p.is_file())
    hashed = ((hashlib.sha256(p.read_bytes()).hexdigest(), p) for p in files)
    return {wanted[digest]: path for digest, path in hashed if digest in wanted}


def line(label: str, right: int, wrong: int, arguable: int, present: int | None = None) -> str:
    precision = f"{right / (right + wrong):.2f}" if right + wrong else "  – "
    recall = "" if present is None else f"  recall {right / present:.2f} of {present}" if present else "  none labelled"
    return f"{label:26} precision {precision}  right {right:4}  wrong {wrong:3}  arguable {arguable:3}{recall}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--part", choices=("open", "held-out", "all"), default="open")
    parser.add_argument("--errors", action="store_true")
    options = parser.parse_args()

    data = json.loads((HERE / "appearance_pictures.json").read_text(encoding="utf-8"))
    entries = [e for e in data["pictures"] if options.part == "all" or e["held_out"] == (options.part == "held-out")]
    files = find(options.folder, entries) if options.folder.is_dir() else {}
    if not files:
        sys.exit(
            f"{options.folder} holds none of the {len(entries)} pictures: fetch them from the sources that "
            f"{HERE / 'appearance_pictures.json'} names, then give their folder."
        )
    appearance = load_pack()
    names, aspects, present, errors, milliseconds = defaultdict(Counter), defaultdict(Counter), Counter(), [], []
    for entry in entries:
        if entry["name"] not in files:
            continue
        picture = read(files[entry["name"]])
        start = time.perf_counter()
        measured = appearance.measure(picture)
        milliseconds.append(1000 * (time.perf_counter() - start))
        present.update(entry["present"])
        for aspect in appearance.ASPECTS:
            for name, confidence in appearance.describe(measured, aspect):
                known = name in data["labels"] and name not in entry["arguable"]
                verdict = "right" if name in entry["present"] else "wrong" if known else "arguable"
                names[name][verdict] += 1
                aspects[aspect][verdict] += 1
                if verdict == "wrong" and not entry["held_out"]:
                    errors.append(f"{entry['name']}: {name} ({confidence:.2f})")

    for name in sorted(names):
        print(line(name, *(names[name][v] for v in ("right", "wrong", "arguable")), present[name]))
    print()
    for aspect in appearance.ASPECTS:
        print(line(aspect, *(aspects[aspect][v] for v in ("right", "wrong", "arguable"))))
    total = sum(aspects.values(), Counter())
    print("\n" + line("all", *(total[v] for v in ("right", "wrong", "arguable"))))
    print(f"{len(files)} of {len(entries)} pictures ({options.part}), {np.median(milliseconds):.0f} ms each (median)")
    if options.errors:
        print("\n" + "\n".join(errors))


if __name__ == "__main__":
    main()
