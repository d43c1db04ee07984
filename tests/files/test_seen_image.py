from __future__ import annotations

import numpy as np

from napari_clip_heatmap.files.seen_image import describe_seen, seen_colors
from napari_clip_heatmap.imaging.source import as_rgb
from napari_clip_heatmap.imaging.view import ShownRange, View

PIXELS = np.random.default_rng(0).integers(0, 4000, (30, 40), dtype=np.uint16)


def test_colors_are_those_of_the_view() -> None:
    np.testing.assert_array_equal(seen_colors(PIXELS, View()), as_rgb(PIXELS).rgb)
    seen = seen_colors(PIXELS, View(limits=(1000, 2000)))
    expected = np.clip((PIXELS - 1000.0) / 1000.0, 0, 1)
    np.testing.assert_allclose(seen, np.dstack([expected] * 3), atol=1e-6)


def test_several_channels_are_told_one_by_one() -> None:
    ranges = [ShownRange(0.0, 255.0, "type"), ShownRange(-0.5, 1e9, "limits")]
    assert describe_seen(ranges, 1.0, automatic=False) == (
        "values 0 to 255 as black to white (all of their type), -0.5 to 1e+09 as black to white "
        "(as set); 1 image pixel per model pixel"
    )
