"""Where a model can run."""

from __future__ import annotations

__all__ = ["ALWAYS", "available_devices"]

ALWAYS = ("auto", "cpu")
"""What every machine has; torch need not be imported to say so."""


def available_devices() -> tuple[str, ...]:
    """Return "auto", each accelerator that torch sees, and "cpu".

    Importing torch takes seconds: call it away from the GUI thread. Where torch cannot be imported
    there is no accelerator either; loading a model will say why.
    """
    try:
        import torch
    except (ImportError, OSError):  # OSError: a DLL that Windows cannot load once Qt is there
        return ALWAYS
    accelerators = [f"cuda:{card}" for card in range(torch.cuda.device_count())]
    if torch.backends.mps.is_available():
        accelerators.append("mps")
    return ("auto", *accelerators, "cpu")
