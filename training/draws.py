"""What is random in a training, drawn anew from the seed wherever it is needed: nothing has to be remembered to go on.

Each sample has a number, counted from the first step on. Its place in the data, its noise and its time follow from the seed and
this number alone, so they are the same after a resume, in another batch size, and on another process or device.
"""

from __future__ import annotations

import hashlib

import torch


def generator(seed: int, what: str, number: int) -> torch.Generator:
    """A generator of its own, on the CPU."""
    digest = hashlib.sha256(f"{seed} {what} {number}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)


def place(seed: int, what: str, number: int, n: int) -> int:
    """Which of ``n`` items the sample ``number`` is: all once, in an order of its own, then all again in another."""
    round_, within = divmod(number, n)
    return int(torch.randperm(n, generator=generator(seed, f"order of {what}", round_))[within])


def numbers(step: int, part: int, batch_size: int, accumulation: int, process: int = 0, processes: int = 1) -> list[int]:
    """The samples of one batch: those of ``part`` (0 … accumulation − 1) of ``step``, this process's share of them.

    ``processes`` with ``batch_size`` each see together what one process with ``processes · batch_size`` sees.
    """
    whole = batch_size * processes
    first = (step * accumulation + part) * whole + process * batch_size
    return list(range(first, first + batch_size))
