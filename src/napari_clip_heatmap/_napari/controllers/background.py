"""A thread of napari's that ends in order."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from typing import Any

from napari.qt.threading import GeneratorWorker, create_worker

__all__ = ["Stoppable", "start_stoppable"]


PATIENCE = 5.0
"""Seconds after which a thread that waits for the window goes on all the same."""


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


def start_stoppable(
    work: Callable[..., Generator[Any, None, Any]],
    *args: Any,
    stop: threading.Event,
    going: threading.Event | None = None,
    **told: Callable[..., None],
) -> Stoppable:
    """Run a generator in a thread.

    Parameters
    ----------
    work : callable
        Makes the generator, from `args` and, last, a callable that tells whether to stop.
    *args
    stop : Event
        Stops it when it is set.
    going : Event, optional
        While it is not set, the work waits where it asks whether to stop; no longer than `PATIENCE`.
    **told : callable
        By the names of the worker's signals: yielded, returned, errored, finished; on the GUI
        thread. napari shows no error itself: whoever is told shows it, once.
    """

    def stopped() -> bool:
        if going is not None:
            going.wait(PATIENCE)
        return stop.is_set()

    worker: Stoppable = create_worker(
        work,
        *args,
        stopped,
        _start_thread=False,
        _worker_class=Stoppable,
        _ignore_errors=True,
    )
    worker.stop = stop
    for name, slot in told.items():
        getattr(worker, name).connect(slot)
    worker.start()
    return worker
