from __future__ import annotations

import pytest

from napari_clip_heatmap.imaging.resolution import resolution


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (((16, 16), (224, 224), (0.2, 0.2), "micrometer"), "patch = 3.2 µm, a tile = 44.8 µm"),
        (((16, 16), (224, 224), (2.0, 2.0)), "one patch = 32 px, a tile = 448 px"),
        (((8, 8), (64, 64), (0.5, -0.25), "µm"), "patch = 4 x 2 µm, a tile = 32 x 16 µm"),
        (((14, 14), (224, 224), (28.5, 28.5), "nm"), "patch = 399 nm, a tile = 6384 nm"),
    ],
)
def test_a_patch_and_a_tile_are_told_in_the_users_unit(arguments, words):
    assert words in str(resolution(*arguments))
