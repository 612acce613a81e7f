"""``python devtools/first_taste.py FOLDER``: the pictures of docs/first_taste.md, out of the screenshots that the story's test took.

    VIPER_SHOTS=FOLDER python dev.py test tests/browser/test_story.py -k recent-classic
"""

from __future__ import annotations

import argparse
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
STEPS = ("search", "wired", "commented", "personalised", "corrected")


def main() -> None:
    parser = argparse.ArgumentParser(description="Make the pictures of docs/first_taste.md out of the story's screenshots.")
    parser.add_argument("folder", type=Path, help="what VIPER_SHOTS was when the test ran")
    shots = parser.parse_args().folder
    target = ROOT / "docs" / "first_taste"
    target.mkdir(exist_ok=True)
    for n, step in enumerate(STEPS, 1):
        (shot,) = shots.glob(f"recent-classic/test_an_artist_*_{step}_*s.png")
        Image.open(shot).convert("RGB").save(target / f"{n}_{step}.webp", quality=85, method=6)
        print(f"{shot.stem.rsplit('_', 1)[1]:>5}  {step}")


if __name__ == "__main__":
    main()
