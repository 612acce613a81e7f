"""Does the encoding of a taste matter? Which of its looks come out: ``python dev.py bench encoding [--quick]``.

The authors of ViPer (arXiv 2407.17365) name the text encoder's token limit and its sense of order as limits: attributes of
a long list are overlooked. Here tastes of 1, 4, 8, 16 and 32 liked features, none disliked, bend four subjects at β = 0.6
in each encoding, and the judge of ``_judge.py`` tells which of the looks it sees in their groups ("plain" is a choice, too).
A taste's looks go together, one a group; from 16 features on each look is there in two or four wordings that stand side by
side, so that a place in the list still belongs to one look. "Real icons" are dressed in the same looks by the recipe: what
the judge could see at best. "Plain" are pictures without any taste. Everything is seeded. Trains the judge once, if
``bench pocket`` has not.
"""

import argparse
import random
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import pocket  # noqa: E402

BETA, STEPS, SIZES, SUBJECTS = 0.6, 12, (1, 4, 8, 16, 32), ("apple", "cat", "house", "butterfly")
WHOLE = ("palette", "hue", "temperature", "mood", "medium")  # these paint over each other: one of them
PARTS = ("texture", "line", "key", "contrast", "background", "frame", "light")


class Tastes:
    """Seeded tastes: lists of features, and the look that each stands for."""

    def __init__(self, vocabulary: dict, seed: int = 5):
        self.vocabulary, self.rng = vocabulary["attributes"], random.Random(seed)

    def __call__(self, size: int) -> tuple[list[str], list[str]]:
        """(features, the look of each), ``size`` long; the order of the looks is drawn."""
        groups = [self.rng.choice(WHOLE), *PARTS]
        self.rng.shuffle(groups)
        features, looks = [], []
        for group in groups[:size]:
            look = self.rng.choice(sorted(self.vocabulary[group]))
            wordings = self.vocabulary[group][look][: max(1, size // len(groups))]
            features += wordings
            looks += [look] * len(wordings)
        return features, looks


class Coverage:
    """Which looks of a taste come out."""

    def __init__(self, quick: bool):
        self.bench = pocket.Bench(pocket.Painter(), quick)
        tastes, times = Tastes(self.bench.vocabulary), {1: 16 // (1 + quick)}
        self.tastes = {size: [tastes(size) for _ in range(times.get(size, 8 // (1 + quick)))] for size in SIZES}

    def paint(self, features: list[str], encoding: str):
        """The four subjects under a taste, as the nodes draw them: (4, 3, 128, 128); without features, plain."""
        import torch

        from viper.nodes.conditioning import PreferenceConditioning
        from viper.samplers.guider import sample
        from viper.vpe.preferences import Feature, Preferences

        paint = self.bench.paint
        positive = [[torch.cat([paint.encode(s) for s in SUBJECTS]), {}]]
        negative = [[paint.encode("").expand(len(SUBJECTS), -1, -1), {}]]
        taste = Preferences(tuple(Feature(f) for f in features))
        beta = BETA if features else 0.0
        *conds, _ = PreferenceConditioning.execute(paint.clip, taste, positive, negative, beta, "paper", encoding).result
        latent = {"samples": torch.zeros(len(SUBJECTS), paint.vae.latent_channels, 16, 16)}
        z = sample(paint.model, 1, STEPS, pocket.CFG, pocket.SAMPLER, pocket.SCHEDULER, *conds, latent, 1.0, beta)
        return paint.vae.decode(z["samples"]).movedim(-1, 1)

    def seen(self, pictures, looks: list[str]) -> list[float]:
        """Per feature the share of pictures that show its look."""
        rates = {look: pocket.mean(self.bench.looks_right(pictures, [look] * len(pictures))) for look in set(looks)}
        return [rates[look] for look in looks]

    def row(self, size: int, draw) -> tuple[float, float, float, float]:
        """Coverage, that of the first and the last quarter of the list, and how often the subject is still told.

        ``draw`` gives the pictures of (features, looks).
        """
        whole, first, last, subjects = [], [], [], []
        for features, looks in self.tastes[size]:
            pictures = draw(features, looks)
            rates, quarter = self.seen(pictures, looks), max(1, size // 4)
            whole += rates
            first += rates[:quarter]
            last += rates[-quarter:]
            subjects += self.bench.subjects_right(pictures, list(SUBJECTS), self.bench.names)
        return tuple(map(pocket.mean, (whole, first, last, subjects)))

    def real(self, features, looks: list[str]):
        import torch

        return torch.cat([self.bench.real(s, list(dict.fromkeys(looks))) for s in SUBJECTS])

    def table(self, encodings) -> str:
        lines = ["| liked features | encoding | looks seen | first quarter | last quarter | subject told |", "|---|---|---|---|---|---|"]
        plain = self.paint([], "joined")
        ways = {"plain": lambda features, looks: plain, "real icons": self.real}
        ways |= {e: lambda features, looks, e=e: self.paint(features, e) for e in encodings}
        for size in SIZES:
            for name, draw in ways.items():
                if size == 1 and name in encodings[1:]:
                    continue  # of one feature all encodings are the same
                whole, first, last, subjects = self.row(size, draw)
                ends = f"{first:.0%} | {last:.0%}" if size > 1 and name != "plain" else " | "
                lines.append(f"| {size} | {name} | {whole:.0%} | {ends} | {subjects:.0%} |")
                print(lines[-1], file=sys.stderr, flush=True)
        return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="half of the tastes")
    options = parser.parse_args()
    began = time.perf_counter()
    pocket.import_pack()
    import torch

    from viper.samplers.encoding import ENCODINGS

    with torch.no_grad():
        print(Coverage(options.quick).table(ENCODINGS))
    print(f"\nβ = {BETA:g}; {time.perf_counter() - began:.0f} s.")


if __name__ == "__main__":
    main()
