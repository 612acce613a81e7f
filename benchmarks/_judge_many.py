"""The judge of ``_judge.py``, taught on: pictures that wear up to four looks at once, which personalised ones do.

The first judge learned from pictures with one look, at times two, and is at a loss with more: of real icons dressed in what
a person with two likes wants, it sees 73 %. Here both networks go on from its weights on new pictures, drawn by the same
Pillow code, and learn as well that a look is *absent* where another kind of look is there. Nothing of it ships.
"""

import hashlib
import json
import random
from pathlib import Path

import numpy as np
import torch

from viper.benchmarks._judge import Judge
from viper.pocket.recipe.captions import EXCLUSIVE, compatible, group_of

SHARES = (0.08, 0.27, 0.3, 0.2, 0.15)  # of pictures with 0, 1, 2, 3, 4 looks


def bank(icons: dict, names: list[str], vocabulary: dict, path: Path, count: int, seed: int = 5):
    """As ``_judge.bank``. A group's label is 0 (plain) where no look of it was put on and none was that repaints the same."""
    from viper.benchmarks import _transforms as transforms

    if not path.with_suffix(".npz").exists():
        rng, chance, groups = np.random.default_rng(seed), random.Random(seed), group_of(vocabulary)
        keys = [k for k in icons if k[1] in names]
        looks = {g: list(a) for g, a in vocabulary["attributes"].items() if g != "look"}
        pixels = np.lib.format.open_memmap(path, "w+", np.uint8, (count, 3, 128, 128))
        subject, labels = np.zeros(count, np.int64), np.zeros((count, len(looks)), np.int64)
        for i in range(count):
            key, chosen = keys[rng.integers(len(keys))], {}
            for _ in range(chance.choices(range(len(SHARES)), SHARES)[0]):
                name = chance.choice(looks[chance.choice(list(looks))] if chance.random() < 0.5 else [a for b in looks.values() for a in b])
                if all(compatible(name, other, groups) for other in chosen.values()):
                    chosen[groups[name]] = name
            pixels[i] = np.asarray(transforms.draw(icons[key], chosen, rng)).transpose(2, 0, 1)
            subject[i] = names.index(key[1])
            for column, group in enumerate(looks):
                if group in chosen:
                    labels[i, column] = 1 + looks[group].index(chosen[group])
                elif any(group in s and set(chosen) & s for s in EXCLUSIVE):
                    labels[i, column] = -1
        np.savez(path.with_suffix(".npz"), subject=subject, labels=labels)
    with np.load(path.with_suffix(".npz")) as saved:
        return np.load(path, mmap_mode="r"), torch.from_numpy(saved["subject"]), torch.from_numpy(saved["labels"])


def taught_on(judge: Judge, icons, vocabulary: dict, work: Path, count: int = 10000, steps: tuple[int, int] = (800, 1000)) -> Judge:
    """``judge`` itself, changed; ``icons`` is a function that gives them. Kept in ``work``, made once (a quarter of an hour)."""
    version = hashlib.sha256(json.dumps([judge.names, judge.groups, count, steps]).encode()).hexdigest()[:8]
    path = work / f"judge_many-{version}.pt"
    if not path.exists():
        data = bank(icons(), judge.names, vocabulary, work / f"judge_many_bank-{version}.npy", count)
        torch.manual_seed(1)
        judge.subject.train(), judge.look.train()
        judge.train(*data, steps=steps)
        torch.save({"subject": judge.subject.state_dict(), "look": judge.look.state_dict()}, path)
    saved = torch.load(path)
    judge.subject.load_state_dict(saved["subject"])
    judge.look.load_state_dict(saved["look"])
    judge.subject.eval(), judge.look.eval()
    judge.version = version
    return judge
