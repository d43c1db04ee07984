"""napari is opened again: what was encoded then is read from the disk now."""

from __future__ import annotations

import threading

import dask.array as da
import numpy as np
import pytest

from napari_clip_heatmap._napari.job.request import HeatmapRequest, PlaneRequest, ResultStatus
from napari_clip_heatmap._napari.job.session import Session
from napari_clip_heatmap.imaging.channel import as_channels
from napari_clip_heatmap.imaging.view import View
from napari_clip_heatmap.pipeline.progressive import encode_progressively
from napari_clip_heatmap.pipeline.storage.cache import EncodingCache

PROMPTS = ("red", "green", "blue")


def ask(session, pixels, cancelled=lambda: False, leading=(), **settings):
    """Run a session to its end; return its steps and its answer."""
    planes = tuple(PlaneRequest(i, as_channels(pixels[i])) for i in np.ndindex(leading))
    settings = {"prompts": PROMPTS, **settings}
    settings["keys"] = settings["prompts"]
    asking = session.run(
        HeatmapRequest(planes, leading=leading, stores=(pixels,), **settings), cancelled
    )
    steps = []
    while True:
        try:
            steps.append(next(asking))
        except StopIteration as end:
            return steps, end.value


def values(answer):
    return np.stack([answer.stack.layer_data(n) for n in range(len(PROMPTS))])


@pytest.fixture
def reopen(model):
    """A session as a new napari has it: with nothing in memory."""

    def encode_tile_by_tile(*args, **kwargs):
        settings = {**kwargs, "downsample": 1, "batch_size": 1, "coarse": False}
        return encode_progressively(*args, **settings)

    return lambda: Session(lambda name, *, device: model, encode_tile_by_tile)


def test_the_second_napari_reads_what_the_first_encoded(reopen, model, picture):
    _, first = ask(reopen(), picture)
    done = model.tiles
    _, second = ask(reopen(), picture.copy())
    assert (model.tiles, second.tiles, second.complete) == (done, 0, True)
    np.testing.assert_array_equal(values(second), values(first))
    np.testing.assert_array_equal(second.similarity, first.similarity)
    assert second.tiling == first.tiling


def test_memory_comes_first(reopen, picture, monkeypatch):
    session = reopen()
    ask(session, picture)
    monkeypatch.setattr(EncodingCache, "get", None)
    _, answer = ask(session, picture, prompts=("red", "blue"))
    assert answer.tiles == 0


@pytest.mark.parametrize(
    "change",
    [lambda image: image.__setitem__((5, 7, 1), 99), None],
    ids=["a pixel", "the view"],
)
def test_what_has_changed_is_encoded_anew(reopen, picture, change):
    ask(reopen(), picture)
    settings = {} if change else {"view": View("min-max")}
    if change:
        change(picture)
    _, answer = ask(reopen(), picture, **settings)
    assert answer.tiles > 0


def test_the_planes_of_a_lazy_stack_are_known_again(reopen, picture):
    stack = np.stack([picture, picture[::-1], picture[:, ::-1]])
    _, first = ask(reopen(), da.from_array(stack, chunks=(1, 40, 40, 3)), leading=(3,))
    _, second = ask(reopen(), da.from_array(stack, chunks=(1, 40, 40, 3)), leading=(3,))
    assert (first.tiles > 0, second.tiles) == (True, 0)
    stack[1, 95, 119] = 0
    _, third = ask(reopen(), da.from_array(stack, chunks=(1, 40, 40, 3)), leading=(3,))
    assert third.tiles == first.tiles / 3


def test_a_cancelled_run_goes_on_where_it_was(reopen, model, picture):
    _, part = ask(reopen(), picture, cancelled=lambda: model.tiles >= 4)
    assert (part.status, part.tiles) == (ResultStatus.CANCELLED, 4)
    steps, whole = ask(reopen(), picture)
    assert whole.complete
    assert part.tiles + whole.tiles == len(whole.stack.lattice.tiles)
    assert steps[2].result is not None, "what is known is shown at once"


def test_a_damaged_entry_is_made_anew(reopen, picture, cache_folder, caplog):
    _, first = ask(reopen(), picture)
    (path,) = cache_folder.glob("*.zip")
    path.write_bytes(path.read_bytes()[:-99])
    _, second = ask(reopen(), picture)
    assert second.tiles == first.tiles
    assert "computed again" in caplog.text
    np.testing.assert_array_equal(values(second), values(first))


def test_it_is_written_where_it_is_computed(reopen, picture, monkeypatch):
    threads, put = [], EncodingCache.put

    def watched(*args):
        threads.append(threading.current_thread())
        return put(*args)

    monkeypatch.setattr(EncodingCache, "put", watched)
    worker = threading.Thread(target=ask, args=(reopen(), picture))
    worker.start()
    worker.join()
    assert threads == [worker]


def test_the_window_can_empty_it(reopen, picture):
    session = reopen()
    ask(session, picture)
    assert session.cache.size > 0
    session.cache.clear()
    assert ask(reopen(), picture)[1].tiles > 0
