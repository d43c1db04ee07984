"""Limits for examples, on tokens made so that the answer is known, and on the bundled model."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np
import pytest

from napari_clip_heatmap.api import encode
from napari_clip_heatmap.evaluation.meaning.example_limits import (
    MarkedImage,
    find_example_limits,
    mark_places,
)
from napari_clip_heatmap.evaluation.meaning.known_images import KnownImage, draw_known
from napari_clip_heatmap.pipeline.examples.example_verdict import likeness
from napari_clip_heatmap.pipeline.null_reference import make_null_reference
from napari_clip_heatmap.prompting.example import Example

if TYPE_CHECKING:
    from napari_clip_heatmap.clip.model import ClipModel

EXAMPLE = Example(
    name="nuclei",
    direction=np.array([1, 0], np.float32),
    model="made",
    weights_sha256="0" * 64,
    positive=3,
    negative=3,
    words="",
    weight=1.0,
    recipe="made",
    dependence=2.0,
    leave_one_out=None,
    background=0.0,
    foreground=1.0,
    token=np.array([1, 0], np.float32),
    spread=1.0,
)


def image(name: str, distance: float, *, kind: str = "made") -> MarkedImage:
    """An image of one thing, whose patches are so far from the token of the example."""
    shows = (name,) if name == "nuclei" else ()
    absent = () if shows else ("nuclei",)
    known = KnownImage(kind, np.zeros((8, 8)), shows, absent, shows)
    tokens = np.full((4, 2), [1 - distance, 0], np.float32)
    return MarkedImage(known, tokens, (EXAMPLE,) if shows else ())


def test_the_limits_lie_where_present_and_absent_do() -> None:
    present = [image("nuclei", distance) for distance in np.linspace(0.1, 0.5, 30)]
    absent = [image("nothing", distance) for distance in np.linspace(0.4, 2, 200)]
    limits = find_example_limits([*present, *absent])
    assert limits is not None
    assert limits.far == pytest.approx(0.5, abs=0.02)  # 1 - 0.5
    assert limits.near == pytest.approx(1 - 0.4 - 0.02 * 1.6, abs=0.02)
    assert limits.far < limits.near


def test_things_of_another_kind_may_look_otherwise() -> None:
    same = [image("nuclei", 0.2) for _ in range(8)]
    other = [image("nuclei", 9.0, kind="other") for _ in range(8)]
    absent = [image("nothing", 3.0) for _ in range(30)]
    limits = find_example_limits([*same, *other, *absent])
    assert limits is not None
    assert limits.far <= limits.near == pytest.approx(-2)


def test_too_few_images_set_no_limits() -> None:
    assert find_example_limits([image("nuclei", 0.2), image("nothing", 1.0)]) is None


def test_each_thing_that_can_be_seen_is_marked(demo: ClipModel) -> None:
    known = next(each for each in draw_known(3, 20, 128) if len(each.classes) > 1)
    encoding = encode(demo, known.image)
    tokens = make_null_reference(encoding).tokens.tokens
    marked = mark_places(known, encoding, tokens, 0)
    assert {each.name for each in marked.examples} == set(known.classes)
    assert all((each.positive, each.negative) == (3, 3) for each in marked.examples)
    own = [likeness(each, tokens) for each in marked.examples]
    assert all(each is not None and each > 0 for each in own)
    nothing = dataclasses.replace(known, masks={})
    assert mark_places(nothing, encoding, tokens, 0).examples == ()
