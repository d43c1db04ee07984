"""Explanations for the dock, without a window: places, labels, planes, and maps of heads."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from napari_clip_heatmap._napari.job.explanation_work import (
    ExplanationSession,
    HeadMapRequest,
    PlaceRequest,
    explained_scoring,
    label_at,
    map_name,
    one_prompt,
)
from napari_clip_heatmap._napari.job.request import HeatmapRequest, PlaneRequest
from napari_clip_heatmap._napari.job.session import Session
from napari_clip_heatmap.errors import Cancelled, ImageError
from napari_clip_heatmap.imaging.channel import Channel
from napari_clip_heatmap.imaging.masks import LabeledRegion
from napari_clip_heatmap.imaging.view import View

PROMPTS = ("nuclei", "filaments", "an empty field")


def finished(work: Any) -> tuple[list[Any], Any]:
    steps = []
    while True:
        try:
            steps.append(next(work))
        except StopIteration as end:
            return steps, end.value


def ran(model: Any, **options: Any) -> tuple[Session, HeatmapRequest, Any]:
    pixels = np.random.default_rng(0).integers(0, 256, (2, 60, 70), dtype=np.uint8)
    planes = tuple(
        PlaneRequest((number,), (Channel((pixels[number],), (0.0, 255.0)),)) for number in range(2)
    )
    request = HeatmapRequest(
        planes, PROMPTS, leading=(2,), stores=(pixels,), view=View(), downsample=1.0, **options
    )
    session = Session(lambda _name, **_options: model)
    _, result = finished(session.run(request, lambda: False))
    return session, request, result


@pytest.fixture(scope="module")
def done(tiny_model: Any) -> tuple[Session, HeatmapRequest, Any]:
    return ran(tiny_model)


def never() -> bool:
    return False


def test_a_place_of_each_plane_sums_to_its_map(done: Any) -> None:
    session, request, result = done
    explaining = ExplanationSession(session.model_of)
    for index in ((0,), (1,)):
        steps, answer = finished(
            explaining.explain(PlaceRequest(request, result, index, (20, 33)), never)
        )
        values = result.stack.values_at(index, 20.5, 33.5)
        np.testing.assert_allclose(answer.explanation.value, values, atol=1e-5)
        assert answer.place == "At y = 20, x = 33 px"
        assert steps[-1].text.startswith("Tile ")
    with pytest.raises(ImageError, match="press Run with this slice in view"):
        finished(explaining.explain(PlaceRequest(request, result, (7,), (0, 0)), never))


def test_a_label_is_the_mean_over_its_pixels(done: Any) -> None:
    session, request, result = done
    labels = np.zeros((30, 35), int)
    labels[4:12, 6:20] = 5
    labels[20:, 20:] = 6
    region = LabeledRegion(labels, np.diag([0.5, 0.5, 1]))  # half as fine as the image
    assert label_at(region, (10, 20)) == 5
    assert label_at(region, (59, 69)) == 6
    assert label_at(region, (0, 0)) == 0
    explaining = ExplanationSession(session.model_of)
    asked = PlaceRequest(request, result, (0,), (10, 20), region)
    _, answer = finished(explaining.explain(asked, never))
    mask = np.kron(labels == 5, np.ones((2, 2), bool))
    assert answer.place == f"Mean over label 5, {mask.sum()} px"
    pixels = result.stack.maps_at((0,)).window()[:, mask].mean(axis=1)
    np.testing.assert_allclose(answer.explanation.value, pixels, atol=1e-5)
    with pytest.raises(ImageError, match="no label where you clicked"):
        finished(explaining.explain(replace(asked, spot=(0, 0)), never))


def test_the_whole_image_is_its_similarity(done: Any) -> None:
    session, request, result = done
    asked = PlaceRequest(request, result, (0,), None)
    _, answer = finished(ExplanationSession(session.model_of).explain(asked, never))
    encoding = result.encodings[(0,)]
    expected = result.scoring.text @ encoding.embedding
    np.testing.assert_allclose(answer.explanation.value, expected, atol=1e-5)


def test_head_maps_of_a_prompt_are_made_once(done: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    session, request, result = done
    explaining = ExplanationSession(session.model_of)
    heads = frozenset({(0, 1), (2, 3)})
    asked = HeadMapRequest(request, result, (0,), 1, heads, left_out=False)
    steps, alone = finished(explaining.head_map(asked, never))
    assert steps[-1].done == steps[-1].total > 1
    assert alone.name == "filaments \N{MIDDLE DOT} L0H1 + L2H3"
    steps, without = finished(explaining.head_map(replace(asked, left_out=True), never))
    assert steps == []
    assert without.name == "filaments without L0H1 + L2H3"
    whole = result.stack.maps_at((0,)).window()[1]
    np.testing.assert_allclose(alone.pixels + without.pixels, whole, atol=1e-5)
    expected = result.scoring.text[1] @ result.encodings[(0,)].embedding
    np.testing.assert_allclose(alone.similarity, expected, atol=1e-5)
    with pytest.raises(Cancelled):
        finished(explaining.head_map(replace(asked, prompt=0), lambda: True))
    explaining.forget()
    steps, _ = finished(explaining.head_map(asked, never))
    assert steps


def test_probabilities_are_explained_by_the_cosines_behind_them(tiny_model: Any) -> None:
    _, _, result = ran(tiny_model, score="softmax")
    scoring = explained_scoring(result.scoring)
    assert scoring.score == "absolute"
    np.testing.assert_array_equal(scoring.directions, result.scoring.text)
    one = one_prompt(scoring, 2)
    assert one.prompts == PROMPTS[2:]
    np.testing.assert_array_equal(one.directions[0], scoring.directions[2])


def test_names_of_many_heads_are_short() -> None:
    assert map_name("nuclei", ["L5H3"], left_out=False) == "nuclei \N{MIDDLE DOT} L5H3"
    named = [f"L0H{head}" for head in range(4)]
    assert map_name("nuclei", named, left_out=True) == "nuclei without 4 heads"
