from __future__ import annotations

import threading

from qtpy.QtCore import QThreadPool

from napari_clip_heatmap._napari.controllers.background import Listener, Runner
from napari_clip_heatmap._napari.job.request import RunStep


class Endless:
    """A session that works until it is told to stop, and says when it has ended."""

    def __init__(self):
        self.stepped, self.ended = threading.Event(), threading.Event()

    def answer(self, question, cancelled):
        try:
            while not cancelled():
                self.stepped.set()
                yield RunStep("working")
        finally:
            self.ended.set()


def test_what_was_run_comes_to_its_end_when_napari_tells_the_worker_to_quit(qtbot):
    session = Endless()
    runner = Runner(session)
    runner.start(None, Listener(*[lambda _: None] * 4))
    assert session.stepped.wait(20)
    runner._worker.quit()
    assert QThreadPool.globalInstance().waitForDone(20_000)
    assert session.ended.is_set()
    qtbot.waitUntil(lambda: not runner.running, timeout=20_000)
