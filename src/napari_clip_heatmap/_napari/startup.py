"""Import torch and open_clip in a thread while the window stays responsive."""

from __future__ import annotations

import ctypes
import gc
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from napari_clip_heatmap.clip.torch_import import import_open_clip

__all__ = [
    "ALWAYS",
    "available_devices",
    "collection_paused",
    "import_torch_and_open_clip",
]


LIBRARIES = ("libtorch_python.so", "libtorch_python.dylib")
"""The one library that needs all the others of torch, by platform."""

_ONE_AT_A_TIME = threading.Lock()
"""The widget imports while the user types, and a run when it is asked for: often both at once.
Collection, which waits for one import, must not go on in the middle of another."""


def import_torch_and_open_clip() -> None:
    """Import torch and open_clip; takes seconds, so call it away from the GUI thread.

    An import in a thread still stops all others wherever Python does not let go of its lock: 0.2 s
    while the system maps torch's libraries, and 0.1 to 0.2 s for each of five full garbage
    collections that so many new objects set off. So the libraries are mapped beforehand by a call
    that lets go of the lock, and collection waits. What is left is below 0.05 s at a time.

    Raises
    ------
    ImportError, OSError
        As the import raises them.
    """
    with _ONE_AT_A_TIME:
        if "open_clip" in sys.modules:
            return
        _map_libraries()
        with collection_paused():
            import_open_clip()


def _map_libraries() -> None:
    """Map torch's libraries; where that fails the import will do it, and say what is wrong.

    ``ctypes`` lets go of Python's lock around a foreign function; its own ``CDLL`` does not.
    """
    torch = find_spec("torch")
    if "torch" in sys.modules or torch is None or torch.origin is None or os.name != "posix":
        return
    for name in LIBRARIES:
        path = Path(torch.origin).parent / "lib" / name
        if path.exists():
            ctypes.CDLL(None).dlopen(os.fsencode(path), os.RTLD_LAZY | os.RTLD_LOCAL)


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


@contextmanager
def collection_paused() -> Iterator[None]:
    """Let no garbage collection take time in this block, nor a full one follow soon after it.

    One that is asked for in the block, as napari does whenever a layer goes, finds next to nothing
    to look at. What was made in the block counts as old afterwards, as if it had outlived its
    collections already; the next full collection, whenever it is due, finds what is garbage.
    """
    enabled = gc.isenabled()
    gc.disable()
    gc.freeze()
    try:
        yield
    finally:
        # To the permanent generation and back: all the way into the oldest one, uncounted.
        gc.freeze()
        gc.unfreeze()
        if enabled:
            gc.enable()
