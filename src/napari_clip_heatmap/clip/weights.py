"""Content hash of a model's weights."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

__all__ = ["Notices", "eval_mode", "hash_weights"]


def hash_weights(module: nn.Module) -> str:
    """Return the SHA-256 of all weights: names, types, shapes and bytes, in the order of names."""
    digest = hashlib.sha256()
    for name, tensor in sorted(module.state_dict().items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(_bytes(tensor))
    return digest.hexdigest()


def _bytes(tensor: torch.Tensor) -> memoryview:
    flat = tensor.detach().cpu().contiguous().reshape(-1)
    octets: NDArray[np.uint8] = flat.view(torch.uint8).numpy()
    return octets.data


@contextmanager
def eval_mode(module: nn.Module) -> Iterator[None]:
    """Put every part into evaluation mode; give each its own mode back, whatever happens."""
    modes = [(part, part.training) for part in module.modules()]
    module.eval()
    try:
        yield
    finally:
        for part, training in modes:
            part.training = training


logger = logging.getLogger("napari_clip_heatmap")


class Notices:
    """Sentences for the user: of each subject the newest. Each is logged once a process."""

    def __init__(self) -> None:
        self._told: dict[str, str] = {}

    def __iter__(self) -> Iterator[str]:
        return iter(tuple(self._told.values()))

    def tell(self, subject: str, sentence: str) -> None:
        """Add what is to be known of a subject, in the place of what was."""
        self._told[subject] = sentence
        _log(sentence)


@cache
def _log(sentence: str) -> None:
    logger.warning(sentence)
