"""Compute something small away from the GUI thread, again and again; only the latest counts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from napari.qt.threading import create_worker
from qtpy.compat import isalive
from qtpy.QtCore import QTimer

from napari_clip_heatmap.errors import ClipHeatmapError

__all__ = ["Latest"]

PATIENCE = 250
"""Milliseconds without another wish before work begins: nobody waits for each step of a zoom."""


class Latest:
    """One thread at most; what was wished for meanwhile is begun when it has ended.

    Parameters
    ----------
    found : callable(result)
        Told of a result on the GUI thread, unless something else was wished for since.
    refused : callable(str)
        Told why there is none.
    patience : int
        Milliseconds without another wish before work begins.
    """

    def __init__(
        self,
        found: Callable[[Any], None],
        refused: Callable[[str], None],
        patience: int = PATIENCE,
    ) -> None:
        self._found, self._refused = found, refused
        self._wish: Callable[[], Callable[[], Any] | None] | None = None
        self._worker: Any = None
        self._closed = False
        self._timer = QTimer()
        self._timer.setSingleShot(True)
        self._timer.setInterval(patience)
        self._timer.timeout.connect(self._begin)

    def wish(self, prepare: Callable[[], Callable[[], Any] | None]) -> None:
        """Ask for the result of work.

        Parameters
        ----------
        prepare : callable
            Called on the GUI thread, once the time has come, to see how things are then; it
            returns the work, which is called in a thread, or None where there is none.
        """
        if not self._closed:
            self._wish = prepare
            self._timer.start()

    def close(self) -> None:
        """Begin nothing more, and tell nobody."""
        self._closed = True
        self._wish = None
        if isalive(self._timer):  # when Python ends, Qt may have gone before
            self._timer.stop()

    def _begin(self) -> None:
        if self._wish is None or self._worker is not None:
            return
        prepare, self._wish = self._wish, None
        try:
            work = prepare()
        except ClipHeatmapError as error:
            self._refused(str(error))
            return
        if work is None:
            return
        self._worker = create_worker(
            _result_or_reason, work, _start_thread=False, _ignore_errors=True
        )
        self._worker.returned.connect(self._on_returned)
        self._worker.errored.connect(self._on_errored)
        self._worker.finished.connect(self._on_finished)
        self._worker.start()

    def _on_returned(self, outcome: tuple[Any, str]) -> None:
        result, reason = outcome
        if self._closed or self._wish is not None:
            return
        if reason:
            self._refused(reason)
        else:
            self._found(result)

    def _on_errored(self, error: Exception) -> None:
        if not self._closed:
            self._refused(f"stopped by an error in the plugin: {error!r}")

    def _on_finished(self) -> None:
        self._worker = None
        if not self._closed:
            self._begin()


def _result_or_reason(work: Callable[[], Any]) -> tuple[Any, str]:
    """Take what reading an image may raise for a reason; napari would show it as a failure."""
    try:
        return work(), ""
    except (ClipHeatmapError, OSError, RuntimeError, MemoryError) as error:
        return None, str(error)
