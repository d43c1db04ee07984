from __future__ import annotations

import numpy as np
import pytest

from napari_clip_heatmap._napari.session import Answer, Question, Refusal, Step

PROMPTS = ("red", "green", "blue")


def ask(session, pixels, cancelled=lambda: False, **settings):
    """Run a session to its end; return its steps and its result."""
    tiles = []
    steps = []
    asking = session.answer(
        Question(pixels, **{"prompts": PROMPTS, **settings}),
        lambda done, total: tiles.append((done, total)),
        cancelled,
    )
    while True:
        try:
            steps.append(next(asking))
        except StopIteration as end:
            return steps, tiles, end.value


def test_answers_with_the_librarys_heatmaps(session, picture):
    steps, tiles, answer = ask(session, picture)
    assert all(isinstance(step, Step) for step in steps)
    assert tiles == [(done, len(answer.encoding.lattice.tiles)) for done in range(len(tiles))]
    assert isinstance(answer, Answer)
    assert not answer.encoded_before
    for number, values in enumerate(answer.heatmaps.values):
        assert np.argmax(values.mean(0)) // 40 == number
        assert answer.limits[number] == (values.min(), values.max())


def test_encodes_an_image_once_for_all_prompts(session, model, loads, picture):
    ask(session, picture)
    batches = model.batches
    *_, answer = ask(session, picture.copy(), prompts=("cyan",), score="absolute")
    assert answer.encoded_before
    assert model.batches == batches
    assert loads == ["demo"]


def test_encodes_again_what_was_painted_on_in_place(session, picture):
    ask(session, picture)
    picture[0, 0] ^= 255
    *_, answer = ask(session, picture)
    assert not answer.encoded_before


@pytest.mark.parametrize("setting", [{"model": "other"}, {"device": "cpu"}])
def test_loads_and_encodes_again_for_another_model_or_device(session, loads, picture, setting):
    ask(session, picture)
    *_, answer = ask(session, picture, **setting)
    assert not answer.encoded_before
    assert len(loads) == 2


def test_stops_before_the_next_batch_and_starts_anew(session, model, picture):
    *_, result = ask(session, picture, cancelled=lambda: model.batches >= 2)
    assert result is None
    assert model.batches == 2
    *_, answer = ask(session, picture)
    assert isinstance(answer, Answer)


@pytest.mark.parametrize(
    ("pixels", "settings", "words"),
    [
        (np.zeros((0, 5)), {}, "no pixel"),
        (np.full((4, 4), np.nan), {}, "no valid pixel"),
        (np.zeros((4, 4, 5)), {}, "shape"),
        (np.zeros((4, 4), complex), {}, "complex"),
        (np.zeros((4, 4), object), {}, "object"),
        (np.zeros((40, 40)), {"prompts": ()}, "prompt"),
        (np.zeros((40, 40)), {"prompts": (" ",)}, "prompt"),
        (np.zeros((40, 40)), {"score": "contrast"}, "baseline"),
        (np.zeros((40, 40)), {"model": "absent"}, "absent"),
    ],
)
def test_refuses_in_words_and_stays_usable(session, picture, pixels, settings, words):
    *_, refusal = ask(session, pixels, **settings)
    assert isinstance(refusal, Refusal)
    assert words in refusal.message
    assert isinstance(ask(session, picture)[-1], Answer)


@pytest.mark.parametrize("error", [RuntimeError("CUDA out of memory"), MemoryError("64 GiB")])
def test_refuses_what_the_device_refuses(session, model, picture, error, monkeypatch):
    def fail(_):
        raise error

    monkeypatch.setattr(model, "token_map", fail)
    *_, refusal = ask(session, picture)
    assert str(error) in refusal.message
    assert type(error).__name__ in refusal.message


@pytest.mark.parametrize("shape", [(1, 1), (1, 90), (32, 32), (3, 5000)])
def test_answers_for_any_size(session, shape):
    *_, answer = ask(session, np.arange(np.prod(shape), dtype=np.uint16).reshape(shape))
    assert answer.heatmaps.values.shape == (3, *shape)


def test_limits_leave_invalid_pixels_out_and_are_never_equal(session):
    image = np.full((40, 40), 7.0)
    image[3, 4] = np.nan
    *_, answer = ask(session, image)
    assert np.isnan(answer.heatmaps.values[:, 3, 4]).all()
    assert all(low < high for low, high in answer.limits)
