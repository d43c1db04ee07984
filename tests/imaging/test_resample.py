from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_clip_heatmap.imaging.lattice import plan_lattice
from napari_clip_heatmap.imaging.resample import resize, to_image_pixels


def averaging(n_in, n_out):
    """Share of each input pixel's area in each output pixel, (out, in)."""
    edges = np.arange(n_out + 1) * n_in / n_out
    low = np.maximum(edges[:-1, None], np.arange(n_in))
    high = np.minimum(edges[1:, None], np.arange(n_in) + 1)
    return np.maximum(high - low, 0) * n_out / n_in


@given(st.data())
def test_shrinking_averages_areas_at_any_ratio(data):
    height, width = data.draw(st.integers(1, 60)), data.draw(st.integers(1, 60))
    shape = data.draw(st.integers(1, height)), data.draw(st.integers(1, width))
    image = np.random.default_rng(0).random((height, width, 3), np.float32)
    expected = np.einsum(
        "Yy,Xx,yxc->YXc", averaging(height, shape[0]), averaging(width, shape[1]), image
    )
    np.testing.assert_allclose(resize(image, shape), expected, atol=2e-6)


def test_same_shape_is_the_image_itself():
    image = np.zeros((4, 5, 3), np.float32)
    assert resize(image, (4, 5)) is image


def test_enlarging_keeps_centres_where_they_are():
    ramp = np.broadcast_to((np.arange(8, dtype=np.float32) + 0.5)[:, None, None], (8, 3, 3))
    np.testing.assert_allclose(resize(ramp, (16, 3))[1:-1, 0, 0], (np.arange(16) + 0.5)[1:-1] / 2)


@pytest.mark.parametrize(
    ("image", "cells"), [((48, 80), (3, 5)), ((47, 100), (7, 9)), ((9, 7), (9, 7))]
)
def test_interpolation_is_torchs_where_the_lattice_is_the_image(image, cells):
    functional = pytest.importorskip("torch.nn.functional")
    import torch

    lattice = plan_lattice(image, cells, patch=(1, 1), tile=(2, 2), overlap=0)
    values = np.random.default_rng(0).standard_normal((2, *cells)).astype(np.float32)
    expected = functional.interpolate(
        torch.from_numpy(values).double()[None], image, mode="bilinear", align_corners=False
    )[0]
    np.testing.assert_allclose(to_image_pixels(values, lattice), expected, atol=1e-6)


@given(st.data())
def test_a_plane_is_reproduced_where_it_is_not_clamped(data):
    n = st.integers(1, 300)
    image = data.draw(n), data.draw(n)
    working = data.draw(n), data.draw(n)
    patch = data.draw(st.integers(1, 20))
    lattice = plan_lattice(image, working, patch=(patch,) * 2, tile=(8 * patch,) * 2, overlap=0.5)

    def centres(axis):  # of the cells, in image pixels
        middle = (np.arange(axis.n_cells) + 0.5) * axis.patch - axis.lead
        return middle * axis.image / axis.working

    y, x = centres(lattice.y), centres(lattice.x)
    values = (y[:, None] + 2 * x)[None].astype(np.float32)
    pixels_y = np.clip(np.arange(image[0]) + 0.5, y[0], y[-1])
    pixels_x = np.clip(np.arange(image[1]) + 0.5, x[0], x[-1])
    expected = pixels_y[:, None] + 2 * pixels_x
    seen = to_image_pixels(values, lattice)
    assert seen.dtype == np.float32
    np.testing.assert_allclose(seen[0], expected, rtol=1e-5, atol=1e-3)
