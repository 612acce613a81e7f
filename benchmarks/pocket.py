"""What the pocket model can draw: ``python dev.py bench pocket [--quick]``.

Fetches the icon sets (npm) into ``.work/pocket`` once, trains the judge of ``_judge.py`` on them, draws
with the shipped weights through the host's own sampler and prints a table. Rates of real icons under
the same judge stand beside every figure of the model.
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


def import_pack():
    """The pack as ``viper``, and the host on the path, on the CPU."""
    import os

    sys.path.insert(0, os.environ.get("COMFYUI_PATH") or str(ROOT / ".host" / "ComfyUI"))
    sys.argv = sys.argv[:1]
    from comfy.cli_args import args

    args.cpu = True
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

        self.paint, self.quick = painter, quick
        self.vocabulary = icons.vocabulary()
        parts = self.vocabulary["subjects"]
        self.names = [*parts["simple"], *parts["common"]]
        self.groups = captions.group_of(self.vocabulary)
        icons.fetch(WORK)
        slugs = {name: s["icon"] for part in parts.values() for name, s in part.items()}
        self.icons = icons.render(WORK, slugs)
        self.placer = dataset.Placer(self.icons)
        self.generator, self.rng = torch.Generator().manual_seed(11), random.Random(11)
        self.judge = judge
        self.net = judge.train_subjects(self.icons, self.names, WORK / "judge.pt")
        self.looks = judge.Looks()
        real = {a: self.real(self.rng.choices(self.names, k=90), [a]) for a in self.groups if self.groups[a] != "look"}
        plain = self.real(self.rng.choices(self.names, k=250), [])
        for group, attributes in self.vocabulary["attributes"].items():
            if group != "look":
                self.looks.fit(group, list(attributes), [plain, *(real[a] for a in attributes)])

    def real(self, subjects: list[str], attributes: list[str]):
        """Real icons of ``subjects``, dressed."""
        import torch

        from viper.pocket.recipe.attributes import dress
        from viper.pocket.recipe.icons import SETS

        stack = torch.stack([self.placer((self.rng.choice(list(SETS)), s), self.rng) for s in subjects])
        return dress(stack, attributes, self.groups, self.generator)

    def subjects_right(self, pictures, subjects: list[str]) -> list[bool]:
        return [self.names[i] == s for i, s in zip(self.judge.subjects(self.net, pictures).tolist(), subjects, strict=True)]

    def looks_right(self, pictures, attributes: list[str]) -> list[bool]:
        return [self.looks(self.groups[a], pictures[i : i + 1])[0] == a for i, a in enumerate(attributes)]

    def subject_rate(self, subjects: list[str]) -> tuple[float, float]:
        real = self.subjects_right(self.real(subjects, []), subjects)
        return mean(self.subjects_right(self.paint(subjects), subjects)), mean(real)

    def pairs(self, pairs: list[tuple[str, str]]) -> dict:
        """Model and real icons on (subject, attribute) pairs: look right, subject right, both."""
        import torch

        subjects, attributes = zip(*pairs, strict=True)
        drawn = self.paint([f"{s}, {a}" for s, a in pairs])
        real = torch.cat([self.real([s], [a]) for s, a in pairs])
        rows = {}
        for who, x in (("model", drawn), ("real", real)):
            look, subject = self.looks_right(x, list(attributes)), self.subjects_right(x, list(subjects))
            rows[who] = (mean(look), mean(subject), mean([a and b for a, b in zip(look, subject, strict=True)]), look)
        return rows

    def decibels(self) -> tuple[float, float]:
        """Autoencoder on held-out icons and on real pictures with looks, PSNR of the pooled squared error."""
        import torch

        from viper.pocket.recipe.decoder import decibels

        vae = self.paint.vae
        held = self.real([s for s in self.vocabulary["subjects"]["held_out"] for _ in range(3)], [])
        dressed = torch.cat([self.real([s], [a]) for a in self.groups if self.groups[a] != "look" for s in self.names[:3]])
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
        parts, attributes = self.vocabulary["subjects"], [a for a in self.groups if self.groups[a] != "look"]
        simple = list(parts["simple"])
        held = {tuple(p) for p in self.vocabulary["held_out_pairs"]}
        each = 2 if self.quick else 4
        grid = [(s, a) for a in attributes for s in self.rng.sample([s for s in simple if (s, a) not in held], each)]
        lines = ["| what | pocket model | real icons, same judge |", "|---|---|---|"]

        def row(what: str, got: float, reference: float) -> None:
            lines.append(f"| {what} | {got:.0%} | {reference:.0%} |")

        for what, subjects, times in (("simple ones", simple, 2), ("common ones", self.names, 1)):
            rates = self.subject_rate(subjects * (1 if self.quick else times))
            row(f"subject, {len(subjects)} {what}, top-1 of {len(self.names)}", *rates)
        got = self.pairs(grid)
        for i, what in enumerate(("attribute, top-1 in its group (plain is a choice too)", "subject under an attribute", "both right")):
            row(f"{what}, {len(grid)} pictures", got["model"][i], got["real"][i])
        unseen = self.pairs(sorted(held))
        row(f"held-out pairs: attribute, {len(held)} pictures", unseen["model"][0], unseen["real"][0])
        row("held-out pairs: both right", unseen["model"][2], unseen["real"][2])
        held_db, dressed_db = self.decibels()
        lines.append(f"| autoencoder, held-out icons / with looks | {held_db:.1f} dB / {dressed_db:.1f} dB | |")
        lines.append(f"| {STEPS}-step picture, cfg {CFG:g}, CPU | {self.seconds():.2f} s | |")
        hits = {a: mean([ok for (_, b), ok in zip(grid, got["model"][3], strict=True) if a == b]) for a in attributes}
        lines += ["", "Attributes right, each: " + ", ".join(f"{a} {rate:.0%}" for a, rate in hits.items()) + "."]
        return "\n".join(lines)


def mean(values) -> float:
    return sum(values) / len(values)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="half of the pictures")
    parser.add_argument("--weights", type=Path, help="judge another file than the shipped one")
    options = parser.parse_args()
    import_pack()
    import torch

    with torch.no_grad():
        print(Bench(Painter(options.weights), options.quick).table())


if __name__ == "__main__":
    main()
