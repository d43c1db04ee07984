"""Tiles must not show: the bundled model, on a scene that is textured everywhere."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from napari_clip_heatmap.api import load_model
from napari_clip_heatmap.pipeline.encode import encode
from napari_clip_heatmap.scenes.scene import draw

PROMPTS = ["nuclei", "filaments", "mitochondria", "background"]
PATCH, CELLS = 8, 12  # pixels of a patch, patches along a tile
SEEDS = (5, 7, 9, 11)


@pytest.fixture(scope="module")
def demo():
    return load_model("demo", device="cpu")


@pytest.fixture(scope="module")
def shifted(demo):
    """`shifted_maps` of a drawn scene, by its seed and the overlap."""

    @cache
    def maps(seed, overlap):
        side = PATCH * 5 * CELLS
        scene = draw(seed, (side, side), classes=PROMPTS[:3], modality="fluorescence")
        return shifted_maps(demo, scene.image, overlap)

    return maps


def shifted_maps(model, scene, overlap):
    """Maps of one part of a scene from lattices that begin at 0, 1, 2, ... patches.

    Tiles begin every 6 patches (with no overlap every 12), and as many shifts are taken, so each
    patch of the scene lies at each place of a tile equally often: what is in the picture cancels
    out.

    Returns
    -------
    (shift, map, y, x) values per patch, scaled to a range of 1, and for each shift and row of
    patches how many patches it lies beyond the last beginning of a tile
    """
    stride = round(CELLS * (1 - overlap))
    begin = (
        CELLS + stride
    )  # where the image ends all see its reflection: a tile's width is left out
    side = PATCH * (begin + 2 * CELLS)
    maps, phases = [], []
    for shift in range(stride):
        first = PATCH * shift
        image = scene[first : first + side, first : first + side]
        encoding = encode(model, image, downsample=1, overlap=overlap)
        assert encoding.lattice.y.starts[:3] == (0, stride, 2 * stride)
        part = slice(begin - shift, begin + CELLS - shift)
        maps.append(encoding.heatmaps(PROMPTS).lattice_values[:, part, part])
        phases.append(np.arange(part.start, part.stop) % stride)
    values = np.array(maps)
    spread = np.ptp(values, axis=(0, 2, 3))
    return values / spread[:, None, None], np.array(phases)


def borders_over_inside(scenes):
    """How far a map is from those of other lattices: next to tiles' edges over elsewhere."""
    border, inside = 0.0, 0.0
    for values, phases in scenes:
        edge = (phases == 0) | (phases == phases.max())
        at_border = edge[:, :, None] | edge[:, None, :]
        for one, here in zip(values, at_border, strict=True):
            gap = np.abs(one - values).mean(axis=(0, 1))  # [y, x]
            border += gap[here].mean()
            inside += gap[~here].mean()
    return border / inside


def test_a_map_depends_no_more_on_the_tiles_at_their_borders_than_inside(shifted):
    assert borders_over_inside(shifted(seed, 0.5) for seed in SEEDS) <= 1.05


def test_without_overlap_it_would(shifted):
    assert borders_over_inside(shifted(seed, 0) for seed in SEEDS[:2]) > 1.1


def test_neighbors_across_a_border_differ_no_more_than_others(shifted):
    across, within = [], []
    for seed in SEEDS[:2]:
        values, phases = shifted(seed, 0.5)
        jumps = np.abs(np.diff(values, axis=2)).mean(axis=(1, 3))  # [shift, y]
        across.append(jumps[phases[:, 1:] == 0].mean())
        within.append(jumps[phases[:, 1:] != 0].mean())
    assert np.mean(across) <= 1.06 * np.mean(within)
