"""Weights of a loaded model: their hash, whether they are finite; and notices about the model."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from napari_clip_heatmap.errors import ModelLoadError, shorten
from napari_clip_heatmap.hashing import hash_bytes

__all__ = ["Notices", "eval_mode", "hash_weights", "log_once", "require_finite"]

logger = logging.getLogger(__name__)

_MASKS = "attn_mask"
"""End of the names of attention masks, which hold minus infinity on purpose."""

_UNUSED = "text_decoder."
"""Start of the names of CoCa's caption decoder. It is never run, and open_clip leaves one of its
weights uninitialized.
"""


def hash_weights(module: nn.Module) -> str:
    """Return the SHA-256 of all weights: names, dtypes, shapes and bytes, sorted by name."""
    return hash_bytes(
        piece
        for name, tensor in sorted(module.state_dict().items())
        for piece in (
            f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode(),
            _tensor_bytes(tensor),
        )
    )


def _tensor_bytes(tensor: Tensor) -> memoryview:
    flat = tensor.detach().cpu().contiguous().reshape(-1)
    octets: NDArray[np.uint8] = flat.view(torch.uint8).numpy()
    return octets.data


def require_finite(weights: Iterable[tuple[str, Tensor]], *, origin: str) -> None:
    """Raise if a weight is NaN or infinite: every heatmap would be NaN.

    Raises
    ------
    ModelLoadError
        With the name of the first such tensor.
    """
    for name, tensor in weights:
        is_checked = not name.endswith(_MASKS) and not name.startswith(_UNUSED)
        if is_checked and not _is_finite(tensor):
            raise ModelLoadError(
                f"The weights in {shorten(origin)} cannot be used: tensor {shorten(repr(name))} "
                "holds NaN or infinite values. The training diverged or the file is damaged; use "
                "another checkpoint."
            )


def _is_finite(tensor: Tensor) -> bool:
    if not tensor.is_floating_point() or not tensor.numel():
        return True
    lowest, highest = torch.aminmax(tensor.detach())  # both are NaN if any value is
    return math.isfinite(lowest.item()) and math.isfinite(highest.item())


@contextmanager
def eval_mode(module: nn.Module) -> Iterator[None]:
    """Switch a module to evaluation; on exit, restore the mode of each of its parts."""
    modes = [(part, part.training) for part in module.modules()]
    module.eval()
    try:
        yield
    finally:
        for part, training in modes:
            part.training = training


class Notices:
    """Messages for the user, the latest of each subject. Each is logged once per process."""

    def __init__(self) -> None:
        self._messages: dict[str, str] = {}

    def __iter__(self) -> Iterator[str]:
        return iter(tuple(self._messages.values()))

    def add(self, subject: str, message: str) -> None:
        """Add a message; it replaces an earlier one on the same subject."""
        self._messages[subject] = message
        log_once(message)


@cache
def log_once(message: str) -> None:
    """Log a warning unless it was logged before."""
    logger.warning(message)
