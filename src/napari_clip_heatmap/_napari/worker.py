"""A thread of napari's that ends in order."""

from __future__ import annotations

import threading

from napari.qt.threading import GeneratorWorker

__all__ = ["Stoppable"]


class Stoppable(GeneratorWorker):  # type: ignore[misc] # napari ships no types
    """napari's worker, but one that always runs its generator to the end.

    When told to quit, as napari tells all when its window closes, napari's own would leave the
    generator where it is: nothing handed over, and whatever it holds, a thread that reads, held on.
    Whoever makes one sets `stop`, and lets the generator ask it.
    """

    stop: threading.Event

    def quit(self) -> None:
        """Ask the generator to stop."""
        self.stop.set()
