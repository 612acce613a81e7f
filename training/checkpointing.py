"""Gradient checkpointing for networks that have none: blocks forget what they computed and compute it again for the gradient.

Chen et al., arXiv 1604.06174. A block gets an own ``forward`` for the length of a ``with``, and loses it again. What a block was
given is kept as it was: hosts overwrite their inputs (``x += …``), and a block that is repeated on the overwritten input
has another output, hence a wrong gradient. So the repetition, too, runs under `frozen.Anew`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn
from torch.utils.checkpoint import checkpoint

from .frozen import Anew


@contextmanager
def checkpointed(network: nn.Module):
    """Every block of the network's lists of blocks is repeated in the backward pass; inside `frozen.borrowed`.

    Blocks that another pack gave a ``forward`` of its own are left alone.
    """
    changed = []
    try:
        for block in blocks(network):
            if "forward" not in vars(block):
                block.forward = _repeated(block.forward)
                changed.append(block)
        yield
    finally:
        for block in changed:
            del block.forward


def blocks(network: nn.Module) -> Iterator[nn.Module]:
    """The outermost members of ModuleLists; of a list's entry that is a plain sequence, its members.

    The host calls the members of a UNet's sequences one by one, each with what it needs.
    """
    for child in network.children():
        if isinstance(child, nn.ModuleList):
            for entry in child:
                yield from _members(entry)
        else:
            yield from _members(child) if isinstance(child, nn.Sequential) else blocks(child)


def _members(entry: nn.Module) -> Iterator[nn.Module]:
    if isinstance(entry, (nn.Sequential, nn.ModuleList)):
        for member in entry:
            yield from _members(member)
    elif next(entry.children(), None) is not None:  # of a single layer nothing would be saved
        yield entry


def _repeated(forward):
    def block(*args, **kwargs):
        # The host goes on writing into the options it hands down; the repetition needs them as they were.
        then = [_copied(arg) for arg in args], {name: _copied(arg) for name, arg in kwargs.items()}
        turns = []

        def run(*args, **kwargs):
            if turns:
                args, kwargs = then
            turns.append(1)
            with Anew():
                return forward(*args, **kwargs)

        return checkpoint(run, *args, use_reentrant=False, preserve_rng_state=False, **kwargs)

    return block


def _copied(arg):
    return dict(arg) if type(arg) is dict else arg
