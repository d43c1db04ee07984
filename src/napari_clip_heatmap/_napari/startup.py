"""Import torch and open_clip from a thread without the window standing still meanwhile."""

from __future__ import annotations

import ctypes
import os
import sys
import threading
from importlib.util import find_spec
from pathlib import Path

from napari_clip_heatmap._napari.garbage import collection_paused
from napari_clip_heatmap._napari.without_triton import without_triton

__all__ = ["import_towers"]

LIBRARIES = ("libtorch_python.so", "libtorch_python.dylib")
"""The one library that needs all the others of torch, by platform."""

_ONE_AT_A_TIME = threading.Lock()
"""The widget imports while the user types, and a run when it is asked for: often both at once. What
is set aside for an import must not be put back under another one."""


def import_towers() -> None:
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
        with collection_paused(), without_triton():
            import open_clip  # noqa: F401


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
