"""Taste without words: ``python dev.py bench taste [--people 48] [--pocket 0] [--real DIR] [--calibrate]``.

Made-up people (``_people.py``) like two and dislike two looks and judge pictures without a word: real icons of subjects that
nothing of the pack was trained on, dressed by the pocket model's recipe (``--pocket N``: also pictures that the pocket model
draws, for N people). A picture to their taste wears one or two looks that they like, one that is not wears looks that they
dislike, and half of either a look that they do not care about. Accuracy is measured on unseen pairs of one new subject in two
dresses: one to their taste and one not, or one of them without either. ``--real`` does the same with the pictures and labels of
``appearance_pictures.json`` in DIR: people who like and dislike one label each.
"""

import argparse
import hashlib
import json
import random
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
WORK = HERE.parent / ".work" / "taste"
EACH, SEED, TESTS = 2, 5, 30
COUNTS, PAIRS = (2, 4, 8, 16), (4, 8, 16, 32)


@dataclass(frozen=True)
class Dressed:
    """A picture to make: a subject and its looks. ``n`` tells pictures of one dress apart."""

    subject: str
    looks: tuple[str, ...]
    n: int


class World:
    """Dressed icons of held-out subjects, and what our eyes see in them (kept under .work/taste)."""

    def __init__(self, people: int, seed: int, paint=None):
        import torch

        from viper.benchmarks import _people
        from viper.pocket.recipe import captions, dataset, icons

        self.torch, self.paint = torch, paint
        self.vocabulary = icons.vocabulary()
        self.groups = captions.group_of(self.vocabulary)
        self.fits = captions.compatible
        self.known = [a for a, g in self.groups.items() if g not in _people.LEFT_OUT]
        slugs = {name: s["icon"] for part in self.vocabulary["subjects"].values() for name, s in part.items()}
        work = HERE.parent / ".work" / "pocket"
        icons.fetch(work, icons.SETS)
        self.icons = {k: v for k, v in icons.render(work, slugs, icons.SETS).items() if k[0] in icons.SETS}
        self.placer = dataset.Placer(self.icons)
        held = sorted(self.vocabulary["subjects"]["held_out"])
        self.judged, self.tested = held[::2], held[1::2]  # what people judge and what they are tested on
        if paint:  # the pocket model draws the subjects it knows
            simple = sorted(self.vocabulary["subjects"]["simple"])
            self.judged, self.tested = simple[::2], simple[1::2]
        self.crowd = _people.draw_people(self.vocabulary, self.known, people, EACH, seed)
        WORK.mkdir(parents=True, exist_ok=True)
        self.file = WORK / f"glances-{'pocket' if paint else 'icons'}-{eyes_version()}.json"
        self.alone = True  # as `glance.for_taste` has it for drawn pictures
        self.glances: dict[str, list] = json.loads(self.file.read_text()) if self.file.exists() else {}

    def picture(self, d: Dressed) -> np.ndarray:
        """(128, 128, 3) in [0, 1]."""
        from viper.pocket.recipe.attributes import dress
        from viper.pocket.recipe.icons import SETS

        key = int(hashlib.sha256(repr(d).encode()).hexdigest()[:8], 16)
        if self.paint:
            words = [self.vocabulary["attributes"][self.groups[a]][a][0] for a in d.looks]
            return self.paint([", ".join([d.subject, *words])], seed=key)[0].permute(1, 2, 0).clamp(0, 1).numpy()
        rng, generator = random.Random(key), self.torch.Generator().manual_seed(key)
        name = rng.choice([s for s in SETS if (s, d.subject) in self.icons])
        x = dress(self.placer((name, d.subject), rng)[None], list(d.looks), self.groups, generator)
        return x[0].permute(1, 2, 0).clamp(0, 1).numpy()

    def see(self, pictures: list[Dressed]) -> list[dict[str, float]]:
        from viper.vpe.glance import look, looks_alone

        out = []
        for d in pictures:
            key = repr(d)
            if key not in self.glances:
                one = look((self.picture(d) * 255).round().astype(np.float32) / 255)
                self.glances[key] = [one.features, one.drawn]
            out.append(looks_alone(self.glances[key][0]) if self.alone else self.glances[key][0])
        return out

    def save(self) -> None:
        self.file.write_text(json.dumps(self.glances))

    def dress(self, person, side: int, subject: str, rng: random.Random) -> Dressed:
        """A picture to the person's taste (1), against it (−1) or neither (0)."""
        chosen: list[str] = []
        own = list({1: person.liked, -1: person.disliked, 0: ()}[side])
        rng.shuffle(own)
        others = [a for a in self.known if a not in person.liked + person.disliked]
        for a in [*own[: rng.choice((1, 2))], *(rng.sample(others, 8) if rng.random() < 0.5 or not side else [])]:
            fits = all(self.fits(a, b, self.groups) for b in chosen)
            extra = sum(b in others for b in chosen)
            if fits and (a not in others or extra < 1):
                chosen.append(a)
        return Dressed(subject, tuple(chosen), rng.randrange(1000))


@dataclass
class Person:
    """What one person is shown: judged pictures of both sides and neither, unseen pairs (better, worse)."""

    agent: object
    liked: list
    disliked: list
    neutral: list
    tests: list  # (kind, better, worse)
    said: object = None
    truth: tuple = ()


def prepare(world: World, count: int, seed: int, most: int = 16, pairs: int = TESTS) -> list[Person]:
    from viper.benchmarks import _people
    from viper.vpe.extractor import BuiltInExtractor

    reader, people = BuiltInExtractor(), []
    for i, agent in enumerate(world.crowd[:count]):
        rng = random.Random(f"{seed} {i}")
        sides = {s: [world.dress(agent, s, rng.choice(world.judged), rng) for _ in range(most)] for s in (1, -1, 0)}
        tests = []
        for k in range(pairs):
            a, b = ((1, -1), (1, 0), (0, -1))[k % 3]
            subject = rng.choice(world.tested)
            tests.append((("opposite", "over neither", "under neither")[k % 3],
                          *(world.see([world.dress(agent, s, subject, rng)])[0] for s in (a, b))))  # fmt: skip
        said = reader.extract(_people.write(agent, world.vocabulary, f"{seed} {i}"))
        people.append(Person(agent, *(world.see(sides[s]) for s in (1, -1, 0)), tests, said, tuple(zip(sides[1], sides[-1], strict=True))))
        if i % 8 == 7:
            world.save()
            print(f"{i + 1} people", file=sys.stderr, flush=True)
    world.save()
    return people


def eyes_version() -> str:
    """Changes with the code and the weights that look."""
    import inspect

    from viper.pocket import looks
    from viper.vpe import glance

    parts = [(HERE.parent / "vpe" / name).read_bytes() for name in ("appearance.py", "palette.py")]
    parts += [inspect.getsource(f).encode() for f in (glance.look, looks.see, looks.embed)] + [looks.WEIGHTS.read_bytes()]
    return hashlib.sha256(b"".join(parts)).hexdigest()[:8]


def judged(person: Person, likes: int, dislikes: int):
    from viper.vpe.taste import Judged

    shown = (*person.liked[:likes], *person.disliked[:dislikes])
    return Judged(shown, (1,) * likes + (-1,) * dislikes, (), True)


def accuracy(person: Person, weights: dict[str, float], kind: str = "") -> float:
    """Share of unseen pairs ranked rightly; a tie counts a half."""
    right = []
    for which, a, b in person.tests:
        if kind in ("", which):
            d = worth(weights, a) - worth(weights, b)
            right.append(0.5 if abs(d) < 1e-9 else float(d > 0))
    return float(np.mean(right))


def worth(weights: dict[str, float], shown: dict[str, float]) -> float:
    return sum(w * shown.get(n, 0.0) for n, w in weights.items())


def believed(some, said=None) -> dict[str, float]:
    from viper.vpe import taste

    p = taste.belief(some, said) if said is not None else taste.belief(some)
    return dict(zip(p.features, p.weights.tolist(), strict=True))


def profile(prefs) -> dict[str, float]:
    """Weights of the named features alone, by the names that pictures have."""
    return {f.text: s * f.weight for s, side in ((1, prefs.liked), (-1, prefs.disliked)) for f in side}


def f1(person: Person, prefs, vocabulary) -> tuple[float, float, float]:
    """(precision, recall, F1) of named features: right if they name a look of the person on its side."""
    from viper.benchmarks import _people

    right, wrong, other = _people.understood(person.agent, prefs, vocabulary)
    total = right + wrong + other
    precision, recall = right / total if total else 1.0, right / (2 * EACH)
    return precision, recall, 2 * precision * recall / max(1e-9, precision + recall)


def mean(values) -> float:
    return float(np.mean(list(values)))


def row(name: str, *cells) -> str:
    return f"| {name} | " + " | ".join(f"{c:.2f}" if isinstance(c, float) else str(c) for c in cells) + " |"


def head(*names) -> list[str]:
    return ["| " + " | ".join(names) + " |", "|" + "---|" * len(names)]


def tables(people: list[Person], world: World) -> list[str]:
    from viper.vpe import portrait, taste

    kinds = ("opposite", "over neither", "under neither")
    out = ["Verdicts: accuracy on unseen pairs of one subject (opposite: to taste against not; neither: a picture with none of their "
           "looks), of what is believed and of the named features alone; features named, precision, recall, F1.", ""]
    out += head("liked + disliked", "opposite", "over neither", "under neither", "all", "named alone, opposite", "P", "R", "F1", "sure")
    most = len(people[0].liked)
    for n in [n for n in COUNTS if n <= most]:
        rows = []
        for p in people:
            some = judged(p, n, n)
            w, found = believed(some), taste.from_pictures(some)
            named = accuracy(p, profile(found), "opposite")
            rows.append((*(accuracy(p, w, k) for k in kinds), accuracy(p, w), named, *f1(p, found, world.vocabulary), taste.sureness(some)))
        out.append(row(f"{n} + {n}", *map(float, np.mean(rows, 0))))
    for n in [n for n in (3, 5, 8, 16) if n <= most]:
        rows = []
        for p in people:
            some = judged(p, n, 0)
            w, found = believed(some), taste.from_pictures(some)
            precision, recall, _ = f1(p, found, world.vocabulary)
            recall = min(1.0, 2 * recall)  # of the liked looks, the only ones that can be found
            scores = precision, recall, 2 * precision * recall / max(1e-9, precision + recall)
            rows.append((*(accuracy(p, w, k) for k in kinds), accuracy(p, w), accuracy(p, profile(found), "opposite"), *scores,
                         taste.sureness(some)))  # fmt: skip
        out.append(row(f"{n} + 0 (mood board)", *map(float, np.mean(rows, 0))))
    rows = []
    for i, p in enumerate(people):  # what is named of verdicts that mean nothing
        rng = random.Random(i)
        shown = rng.sample([*p.liked, *p.disliked, *p.neutral], 16)
        found = taste.from_pictures(taste.Judged(tuple(shown), tuple(rng.choice((1, -1)) for _ in shown), (), True))
        rows.append(len(found.liked) + len(found.disliked))
    none = mean(r == 0 for r in rows)
    out += ["", f"Verdicts by coin on 16 pictures: {mean(rows):.2f} features named on average, none at all for {none:.0%}.", ""]
    out += head("what is known (8 + 8 pictures, 8 comments)", "opposite", "all", "P", "R", "F1")
    ways = {
        "words alone": lambda p: (believed(taste.Judged((), (), (), True), p.said), p.said),
        "pictures alone": lambda p: (believed(judged(p, 8, 8)), taste.from_pictures(judged(p, 8, 8))),
        "both": lambda p: (believed(judged(p, 8, 8), p.said), portrait.mixed(p.said, taste.from_pictures(judged(p, 8, 8), p.said))),
        "half of the words alone": lambda p: (believed(taste.Judged((), (), (), True), halved(p.said)), halved(p.said)),
        "half of the words and pictures": lambda p: (
            believed(judged(p, 8, 8), halved(p.said)),
            portrait.mixed(halved(p.said), taste.from_pictures(judged(p, 8, 8), halved(p.said))),
        ),
    }
    for name, way in ways.items():
        rows = [(accuracy(p, w, "opposite"), accuracy(p, w), *f1(p, found, world.vocabulary)) for p in people for w, found in [way(p)]]
        out.append(row(name, *map(float, np.mean(rows, 0))))
    return out


def ablation(people: list[Person]) -> list[str]:
    """What accuracy and F1 hang on, at 8 + 8 verdicts and on a mood board of 5."""
    from viper.vpe import taste

    only = lambda keep: lambda x: {n: s for n, s in x.items() if keep(n)}  # noqa: E731
    ways = {
        "as it is": ({}, None, None),
        "looks that measures can name alone": ({}, only(lambda n: n in MEASURED), None),
        "strengths rounded to 0 or 1": ({}, lambda x: {n: 1.0 for n, s in x.items() if s >= 0.5}, None),
        "typical pictures of the other kind": ({}, None, "any"),
        "no prior offset of the pool (POOL 0.01)": ({"POOL": 0.01}, None, None),
        "a free offset of the pool (POOL 1.5)": ({"POOL": 1.5}, None, None),
        "half as many features expected (PRIOR 0.02)": ({"PRIOR": 0.02}, None, None),
        "twice as many features expected (PRIOR 0.08)": ({"PRIOR": 0.08}, None, None),
    }
    out = head("way", "8 + 8: opposite", "all", "F1", "5 + 0: opposite", "all", "F1", "named by coin")
    for name, (constants, change, kind) in ways.items():
        kept = {key: getattr(taste, key) for key in constants}
        for key, value in constants.items():
            setattr(taste, key, value)
        rows = []
        for i, p in enumerate(people):
            if change:
                p = replace(p, liked=[*map(change, p.liked)], disliked=[*map(change, p.disliked)],
                            tests=[(k, change(a), change(b)) for k, a, b in p.tests])  # fmt: skip
            cells = []
            for some in (judged(p, 8, 8), judged(p, 5, 0)):
                some = replace(some, drawn=kind != "any")
                w, found = believed(some), taste.from_pictures(some)
                precision, recall, _ = f1(p, found, vocabulary())
                recall = min(1.0, recall if any(v < 0 for v in some.verdicts) else 2 * recall)
                cells += [accuracy(p, w, "opposite"), accuracy(p, w), 2 * precision * recall / max(1e-9, precision + recall)]
            rng = random.Random(i)
            shown = rng.sample([*p.liked, *p.disliked], 16)
            found = taste.from_pictures(taste.Judged(tuple(shown), tuple(rng.choice((1, -1)) for _ in shown), (), True))
            rows.append((*cells, len(found.liked) + len(found.disliked)))
        for key, value in kept.items():
            setattr(taste, key, value)
        out.append(row(name, *map(float, np.mean(rows, 0))))
    return out


MEASURED = ("sepia", "vivid colors", "muted colors", "pastel colors", "warm colors", "cool colors", "dark", "bright", "high contrast",
            "low contrast", "blurred", "grainy", "outlined", "line art", "black and white")  # fmt: skip


def vocabulary() -> dict:
    from viper.pocket.recipe import icons

    return icons.vocabulary()


def halved(prefs):
    from viper.vpe.preferences import Preferences

    return Preferences(prefs.liked[::2], prefs.disliked[::2])


def duel_table(people: list[Person], pool: int = 16) -> list[str]:
    """Pairs among ``pool`` pictures, random against asked for."""
    from viper.vpe import taste

    out = [f"Pairs among {pool} pictures (a third each to taste, against it, neither; a tenth of the answers wrong): accuracy on "
           "unseen pairs, all kinds.", "", *head("pairs", "random", "suggested", "random, opposite", "suggested, opposite")]  # fmt: skip
    results = {(way, n): [] for way in ("random", "suggested") for n in PAIRS}
    for i, p in enumerate(people):
        rng = random.Random(f"duel {i}")
        n = pool // 3
        shown = [*((x, 1) for x in p.liked[:n]), *((x, -1) for x in p.disliked[:n]), *((x, 0) for x in p.neutral[: pool - 2 * n])]
        rng.shuffle(shown)
        pictures, worth = tuple(x for x, _ in shown), [v for _, v in shown]
        every = [(a, b) for a in range(pool) for b in range(a + 1, pool)]
        rng.shuffle(every)
        for way in ("random", "suggested"):
            answers, coin = random.Random(f"answers {i}"), iter(every)
            some = taste.Judged(pictures, (0,) * pool, (), True)
            for k in range(1, max(PAIRS) + 1):
                a, b = next(coin) if way == "random" else taste.next_pair(some)
                if worth[a] < worth[b] or worth[a] == worth[b] and answers.random() < 0.5:
                    a, b = b, a
                if answers.random() < 0.1:
                    a, b = b, a
                some = replace(some, pairs=(*some.pairs, (a, b)))
                if k in PAIRS:
                    w = believed(some)
                    results[way, k].append((accuracy(p, w), accuracy(p, w, "opposite")))
    for n in PAIRS:
        a, b = (np.mean(results[way, n], 0) for way in ("random", "suggested"))
        out.append(row(str(n), float(a[0]), float(b[0]), float(a[1]), float(b[1])))
    return out


def calibration(people: list[Person]) -> list[str]:
    """What ``sureness`` promises against what holds, where a tenth of the verdicts are slips."""
    from viper.vpe import taste

    points = []
    sizes = ((0, 0), (1, 1), (2, 2), (3, 3), (4, 4), (6, 6), (8, 8), (16, 16), (3, 0), (5, 0), (8, 0), (16, 0), (0, 4), (0, 8))
    for i, p in enumerate(people):
        for likes, dislikes in sizes:
            some, rng = judged(p, likes, dislikes), random.Random(f"slips {i} {likes} {dislikes}")
            some = replace(some, verdicts=tuple(-v if rng.random() < 0.1 else v for v in some.verdicts))
            for said in (taste.NOTHING, halved(p.said), p.said):
                if len(some) or said:
                    points.append((0.5 + taste.sureness(some, said) / 2, accuracy(p, believed(some, said))))
    points = np.array(points)
    out = head("promised chance of a right rank", "cases", "promised", "measured")
    edges = [0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 1.001]
    for low, high in zip(edges, edges[1:], strict=False):
        inside = points[(points[:, 0] >= low) & (points[:, 0] < high)]
        if len(inside):
            out.append(row(f"{low:.2f} to {min(high, 1):.2f}", len(inside), float(inside[:, 0].mean()), float(inside[:, 1].mean())))
    error = np.abs(points[:, 0] - points[:, 1]).mean()
    out += ["", f"Mean absolute error {error:.3f} over {len(points)} cases, bias {np.mean(points[:, 0] - points[:, 1]):+.3f}."]
    return out


def real_table(folder: Path, seed: int = 7) -> list[str]:
    """Photographs, paintings, illustrations: people who like one label and dislike another, as somebody else labelled them."""
    import appearance as bench

    from viper.vpe import taste
    from viper.vpe.glance import look

    entries = json.loads((HERE / "appearance_pictures.json").read_text(encoding="utf-8"))["pictures"]
    entries = [e for e in entries if e["kind"] != "icon"]
    files = bench.find(folder, entries)
    seen = {e["name"]: look(bench.read(files[e["name"]])) for e in entries if e["name"] in files}
    entries = [e for e in entries if e["name"] in seen]
    gate = mean(s.drawn for s in seen.values())
    labels = sorted({a for e in entries for a in e["present"]})
    with_it = {a: [e for e in entries if a in e["present"]] for a in labels}
    without = {a: [e for e in entries if a not in e["present"] and a not in e["arguable"]] for a in labels}
    labels = [a for a in labels if len(with_it[a]) >= 12]
    rng, rows = random.Random(seed), {4: [], 6: []}
    for a in labels:
        for b in rng.sample([x for x in labels if x != a], 4):
            likes = [e for e in with_it[a] if e in without[b]]
            hates = [e for e in with_it[b] if e in without[a]]
            if len(likes) < 10 or len(hates) < 10:
                continue
            rng.shuffle(likes), rng.shuffle(hates)
            for n in rows:
                some = taste.Judged(tuple(seen[e["name"]].features for e in (*likes[:n], *hates[:n])), (1,) * n + (-1,) * n)
                w, found = believed(some), taste.from_pictures(some)
                tests = [(x, y) for x in likes[n:][:8] for y in hates[n:][:8]]
                score = [worth(w, seen[x["name"]].features) - worth(w, seen[y["name"]].features) for x, y in tests]
                named = [f.text == a for f in found.liked] + [f.text == b for f in found.disliked]
                rows[n].append((mean(0.5 if abs(s) < 1e-9 else s > 0 for s in score), a in [f.text for f in found.liked],
                                b in [f.text for f in found.disliked], len(named), taste.sureness(some)))  # fmt: skip
    out = [f"Real pictures ({len(entries)}, {gate:.1%} of them taken for icons), {len(rows[4])} people who like one label and dislike "
           "another; unseen pairs of any two pictures.", ""]  # fmt: skip
    out += head("liked + disliked", "accuracy", "liked label named", "disliked label named", "features named", "sure")
    return out + [row(f"{n} + {n}", *map(float, np.mean(rows[n], 0))) for n in rows]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=48)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--pocket", type=int, default=0, help="people who judge pictures of the pocket model")
    parser.add_argument("--real", type=Path, help="folder with the pictures of appearance_pictures.json")
    parser.add_argument("--only", default="tables,causes,duels,sure", help="which tables of the dressed icons")
    options = parser.parse_args()
    import pocket

    pocket.import_pack()
    import torch

    torch.set_num_threads(1)
    with torch.inference_mode():
        out = []
        if options.people:
            world = World(options.people, options.seed)
            people = prepare(world, options.people, options.seed)
            out += [f"### Dressed icons, {len(people)} people, seed {options.seed}", ""]
            if "tables" in options.only:
                out += [*tables(people, world), ""]
            if "causes" in options.only:
                out += [*ablation(people), ""]
            if "duels" in options.only:
                out += [*duel_table(people), ""]
            if "sure" in options.only:
                out += [*calibration(people), ""]
        if options.pocket:
            world = World(options.pocket, options.seed + 1, pocket.Painter())
            people = prepare(world, options.pocket, options.seed + 1, most=8, pairs=12)
            gate = mean(drawn for _, drawn in world.glances.values())
            out += [f"{len(world.glances)} pictures, {gate:.0%} of them known as its own.", ""]
            out += [f"### Pictures of the pocket model, {len(people)} people, seed {options.seed + 1}", "", *tables(people, world), ""]
        if options.real:
            out += ["### Real pictures", "", *real_table(options.real)]
    print("\n".join(out))


if __name__ == "__main__":
    main()
