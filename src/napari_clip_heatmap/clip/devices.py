"""Which device and which precision are meant, whether they are there, and what they can do."""

from __future__ import annotations

import ctypes.util
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_clip_heatmap.errors import DeviceError

__all__ = [
    "HALVES",
    "PRECISIONS",
    "choose_device",
    "choose_dtype",
    "copy_to_device",
    "describe_failure",
    "fast_types",
    "is_out_of_memory",
    "release_memory",
    "start_copy_to_cpu",
    "unused_card",
]


PRECISIONS = {
    "fp64": torch.float64,
    "fp32": torch.float32,
    "bf16": torch.bfloat16,
    "fp16": torch.float16,
}
"""Names of the precisions and their types."""

HALVES = (torch.float16, torch.bfloat16)
"""The types of half precision, the finer one first."""

_GET_TORCH = "https://pytorch.org/get-started/locally"


def choose_device(device: str | torch.device) -> torch.device:
    """Return the device of that name; "auto" is the first there is of CUDA, MPS and CPU.

    Raises
    ------
    DeviceError
        There is no such device.
    """
    if device == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        chosen = torch.device(device)
    except RuntimeError:
        raise DeviceError(
            f"{device!r} names no device; use 'auto', 'cpu', 'cuda', 'cuda:1' or 'mps'."
        ) from None
    if not _is_there(chosen):
        raise DeviceError(f"There is no device '{device}' here. {_what_is_there()}")
    return chosen


def choose_dtype(precision: str) -> torch.dtype | None:
    """Return the type of that precision, or None for "auto".

    Raises
    ------
    DeviceError
        There is no such precision.
    """
    if precision == "auto":
        return None
    if precision not in PRECISIONS:
        known = ", ".join(repr(name) for name in ("auto", *PRECISIONS))
        raise DeviceError(f"{precision!r} names no precision; use one of {known}.")
    return PRECISIONS[precision]


def fast_types(device: torch.device) -> tuple[torch.dtype, ...]:
    """Return the half precisions in which a device is faster than in single, the finest first.

    A CPU has to multiply bf16 natively: where that is emulated it is slower, and fp16 is slower
    than single precision on nearly all (3.8 times on a Zen 5 that has native bf16).
    """
    if device.type == "cuda":
        return HALVES if torch.cuda.is_bf16_supported(including_emulation=False) else HALVES[:1]
    if device.type == "mps":
        return HALVES[:1]
    return HALVES[1:] if _cpu_multiplies_bf16() else ()


def is_out_of_memory(error: BaseException) -> bool:
    """Tell whether an error of torch or Python is want of memory, on whatever device.

    CUDA has a type for it; MPS, cuBLAS and the CPU's allocator only say so.
    """
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    said = str(error).lower()
    signs = ("out of memory", "alloc_failed", "can't allocate memory", "not enough memory")
    return isinstance(error, RuntimeError) and any(sign in said for sign in signs)


def describe_failure(error: BaseException, limit: int = 200) -> str:
    """Say what a device did, to go on after its name: CUDA's own messages fill a page."""
    if is_out_of_memory(error):
        return "ran out of memory"
    said = " ".join(str(error).split()) or type(error).__name__
    return f"failed ({said if len(said) <= limit else said[:limit] + ' ...'})"


def release_memory() -> None:
    """Hand back what torch holds in reserve on accelerators, for others to use."""
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call] # it would take memory to ask a card that was never used
        torch.cuda.empty_cache()
    if torch.backends.mps.is_available():
        torch.mps.empty_cache()


def unused_card(device: torch.device) -> str | None:
    """Say why there is an NVIDIA card and "auto" came to the CPU, and what to do; else None."""
    if device.type != "cpu" or "CUDA_VISIBLE_DEVICES" in os.environ or not _has_nvidia_driver():
        return None
    if torch.version.cuda is None:
        return (
            f"There is an NVIDIA card here, but this PyTorch ({torch.__version__}) was built "
            f"without CUDA, so the model runs on the CPU. To use the card, install another build "
            f"of it: choose CUDA at {_GET_TORCH} and run the command given there."
        )
    return (
        f"There is an NVIDIA driver here, but this PyTorch ({torch.__version__}, for CUDA "
        f"{torch.version.cuda}) finds no card that it can use, so the model runs on the CPU. See "
        f"whether `nvidia-smi` lists the card, and update the driver; or install a PyTorch for an "
        f"older CUDA from {_GET_TORCH}."
    )


def _is_there(device: torch.device) -> bool:
    if device.type == "cuda":
        return torch.cuda.is_available() and (device.index or 0) < torch.cuda.device_count()
    if device.type == "mps":
        return torch.backends.mps.is_available()
    return device.type == "cpu"


def _what_is_there() -> str:
    names = [f"cuda:{index}" for index in range(torch.cuda.device_count())]
    names += ["mps"] if torch.backends.mps.is_available() else []
    there = f"There is {', '.join([*names, 'cpu'])}."
    if torch.version.cuda is None and not names:
        there += " This PyTorch was built for the CPU only; a GPU needs another build of it."
    return there


def _cpu_multiplies_bf16() -> bool:
    """Tell whether the CPU has AVX512-BF16 or AMX; of others nothing was measured."""
    capabilities = getattr(torch.cpu, "get_capabilities", None)
    if capabilities is not None:
        found: Mapping[str, Any] = capabilities()
        return any(found.get(name, False) for name in ("avx512_bf16", "amx_bf16"))
    asking = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")  # all that older torch has
    return any(getattr(torch.cpu, name, bool)() for name in asking)


def _has_nvidia_driver() -> bool:
    return (
        shutil.which("nvidia-smi") is not None
        or Path("/proc/driver/nvidia/version").exists()
        or (os.name == "nt" and ctypes.util.find_library("nvcuda") is not None)
    )


def copy_to_device(array: NDArray[np.float32], device: torch.device) -> Tensor:
    """Return a copy of an array on a device."""
    if device.type != "cuda":
        return torch.tensor(array, device=device)
    pinned = torch.empty(array.shape, dtype=torch.float32, pin_memory=True)
    pinned.numpy()[...] = array
    return pinned.to(device, non_blocking=True)


def start_copy_to_cpu(*tensors: Tensor) -> Callable[[], tuple[NDArray[Any], ...]]:
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
