from __future__ import annotations

import threading

import pytest

from napari_clip_heatmap._napari.job.model_download import DownloadProgress, download_with_progress
from napari_clip_heatmap.errors import Cancelled, ModelLoadError


def threads():
    return [each for each in threading.enumerate() if each.name.startswith("clip-heatmap")]


class Slow:
    """A download of ten bytes, a byte at a time, that waits for the next one to be let through."""

    def __init__(self):
        self.gate, self.names = threading.Semaphore(0), []

    def __call__(self, name, *, progress, cancelled):
        self.names.append(name)
        for here in range(1, 11):
            while not self.gate.acquire(timeout=0.01):
                if cancelled():
                    raise Cancelled("as asked")
            progress(here, 10)


def test_tells_how_much_is_here_until_all_is():
    slow = Slow()
    reported = download_with_progress("a", lambda: False, slow)
    assert next(reported) == DownloadProgress()
    slow.gate.release(4)
    half = next(each for each in reported if each.here == 4)
    assert half.total == 10
    assert half.seconds_left >= 0
    slow.gate.release(6)
    *_, last = reported
    assert (last.here, last.total) == (10, 10)
    assert not threads()


def test_is_cancelled_at_the_next_piece():
    slow, stop = Slow(), threading.Event()
    reported = download_with_progress("a", stop.is_set, slow)
    slow.gate.release(3)
    next(each for each in reported if each.here == 3)
    stop.set()
    with pytest.raises(Cancelled):
        list(reported)
    assert not threads()


def test_its_thread_ends_with_it():
    reported = download_with_progress("a", lambda: False, Slow())
    next(reported)
    assert threads()
    reported.close()
    assert not threads()


def test_an_error_is_raised_where_it_is_waited_for():
    def fail(name, **_):
        raise ModelLoadError(name)

    with pytest.raises(ModelLoadError, match="mine"):
        list(download_with_progress("mine", lambda: False, fail))


def test_a_second_download_waits_for_the_first_and_can_be_cancelled_meanwhile():
    slow, stop = Slow(), threading.Event()
    first, third = (download_with_progress(name, lambda: False, slow) for name in "ac")
    second = download_with_progress("b", stop.is_set, slow)
    for each in (first, second, third):
        next(each)
    stop.set()
    with pytest.raises(Cancelled):
        list(second)
    assert slow.names == ["a"]
    slow.gate.release(20)
    *_, one = first
    *_, other = third
    assert one.here == other.here == 10
    assert slow.names == ["a", "c"]
