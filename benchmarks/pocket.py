"""What the pocket model can draw: ``python dev.py bench pocket [--quick]``.

Fetches the icon sets (npm) into ``.work/pocket`` once, trains the judge of ``_judge.py`` on them (about a quarter of
an hour, once), draws with the shipped weights through the host's own sampler and prints a table. Rates of real icons
under the same judge stand beside every figure of the model, and the judge's own on a set it never saw.
"""

import argparse
import importlib.util
import random
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WORK = ROOT / ".work" / "pocket"
STEPS, CFG, SAMPLER, SCHEDULER = 20, 4.0, "dpmpp_2m", "karras"


def import_pack(cpu: bool = True):
    """The pack as ``viper``, and the host on the path, on the CPU unless told otherwise."""
    import os

    sys.path.insert(0, os.environ.get("COMFYUI_PATH") or str(ROOT / ".host" / "ComfyUI"))
    sys.argv = sys.argv[:1]
    from comfy.cli_args import args

    args.cpu = cpu
    spec = importlib.util.spec_from_file_location("viper", ROOT / "__init__.py", submodule_search_locations=[str(ROOT)])
    sys.modules["viper"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sys.modules["viper"])


class Painter:
    """Prompts → pictures (B, 3, 128, 128) in [0, 1], many prompts a batch, through the host."""

    def __init__(self, path=None):
        from viper.pocket.loader import load_pocket_model

        self.model, self.clip, self.vae = load_pocket_model(path)

    def encode(self, text: str):
        return self.clip.encode_from_tokens(self.clip.tokenize(text))

    def __call__(self, prompts: list[str], seed: int = 0, batch: int = 32, cfg: float = CFG):
        import comfy.sample
        import torch

        empty, out = self.encode(""), []
        for i in range(0, len(prompts), batch):
            cond = torch.cat([self.encode(p) for p in prompts[i : i + batch]])
            latent = torch.zeros(len(cond), self.vae.latent_channels, 16, 16)
            noise = comfy.sample.prepare_noise(latent, seed + i)
            positive, negative = [[cond, {}]], [[empty.expand(len(cond), -1, -1), {}]]
            z = comfy.sample.sample(
                self.model, noise, STEPS, cfg, SAMPLER, SCHEDULER, positive, negative, latent, seed=seed, disable_pbar=True
            )
            out.append(self.vae.decode(z).movedim(-1, 1))
        return torch.cat(out)


class Bench:
    def __init__(self, painter: Painter, quick: bool):
        import torch

        from viper.benchmarks import _judge as judge
        from viper.pocket.recipe import captions, dataset, icons

        self.paint, self.quick, self.judging = painter, quick, judge
        self.vocabulary = icons.vocabulary()
        parts = self.vocabulary["subjects"]
        self.simple, self.names = list(parts["simple"]), [*parts["simple"], *parts["common"]]
        self.core = [*self.names, *parts["more"]]
        self.groups = captions.group_of(self.vocabulary)
        self.attributes = [a for a in self.groups if self.groups[a] != "look"]
        every = icons.SETS | judge.MORE_SETS | judge.UNSEEN
        icons.fetch(WORK, every)
        slugs = {name: s["icon"] for part in parts.values() for name, s in part.items()}
        everything = icons.render(WORK, slugs, every)
        self.icons = {k: v for k, v in everything.items() if k[0] in icons.SETS}
        self.unseen = {k[1]: v for k, v in everything.items() if k[0] in judge.UNSEEN}
        self.placer = dataset.Placer(self.icons)
        self.generator, self.rng = torch.Generator().manual_seed(11), random.Random(11)
        taught = {k: v for k, v in everything.items() if k[0] not in judge.UNSEEN}
        self.judge = judge.Judge(taught, self.core, self.vocabulary, WORK)

    def real(self, subject: str, attributes: list[str], second: str | None = None):
        """One real icon (or two) of a set of the recipe, dressed by the recipe: (1, 3, 128, 128)."""
        from viper.pocket.recipe.attributes import dress
        from viper.pocket.recipe.captions import Spec
        from viper.pocket.recipe.icons import SETS

        name = self.rng.choice(list(SETS))
        spec = Spec(subject, tuple(attributes), None, second)
        rgba = self.placer.couple(name, spec, self.rng) if second else self.placer((name, subject), self.rng)
        return dress(rgba[None], attributes, self.groups, self.generator)

    def subjects_right(self, pictures, subjects: list[str], among: list[str]) -> list[bool]:
        return [a == b for a, b in zip(self.judge.subjects(pictures, among), subjects, strict=True)]

    def looks_right(self, pictures, attributes: list[str]) -> list[bool]:
        return [self.judge.looks(self.groups[a], pictures[i : i + 1])[0] == a for i, a in enumerate(attributes)]

    def of_subjects(self, subjects: list[str], among: list[str], prompt="{}") -> tuple[float, float]:
        import torch

        real = self.subjects_right(torch.cat([self.real(s, []) for s in subjects]), subjects, among)
        return mean(self.subjects_right(self.paint([prompt.format(s) for s in subjects]), subjects, among)), mean(real)

    def wording(self, subject: str, attribute: str) -> str:
        """A colour stands before its subject, a look behind it."""
        if self.groups[attribute] == "color":
            return f"{attribute.removesuffix(' subject')} {subject}"
        return f"{subject}, {self.vocabulary['attributes'][self.groups[attribute]][attribute][0]}"

    def pairs(self, pairs: list[tuple[str, str]], first: bool = False) -> dict:
        """Model and real icons on (subject, attribute) pairs: look right, subject right, both; and each picture's look.

        ``first``: the look is named before the subject.
        """
        import torch

        subjects, attributes = zip(*pairs, strict=True)
        prompts = [self.wording(*pair) for pair in pairs]
        drawn = self.paint([", ".join(reversed(p.split(", "))) for p in prompts] if first else prompts)
        real = torch.cat([self.real(s, [a]) for s, a in pairs])
        rows = {}
        for who, x in (("model", drawn), ("real", real)):
            look, subject = self.looks_right(x, list(attributes)), self.subjects_right(x, list(subjects), self.names)
            rows[who] = (mean(look), mean(subject), mean([a and b for a, b in zip(look, subject, strict=True)]), look)
            rows[who] += self.agreement(x, attributes)
        return rows

    def agreement(self, pictures, attributes: list[str]) -> tuple[float, int]:
        """How often plain statistics tell the same look as the judge, where both tell one; and of how many."""
        from viper.benchmarks._grounds import PLAIN
        from viper.benchmarks._transforms import DEGREES

        same = []
        for i, a in enumerate(attributes):
            if a in {*DEGREES, *PLAIN, "brown", "dark", "bright", "monochrome"}:
                look, told = self.judge.looks(self.groups[a], pictures[i : i + 1])[0], self.judging.by_pixels(self.groups[a], pictures[i])
                same += [look == told] if told and look != "plain" else []
        return mean(same) if same else float("nan"), len(same)

    def couples(self, couples: list[tuple[str, str]]) -> tuple[float, float]:
        """Share of halves that show what stands there."""
        import torch

        drawn = self.paint([f"{a} and {b}" for a, b in couples])
        real = torch.cat([self.real(a, [], b) for a, b in couples])
        rates = []
        for x in (drawn, real):
            left, right = self.judging.halves(x)
            rates.append(mean(self.subjects_right(left, [a for a, _ in couples], self.names)
                              + self.subjects_right(right, [b for _, b in couples], self.names)))  # fmt: skip
        return tuple(rates)

    def trust(self) -> str:
        """The judge on a set it never saw."""
        import numpy as np
        import torch

        from viper.benchmarks import _transforms as transforms

        rng = np.random.default_rng(4)
        known = [s for s in self.core if s in self.unseen]

        def drawn(subject: str, chosen: dict):
            picture = np.asarray(transforms.draw(self.unseen[subject], chosen, rng, move=False), np.float32) / 255
            return torch.from_numpy(picture).permute(2, 0, 1)

        x = torch.stack([drawn(s, {}) for s in known])
        common = [s for s in known if s in self.names]
        hundred = mean(self.subjects_right(x[[known.index(s) for s in common]], common, self.names))
        right = self.subjects_right(x, known, self.core)
        pictures, asked = [], []
        for a in self.attributes:
            if a not in ("outlined", "line art"):  # OpenMoji is outlined itself
                pictures += [drawn(s, {self.groups[a]: a}) for s in self.rng.sample(known, 4)]
                asked += [a] * 4
        looks = mean(self.looks_right(torch.stack(pictures), asked))
        return (
            f"The judge on OpenMoji, never trained on: subject {hundred:.0%} of {len(self.names)}, {mean(right):.0%} of {len(self.core)}; "
            f"attribute in its group {looks:.0%} ({len(asked)} pictures)."
        )

    def decibels(self) -> tuple[float, float]:
        """Autoencoder on held-out icons and on real pictures with looks, PSNR of the pooled squared error."""
        import torch

        from viper.pocket.recipe.decoder import decibels

        vae = self.paint.vae
        held = torch.cat([self.real(s, []) for s in self.vocabulary["subjects"]["held_out"] for _ in range(3)])
        dressed = torch.cat([self.real(s, [a]) for a in self.attributes for s in self.names[:2]])
        return tuple(decibels(vae.decode(vae.encode(x.movedim(1, -1))).movedim(-1, 1) * 2 - 1, x * 2 - 1) for x in (held, dressed))

    def seconds(self) -> float:
        self.paint(["apple"])
        times = []
        for i in range(3):
            began = time.perf_counter()
            self.paint(["red apple, pastel colors"], seed=i)
            times.append(time.perf_counter() - began)
        return sorted(times)[1]

    def table(self) -> str:
        held = {tuple(p) for p in self.vocabulary["held_out_pairs"]}
        each = 1 if self.quick else 3
        grid = [(s, a) for a in self.attributes for s in self.rng.sample([s for s in self.names if (s, a) not in held], each)]
        lines = ["| what | pocket model | real icons, same judge | share |", "|---|---|---|---|"]

        def row(what: str, got: float, reference: float) -> None:
            lines.append(f"| {what} | {got:.0%} | {reference:.0%} | {got / max(reference, 1e-9):.0%} |")

        row(f"subject, {len(self.simple)} simple ones, top-1 of {len(self.names)}", *self.of_subjects(self.simple, self.names))
        plain, real = self.of_subjects(self.names, self.names)
        row(f"subject, {len(self.names)} common ones, top-1 of {len(self.names)}", plain, real)
        row(f"subject, {len(self.core)} core ones, top-1 of {len(self.core)}", *self.of_subjects(self.core, self.core))
        odd = [self.of_subjects(self.names, self.names, f"{{}} {word}")[0] for word in ("zorblat", "mivvenkrop")[: 2 - self.quick]]
        row("the same 100 with an unknown word behind", mean(odd), real)
        got = self.pairs(grid)
        first = f"attribute, top-1 in its group (plain is a choice too), {len(self.attributes)} attributes, {len(grid)} pictures"
        for i, what in enumerate((first, "subject under an attribute", "both right")):
            row(what, got["model"][i], got["real"][i])
        row("both right, the look named first", *(self.pairs(grid, first=True)[who][2] for who in ("model", "real")))
        unseen = self.pairs(sorted(held))
        row(f"held-out compositions: attribute, {len(held)} pictures", unseen["model"][0], unseen["real"][0])
        row("held-out compositions: both right", unseen["model"][2], unseen["real"][2])
        couples = [tuple(c) for c in self.vocabulary["held_out_couples"]]
        row(f"held-out couples, side by side: each half right, {len(couples)} pictures", *self.couples(couples))
        held_db, dressed_db = self.decibels()
        lines.append(f"| autoencoder, held-out icons / with looks | {held_db:.1f} dB / {dressed_db:.1f} dB | | |")
        lines.append(f"| {STEPS}-step picture, cfg {CFG:g}, CPU | {self.seconds():.2f} s | | |")
        hits = {a: mean([ok for (_, b), ok in zip(grid, got["model"][3], strict=True) if a == b]) for a in self.attributes}
        weak = [f"{a} {rate:.0%}" for a, rate in hits.items() if rate < 1]
        lines += ["", self.trust(), "", "Plain pixel statistics agree with the judge on hues, papers, key and monochrome: "
                  + ", ".join(f"{got[w][4]:.0%} of {got[w][5]} ({w})" for w in ("model", "real")) + "."]  # fmt: skip
        lines += ["", "Attributes below 100%: " + (", ".join(weak) or "none") + "."]
        return "\n".join(lines)


def sheet(bench: Bench, path: Path) -> None:
    """The hundred common subjects in four styles, five subjects (twenty pictures) a row."""
    from PIL import Image

    prompts = [f"{s}{look}" for s in bench.names for look in ("", ", watercolor", ", outlined", ", night sky")]
    x = bench.paint(prompts).clamp(0, 1).mul(255).byte().view(-1, 20, 3, 128, 128)
    Image.fromarray(x.permute(0, 3, 1, 4, 2).reshape(-1, 20 * 128, 3).numpy()).save(path)


def mean(values) -> float:
    return sum(values) / len(values)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="half of the pictures")
    parser.add_argument("--weights", type=Path, help="judge another file than the shipped one")
    parser.add_argument("--sheet", type=Path, help="only draw the hundred subjects in four styles into this picture")
    options = parser.parse_args()
    import_pack()
    import torch

    with torch.no_grad():
        bench = Bench(Painter(options.weights), options.quick)
        sheet(bench, options.sheet) if options.sheet else print(bench.table())


if __name__ == "__main__":
    main()
