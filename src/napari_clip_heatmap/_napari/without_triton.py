"""Import open_clip beside an OpenGL window without ending the process."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["without_triton"]

MEMORY_MAP = Path("/proc/self/maps")


@contextmanager
def without_triton() -> Iterator[None]:
    """Let imports in this block find no triton, where finding it would crash.

    open_clip imports torchvision, that torch's compiler, and that triton, whose library carries an
    LLVM of its own with its symbols in the open. Once Mesa has drawn a window on Linux, in software
    or on some AMD cards, its LLVM is in the process already; triton's then calls into that one, and
    the process ends with a segmentation fault (triton 3.7 with LLVM 15). Nothing here needs triton,
    and torch does without where it is missing. Elsewhere this block changes nothing.
    """
    if "triton" in sys.modules or not _has_llvm():
        yield
        return
    sys.modules["triton"] = None  # type: ignore[assignment] # Python's way to say: not to be found
    try:
        yield
    finally:
        del sys.modules["triton"]


def _has_llvm() -> bool:
    """Tell whether a shared LLVM is loaded; only Linux says so, and only there it matters."""
    try:
        return "libLLVM" in MEMORY_MAP.read_text()
    except OSError:
        return False
