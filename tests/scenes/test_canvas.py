from __future__ import annotations

import numpy as np
import pytest

from napari_clip_heatmap.scenes.canvas import (
    blank,
    blob_outline,
    fill_shape,
    smooth_noise,
    stroke,
    wander,
)


@pytest.mark.parametrize("elongation", [1.0, 2.5])
def test_a_smooth_blob_has_the_area_of_its_radius(elongation):
    canvas = blank((100, 100))
    rng = np.random.default_rng(0)
    outline = blob_outline(
        rng, (50, 50), 20, elongation=elongation, angle=0.7, roughness=0, n_points=200
    )
    fill_shape(canvas, outline)
    assert canvas.sum() / 255 == pytest.approx(np.pi * 20.5**2, rel=0.06)
    rows, columns = np.nonzero(canvas)
    assert (rows.mean(), columns.mean()) == pytest.approx((50, 50), abs=0.5)


def test_an_axis_lies_along_the_angle():
    outline = blob_outline(
        np.random.default_rng(0), (0, 0), 10, elongation=4, angle=np.pi / 2, roughness=0
    )
    width, height = np.ptp(outline, axis=0)
    assert height == pytest.approx(4 * width, rel=0.1)


def test_a_stroke_is_as_wide_as_asked():
    canvas = blank((60, 80))
    stroke(canvas, np.array([[10, 30], [70, 30]], np.float32), 5)
    assert np.count_nonzero(canvas[:, 40] > 127) in (5, 6, 7)
    assert not canvas[:, 77].any()


def test_a_path_has_its_length_and_turns_with_its_curl():
    rng = np.random.default_rng(0)
    straight = wander(rng, (3, 4), 100, step=5, curl=0, angle=0.5)
    np.testing.assert_allclose(straight[0], (3, 4))
    steps = np.linalg.norm(np.diff(straight, axis=0), axis=1)
    np.testing.assert_allclose(steps, 5, rtol=1e-4)
    np.testing.assert_allclose(np.linalg.norm(straight[-1] - straight[0]), 100, rtol=1e-4)
    curled = wander(rng, (3, 4), 100, step=5, curl=1.0, angle=0.5)
    assert np.linalg.norm(curled[-1] - curled[0]) < 99


def test_noise_varies_over_its_cell():
    rng = np.random.default_rng(0)
    fine, coarse = smooth_noise(rng, (128, 128), 4), smooth_noise(rng, (128, 128), 40)
    assert fine.shape == coarse.shape == (128, 128)
    assert abs(fine.mean()) < 0.3
    assert np.abs(np.diff(coarse)).mean() < np.abs(np.diff(fine)).mean() / 3
