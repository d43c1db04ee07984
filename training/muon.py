"""The optimizer of matrices: PyTorch's Muon, in single precision where half precision is slow.

PyTorch's own computes in bfloat16, which a processor without AVX-512 emulates: a step took five
times as long as everything else together.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from training.network import fast_type

__all__ = ["make_muon"]

_WEIGHT_DECAY, _MOMENTUM = 0.05, 0.95
_COEFFICIENTS, _ROUNDS = (3.4445, -4.775, 2.0315), 5
"""Of the iteration that brings singular values near to 1, as Muon has them."""


class _SingleMuon(torch.optim.Optimizer):
    """Muon with the learning rate adjusted to that of AdamW, as `torch.optim.Muon` steps."""

    def __init__(self, matrices: Iterable[nn.Parameter]) -> None:
        super().__init__(matrices, {"lr": 1e-3})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Take one step."""
        for group in self.param_groups:
            for matrix in group["params"]:
                if matrix.grad is not None:
                    self._step(matrix, group["lr"])

    def _step(self, matrix: nn.Parameter, rate: float) -> None:
        gradient = matrix.grad
        momentum = self.state[matrix].setdefault("momentum", torch.zeros_like(gradient))
        momentum.lerp_(gradient, 1 - _MOMENTUM)
        update = _orthogonal(gradient.lerp(momentum, _MOMENTUM))
        matrix.mul_(1 - rate * _WEIGHT_DECAY)
        matrix.add_(update, alpha=-0.2 * math.sqrt(max(matrix.shape)) * rate)


def _orthogonal(matrix: Tensor) -> Tensor:
    """Return a matrix with the same singular vectors, all singular values near to 1."""
    is_tall = matrix.shape[0] > matrix.shape[1]
    found = matrix.T if is_tall else matrix
    found = found / found.norm().clamp(min=1e-7)
    first, third, fifth = _COEFFICIENTS
    for _ in range(_ROUNDS):
        gram = found @ found.T
        found = first * found + (third * gram + fifth * gram @ gram) @ found
    return found.T if is_tall else found


def make_muon(matrices: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
    """Return the optimizer of matrices, all on one device.

    Raises
    ------
    RuntimeError
        This PyTorch has none; version 2.9 was the first with Muon.
    """
    listed = list(matrices)
    if fast_type(listed[0].device) == torch.float32:
        return _SingleMuon(listed)
    if not hasattr(torch.optim, "Muon"):
        raise RuntimeError(f"training needs PyTorch 2.9 or newer; this is {torch.__version__}")
    return torch.optim.Muon(listed, weight_decay=_WEIGHT_DECAY, adjust_lr_fn="match_rms_adamw")
