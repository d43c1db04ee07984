from __future__ import annotations

import threading

import pytest
from qtpy.QtCore import QThreadPool

from napari_clip_heatmap._napari.controllers.background import LatestTask
from napari_clip_heatmap.errors import ImageError


@pytest.fixture
def told():
    return []


@pytest.fixture
def latest(qapp, told):
    latest = LatestTask(told.append, lambda reason: told.append(f"no: {reason}"))
    yield latest
    latest.close()
    assert QThreadPool.globalInstance().waitForDone(20_000)


def test_works_in_another_thread_and_tells_in_this(latest, told, qtbot):
    latest.submit(lambda: threading.get_ident)
    qtbot.waitUntil(lambda: bool(told), timeout=20_000)
    assert told != [threading.get_ident()]


def test_of_many_wishes_the_last_counts(latest, told, qtbot):
    done = []
    for number in range(20):
        latest.submit(lambda number=number: lambda: done.append(number) or number)
    qtbot.waitUntil(lambda: bool(told), timeout=20_000)
    assert told == done == [19]


def test_what_is_wished_meanwhile_comes_next_and_alone_is_told(latest, told, qtbot):
    gate, begun = threading.Event(), threading.Event()
    latest.submit(lambda: lambda: begun.set() or (gate.wait(20) and "late"))
    qtbot.waitUntil(begun.is_set, timeout=20_000)
    latest.submit(lambda: lambda: "now")
    gate.set()
    qtbot.waitUntil(lambda: bool(told), timeout=20_000)
    assert told == ["now"]


def test_says_why_there_is_nothing_and_goes_on(latest, told, qtbot):
    def fail():
        raise ImageError("disk gone")

    latest.submit(lambda: fail)
    qtbot.waitUntil(lambda: bool(told), timeout=20_000)
    latest.submit(lambda: lambda: 7)
    qtbot.waitUntil(lambda: len(told) == 2, timeout=20_000)
    assert told == ["no: disk gone", 7]


def test_an_error_that_nobody_foresaw_is_told_too(latest, told, qtbot):
    latest.submit(lambda: lambda: {}["absent"])
    qtbot.waitUntil(lambda: bool(told), timeout=20_000)
    assert told == ["no: stopped by an error in the plugin: KeyError('absent')"]


def test_nothing_to_do_is_nothing_to_tell(latest, told, qtbot):
    latest.submit(lambda: None)
    qtbot.wait(400)
    assert told == []


def test_closed_after_qt_has_gone_it_is_still_closed(latest):
    import qtpy

    if qtpy.API_NAME.startswith("PyQt"):
        from qtpy import sip

        sip.delete(latest._timer)
    latest.close()
    latest.submit(lambda: lambda: 8)  # and asks nothing of Qt


def test_closed_while_it_works_it_tells_nobody(latest, told, qtbot):
    gate, begun = threading.Event(), threading.Event()
    latest.submit(lambda: lambda: begun.set() or gate.wait(20))
    qtbot.waitUntil(begun.is_set, timeout=20_000)
    latest.close()
    latest.submit(lambda: lambda: 8)
    gate.set()
    assert QThreadPool.globalInstance().waitForDone(20_000)
    qtbot.wait(400)
    assert not told
