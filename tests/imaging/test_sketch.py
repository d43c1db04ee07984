from __future__ import annotations

from itertools import count

import numpy as np
import pytest

from napari_clip_heatmap.imaging.channel import Channel
from napari_clip_heatmap.imaging.sketch import sketch
from napari_clip_heatmap.imaging.view import View


class Ramp:
    """A huge image, brighter to the right and below, that notes how much of it is read."""

    shape, dtype = (40_000, 60_000), np.dtype("float32")
    n_read = 0

    def __getitem__(self, key):
        y, x = (np.arange(each.start, each.stop, dtype=np.float32) for each in key)
        self.n_read += len(y) * len(x)
        return y[:, None] / 80_000 + x / 120_000


def sketched(image, shape, **settings):
    channel = image if isinstance(image, Channel) else Channel((image,), limits=(0, 1))
    return sketch([channel], View().appearance([channel]), shape, **settings)


def expected(shape, low=(0, 0), high=(1, 1)):
    y, x = (low[a] + (np.arange(shape[a]) + 0.5) / shape[a] * (high[a] - low[a]) for a in (0, 1))
    return (y[:, None] / 2 + x / 2)[..., None]


@pytest.mark.parametrize(("samples", "error"), [(0, 0.14), (100, 0.08), (10**9, 0.002)])
def test_a_huge_image_is_sampled_as_densely_as_time_allows(samples, error):
    image, ticks = Ramp(), count()
    seen = sketched(image, (30, 40), seconds=samples, clock=lambda: next(ticks))
    assert np.abs(seen - expected((30, 40))).max() < error
    assert image.n_read <= (4 * 4 + 2 * samples + 100) * 34 * 34


def test_a_small_image_is_averaged_whole():
    image = np.random.default_rng(0).integers(0, 256, (90, 80), np.uint8)
    seen = sketched(Channel((image,)), (9, 8))[..., 0]
    np.testing.assert_allclose(seen, image.reshape(9, 10, 8, 10).mean((1, 3)) / 255, atol=1e-6)


def test_a_coarse_level_is_read_instead():
    fine = Ramp()
    coarse = expected((60, 90)).astype(np.float32)[..., 0]
    seen = sketched(Channel((fine, coarse), limits=(0, 1)), (30, 40))
    assert fine.n_read == 0
    assert np.abs(seen - expected((30, 40))).max() < 0.01


def test_a_part_is_sketched_alone():
    field = ((10_000, 30_000), (20_000, 60_000))
    seen = sketched(Ramp(), (20, 30), field=field, seconds=1e9)
    assert np.abs(seen - expected((20, 30), (0.25, 0.5), (0.5, 1))).max() < 0.002
