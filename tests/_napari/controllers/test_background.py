from __future__ import annotations

import gc
import logging
import subprocess
import sys
import threading
import time

import pytest
from qtpy.QtCore import QThreadPool

from napari_clip_heatmap._napari.controllers import background
from napari_clip_heatmap._napari.controllers.background import SWITCH_SECONDS, Job, UnexpectedError
from napari_clip_heatmap.errors import Cancelled, ImageError


class Heard:
    """What a job reported, in order."""

    def __init__(self):
        self.results, self.errors, self.steps, self.ends = [], [], [], 0

    def end(self):
        self.ends += 1


@pytest.fixture
def heard():
    return Heard()


@pytest.fixture
def job(qapp, heard):
    job = Job(
        heard.results.append,
        heard.errors.append,
        on_step=heard.steps.append,
        on_end=heard.end,
        debounce_ms=20,
    )
    yield job
    job.close()
    assert QThreadPool.globalInstance().waitForDone(20_000)


def test_without_a_pause_work_begins_at_once(heard, qtbot):
    job = Job(heard.results.append, heard.errors.append, on_end=heard.end)
    job.submit(lambda: lambda _stopped: "first")
    assert job.running
    job.submit(lambda: lambda _stopped: "second")
    qtbot.waitUntil(lambda: heard.ends == 2, timeout=20_000)
    assert heard.results[-1] == "second"
    job.close()


@pytest.fixture
def waiting(heard, qapp):
    job = Job(heard.results.append, heard.errors.append, on_end=heard.end, together_seconds=20)
    yield job
    job.close()
    assert QThreadPool.globalInstance().waitForDone(20_000)


def test_a_result_that_is_waited_for_comes_in_the_same_turn_and_once(waiting, heard, qtbot):
    waiting.submit(lambda: lambda _stopped: "soon")
    assert heard.results == ["soon"]
    qtbot.waitUntil(lambda: heard.ends == 1, timeout=20_000)
    assert heard.results == ["soon"]


def test_an_error_that_is_waited_for_comes_in_the_same_turn_and_once(waiting, heard, qtbot):
    def fail(_stopped):
        raise ImageError("no")

    waiting.submit(lambda: fail)
    assert [str(each) for each in heard.errors] == ["no"]
    qtbot.waitUntil(lambda: heard.ends == 1, timeout=20_000)
    assert len(heard.errors) == 1
    assert not heard.results


def test_what_comes_later_than_it_is_waited_for_comes_all_the_same(heard, qtbot):
    gate = threading.Event()
    job = Job(heard.results.append, heard.errors.append, on_end=heard.end, together_seconds=0.01)
    job.submit(lambda: lambda _stopped: gate.wait(20) and "late")
    assert not heard.results
    gate.set()
    qtbot.waitUntil(lambda: heard.ends == 1, timeout=20_000)
    assert heard.results == ["late"]
    job.close()


def test_work_runs_in_another_thread_and_is_reported_in_this_one(job, heard, qtbot):
    job.submit(lambda: lambda _stopped: threading.get_ident())
    qtbot.waitUntil(lambda: heard.ends == 1, timeout=20_000)
    assert len(heard.results) == 1
    assert heard.results != [threading.get_ident()]


def test_of_many_requests_only_the_newest_is_worked_on(job, heard, qtbot):
    done = []
    for number in range(20):
        job.submit(lambda number=number: lambda _stopped: done.append(number) or number)
    qtbot.waitUntil(lambda: bool(heard.results), timeout=20_000)
    assert heard.results == done == [19]


def test_a_result_is_dropped_when_a_newer_request_waits(job, heard, qtbot):
    gate, begun = threading.Event(), threading.Event()
    job.submit(lambda: lambda _stopped: begun.set() or (gate.wait(20) and "late"))
    qtbot.waitUntil(begun.is_set, timeout=20_000)
    job.submit(lambda: lambda _stopped: "now")
    gate.set()
    qtbot.waitUntil(lambda: bool(heard.results), timeout=20_000)
    assert heard.results == ["now"]


def test_an_expected_error_is_reported_and_the_next_request_works(job, heard, qtbot):
    def fail(_stopped):
        raise ImageError("disk gone")

    job.submit(lambda: fail)
    qtbot.waitUntil(lambda: bool(heard.errors), timeout=20_000)
    job.submit(lambda: lambda _stopped: 7)
    qtbot.waitUntil(lambda: bool(heard.results), timeout=20_000)
    assert [str(error) for error in heard.errors] == ["disk gone"]
    assert heard.results == [7]


def test_an_error_while_preparing_is_reported_too(job, heard, qtbot):
    def prepare():
        raise ImageError("no image")

    job.submit(prepare)
    qtbot.waitUntil(lambda: bool(heard.errors), timeout=20_000)
    assert str(heard.errors[0]) == "no image"
    assert not job.running


def test_an_unexpected_error_keeps_its_traceback_and_is_shown_by_napari(
    job, heard, qtbot, monkeypatch, caplog
):
    shown = []
    receive = lambda *error: shown.append(error)  # noqa: E731
    monkeypatch.setattr(background.notification_manager, "receive_error", receive)

    def work(_stopped):
        return {}["absent"]

    with caplog.at_level(logging.ERROR):
        job.submit(lambda: work)
        qtbot.waitUntil(lambda: heard.ends == 1, timeout=20_000)
    (error,) = heard.errors
    assert isinstance(error, UnexpectedError)
    assert isinstance(error.__cause__, KeyError)
    assert shown[0][0] is KeyError
    assert "in work" in caplog.text


def test_nothing_to_do_is_nothing_to_report(job, heard, qtbot):
    job.submit(lambda: None)
    qtbot.wait(300)
    assert (heard.results, heard.errors, heard.ends) == ([], [], 0)


def test_steps_are_reported_and_a_cancelled_job_still_delivers(job, heard, qtbot):
    def work(stopped):
        n = 0
        while not stopped():
            n += 1
            yield n
        return "part"

    assert job.start(work)
    assert not job.start(work)
    qtbot.waitUntil(lambda: len(heard.steps) > 2, timeout=20_000)
    job.cancel()
    qtbot.waitUntil(lambda: heard.ends == 1, timeout=20_000)
    assert heard.steps[:3] == [1, 2, 3]
    assert heard.results == ["part"]


def test_a_cancellation_is_an_error_of_its_own_kind(job, heard, qtbot):
    def work(stopped):
        yield 1
        raise Cancelled("by the user")

    job.start(work)
    qtbot.waitUntil(lambda: heard.ends == 1, timeout=20_000)
    assert isinstance(heard.errors[0], Cancelled)


def test_a_job_on_hold_waits_and_a_cancelled_one_does_not(job, heard, qtbot, monkeypatch):
    monkeypatch.setattr(background, "HOLD_SECONDS", 20.0)
    calls = []

    def work(stopped):
        while not stopped():
            calls.append(1)
            yield None

    job.start(work)
    qtbot.waitUntil(lambda: len(calls) > 2, timeout=20_000)
    job.hold(True)
    qtbot.wait(200)
    seen = len(calls)
    qtbot.wait(200)
    assert len(calls) <= seen + 1
    job.hold(False)
    qtbot.waitUntil(lambda: len(calls) > seen + 1, timeout=20_000)
    job.hold(True)
    job.cancel()
    qtbot.waitUntil(lambda: heard.ends == 1, timeout=20_000)


def test_work_waits_after_a_step_that_the_window_has_to_draw(heard, qtbot, monkeypatch):
    monkeypatch.setattr(background, "HOLD_SECONDS", 20.0)
    done = []

    def work(stopped):
        for n in range(6):
            done.append(n)
            yield n

    job = Job(
        heard.results.append,
        heard.errors.append,
        on_step=heard.steps.append,
        on_end=heard.end,
        hold_after=lambda step: step in (2, 4),
    )
    job.start(work)
    qtbot.waitUntil(lambda: heard.steps == [0, 1, 2], timeout=20_000)
    qtbot.wait(100)
    assert done == [0, 1, 2]
    job.hold(False)
    qtbot.waitUntil(lambda: heard.steps[-1] == 4, timeout=20_000)
    job.cancel()  # nothing waits any more
    qtbot.waitUntil(lambda: heard.ends == 1, timeout=20_000)
    job.close()


def test_work_goes_on_by_itself_where_nothing_is_drawn(heard, qtbot, monkeypatch):
    monkeypatch.setattr(background, "HOLD_SECONDS", 0.05)

    def work(stopped):
        yield from range(3)

    job = Job(
        heard.results.append, heard.errors.append, on_end=heard.end, hold_after=lambda _: True
    )
    job.start(work)
    qtbot.waitUntil(lambda: heard.ends == 1, timeout=20_000)
    job.close()


def test_work_comes_to_its_end_when_napari_tells_its_workers_to_quit(job, heard, qtbot):
    from superqt.utils import _qthreading

    ended, stepped = threading.Event(), threading.Event()

    def work(stopped):
        try:
            while not stopped():
                stepped.set()
                yield 1
        finally:
            ended.set()

    job.start(work)
    assert stepped.wait(20)
    for worker in tuple(_qthreading.WorkerBase._worker_set):
        worker.quit()
    assert ended.wait(20)
    qtbot.waitUntil(lambda: not job.running, timeout=20_000)


def test_closed_while_it_works_it_reports_nothing(job, heard, qtbot):
    gate, begun = threading.Event(), threading.Event()
    job.submit(lambda: lambda _stopped: begun.set() or gate.wait(20))
    qtbot.waitUntil(begun.is_set, timeout=20_000)
    job.close()
    job.submit(lambda: lambda _stopped: 8)
    gate.set()
    assert QThreadPool.globalInstance().waitForDone(20_000)
    qtbot.wait(300)
    assert (heard.results, heard.errors, heard.ends) == ([], [], 0)


def test_garbage_is_collected_in_the_windows_thread_only(qtbot):
    """What napari leaves behind holds widgets, which no other thread may free."""
    threads = set()

    def note(phase, _info):
        if phase == "start":
            threads.add(threading.get_ident())

    def work(_stopped):
        for _ in range(300):
            for _ in range(100):
                cycle = []
                cycle.append(cycle)  # only a collection frees it
            time.sleep(0.001)

    ended = []
    job = Job(ended.append, pytest.fail)
    enabled = gc.isenabled()
    gc.callbacks.append(note)
    try:
        job.start(work)
        assert not gc.isenabled()
        qtbot.waitUntil(lambda: not job.running, timeout=20_000)
    finally:
        gc.callbacks.remove(note)
    assert threads == {threading.get_ident()}
    assert gc.isenabled() == enabled


def test_the_window_waits_less_for_python_while_a_thread_is_at_work(qtbot):
    before = sys.getswitchinterval()
    gate = threading.Event()
    jobs = [Job(lambda _: None, pytest.fail) for _ in range(2)]
    for job in jobs:
        job.start(lambda _stopped: gate.wait(20))
    assert sys.getswitchinterval() == pytest.approx(SWITCH_SECONDS)
    gate.set()
    qtbot.waitUntil(lambda: not any(job.running for job in jobs), timeout=20_000)
    assert sys.getswitchinterval() == pytest.approx(before)


@pytest.mark.parametrize("closed", [False, True])
def test_python_ends_while_a_thread_is_at_work(closed):
    """With Qt gone, a thread that emits its result would abort the process."""
    program = f"""
import time
from qtpy.QtWidgets import QApplication
from napari_clip_heatmap._napari.controllers.background import Job

application = QApplication([])
job = Job(print, print)
job.start(lambda _stopped: time.sleep(1))
if {closed}:
    job.close()
"""
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=False
    )
    assert (ended.returncode, ended.stderr) == (0, "")


def test_torch_is_imported_in_a_thread_that_ends(job, heard, qtbot, tmp_path, monkeypatch):
    """Before version 2.9 Python would abort at a later job: see `import_in_own_thread`."""
    lines = ["import threading", "thread = threading.current_thread()"]
    (tmp_path / "torch.py").write_text("\n".join(lines))
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "torch")  # the real one comes back after the test
    job.start(lambda stopped: threading.current_thread())
    qtbot.waitUntil(lambda: heard.ends == 1)
    assert sys.modules["torch"].__file__ == str(tmp_path / "torch.py")
    importer = sys.modules["torch"].thread
    assert importer not in (threading.main_thread(), *heard.results)
    assert not importer.is_alive()


def test_what_cannot_be_imported_is_left_to_the_work(capsys):
    background.import_in_own_thread("no_such_module_at_all")
    assert capsys.readouterr() == ("", "")
