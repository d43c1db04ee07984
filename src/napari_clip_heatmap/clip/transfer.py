"""Pixels to the device and answers back, without keeping either side waiting for the other.

CUDA copies by itself from and to memory that the system will not move ("pinned"): the call returns
at once, and what was sent is there before the kernels that were launched after it. Other devices
are waited for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

__all__ = ["fetch", "send"]


def send(array: NDArray[np.float32], device: torch.device) -> Tensor:
    """Return a copy of an array on a device."""
    if device.type != "cuda":
        return torch.tensor(array, device=device)
    pinned = torch.empty(array.shape, dtype=torch.float32, pin_memory=True)
    pinned.numpy()[...] = array
    return pinned.to(device, non_blocking=True)


def fetch(*tensors: Tensor) -> Callable[[], tuple[NDArray[Any], ...]]:
    """Begin to copy tensors to the CPU.

    Returns
    -------
    callable() -> tuple of arrays
        Waits for them, and for nothing that was launched on the device since.
    """
    device = tensors[0].device
    if device.type != "cuda":
        arrays = tuple(tensor.cpu().numpy() for tensor in tensors)
        return lambda: arrays
    pinned = [torch.empty(each.shape, dtype=each.dtype, pin_memory=True) for each in tensors]
    for host, tensor in zip(pinned, tensors, strict=True):
        host.copy_(tensor, non_blocking=True)
    copied = torch.cuda.current_stream(device).record_event()

    def finish() -> tuple[NDArray[Any], ...]:
        copied.synchronize()
        return tuple(host.numpy() for host in pinned)

    return finish
