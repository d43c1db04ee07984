"""`Job`: everything that the dock computes away from the GUI thread, with one set of rules."""

from __future__ import annotations

import atexit
import gc
import logging
import sys
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib import import_module
from inspect import isgenerator
from typing import Any

from napari.qt.threading import GeneratorWorker, create_worker
from napari.utils.notifications import notification_manager
from qtpy.compat import isalive
from qtpy.QtCore import QThreadPool, QTimer
from superqt.utils import QSignalDebouncer

from napari_clip_heatmap.errors import ClipHeatmapError

__all__ = [
    "EXPECTED_ERRORS",
    "HOLD_SECONDS",
    "SWITCH_SECONDS",
    "Job",
    "UnexpectedError",
    "Work",
    "import_in_own_thread",
    "no_full_collection",
]

logger = logging.getLogger(__name__)

Work = Callable[[Callable[[], bool]], Any]
"""A function, or a generator function, of ``stopped() -> bool``, which it asks now and then."""

EXPECTED_ERRORS = (ClipHeatmapError, OSError, RuntimeError, MemoryError)
"""What a model, a device or a disk may raise; the user is shown the message, not a traceback."""

EXIT_MS = 10_000
"""How long Python, when it ends, waits for threads that were asked to stop."""

HOLD_SECONDS = 5.0
"""A job on hold goes on after this long, whatever happens in the window."""


class UnexpectedError(Exception):
    """A fault in the plugin; the original error is its cause."""


COLLECT_MS = 100
"""Between two small garbage collections in the window while a thread is at work."""


SWITCH_SECONDS = 0.0005
"""How long a thread at work keeps Python while the window waits for it; Python's own 5 ms are felt,
as the window gives Python away with every call of OpenGL, some dozens in each picture."""


class _WindowFirst:
    """Lets the window's thread come first while other threads are at work.

    It gets Python soon after it asks for it, and garbage is collected in it only. Python collects
    in whichever thread happens to allocate, but what napari and vispy leave behind holds widgets
    and textures, which must not be freed in any other thread than theirs.
    """

    def __init__(self) -> None:
        self._at_work: set[_Worker] = set()
        self._enabled = True
        self._interval = sys.getswitchinterval()

    def begin(self, worker: _Worker) -> None:
        """Let no thread collect by itself, nor keep Python for long."""
        if not self._at_work:
            self._enabled = gc.isenabled()
            gc.disable()
            self._interval = sys.getswitchinterval()
            sys.setswitchinterval(min(SWITCH_SECONDS, self._interval))
        self._at_work.add(worker)

    def end(self, worker: _Worker | None) -> None:
        """Let all go on as before, once no thread is at work."""
        was_at_work = bool(self._at_work)
        self._at_work -= {worker}
        if was_at_work and not self._at_work:
            sys.setswitchinterval(self._interval)
            if self._enabled:
                gc.enable()

    def stop_all(self) -> None:
        """Stop all threads, and wait for them: one that emits a signal after Qt is gone aborts."""
        for worker in self._at_work:
            worker.quit()
        if self._at_work:
            QThreadPool.globalInstance().waitForDone(EXIT_MS)

    @staticmethod
    def collect() -> None:
        """Collect what is young, where enough has been made; the rest waits for the end."""
        made, survived, _ = gc.get_count()
        first, second, _ = gc.get_threshold()
        if made > first:
            gc.collect(1 if survived > second else 0)


_window_first = _WindowFirst()
atexit.register(_window_first.stop_all)


class Job:
    """Background work: one thread at most, the newest request wins.

    All callbacks are called on the GUI thread, and none after `close`. An expected error (see
    `EXPECTED_ERRORS`) goes to `on_error`. Any other is logged with its traceback, shown by napari's
    own error notification, and then goes to `on_error` as an `UnexpectedError`.

    Parameters
    ----------
    on_result : callable(result)
        Called with what the work returned, unless a newer request has been submitted.
    on_error : callable(Exception)
    on_step : callable(step), optional
        Called with what a generator yields.
    on_end : callable(), optional
        Called last, when the thread has ended.
    hold_after : callable(step) -> bool, optional
        After which steps the work waits for ``hold(False)``: those that the window has to draw,
        as a thread that computes at that time makes it wait for Python and for the processor.
    debounce_ms : int
        Milliseconds without another `submit` before work begins; 0: it begins at once.
    together_seconds : float
        Where `submit` begins work, it waits at most this long for it and hands the result over
        itself, so that what follows from it is drawn together with what led to it.
    """

    def __init__(
        self,
        on_result: Callable[[Any], None],
        on_error: Callable[[Exception], None],
        *,
        on_step: Callable[[Any], None] = lambda _step: None,
        on_end: Callable[[], None] = lambda: None,
        hold_after: Callable[[Any], bool] = lambda _step: False,
        debounce_ms: int = 0,
        together_seconds: float = 0,
    ) -> None:
        self._on_result, self._on_error = on_result, on_error
        self._on_step, self._on_end, self._hold_after = on_step, on_end, hold_after
        self._together_seconds = together_seconds
        self._prepare: Callable[[], Work | None] | None = None
        self._worker: _Worker | None = None
        self._closed = False
        self._stop, self._go = threading.Event(), threading.Event()
        self._debouncer = QSignalDebouncer()
        self._debouncer.setTimeout(debounce_ms)
        self._debouncer.triggered.connect(self._begin)
        self._collecting = QTimer()
        self._collecting.setInterval(COLLECT_MS)
        self._collecting.timeout.connect(_window_first.collect)

    @property
    def running(self) -> bool:
        """Whether a thread is at work, also one that was cancelled and has not ended yet."""
        return self._worker is not None

    def submit(self, prepare: Callable[[], Work | None]) -> None:
        """Request work; it replaces a request that has not begun.

        Parameters
        ----------
        prepare : callable
            Called on the GUI thread when work can begin, so that it sees the state of that moment.
            It returns the work, or None where there is nothing to do.
        """
        if self._closed:
            return
        self._prepare = prepare
        if self._debouncer.timeout():
            self._debouncer.throttle()
        else:  # even a timer of 0 ms comes after the window was drawn, which takes tens of them
            before = self._worker
            self._begin()
            if self._worker is not None and self._worker is not before:
                self._take_soon(self._worker)

    def start(self, work: Work) -> bool:
        """Begin work at once; return False, and do nothing, while other work is running."""
        if self._closed or self.running:
            return False
        self._stop, self._go = threading.Event(), threading.Event()
        self._go.set()
        self._worker = worker = create_worker(
            _guarded,
            work,
            _Pauses(self._stop, self._go, self._hold_after),
            handover := _Handover(),
            _start_thread=False,
            _worker_class=_Worker,
            _ignore_errors=True,
        )
        worker.stop, worker.handover = self._stop, handover
        worker.yielded.connect(self._on_yielded)
        worker.returned.connect(self._on_returned)
        worker.errored.connect(self._on_errored)
        worker.finished.connect(self._on_finished)
        _window_first.begin(worker)
        self._collecting.start()
        worker.start()
        return True

    def cancel(self) -> None:
        """Ask the work to stop; what it returns is still delivered."""
        self._stop.set()
        self._go.set()

    def hold(self, held: bool) -> None:
        """Let the work wait where it asks whether to stop, at most `HOLD_SECONDS`; or go on."""
        if held and not self._stop.is_set():
            self._go.clear()
        else:
            self._go.set()

    def close(self) -> None:
        """Stop the work and call nobody any more."""
        self._closed = True
        self._prepare = None
        self.cancel()
        if isalive(self._debouncer):  # when Python ends, Qt may have gone before
            self._debouncer.cancel()

    def _begin(self) -> None:
        if self._prepare is None or self.running:
            return
        prepare, self._prepare = self._prepare, None
        try:
            work = prepare()
        except ClipHeatmapError as error:
            self._on_error(error)
            return
        if work is not None:
            self.start(work)

    def _on_yielded(self, step: object) -> None:
        if not self._closed:
            self._on_step(step)

    def _take_soon(self, worker: _Worker) -> None:
        """Wait a little for what work returns, and hand it over."""
        handover = worker.handover
        if self._together_seconds and handover.ready.wait(self._together_seconds):
            self._on_returned(handover)

    def _on_returned(self, handover: _Handover) -> None:
        outcome, handover.outcome = handover.outcome, None
        if outcome is None or self._closed or self._prepare is not None:
            return
        result, error = outcome
        if error is None:
            self._on_result(result)
        else:
            self._on_error(error)

    def _on_errored(self, error: Exception) -> None:
        logger.error("Background work failed", exc_info=error)
        if self._closed:
            return
        notification_manager.receive_error(type(error), error, error.__traceback__)
        unexpected = UnexpectedError(f"an error in the plugin: {error!r}; its traceback is logged")
        unexpected.__cause__ = error
        self._on_error(unexpected)

    def _on_finished(self) -> None:
        _window_first.end(self._worker)
        if isalive(self._collecting):
            self._collecting.stop()
        self._worker = None
        if not self._closed:
            self._on_end()
            self._begin()


class _Worker(GeneratorWorker):  # type: ignore[misc] # napari ships no types
    """napari's worker, but one that always runs its generator to the end.

    When its window closes, or Python ends, napari tells workers to quit; theirs then let go of the
    generator where it stands, so what the generator holds would never be given back.
    """

    stop: threading.Event
    handover: _Handover

    def quit(self) -> None:
        """Ask the generator to stop."""
        self.stop.set()


class _Pauses:
    """Where work waits: whenever it asks whether to stop, and after steps that are to be drawn."""

    def __init__(
        self, stop: threading.Event, go: threading.Event, hold_after: Callable[[Any], bool]
    ) -> None:
        self._stop, self._go, self._hold_after = stop, go, hold_after

    def stopped(self) -> bool:
        """Wait while on hold; return whether to stop."""
        if not self._go.wait(HOLD_SECONDS):
            self._go.set()
        return self._stop.is_set()

    def steps(self, work: Iterator[Any]) -> Generator[Any, None, Any]:
        """Yield what work yields, on hold after each step that is to be drawn."""
        while True:
            try:
                step = next(work)
            except StopIteration as end:
                return end.value
            if self._hold_after(step):
                self._go.clear()
                if self._stop.is_set():  # it may have been set since, and `_go` before it
                    self._go.set()
            yield step
            self.stopped()


@dataclass(eq=False)
class _Handover:
    """Where a thread leaves what came of its work: a result or an error; None once it is taken."""

    ready: threading.Event = field(default_factory=threading.Event)
    outcome: tuple[Any, Exception | None] | None = None


def _guarded(work: Work, pauses: _Pauses, handover: _Handover) -> Generator[Any, None, _Handover]:
    """Run work; hand over its result, or the error if it raised one of `EXPECTED_ERRORS`."""
    import_in_own_thread("torch")
    try:
        result = work(pauses.stopped)
        if isgenerator(result):
            result = yield from pauses.steps(result)
        handover.outcome = result, None
    except EXPECTED_ERRORS as error:
        handover.outcome = None, error
    handover.ready.set()
    return handover


def import_in_own_thread(name: str) -> None:
    """Import a module, unless it is there, in a thread that then ends.

    A library bound by pybind11 before its version 3, as PyTorch before 2.9 is, keeps the state that
    Python has of the thread that imports it. In Qt's pool a thread outlives that state, which goes
    with each job: what is freed in a later job would be freed twice, and Python would abort.
    """
    if name not in sys.modules:
        thread = threading.Thread(target=_import, args=(name,))
        thread.start()
        thread.join()


def _import(name: str) -> None:
    with suppress(ImportError, OSError):  # the work meets the same error, and reports it
        import_module(name)


@contextmanager
def no_full_collection() -> Iterator[None]:
    """Let only small collections happen in this block, which take a millisecond.

    Nor does a full one, which takes up to a second, follow as soon as it ends: what is left counts
    as old, as if it had outlived its collections already.
    """
    before = gc.get_threshold()
    gc.set_threshold(*before[:2], sys.maxsize >> 33)  # a C int
    try:
        yield
    finally:
        gc.freeze()
        gc.unfreeze()
        gc.set_threshold(*before)
