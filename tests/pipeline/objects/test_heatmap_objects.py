from __future__ import annotations

import numpy as np
import pytest

from napari_clip_heatmap.errors import ClipHeatmapError, PromptError
from napari_clip_heatmap.pipeline.encode import encode
from napari_clip_heatmap.pipeline.verdicts import Verdict

PROMPTS = ["red", "green", "blue"]


@pytest.fixture
def image():
    """Red, green and blue blocks on gray, with a corner that is not known."""
    picture = np.full((70, 90, 3), 0.4, np.float32)
    picture[8:28, 8:40] = (1, 0, 0)
    picture[40:60, 8:40] = (0, 1, 0)
    picture[20:50, 56:84] = (0, 0, 1)
    picture[-4:, -4:] = np.nan
    return picture


@pytest.fixture
def maps(model, image):
    return encode(model, image).heatmaps(PROMPTS)


@pytest.mark.parametrize("threshold", ["otsu", "yen", "triangle", "quantile:0.9", 0.05])
def test_objects_are_where_the_map_is_above_the_threshold(maps, threshold):
    objects = maps.objects("green", threshold)
    assert objects.labels.dtype == np.int32
    assert objects.labels.shape == maps.values.shape[1:]
    np.testing.assert_array_equal(objects.labels > 0, maps.values[1] > objects.record["limit"])
    assert objects.record["model"]["name"] == "fake"
    assert objects.record["score"] == "relative"


def test_an_object_lies_on_what_was_drawn(maps):
    table = maps.objects("blue").table
    largest = int(np.argmax(table["area"]))
    assert table["centroid_y"][largest] == pytest.approx(34.5, abs=2)
    assert table["centroid_x"][largest] == pytest.approx(69.5, abs=2)
    assert table["similarity"][0] == pytest.approx(maps.similarity[2])


def test_the_verdict_is_that_of_the_prompt(maps):
    assert len(maps.verdicts) == 3
    assert set(maps.verdicts) <= set(Verdict)
    assert set(maps.objects("red").table["verdict"]) == {maps.verdicts[0]}


def test_winners_are_the_highest_map_at_each_pixel(maps):
    winner = maps.winners()
    known = np.isfinite(maps.values).all(axis=0)
    assert winner.dtype == np.int32
    np.testing.assert_array_equal(winner[known], maps.values.argmax(axis=0)[known] + 1)
    assert not winner[~known].any()
    assert not maps.winners(margin=2.0).any()


def test_a_margin_only_takes_away(maps):
    loose, strict = maps.winners(), maps.winners(margin=0.2)
    assert 0 < np.count_nonzero(strict) < np.count_nonzero(loose)
    np.testing.assert_array_equal(strict[strict > 0], loose[strict > 0])


def test_winning_areas_are_objects_of_their_prompt(maps):
    objects = maps.winner_objects(margin=0.1, min_area=16)
    winner = maps.winners(margin=0.1)
    for row in objects.table.rows():
        inside = winner[objects.labels == row["label"]]
        assert set(inside) == {maps.prompts.index(row["prompt"]) + 1}
        assert row["area"] == inside.size >= 16


def test_peaks_lie_on_what_was_drawn(maps):
    peaks = maps.peaks("red", min_distance=16)
    assert peaks.positions.shape == (len(peaks.values), 2)
    y, x = peaks.positions[0]
    assert 6 <= y <= 30
    assert 6 <= x <= 42
    assert peaks.labels.dtype == np.int32
    assert peaks.labels[0] == maps.objects("red").labels[round(y), round(x)]


@pytest.mark.parametrize("prompt", ["Red", "", None, 0])
@pytest.mark.parametrize("make", ["objects", "peaks"])
def test_a_prompt_that_was_not_asked_is_refused(maps, prompt, make):
    with pytest.raises(PromptError, match="there are 'red', 'green', 'blue'"):
        getattr(maps, make)(prompt)


def test_one_map_alone_has_no_winner(model, image):
    alone = encode(model, image).heatmaps(["red"])
    with pytest.raises(PromptError, match="two prompts or more"):
        alone.winners()
    with pytest.raises(PromptError, match="two prompts or more"):
        alone.winner_objects()


@pytest.mark.parametrize(
    "settings",
    [
        {"threshold": float("nan")},
        {"threshold": "otzu"},
        {"min_area": -1},
        {"split": "yes"},
        {"pixel_size": 0.5},
    ],
)
def test_impossible_settings_are_refused(maps, settings):
    with pytest.raises(ClipHeatmapError, match="accepted"):
        maps.objects("red", **settings)
