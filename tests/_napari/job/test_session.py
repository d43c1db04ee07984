from __future__ import annotations

import numpy as np
import pytest

from napari_clip_heatmap._napari.job import model_download as bringing
from napari_clip_heatmap._napari.job.model_download import DownloadProgress, ModelCatalog
from napari_clip_heatmap._napari.job.request import (
    HeatmapRequest,
    HeatmapResult,
    PlaneRequest,
    ResultStatus,
    RunStep,
)
from napari_clip_heatmap._napari.job.session import Session, error_message
from napari_clip_heatmap.clip import devices
from napari_clip_heatmap.clip.weights import Notices
from napari_clip_heatmap.errors import Cancelled, ClipHeatmapError, ModelLoadError
from napari_clip_heatmap.imaging.channel import as_channels
from napari_clip_heatmap.imaging.view import View
from napari_clip_heatmap.pipeline import batches, progressive, speed
from napari_clip_heatmap.pipeline.encode import encode
from napari_clip_heatmap.pipeline.storage.cache import EncodingCache

PROMPTS = ("red", "green", "blue")


def question(pixels, **settings):
    """Ask a plane, or with `leading` axes each plane of a stack."""
    leading = settings.pop("leading", ())
    planes = tuple(PlaneRequest(i, as_channels(pixels[i])) for i in np.ndindex(leading))
    planes = settings.pop("planes", planes)
    return HeatmapRequest(
        planes, **{"prompts": PROMPTS, "leading": leading, "stores": (pixels,), **settings}
    )


def ask(session, asked, cancelled=lambda: False, **settings):
    """Run a session to its end; return its steps and its result, or the error it raises."""
    asking = session.run(
        asked if isinstance(asked, HeatmapRequest) else question(asked, **settings), cancelled
    )
    steps = []
    while True:
        try:
            steps.append(next(asking))
        except StopIteration as end:
            return steps, end.value
        except (ClipHeatmapError, RuntimeError, MemoryError, OSError) as error:
            return steps, error


def values(answer):
    return np.stack([answer.stack.layer_data(n) for n in range(len(answer.keys))])


def test_an_empty_cache_that_is_given_is_used(model, picture, tmp_path):
    cache = EncodingCache(tmp_path / "empty")
    session = Session(lambda *_, **__: model, cache=cache)
    ask(session, picture)
    assert session.cache is cache
    assert len(cache) == 1


def test_answers_with_the_librarys_heatmaps(session, model, picture):
    steps, answer = ask(session, picture)
    assert all(isinstance(step, RunStep) for step in steps)
    assert isinstance(answer, HeatmapResult)
    assert answer.complete
    assert answer.tiles == len(answer.stack.lattice.tiles)
    encoding = encode(model, picture, downsample=1, batch_size=1)
    maps = encoding.heatmaps(PROMPTS)
    np.testing.assert_array_equal(values(answer), maps.values)
    np.testing.assert_array_equal(answer.similarity, maps.similarity)
    ranges = [(each.min(), each.max()) for each in maps.values]
    np.testing.assert_allclose(answer.limits, ranges, rtol=1e-6)


def test_progress_counts_tiles_up_to_the_end(session, picture):
    steps, answer = ask(session, picture)
    done = [step.done for step in steps if step.total]
    assert done == sorted(done)
    assert done[-1] == answer.tiles
    assert {step.total for step in steps if step.total} == {answer.tiles}


def test_encodes_an_image_once_for_all_prompts(session, model, loads, picture):
    ask(session, picture)
    batches = model.batches
    *_, answer = ask(session, picture.copy(), prompts=("cyan",), score="absolute")
    assert answer.tiles == 0
    assert model.batches == batches
    assert loads == ["demo"]


def test_encodes_again_what_was_painted_on_in_place(session, picture):
    ask(session, picture)
    picture[0, 0] ^= 255
    *_, answer = ask(session, picture)
    assert answer.tiles > 0


@pytest.mark.parametrize(
    "setting",
    [{"model": "other"}, {"device": "cpu"}, {"precision": "fp32"}, {"preprocess": "half"}],
)
def test_loads_and_encodes_again_for_another_model_or_device(session, loads, picture, setting):
    session.cache.limit = 0  # the models of this test differ in their names alone
    ask(session, picture)
    *_, answer = ask(session, picture, **setting)
    assert answer.tiles > 0
    assert len(loads) == 2


def test_stops_before_the_next_batch_and_goes_on_from_there(session, model, picture):
    *_, part = ask(session, picture, cancelled=lambda: model.batches >= 2)
    assert (part.complete, part.status, part.tiles) == (False, ResultStatus.CANCELLED, 2)
    assert model.batches == 2
    *_, rest = ask(session, picture)
    assert rest.complete
    assert rest.tiles == len(rest.stack.lattice.tiles) - 2
    assert model.batches == len(rest.stack.lattice.tiles)


def test_tiles_under_way_when_it_is_cancelled_are_counted(session, model, picture, set_threads):
    set_threads(2)
    model.d_model = 4  # so small that batches are computed side by side
    *_, part = ask(session, picture, cancelled=lambda: model.batches >= 2)
    *_, rest = ask(session, picture)
    assert (part.status, rest.complete) == (ResultStatus.CANCELLED, True)
    assert part.tiles >= 2
    assert part.tiles + rest.tiles == len(rest.stack.lattice.tiles)


def test_cancelled_before_anything_is_seen_there_is_no_answer(session, picture):
    *_, nothing = ask(session, picture, cancelled=lambda: True)
    assert isinstance(nothing, Cancelled)


@pytest.mark.parametrize(
    ("pixels", "settings", "words"),
    [
        (np.full((4, 4), np.nan), {}, "no valid pixel"),
        (np.zeros((40, 40)), {"prompts": ()}, "prompt"),
        (np.zeros((40, 40)), {"prompts": (" ",)}, "prompt"),
        (np.zeros((40, 40)), {"score": "contrast"}, "baseline"),
        (np.zeros((40, 40)), {"model": "absent"}, "absent"),
    ],
)
def test_refuses_in_words_and_stays_usable(session, picture, pixels, settings, words):
    *_, refusal = ask(session, pixels, **settings)
    assert isinstance(refusal, ClipHeatmapError)
    assert words in str(refusal)
    assert isinstance(ask(session, picture)[-1], HeatmapResult)


@pytest.mark.parametrize("error", [RuntimeError("CUDA out of memory"), MemoryError("64 GiB")])
def test_refuses_what_the_device_refuses(session, model, picture, error, monkeypatch):
    def fail(_):
        raise error

    monkeypatch.setattr(model, "token_map", fail)
    *_, refusal = ask(session, picture)
    assert error_message(refusal) == f"{type(error).__name__}: {error}"


@pytest.mark.parametrize("shape", [(1, 1), (1, 90), (32, 32), (3, 5000)])
def test_answers_for_any_size(session, shape):
    *_, answer = ask(session, np.arange(np.prod(shape), dtype=np.uint16).reshape(shape))
    assert values(answer).shape == (3, *shape)


def test_limits_leave_invalid_pixels_out_and_are_never_equal(session):
    image = np.full((40, 40), 7.0)
    image[3, 4] = np.nan
    *_, answer = ask(session, image)
    assert np.isnan(values(answer)[:, 3, 4]).all()
    assert all(low < high for low, high in answer.limits)


def test_a_stack_is_filled_plane_by_plane_and_what_was_done_before_stays(session, picture):
    stack = np.stack([picture, picture[::-1], picture[:, ::-1]])
    first = question(stack, leading=(3,))
    *_, answer = ask(session, question(stack, leading=(3,), planes=first.planes[1:2]))
    assert np.isfinite(values(answer)).all((0, 2, 3)).tolist() == [False, True, False]
    *_, answer = ask(session, question(stack, leading=(3,), planes=first.planes[2:]))
    assert np.isfinite(values(answer)).all((0, 2, 3)).tolist() == [False, True, True]
    *_, answer = ask(session, first)
    assert answer.planes[0] == (0,)
    assert sorted(answer.planes) == [(0,), (1,), (2,)]
    alone = [values(ask(session, plane.copy())[-1]) for plane in stack]
    np.testing.assert_array_equal(values(answer), np.stack(alone, axis=1))


def test_a_plane_of_a_stack_painted_on_since_is_not_shown_again(session, picture):
    stack = np.stack([picture, picture])
    planes = question(stack, leading=(2,)).planes
    ask(session, question(stack, leading=(2,), planes=planes[:1]))
    stack[0, 0, 0] ^= 255
    *_, answer = ask(session, question(stack, leading=(2,), planes=planes[1:]))
    assert answer.planes == ((1,),)


def test_a_failing_read_is_told_and_what_was_done_is_kept(session, model, picture):
    class Disk:
        shape, dtype = picture.shape, picture.dtype
        gone = False

        def __getitem__(self, key):
            if self.gone and key[0].stop > 60:
                raise OSError("drive ejected")
            return picture[key]

    disk = Disk()
    asked = HeatmapRequest(
        (PlaneRequest((), as_channels(disk)),), PROMPTS, stores=(picture,), view=View("raw")
    )
    disk.gone = True
    *_, answer = ask(session, asked)
    assert "drive ejected" in (answer.message if isinstance(answer, HeatmapResult) else str(answer))
    disk.gone = False
    *_, answer = ask(session, asked)
    assert answer.complete


def test_what_a_device_could_not_do_is_told_once_and_kept_in_the_record(session, model, picture):
    model.notices = Notices()
    model.notices.add("device", "The card is gone.")
    *_, answer = ask(session, picture)
    assert "The card is gone." in answer.notes
    assert answer.tiling["notices"] == ["The card is gone."]
    *_, answer = ask(session, picture)
    assert "The card is gone." not in answer.notes
    model.notices.add("room", "It is full.")
    *_, answer = ask(session, picture.copy(), model="other")
    assert "It is full." in answer.notes
    assert "The card is gone." not in answer.notes
    assert len(answer.tiling["notices"]) == 2


def test_memory_is_handed_back_before_another_model_is_loaded(
    session, model, loads, picture, monkeypatch
):
    released = []
    monkeypatch.setattr(devices, "release_memory", lambda: released.append(len(loads)))
    ask(session, picture)
    ask(session, picture)
    assert not released
    ask(session, picture, model="other")
    assert released == [1]


def test_torch_that_cannot_be_loaded_beside_qt_is_explained(picture, monkeypatch):
    def import_towers():
        raise OSError("[WinError 1114] Error loading c10.dll or one of its dependencies.")

    monkeypatch.setattr(bringing, "import_torch_and_open_clip", import_towers)
    *_, refusal = ask(Session(), picture)
    assert isinstance(refusal, ModelLoadError)
    assert "WinError 1114" in str(refusal)
    assert "vc_redist" in str(refusal)


def test_a_model_is_brought_before_it_is_loaded_and_that_is_told(session, model, loads, picture):
    def bring(name, cancelled):
        assert not loads
        yield DownloadProgress()
        yield DownloadProgress(30_000_000, 5_000_000_000, 12.0)

    session.download = bring
    steps, answer = ask(session, picture, model="large")
    assert [(step.text, step.done, step.total, step.seconds_left) for step in steps[:4]] == [
        ("Loading the model large", 0, 0, None),
        ("Downloading large", 0, 0, None),
        ("Downloading large: 30 of 5000 MB", 30, 5000, 12.0),
        ("Loading the model large", 0, 0, None),
    ]
    assert answer.complete
    steps, _ = ask(session, picture, model="large", prompts=("red",))
    assert not [step for step in steps if "Downloading" in step.text]


def test_a_download_that_fails_is_told_and_one_cancelled_loads_nothing(session, loads, picture):
    def fail(name, cancelled):
        yield DownloadProgress()
        raise ModelLoadError("put it there by hand")

    session.download = fail
    *_, refusal = ask(session, picture)
    assert str(refusal) == "put it there by hand"
    session.download = lambda name, cancelled: iter([DownloadProgress()])
    *_, nothing = ask(session, picture, cancelled=lambda: True)
    assert isinstance(nothing, Cancelled)
    assert not loads


def test_the_window_has_one_batch_computed_at_a_time(monkeypatch, model, picture, set_threads):
    set_threads(2)
    model.d_model = 4  # so small that a library's encode computes batches side by side
    asked = []
    forward = batches.BatchedForward

    def watched(model, size=None, check=None, at_once=None):
        asked.append(at_once)
        return forward(model, size, check or (lambda: None), at_once)

    monkeypatch.setattr(progressive, "BatchedForward", watched)
    *_, whole = ask(Session(lambda name, **options: model), picture)
    assert whole.complete
    assert set(asked) == {1}


def test_the_chooser_measures_as_a_session_encodes(monkeypatch):
    asked = {}
    monkeypatch.setattr(speed, "measure_architecture", lambda *_, **options: asked.update(options))
    ModelCatalog().measure("demo", {"device": "cpu", "precision": "fp32"}, lambda: False)
    assert (asked["device"], asked["precision"], asked["at_once"]) == ("cpu", "fp32", 1)
