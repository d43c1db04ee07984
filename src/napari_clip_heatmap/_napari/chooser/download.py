"""Bring a model in a background thread, and tell of it on the GUI thread."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any

from napari_clip_heatmap._napari.job.model_download import downloading
from napari_clip_heatmap._napari.controllers.background import start_stoppable
from napari_clip_heatmap.errors import Cancelled, ClipHeatmapError

if TYPE_CHECKING:
    from napari_clip_heatmap._napari.job.model_download import Bring
    from napari_clip_heatmap._napari.job.request import Step

__all__ = ["Download"]


class Download:
    """At most one at a time.

    Parameters
    ----------
    bring : callable
        See `bringing.bring`.
    step : callable(Step)
        Told how far it is.
    end : callable(str, str)
        Told the outcome in words, and what is wrong; that is empty where nothing is.
    """

    def __init__(
        self, bring: Bring, step: Callable[[Step], None], end: Callable[[str, str], None]
    ) -> None:
        self._bring = bring
        self._step, self._end = step, end
        self._worker: Any = None
        self._outcome = ("", "")
        self._stop = threading.Event()
        self._closed = False

    @property
    def running(self) -> bool:
        """Whether a thread is at work, also one that was told to stop and has not yet."""
        return self._worker is not None

    def start(self, name: str) -> None:
        """Bring a model."""
        if self.running or self._closed:
            return
        self._stop = threading.Event()
        self._worker = start_stoppable(
            _told,
            self._bring,
            name,
            stop=self._stop,
            yielded=self._on_step,
            returned=self._on_returned,
            errored=self._on_errored,
            finished=self._on_finished,
        )

    def cancel(self) -> None:
        """Ask it to stop; it does so within one piece, and what has come is kept."""
        self._stop.set()

    def close(self) -> None:
        """Stop it and tell nobody: the dialog is going away."""
        self._closed = True
        self.cancel()

    def _on_step(self, step: Step) -> None:
        if not self._closed and not self._stop.is_set():
            self._step(step)

    def _on_returned(self, outcome: tuple[str, str]) -> None:
        self._outcome = outcome

    def _on_errored(self, error: Exception) -> None:
        self._outcome = ("", f"Stopped by an error in the plugin: {error!r}")

    def _on_finished(self) -> None:
        self._worker = None
        if not self._closed:
            self._end(*self._outcome)


def _told(
    bring: Bring, name: str, cancelled: Callable[[], bool]
) -> Generator[Step, None, tuple[str, str]]:
    """Bring a model; what the user can mend is returned rather than raised."""
    try:
        for brought in bring(name, cancelled):
            yield downloading(name, brought)
    except Cancelled:
        return f"Stopped; what has come of {name} is kept, and Download goes on from there.", ""
    except ClipHeatmapError as error:
        return "", str(error)
    except (RuntimeError, MemoryError, OSError) as error:
        return "", f"{type(error).__name__}: {error}"
    return f"{name} is on this machine now.", ""
