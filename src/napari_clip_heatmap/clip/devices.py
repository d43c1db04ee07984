"""Which device and which precision are meant, and whether they are there."""

from __future__ import annotations

import torch

from napari_clip_heatmap.errors import DeviceError

__all__ = ["PRECISIONS", "choose_device", "choose_dtype"]

PRECISIONS = {
    "fp64": torch.float64,
    "fp32": torch.float32,
    "bf16": torch.bfloat16,
    "fp16": torch.float16,
}
"""Names of the precisions and their types."""


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
        raise DeviceError(f"There is no device {device!r} here. {_what_is_there()}")
    return chosen


def choose_dtype(precision: str) -> torch.dtype | None:
    """Return the type of that precision, or None for "auto": as the weights are.

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
