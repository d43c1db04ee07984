from __future__ import annotations

import itertools
import math

import pytest

from napari_clip_heatmap.batch.inputs.plane_axes import chosen_axes
from napari_clip_heatmap.errors import ImageError
from napari_clip_heatmap.files.reading.picture_choice import PictureChoice

AXES = [("time", 4), ("z", 3), ("page", 1)]


@pytest.mark.parametrize("time", [None, 0, 3])
@pytest.mark.parametrize("z", [None, 1])
def test_all_planes_but_where_one_was_chosen(time: int | None, z: int | None) -> None:
    axes = chosen_axes(AXES, PictureChoice(time=time, z=z), "'a'")
    assert axes.names == (("time",) if time is None else ()) + (("z",) if z is None else ())
    expected = [
        (t, s, 0)
        for t, s in itertools.product(range(4), range(3))
        if time in (None, t) and z in (None, s)
    ]
    got = [axes.in_source(index) for index in itertools.product(*map(range, axes.lengths))]
    assert got == expected
    assert math.prod(axes.lengths) == len(expected)


def test_a_page_is_one_plane_among_those_left() -> None:
    axes = chosen_axes(AXES, PictureChoice(page=2, time=1), "'a'")
    assert (axes.names, axes.in_source(())) == ((), (1, 2, 0))


def test_axes_of_one_name_are_told_apart() -> None:
    assert chosen_axes([("page", 2), ("page", 3)], PictureChoice(), "'a'").names == (
        "page",
        "page2",
    )


@pytest.mark.parametrize(
    ("axes", "choice", "word"),
    [
        (AXES, PictureChoice(time=4), "time 4"),
        (AXES, PictureChoice(page=12), "12"),
        ([("page", 5)], PictureChoice(time=1), "no time axis"),
        ([], PictureChoice(z=2), "no z axis"),
    ],
)
def test_what_is_not_there_is_said(axes: list, choice: PictureChoice, word: str) -> None:
    with pytest.raises(ImageError, match=word):
        chosen_axes(axes, choice, "'a'")
