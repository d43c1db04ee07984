from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from napari_clip_heatmap.imaging.validity import Hole, Validity


def read_all(validity):
    centers = [np.arange(length) + 0.5 for length in validity.image_shape]
    return validity.read(*centers)


@given(st.integers(0, 10_000), st.booleans())
def test_what_was_noted_is_read_back(seed, restored):
    rng = np.random.default_rng(seed)
    truth = rng.random((23, 17)) < 0.9
    validity = Validity(truth.shape)
    for y in (slice(0, 9), slice(9, 23)):
        for x in (slice(0, 8), slice(8, 17)):
            part = truth[y, x]
            validity.note(truth.shape, y, x, None if part.all() else part)
    if restored:
        validity = Validity(truth.shape, validity.holes)
    got = read_all(validity)
    np.testing.assert_array_equal(np.ones_like(truth) if got is None else got, truth)


def test_a_coarse_level_covers_the_image_pixels_it_was_averaged_from():
    validity = Validity((8, 12))
    coarse = np.ones((4, 6), bool)
    coarse[1, 2] = False
    validity.note((4, 6), slice(0, 4), slice(0, 6), coarse)
    expected = np.repeat(np.repeat(coarse, 2, axis=0), 2, axis=1)
    np.testing.assert_array_equal(read_all(validity), expected)


def test_a_pixel_is_valid_only_if_it_is_in_every_channel():
    one, other = np.ones((2, 3, 4), bool)
    one[0, 0], other[2, 3] = False, False
    validity = Validity((3, 4))
    for valid in (one, other):
        validity.note((3, 4), slice(0, 3), slice(0, 4), valid)
    np.testing.assert_array_equal(read_all(validity), one & other)
    validity.note((3, 4), slice(0, 3), slice(0, 4), np.zeros((3, 4), bool))
    assert not read_all(validity).any()


def test_what_was_never_read_counts_as_valid():
    validity = Validity((5, 5), [Hole((5, 5), slice(0, 1), slice(0, 1), None)])
    assert validity.read(np.array([3.5]), np.array([2.5])) is None
    assert not validity.read(np.array([0.5]), np.array([0.5])).any()
