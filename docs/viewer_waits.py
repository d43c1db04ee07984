"""Let a viewer work while a script waits, for the programs that make pictures."""

from __future__ import annotations

import time
from collections.abc import Callable

from qtpy.QtWidgets import QApplication

SECONDS = 300


def wait_until(done: Callable[[], bool]) -> None:
    """Let the viewer work until something holds."""
    end = time.monotonic() + SECONDS
    while not done():
        if time.monotonic() > end:
            raise TimeoutError(f"not done within {SECONDS} s")
        pause(0.05)


def pause(seconds: float) -> None:
    """Let the viewer work."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        QApplication.processEvents()
        time.sleep(0.01)
