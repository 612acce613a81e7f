"""Train what ``pocket/looks.py`` reads and write what pictures typically show: ``python benchmarks/_looks.py --folder DIR``.

DIR holds the pictures of appearance_pictures.json. Icons of the recipe's sets, dressed by the recipe in up to three looks, teach the
looks (one softmax a group, "plain" included); the open half of the real pictures, crops of them and plain colours, gradients and
noise teach the gate what no icon is. Printed: recall of looks and false looks on held-out subjects, and how many real pictures of
the held-out half are taken for icons. Writes pocket/weights/looks.safetensors and vpe/typical.json.
"""

import argparse
import json
import random
import sys
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
COUNT, HELD, TYPICAL, SEED = 8000, 600, 500, 1
COUNTS = (0.12, 0.40, 0.33, 0.15)  # how many looks a picture wears: 0, 1, 2, 3


class Wardrobe:
    """Real icons and their looks."""

    def __init__(self):
        from viper.benchmarks import _people
        from viper.pocket.recipe import captions, dataset, icons

        self.vocabulary = icons.vocabulary()
        self.groups = captions.group_of(self.vocabulary)
        self.fits = captions.compatible
        self.known = [a for a, g in self.groups.items() if g not in _people.LEFT_OUT]
        self.sets = icons.SETS
        slugs = {name: s["icon"] for part in self.vocabulary["subjects"].values() for name, s in part.items()}
        work = HERE.parent / ".work" / "pocket"
        icons.fetch(work, icons.SETS)
        self.icons = {k: v for k, v in icons.render(work, slugs, icons.SETS).items() if k[0] in icons.SETS}
        self.placer = dataset.Placer(self.icons)
        self.taught = [n for part in ("simple", "common", "more") for n in self.vocabulary["subjects"][part]]
        self.held = list(self.vocabulary["subjects"]["held_out"])

    def draw(self, subjects, rng: random.Random, generator, counts=COUNTS):
        """(H, W, 3) in [0, 1] and the looks it wears."""
        from viper.pocket.recipe.attributes import dress

        subject, chosen = rng.choice(subjects), []
        for _ in range(rng.choices(range(len(counts)), counts)[0]):
            for _ in range(20):
                name = rng.choice(self.known)
                if rng.random() < 0.35:  # between "every look alike" and "every group alike"
                    kind = rng.choice(sorted({self.groups[a] for a in self.known}))
                    name = rng.choice([a for a in self.known if self.groups[a] == kind])
                if all(self.fits(name, c, self.groups) for c in chosen):
                    chosen.append(name)
                    break
        source = rng.choice([s for s in self.sets if (s, subject) in self.icons])
        picture = dress(self.placer((source, subject), rng)[None], chosen, self.groups, generator)
        return picture[0].permute(1, 2, 0).clamp(0, 1), tuple(chosen)

    def embedded(self, count: int, subjects, seed: int):
        import torch

        from viper.pocket.looks import embed

        rng, generator = random.Random(seed), torch.Generator().manual_seed(seed)
        x, worn, batch = [], [], []
        for n in range(count):
            picture, looks = self.draw(subjects, rng, generator)
            batch.append((picture * 255).round() / 255)
            worn.append(looks)
            if len(batch) == 32 or n == count - 1:
                x.append(embed(torch.stack(batch)))
                batch = []
        return torch.cat(x), worn


def shapes(count: int, seed: int):
    """Plain colours, gradients and noise, (count, 128, 128, 3)."""
    import torch

    g = torch.Generator().manual_seed(seed)
    colors = torch.rand(count, 2, 3, generator=g)
    ramp = torch.linspace(0, 1, 128)[:, None, None]
    out = []
    for n in range(count):
        a, b = colors[n]
        x = (a + (b - a) * ramp * (n % 3 == 1)).expand(128, 128, 3)
        out.append(x + (n % 3 == 2) * 0.3 * torch.randn(128, 128, 3, generator=g) * colors[n, 1, 0])
    return torch.stack(out).clamp(0, 1)


def fit(loss, *parameters, steps: int):
    import torch

    optimiser = torch.optim.LBFGS(parameters, max_iter=steps, line_search_fn="strong_wolfe")

    def closure():
        optimiser.zero_grad()
        value = loss()
        value.backward()
        return value

    with torch.enable_grad():
        optimiser.step(closure)
    return [p.detach() for p in parameters]


def teach_looks(z, worn, names: list[list[str]], penalty: float = 2e-3):
    """(N, 576) and what is worn → weight (576, K), bias (K)."""
    import torch
    import torch.nn.functional as F

    y, parts = targets(worn, names), slices(names)
    weight = torch.zeros(z.shape[1], parts[-1].stop, requires_grad=True)
    bias = torch.zeros(parts[-1].stop, requires_grad=True)

    def loss():
        scores = z @ weight + bias
        return sum(F.cross_entropy(scores[:, s], y[:, i]) for i, s in enumerate(parts)) + penalty * (weight**2).sum()

    return fit(loss, weight, bias, steps=70)


def targets(worn, names):
    import torch

    return torch.tensor([[next((1 + some.index(a) for a in looks if a in some), 0) for some in names] for looks in worn])


def slices(names) -> list[slice]:
    ends = np.cumsum([1 + len(some) for some in names])
    return [slice(int(e) - 1 - len(some), int(e)) for e, some in zip(ends, names, strict=True)]


def teach_gate(icons, others, penalty: float = 1e-2):
    import torch
    import torch.nn.functional as F

    x = torch.cat([icons, *others])
    y = torch.cat([torch.ones(len(icons)), torch.zeros(len(x) - len(icons))])
    share = torch.cat([torch.full((len(part),), s / len(part)) for part, s in ((icons, 1.0), (others[0], 0.9), (others[1], 0.1))])
    weight, bias = torch.zeros(x.shape[1], requires_grad=True), torch.zeros(1, requires_grad=True)

    def loss():
        each = F.binary_cross_entropy_with_logits(x @ weight + bias, y, reduction="none")
        return (share * each).sum() + penalty * (weight**2).sum()

    return fit(loss, weight, bias, steps=100)


def real_pictures(folder: Path):
    """[(entry, pixels (H, W, 3), (4, 576) of the whole and three crops)] without the icons among them."""
    import appearance as bench
    import torch

    from viper.pocket.looks import embed
    from viper.vpe.appearance import shrink

    entries = json.loads((HERE / "appearance_pictures.json").read_text(encoding="utf-8"))["pictures"]
    files, out = bench.find(folder, entries), []
    for e in entries:
        if e["kind"] == "icon" or e["name"] not in files:
            continue
        pixels = bench.read(files[e["name"]])
        small, rng = torch.from_numpy(shrink(pixels, 512)), random.Random(e["name"])
        parts = [small]
        for _ in range(3):
            side = int(min(small.shape[:2]) * rng.uniform(0.4, 0.9))
            top, left = (rng.randrange(n - side + 1) for n in small.shape[:2])
            parts.append(small[top : top + side, left : left + side])
        out.append((e, pixels, torch.cat([embed(p[None]) for p in parts])))
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--typical", action="store_true", help="only write what pictures typically show")
    options = parser.parse_args()
    import pocket

    pocket.import_pack()
    import torch
    from safetensors.torch import save_file

    from viper.pocket import looks
    from viper.vpe import glance

    torch.set_num_threads(1)
    wardrobe, typical = Wardrobe(), HERE.parent / "vpe" / "typical.json"
    if options.typical:
        write_typical(wardrobe, [pixels for _, pixels, _ in real_pictures(options.folder)], typical, glance.look)
        return
    names = {}
    for a in wardrobe.known:
        names.setdefault(wardrobe.groups[a], []).append(a)
    names = list(names.values())
    with torch.no_grad():
        x, worn = wardrobe.embedded(COUNT, wardrobe.taught, SEED)
        held, held_worn = wardrobe.embedded(HELD, wardrobe.held, SEED + 1)
        real = real_pictures(options.folder)
        nothing, more_nothing = (looks.embed(shapes(n, s)) for n, s in ((240, 3), (60, 4)))
    mean, scale = x.mean(0), x.std(0)
    normal = lambda a: (a - mean) / scale  # noqa: E731
    weight, bias = teach_looks(normal(x), worn, names)
    scores, y = normal(held) @ weight + bias, targets(held_worn, names)
    best = torch.stack([scores[:, s].argmax(1) for s in slices(names)], 1)
    recall = [float((best == y)[:, i][y[:, i] > 0].float().mean()) for i in range(len(names))]
    right, false = float((best == y)[y > 0].float().mean()), float(((best > 0) & (y == 0)).sum(1).float().mean())
    print(f"looks on {HELD} dressed icons of held-out subjects: {right:.0%} found, {false:.2f} false a picture")
    print({wardrobe.groups[some[0]]: round(r, 2) for some, r in zip(names, recall, strict=True)})
    open_half = torch.cat([e for r, _, e in real if not r["held_out"]])
    gate, gate_bias = teach_gate(normal(x[:3000]), (normal(open_half), normal(nothing)))
    passes = lambda a: float(((normal(a) @ gate + gate_bias) > 1).float().mean())  # noqa: E731
    others = torch.cat([e[:1] for r, _, e in real if r["held_out"]])
    print(f"taken for icons: {passes(held):.1%} of these, {passes(others):.1%} of {len(others)} held-out real pictures, "
          f"{passes(more_nothing):.1%} of plain colours, gradients and noise")  # fmt: skip
    save_file({"mean": mean, "scale": scale, "weight": weight.half(), "bias": bias, "gate": gate, "gate_bias": gate_bias},
              looks.WEIGHTS, metadata={"groups": json.dumps(names)})  # fmt: skip
    looks._head.cache_clear()
    write_typical(wardrobe, [pixels for _, pixels, _ in real], typical, glance.look)


def write_typical(wardrobe: Wardrobe, real, path: Path, look) -> None:
    import torch

    from viper.vpe import glance

    rng, generator = random.Random(77), torch.Generator().manual_seed(77)
    drawn = [look(wardrobe.draw(wardrobe.taught, rng, generator, (0.15, 0.45, 0.4))[0].numpy()) for _ in range(TYPICAL)]
    rows = {"any": [look(pixels).features for pixels in real], "drawn": [glance.looks_alone(one.features) for one in drawn]}
    about = (f"What typical pictures show, feature by feature (0..1): {len(real)} photographs, paintings and illustrations of "
             f"benchmarks/appearance_pictures.json, and {TYPICAL} icons that the pocket model's recipe dressed in up to two looks. "
             "Written by benchmarks/_looks.py.")  # fmt: skip
    lists = [f'"{name}": [\n' + ",\n".join(json.dumps({k: round(v, 2) for k, v in sorted(g.items()) if v >= 0.05}) for g in some)
             + "\n]" for name, some in rows.items()]  # fmt: skip
    path.write_text(f'{{"about": {json.dumps(about)},\n' + ",\n".join(lists) + "}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
