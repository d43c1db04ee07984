"""Run a session in a background thread, and tell of it on the GUI thread."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from napari_clip_heatmap._napari.job.request import Answer, Question, Refusal, Step
from napari_clip_heatmap._napari.controllers.background import start_stoppable

if TYPE_CHECKING:
    from napari_clip_heatmap._napari.job.session import Session
    from napari_clip_heatmap.pipeline.storage.cache import EncodingCache

__all__ = ["Listener", "Runner"]


@dataclass(frozen=True)
class Listener:
    """Who is told of a run, always on the GUI thread.

    Parameters
    ----------
    step : callable(Step)
        Something has begun, or some tiles are done.
    answer : callable(Answer)
    refusal : callable(Refusal)
    end : callable(str or None)
        The thread has ended; with a word on why, where neither answer nor refusal came.
    """

    step: Callable[[Step], None]
    answer: Callable[[Answer], None]
    refusal: Callable[[Refusal], None]
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

    def start(self, question: Question, listener: Listener) -> None:
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

    def _on_step(self, step: Step) -> None:
        if self._listener is not None and not self._stop.is_set():
            self._listener.step(step)

    def _on_returned(self, result: Answer | Refusal | None) -> None:
        if self._listener is None:
            return
        if isinstance(result, Answer):
            self._outcome = None
            self._listener.answer(result)
        elif isinstance(result, Refusal):
            self._outcome = None
            self._listener.refusal(result)

    def _on_errored(self, error: Exception) -> None:
        self._outcome = f"Stopped by an error in the plugin: {error!r}"

    def _on_finished(self) -> None:
        listener, self._listener, self._worker = self._listener, None, None
        if listener is not None:
            listener.end(self._outcome)
