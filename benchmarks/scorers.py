"""How well does each scorer know a person's taste? ``python dev.py bench scorers [--people 12] [--pocket 6] [--real DIR]``

Made-up people (``_people.py``) like two and dislike two looks. A scorer is given 2 to 16 liked and as many disliked pictures, or comments
in everyday words (eight, about all looks), or both, and ranks unseen pairs: two pictures of one new subject, one to the person's
taste and one against it, so that only the look can tell. Accuracy is the share of pairs in the right order (a tie counts a half).

- icons of subjects that nothing of the pack was trained on, dressed by the pocket model's recipe;
- ``--pocket N``: pictures that the pocket model draws, for N people;
- ``--real DIR``: photographs and paintings of ``appearance_pictures.json``, split by looks that were labelled by eye (dark against bright,
  warm against cool, detailed against plain); here each picture has a subject of its own.

A CLIP_VISION of random weights stands beside them: the interface at work, and what colour and light alone give, since a random
network still tells these.
"""

import argparse
import json
import random
import sys
import time
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
import taste as dressing  # noqa: E402

COUNTS, MOST, TESTS, SEED = (2, 4, 8, 16), 16, 20, 21
OPPOSITES = {
    "dark, bright": (("dark",), ("bright",)), "warm, cool": (("warm colors",), ("cool colors",)),
    "detailed, plain": (("highly detailed", "crowded"), ("smooth", "negative space")),
}  # fmt: skip
BARS = {"pictures": 0.80, "real": 0.75}


def scorers() -> dict:
    """Name → images, person → values."""
    import torch

    from viper.evaluation import encoders, scoring
    from viper.pocket.encoders import build_encoders

    pocket = encoders.pocket()
    blind = encoders.from_clip(build_encoders(seed=1)[0])
    seeing = encoders.Encoder("pocket, pictures alone", pocket.see)

    def by(encoder):
        return lambda images, person: scoring.score(torch.as_tensor(images), person, encoder).judgement.values

    def looks(images, person):
        return scoring.by_looks(torch.as_tensor(images), person).values

    return {"looks and pocket encoder (the default)": by(None), "looks": looks, "pocket encoder": by(pocket),
            "pocket encoder, without its text side": by(seeing), "CLIP_VISION of random weights": by(blind)}  # fmt: skip


class Case:
    """One person: liked and disliked pictures (N, H, W, 3), what they said, and unseen pairs (better, worse)."""

    def __init__(self, liked, disliked, tests, said=None):
        self.liked, self.disliked, self.tests, self.said = liked, disliked, tests, said

    def person(self, count: int, said: bool):
        from viper.evaluation.person import person

        pictures = [stacked(side[:count]) for side in (self.liked, self.disliked)] if count else [None, None]
        return person(self.said if said else None, None, *pictures)

    def accuracy(self, scorer, count: int, said: bool) -> float:
        values = scorer(stacked([x for pair in self.tests for x in pair]), self.person(count, said)).reshape(-1, 2)
        return float(np.mean((values[:, 0] > values[:, 1]) + 0.5 * (values[:, 0] == values[:, 1])))


def stacked(pictures):
    """Pictures of several sizes as one batch, the middle square of each."""
    import torch
    import torch.nn.functional as F

    out = []
    for picture in pictures:
        x = torch.as_tensor(picture).float()
        side = min(x.shape[:2])
        top, left = (x.shape[0] - side) // 2, (x.shape[1] - side) // 2
        x = x[top : top + side, left : left + side, :3].movedim(-1, 0)[None]
        size = 128 if side <= 128 else 384
        out.append(F.interpolate(x, size=(size, size), mode="bicubic", antialias=True)[0].movedim(0, -1).clamp(0, 1))
    return torch.stack(out)


def people(count: int, seed: int, painter=None) -> list[Case]:
    from viper.benchmarks import _people
    from viper.vpe.extractor import BuiltInExtractor

    world, reader, out = dressing.World(count, seed, painter), BuiltInExtractor(), []
    for i, agent in enumerate(world.crowd):
        rng = random.Random(f"{seed} {i}")
        sides = [[world.picture(world.dress(agent, s, rng.choice(world.judged), rng)) for _ in range(MOST)] for s in (1, -1)]
        tests = []
        for _ in range(TESTS):
            subject = rng.choice(world.tested)
            tests.append([world.picture(world.dress(agent, s, subject, rng)) for s in (1, -1)])
        out.append(Case(*sides, tests, reader.extract(_people.write(agent, world.vocabulary, f"{seed} {i}"))))
    return out


def table(title: str, cases: list[Case], counts=COUNTS, said=(True,)) -> str:
    words = [(0, True)] if True in said else []
    columns = [*((n, False) for n in counts), *words, *([(8, True)] if True in said else [])]
    names = [f"{n} + {n}" if n and not w else "words" if not n else f"{n} + {n} and words" for n, w in columns]
    lines = [f"| {title} | " + " | ".join(names) + " | ms a picture |", "|---" * (len(columns) + 2) + "|"]
    for name, scorer in scorers().items():
        cells = []
        for count, words in columns:
            found = [case.accuracy(scorer, count, words) for case in cases]
            mean, error = np.mean(found), np.std(found) / max(1, len(found)) ** 0.5
            cells.append(f"{mean:.2f} ± {1.96 * error:.2f}")
        lines.append(f"| {name} | " + " | ".join(cells) + f" | {speed(scorer, cases[0]):.0f} |")
        print(lines[-1], file=sys.stderr, flush=True)
    return "\n".join(lines)


def speed(scorer, case: Case) -> float:
    """Milliseconds for one more picture, never seen before."""
    from viper.vpe import glance

    person, pictures = case.person(min(8, len(case.liked)), False), stacked([x for pair in case.tests for x in pair])
    scorer(pictures[:1], person)
    times = []
    for some in (pictures[1:2], pictures[2:18]):
        glance._seen.clear()
        began = time.perf_counter()
        scorer(some, person)
        times.append(time.perf_counter() - began)
    return 1000 * (times[1] - times[0]) / 15


def real_cases(folder: Path, split: tuple, draws: int, rng: random.Random, per_side: int = 8) -> list[Case]:
    import appearance as bench
    import torch

    entries = [e for e in json.loads((HERE / "appearance_pictures.json").read_text(encoding="utf-8"))["pictures"] if e["kind"] != "icon"]
    files = bench.find(folder, entries)
    a, b = split

    def side(own, other):
        return [e for e in entries if e["name"] in files and {*own} & {*e["present"]} and not {*other} & {*e["present"], *e["arguable"]}]

    seen = {e["name"]: torch.as_tensor(bench.read(files[e["name"]])) for e in (*side(a, b), *side(b, a))}
    out = []
    for n in range(draws):
        likes, hates = (side(a, b), side(b, a)) if n % 2 == 0 else (side(b, a), side(a, b))
        rng.shuffle(likes), rng.shuffle(hates)
        rest = list(zip(likes[per_side:], hates[per_side:], strict=False))
        tests = [[seen[x["name"]], seen[y["name"]]] for x, y in rest]
        out.append(Case([seen[e["name"]] for e in likes[:per_side]], [seen[e["name"]] for e in hates[:per_side]], tests))
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=12)
    parser.add_argument("--pocket", type=int, default=6, help="people who judge pictures of the pocket model")
    parser.add_argument("--real", type=Path, help="folder with the pictures of appearance_pictures.json")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--threads", type=int, default=0, help="of the CPU; 0 leaves it to torch")
    options = parser.parse_args()
    import pocket

    pocket.import_pack()
    import comfy.utils
    import torch

    comfy.utils.set_progress_bar_enabled(False)
    if options.threads:
        torch.set_num_threads(options.threads)
    with torch.inference_mode():
        if options.people:
            print(table(f"icons, {options.people} people", people(options.people, options.seed)) + "\n", flush=True)
        if options.pocket:
            cases = people(options.pocket, options.seed + 1, pocket.Painter())
            print(table(f"pictures of the pocket model, {options.pocket} people", cases) + "\n", flush=True)
        if options.real:
            for name, split in OPPOSITES.items():
                cases = real_cases(options.real, split, 8, random.Random(options.seed))
                print(table(f"real pictures: {name}", cases, (2, 4, 8), (False,)) + "\n", flush=True)


if __name__ == "__main__":
    main()
