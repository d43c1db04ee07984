from __future__ import annotations

import math

import numpy as np
import pytest

from napari_clip_heatmap.errors import ImageError, SettingsError
from napari_clip_heatmap.validation import (
    ascending,
    boolean,
    function,
    instance,
    integer,
    number,
    number_array,
    numbers,
    one_of,
)


@pytest.mark.parametrize("value", [3, 3.0, np.float32(3), np.int8(3), np.uint64(3)])
def test_real_numbers_of_any_type_are_numbers(value):
    assert number("x", value, 0, 5) == 3.0
    assert type(number("x", value)) is float


@pytest.mark.parametrize(
    "value", [True, np.True_, "3", None, math.nan, math.inf, -1, 6, 10**400, 3j, [3], np.zeros(2)]
)
def test_what_is_no_number_in_range_is_refused_by_name(value):
    with pytest.raises(SettingsError, match=r"^overlap is .*accepted: a finite number from 0 to 5"):
        number("overlap", value, 0, 5)


def test_whole_numbers():
    assert integer("n", np.int16(7), 1, 9) == 7
    for value in (0, 10, 2.0, True, "3", None):
        with pytest.raises(SettingsError, match="whole number from 1 to 9"):
            integer("n", value, 1, 9)


def test_words_and_booleans():
    assert one_of("mode", "a", "ab") == "a"
    assert boolean("b", np.False_) is False
    for check in (lambda: one_of("mode", ["a"], "ab"), lambda: boolean("b", 1)):
        with pytest.raises(SettingsError, match="accepted"):
            check()


def test_sequences_of_numbers():
    assert numbers("box", np.arange(3), 3) == (0, 1, 2)
    assert ascending("limits", [1, 2]) == (1, 2)
    endless = iter(int, 1)
    for value in ((1, 2, 3), (1,), "12", 5, None, (1, None), {1, 2}, np.float64(1), endless):
        with pytest.raises(ImageError, match="2 finite numbers"):
            numbers("pair", value, 2, ImageError)
    with pytest.raises(SettingsError, match="smaller first"):
        ascending("limits", (2, 1))


def test_arrays_of_numbers():
    got = number_array("corners", [(0, 1), (2, 3)], (None, 2))
    assert got.dtype == np.float64
    assert got.shape == (2, 2)
    for value in ([1, 2], [[1, 2, 3]], [["a", "b"]], [[1, math.nan]], [[1, 2], [3]], None):
        with pytest.raises(SettingsError, match=r"shape \(n, 2\)"):
            number_array("corners", value, (None, 2))


def test_functions_and_types():
    assert function("progress", len) is len
    assert instance("x", 3, int, "a number", SettingsError) == 3
    with pytest.raises(SettingsError, match="a function"):
        function("progress", 3)
    with pytest.raises(SettingsError, match="a number"):
        instance("x", "3", int, "a number", SettingsError)
