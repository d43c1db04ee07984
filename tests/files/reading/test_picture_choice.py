from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_clip_heatmap.errors import ImageError, SettingsError
from napari_clip_heatmap.files.reading.picture_choice import PictureChoice, short_name

NAME = "'a.tif'"


@given(st.lists(st.integers(1, 4), max_size=4), st.data())
def test_a_page_counts_planes_in_the_order_of_the_file(lengths: list[int], data: Any) -> None:
    kinds = ["time", "z", "channel", "page"][: len(lengths)]
    axes = list(zip(kinds, lengths, strict=True))
    count = int(np.prod(lengths))
    page = data.draw(st.integers(0, count - 1))
    (index,) = PictureChoice(page=page).planes(NAME, axes)
    assert np.arange(count).reshape(lengths)[index] == page
    with pytest.raises(ImageError, match=f"holds {count} picture.* and no page {count}"):
        PictureChoice(page=count).planes(NAME, axes)


def test_named_choices_and_the_page_among_the_rest() -> None:
    axes = [("time", 2), ("z", 3), ("channel", 4)]
    assert PictureChoice(time=1, z=2, channel=3).planes(NAME, axes) == ((1, 2, 3),)
    assert PictureChoice(channel=2, page=4).planes(NAME, axes) == ((1, 1, 2),)
    chosen = PictureChoice(channel=(2, 0, 1), time=0, z=1).planes(NAME, axes)
    assert chosen == ((0, 1, 2), (0, 1, 0), (0, 1, 1))


def test_one_plane_needs_no_choice_and_takes_one() -> None:
    axes = [("time", 1), ("page", 1)]
    assert PictureChoice().planes(NAME, axes) == ((0, 0),)
    assert PictureChoice(page=0, time=0, z=0, channel=0).planes(NAME, axes) == ((0, 0),)
    assert PictureChoice().planes(NAME, []) == ((),)


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ({}, r"holds 6 pictures \(2 time points, 3 channels\); choose with time=0 to 1 and"),
        ({}, r"\(in the shell --time, --channel, --page\)"),
        ({"time": 0}, "holds 6 pictures"),
        ({"time": 2}, "has 2 time points and no time 2"),
        ({"time": 1, "channel": (0, 1, 3)}, "has 3 channels and no channel 3"),
        ({"z": 1}, "has no z axis"),
        ({"time": 1, "page": 3}, "no page 3 among what is chosen"),
    ],
)
def test_what_is_open_or_missing_is_said(choice: dict[str, Any], message: str) -> None:
    with pytest.raises(ImageError, match=message) as caught:
        PictureChoice(**choice).planes(NAME, [("time", 2), ("channel", 3)])
    assert len(str(caught.value)) <= 500


@pytest.mark.parametrize(
    "choice",
    [
        *({"page": -1}, {"page": 1.0}, {"page": "1"}, {"page": True}, {"z": [1]}),
        *({"channel": (0, 1)}, {"channel": (0, 1, -1)}, {"channel": "012"}, {"time": 10**9 * 1.5}),
    ],
)
def test_choices_are_whole_numbers(choice: dict[str, Any]) -> None:
    with pytest.raises(SettingsError, match=f"{next(iter(choice))} (is|has)"):
        PictureChoice(**choice)


def test_numbers_of_any_integer_type() -> None:
    choice = PictureChoice(page=np.int64(2), channel=[np.uint8(1), 2, 0])
    assert choice == PictureChoice(page=2, channel=(1, 2, 0))
    assert type(choice.page) is int


def test_channels_of_a_picture() -> None:
    pixels = np.arange(24).reshape(2, 3, 4)
    np.testing.assert_array_equal(
        PictureChoice(channel=1).of_channels(pixels, NAME), pixels[..., 1]
    )
    swapped = PictureChoice(channel=(2, 1, 0)).of_channels(pixels, NAME)
    np.testing.assert_array_equal(swapped, pixels[..., 2::-1])
    assert PictureChoice().of_channels(pixels, NAME) is pixels
    gray = pixels[..., 0]
    assert PictureChoice(channel=0).of_channels(gray, NAME) is gray
    with pytest.raises(ImageError, match="has 1 channel and no channel 1"):
        PictureChoice(channel=1).of_channels(gray, NAME)


def test_one_of_several_by_number() -> None:
    pictures = [f"{n} x {n} uint8" for n in range(1, 7)]
    assert PictureChoice().number(NAME, "series", 4, pictures) == 4
    assert PictureChoice().number(NAME, "series", None, pictures[:1]) == 0
    with pytest.raises(ImageError, match=r"6 pictures \(0: 1 x 1 uint8, .*, \.\.\.\); choose with"):
        PictureChoice().number(NAME, "series", None, pictures)
    with pytest.raises(ImageError, match="and no series 6"):
        PictureChoice().number(NAME, "series", 6, pictures)


def test_long_names_are_shortened_in_the_middle() -> None:
    name = short_name("a" * 300 + ".tif")
    assert len(name) <= 102
    assert name.startswith("'aaa")
    assert name.endswith(".tif'")
