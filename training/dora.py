"""DoRA (Liu et al., arXiv 2402.09353, eq. 5): ``W' = m (W + s B A) / ‖W + s B A‖_c``.

``‖·‖_c`` is the norm of each column, that is of what one input channel gives to all outputs, as in the paper; the host reads
a ``dora_scale`` of one row so. (PEFT takes rows instead. For those the host divides by ‖W‖ alone, so that the same file means
different weights in different tools; columns mean the same wherever they are read.)

A factor for each column is a factor for each input: ``W' x = (W + s B A)(m/c ⊙ x)``. So DoRA too stays at the side of the
frozen layer: the input is scaled, the layer reads it, and LoRA's path is added.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from .adapters import AdapterSettings, Shape
from .lora import Lora


class Dora(Lora):
    """``m`` begins as ‖W‖_c: a new adapter changes nothing. c is a constant to the gradient (section 4.3 of the paper)."""

    def __init__(self, shape: Shape, settings: AdapterSettings, generator: torch.Generator, read_weight: Callable[[], Tensor]):
        super().__init__(shape, settings, generator, read_weight)
        self._read_weight = read_weight
        with torch.no_grad():
            squared = (self._columns() ** 2).sum(0)
        self.register_buffer("_squared", squared.detach().clone(), persistent=False)  # ‖W‖_c²
        self.m = nn.Parameter(squared.sqrt().detach().clone())

    def _columns(self) -> Tensor:
        """W as ``(n_out · kernel, n_in)`` in float32, where the adapter's weights are."""
        W = self._read_weight().to(self.A.device, torch.float32)
        return W.transpose(0, 1).reshape(self.shape.n_in, -1).T

    @torch.no_grad()
    def _norms(self) -> Tensor:
        """``‖W + s B A‖_c``, ``(n_in,)``, from ``‖W‖² + 2 s ⟨W, BA⟩ + s² ‖BA‖²``; only r columns of W B are ever made."""
        r, n_in, n_out = self.A.shape[0], self.shape.n_in, self.shape.n_out
        B = self.scale * self.up()  # (n_out, r)
        A = self.A.reshape(r, n_in, -1)  # (r, n_in, kernel)
        W = self._columns().reshape(n_out, -1, n_in)  # (n_out, kernel, n_in)
        cross = torch.einsum("okn,or,rnk->n", W, B, A)
        own = torch.einsum("rnk,rq,qnk->n", A, B.T @ B, A)
        return (self._squared + 2.0 * cross + own).clamp_min(0.0).sqrt()

    def before(self, x: Tensor) -> Tensor:
        with torch.autocast(x.device.type, enabled=False):  # norms are float32, whatever the layers compute in
            norms = self._norms()
        # The host adds this epsilon too; a column of zeros is not divided by zero.
        factor = self.m / (norms + torch.finfo(torch.float32).eps)
        return x * factor.reshape(-1, *[1] * len(self.shape.kernel)).to(x.dtype)

    @torch.no_grad()
    def weaken(self, strength: float) -> None:
        """Direction and magnitude each go their share of the way."""
        super().weaken(strength)
        self.m.copy_(self._squared.sqrt().lerp(self.m, strength))

    def tensors(self) -> dict[str, Tensor]:
        # (1, n_in, 1, …): the first size is not n_out, by which the host tells columns from rows. With one output both are one.
        return {**super().tensors(), "dora_scale": self.m.reshape(1, -1, *[1] * len(self.shape.kernel))}
