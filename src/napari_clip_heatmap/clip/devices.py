"""Devices and precisions: choose one by name, and find out what it can do."""

from __future__ import annotations

import ctypes.util
import os
import shutil
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from threading import Barrier, Lock
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_clip_heatmap.errors import DeviceError, shorten

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
    "single_threads",
    "start_copy_to_cpu",
    "unused_gpu_notice",
]


PRECISIONS = {
    "fp64": torch.float64,
    "fp32": torch.float32,
    "bf16": torch.bfloat16,
    "fp16": torch.float16,
}
"""Names and dtypes of the precisions."""

HALVES = (torch.float16, torch.bfloat16)
"""The dtypes of half precision, the more precise one first."""

_GET_TORCH = "https://pytorch.org/get-started/locally"


def choose_device(device: str | torch.device) -> torch.device:
    """Return the device of that name; "auto" is the first available of CUDA, MPS and CPU.

    Raises
    ------
    DeviceError
        The name is invalid, or the device is not available.
    """
    if device == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        chosen = torch.device(device)
    except (RuntimeError, TypeError, ValueError):
        raise DeviceError(
            f"{shorten(repr(device))} is not the name of a device; use 'auto', 'cpu', 'cuda', "
            "'cuda:1' or 'mps'."
        ) from None
    if not _is_available(chosen):
        raise DeviceError(f"Device '{device}' is not available. {_available_devices()}")
    return chosen


def choose_dtype(precision: str) -> torch.dtype | None:
    """Return the dtype of that precision, or None for "auto".

    Raises
    ------
    DeviceError
        There is no such precision.
    """
    if precision == "auto":
        return None
    if precision not in PRECISIONS:
        known = ", ".join(repr(name) for name in ("auto", *PRECISIONS))
        raise DeviceError(f"There is no precision {shorten(repr(precision))}; use one of {known}.")
    return PRECISIONS[precision]


def fast_types(device: torch.device) -> tuple[torch.dtype, ...]:
    """Return the half precisions that are faster on a device than single, most precise first.

    On a CPU that is bf16, and only with native support: emulated it is slower, and fp16 is slower
    than single precision on nearly all CPUs (3.8 times on a Zen 5 with native bf16).
    """
    if device.type == "cuda":
        return HALVES if torch.cuda.is_bf16_supported(including_emulation=False) else HALVES[:1]
    if device.type == "mps":
        return HALVES[:1]
    return HALVES[1:] if _cpu_multiplies_bf16() else ()


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error of torch or Python means that memory ran out, on any device.

    CUDA has an exception for it; MPS, cuBLAS and the CPU's allocator only have a message.
    """
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    message = str(error).lower()
    signs = ("out of memory", "alloc_failed", "can't allocate memory", "not enough memory")
    return isinstance(error, RuntimeError) and any(sign in message for sign in signs)


def describe_failure(error: BaseException, limit: int = 200) -> str:
    """Return what a device did, in words that follow its name; CUDA's own messages fill a page."""
    if is_out_of_memory(error):
        return "ran out of memory"
    message = " ".join(str(error).split()) or type(error).__name__
    return f"failed ({message if len(message) <= limit else message[:limit] + ' ...'})"


def release_memory() -> None:
    """Return the memory that torch caches on accelerators to the system."""
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call] # an unused GPU would be initialized, which takes memory
        torch.cuda.empty_cache()
    if torch.backends.mps.is_available():
        torch.mps.empty_cache()


def unused_gpu_notice(device: torch.device) -> str | None:
    """Return why "auto" chose the CPU although there is an NVIDIA GPU; None where it did not."""
    if device.type != "cpu" or "CUDA_VISIBLE_DEVICES" in os.environ or not _has_nvidia_driver():
        return None
    if torch.version.cuda is None:
        return (
            f"This machine has an NVIDIA GPU, but this PyTorch ({torch.__version__}) was built "
            f"without CUDA, so the model runs on the CPU. To use the GPU, install another build: "
            f"choose CUDA at {_GET_TORCH} and run the command given there."
        )
    return (
        f"This machine has an NVIDIA driver, but this PyTorch ({torch.__version__}, for CUDA "
        f"{torch.version.cuda}) finds no usable GPU, so the model runs on the CPU. Check whether "
        f"`nvidia-smi` lists the GPU, and update the driver; or install a PyTorch for an older "
        f"CUDA from {_GET_TORCH}."
    )


def _is_available(device: torch.device) -> bool:
    if device.type == "cuda":
        return torch.cuda.is_available() and (device.index or 0) < torch.cuda.device_count()
    if device.type == "mps":
        return torch.backends.mps.is_available()
    return device.type == "cpu"


def _available_devices() -> str:
    names = [f"cuda:{index}" for index in range(torch.cuda.device_count())]
    names += ["mps"] if torch.backends.mps.is_available() else []
    available = f"Available: {', '.join([*names, 'cpu'])}."
    if torch.version.cuda is None and not names:
        available += " This PyTorch was built for the CPU only; a GPU needs another build of it."
    return available


def _cpu_multiplies_bf16() -> bool:
    """Return whether the CPU has AVX512-BF16 or AMX; other extensions were not measured."""
    capabilities = getattr(torch.cpu, "get_capabilities", None)
    if capabilities is not None:
        found: Mapping[str, Any] = capabilities()
        return any(found.get(name, False) for name in ("avx512_bf16", "amx_bf16"))
    checks = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")  # of older torch
    return any(getattr(torch.cpu, name, bool)() for name in checks)


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
    """Start to copy tensors to the CPU.

    Returns
    -------
    callable() -> tuple of arrays
        Waits for the copies only, not for later work on the device.
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


def single_threads(name: str, number: int = 1) -> ThreadPoolExecutor:
    """Return threads in each of which torch splits no operation: several small ones side by side.

    Parameters
    ----------
    name : str
        The same name and number give the same threads; each process has its own.
    number : int

    Examples
    --------
    >>> single_threads("example").submit(torch.get_num_threads).result()
    1
    """
    with _making_threads:
        return _single_threads(name, number, os.getpid())


_making_threads = Lock()
"""While threads settle, torch's number for new ones is 1, which no other thread may take over."""


@cache
def _single_threads(name: str, number: int, _process: int) -> ThreadPoolExecutor:
    n_threads = torch.get_num_threads()
    executor = ThreadPoolExecutor(number, thread_name_prefix=f"single-{name}")
    together = Barrier(number)

    def settle() -> None:
        together.wait()  # no thread does this for another one
        torch.set_num_threads(1)
        torch.get_num_threads()  # a thread settles its number at the first use

    for started in [executor.submit(settle) for _ in range(number)]:
        started.result()
    torch.set_num_threads(n_threads)  # what holds here, and in threads to come
    return executor
