"""A thread of napari's that ends in order."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from napari.qt.threading import GeneratorWorker, create_worker
from qtpy.compat import isalive
from qtpy.QtCore import QTimer

from napari_clip_heatmap._napari.job.model_download import download_step
from napari_clip_heatmap._napari.job.request import HeatmapRequest, HeatmapResult, RunError, RunStep
from napari_clip_heatmap.errors import Cancelled, ClipHeatmapError

if TYPE_CHECKING:
    from napari_clip_heatmap._napari.job.model_download import Bring
    from napari_clip_heatmap._napari.job.session import Session
    from napari_clip_heatmap.pipeline.storage.cache import EncodingCache

__all__ = ["DownloadTask", "LatestTask", "Listener", "Runner", "Stoppable", "start_stoppable"]


class DownloadTask:
    """At most one at a time.

    Parameters
    ----------
    bring : callable
        See `bringing.bring`.
    step : callable(RunStep)
        Told how far it is.
    end : callable(str, str)
        Told the outcome in words, and what is wrong; that is empty where nothing is.
    """

    def __init__(
        self, bring: Bring, step: Callable[[RunStep], None], end: Callable[[str, str], None]
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

    def _on_step(self, step: RunStep) -> None:
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
) -> Generator[RunStep, None, tuple[str, str]]:
    """Bring a model; what the user can mend is returned rather than raised."""
    try:
        for brought in bring(name, cancelled):
            yield download_step(name, brought)
    except Cancelled:
        return f"Stopped; what has come of {name} is kept, and Download goes on from there.", ""
    except ClipHeatmapError as error:
        return "", str(error)
    except (RuntimeError, MemoryError, OSError) as error:
        return "", f"{type(error).__name__}: {error}"
    return f"{name} is on this machine now.", ""


@dataclass(frozen=True)
class Listener:
    """Who is told of a run, always on the GUI thread.

    Parameters
    ----------
    step : callable(RunStep)
        Something has begun, or some tiles are done.
    answer : callable(HeatmapResult)
    refusal : callable(RunError)
    end : callable(str or None)
        The thread has ended; with a word on why, where neither answer nor refusal came.
    """

    step: Callable[[RunStep], None]
    answer: Callable[[HeatmapResult], None]
    refusal: Callable[[RunError], None]
    end: Callable[[str | None], None]


class Runner:
    """At most one run at a time.

    Parameters
    ----------
    session : Session
        Does the work; only ever touched by the one thread that runs.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._worker: Any = None
        self._listener: Listener | None = None
        self._outcome: str | None = None
        self._stop = threading.Event()
        self._going = threading.Event()
        self._going.set()

    @property
    def cache(self) -> EncodingCache:
        """Where encodings are kept on disk."""
        return self._session.cache

    @property
    def running(self) -> bool:
        """Whether a thread is at work, also one that was told to stop and has not yet."""
        return self._worker is not None

    def start(self, question: HeatmapRequest, listener: Listener) -> None:
        """Start working on a question; the listener hears of it until `detach`."""
        if self.running:
            return
        self._listener = listener
        self._outcome = "Cancelled"  # until something else comes
        self._stop = threading.Event()
        self._going.set()
        self._worker = start_stoppable(
            self._session.answer,
            question,
            stop=self._stop,
            going=self._going,
            yielded=self._on_step,
            returned=self._on_returned,
            errored=self._on_errored,
            finished=self._on_finished,
        )

    def hold(self, held: bool) -> None:
        """Let the thread wait before its next batch of tiles, or go on."""
        if held and not self._stop.is_set():
            self._going.clear()
        else:
            self._going.set()

    def cancel(self) -> None:
        """Ask the run to stop; it does so within one tile, and hands over what it has."""
        self._stop.set()
        self._going.set()

    def detach(self) -> None:
        """Stop the run and tell nobody: the widget is going away."""
        self._listener = None
        self.cancel()

    def _on_step(self, step: RunStep) -> None:
        if self._listener is not None and not self._stop.is_set():
            self._listener.step(step)

    def _on_returned(self, result: HeatmapResult | RunError | None) -> None:
        if self._listener is None:
            return
        if isinstance(result, HeatmapResult):
            self._outcome = None
            self._listener.answer(result)
        elif isinstance(result, RunError):
            self._outcome = None
            self._listener.refusal(result)

    def _on_errored(self, error: Exception) -> None:
        self._outcome = f"Stopped by an error in the plugin: {error!r}"

    def _on_finished(self) -> None:
        listener, self._listener, self._worker = self._listener, None, None
        if listener is not None:
            listener.end(self._outcome)


HOLD_SECONDS = 5.0
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
        While it is not set, the work waits where it asks whether to stop; `HOLD_SECONDS` at most.
    **told : callable
        By the names of the worker's signals: yielded, returned, errored, finished; on the GUI
        thread. napari shows no error itself: whoever is told shows it, once.
    """

    def stopped() -> bool:
        if going is not None:
            going.wait(HOLD_SECONDS)
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


PATIENCE = 250
"""Milliseconds without another wish before work begins: nobody waits for each step of a zoom."""


class LatestTask:
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

    def submit(self, prepare: Callable[[], Callable[[], Any] | None]) -> None:
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
