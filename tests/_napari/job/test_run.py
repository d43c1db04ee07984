from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from napari_clip_heatmap._napari.job import run as module
from napari_clip_heatmap._napari.job.request import HeatmapRequest, ResultStatus
from napari_clip_heatmap._napari.job.run import PromptScorer, rescore
from napari_clip_heatmap.errors import ImageError
from napari_clip_heatmap.pipeline.encode import encode

PLANES = [(0,), (1,), (2,)]


@pytest.fixture
def encodings(model):
    rng = np.random.default_rng(0)
    return {index: encode(model, rng.random((40, 50, 3)), downsample=1) for index in PLANES}


def answered(question, encodings, model):
    scored = PromptScorer(question, model.text)
    for index, encoding in encodings.items():
        scored.paint(index, encoding)
    return scored.result(ResultStatus.COMPLETE)


def test_other_prompts_are_answered_as_a_run_would(encodings, model):
    first = HeatmapRequest((), ("red", "green"), ("a", "b"), leading=(3,))
    other = replace(first, prompts=("blue", "red"), keys=("b", "c"), score="absolute")
    fresh = answered(other, encodings, model)
    again = rescore(answered(first, encodings, model), other)
    for number in range(2):
        np.testing.assert_array_equal(
            again.stack.layer_data(number), fresh.stack.layer_data(number)
        )
    assert (again.keys, again.limits) == (fresh.keys, fresh.limits)
    np.testing.assert_array_equal(again.similarity, fresh.similarity)


def test_an_array_whose_row_is_asked_again_is_painted_over(encodings, model):
    first = answered(HeatmapRequest((), ("red", "green"), ("a", "b"), (3,)), encodings, model)
    again = rescore(first, HeatmapRequest((), ("blue", "red"), ("b", "c"), (3,)))
    assert again.stack.layer_data(0) is first.stack.layer_data(1)
    assert again.stack.layer_data(1) is not first.stack.layer_data(0)


def test_no_more_is_held_than_memory_allows_and_what_is_seen_stays(encodings, model, monkeypatch):
    one = encodings[0,].token_map.nbytes
    monkeypatch.setattr(module, "LIMIT", 2 * one)
    question = HeatmapRequest((), ("red", "green"), leading=(3,))
    answer = answered(question, encodings, model)
    assert [*answer.encodings] == PLANES[:2]
    assert answer.planes == tuple(PLANES)
    everything = np.mean([each.embedding for each in encodings.values()], axis=0)
    np.testing.assert_allclose(answer.similarity, answer.scoring.text @ everything, rtol=1e-6)
    with pytest.raises(ImageError, match=r"of 3 slices 2 are still in memory.*press Run"):
        rescore(answer, replace(question, prompts=("blue",)))
    monkeypatch.setattr(module, "LIMIT", one // 2)
    assert [*answered(question, encodings, model).encodings] == PLANES[:1]


def test_maps_that_are_not_seen_are_painted_later_and_are_the_same(encodings, model):
    first = HeatmapRequest((), ("red", "green"), ("a", "b"), leading=(3,))
    other = replace(first, prompts=("blue", "yellow"))
    fresh = answered(other, encodings, model)
    before = answered(first, encodings, model)
    green = before.stack.layer_data(1).copy()
    again = rescore(before, other, seen={"a"})
    np.testing.assert_array_equal(again.stack.layer_data(0), fresh.stack.layer_data(0))
    np.testing.assert_array_equal(again.stack.layer_data(1), green)
    np.testing.assert_allclose(again.limits, fresh.limits, rtol=1e-6)
    again.stack.paint_rest()
    np.testing.assert_array_equal(again.stack.layer_data(1), fresh.stack.layer_data(1))
    assert before.stack.painted_over
    assert not again.stack.painted_over


def test_maps_with_gaps_are_all_painted_at_once(model):
    pixels = np.random.default_rng(0).random((40, 50, 3))
    pixels[5:9, 5:9] = np.nan
    encodings = {(): encode(model, pixels, downsample=1)}
    first = HeatmapRequest((), ("red", "green"), ("a", "b"))
    other = replace(first, prompts=("blue", "yellow"))
    again = rescore(answered(first, encodings, model), other, seen={"a"})
    fresh = answered(other, encodings, model)
    np.testing.assert_array_equal(again.stack.layer_data(1), fresh.stack.layer_data(1))
    assert again.limits == fresh.limits
