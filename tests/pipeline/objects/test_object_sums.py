"""Sums over objects, against sums made tile by tile and pixel by pixel."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_clip_heatmap.imaging.region import Region
from napari_clip_heatmap.imaging.source import read_tile
from napari_clip_heatmap.pipeline.encode import encode
from napari_clip_heatmap.pipeline.objects.object_sums import merge_planes, sum_plane
from napari_clip_heatmap.pipeline.scoring import build_scoring

PROMPTS = ["red", "green", "nuclei"]
NULL = np.eye(4)[:2]


def sums_of(encoding, labels, score="absolute"):
    return sum_plane(encoding, labels, build_scoring(encoding.text, PROMPTS, score), NULL)


def drawn(shape, seed=0, count=5):
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 256, (*shape, 3), np.uint8)
    return image, rng.integers(0, count + 1, shape).astype(np.int32)


class Plain:
    """An 8-bit image as `read_tile` reads it."""

    def __init__(self, image):
        self.image = image.astype(np.float32) / 255

    def read(self, y, x):
        return self.image[y, x]


def tile_by_tile(model, image, encoding):
    """Mean over tiles of what each says of each cell, (grid_y, grid_x, d_embed), blended."""
    lattice = encoding.lattice
    blended = np.zeros((*lattice.grid, model.d_embed))
    seen = np.zeros(lattice.grid)
    for row, column in lattice.tiles:
        tile = read_tile(Plain(image), lattice, (row, column))
        tokens = model.token_map(torch.from_numpy(tile[np.newaxis]).permute(0, 3, 1, 2)).tokens
        (y, in_y), (x, in_x) = lattice.y.cells(row), lattice.x.cells(column)
        weight = np.outer(lattice.y.weights[row, y], lattice.x.weights[column, x])
        blended[y, x] += weight[..., np.newaxis] * tokens[0].numpy()[in_y, in_x]
        seen[y, x] += 1
    return blended * (seen / len(lattice.tiles))[..., np.newaxis]


def pixel_by_pixel(labels, lattice, cells, label):
    """Sum of cells over the pixels of a label; at a factor of 1, a pixel lies in one cell."""
    y_edges, x_edges = lattice.y.cell_edges(), lattice.x.cell_edges()
    total = np.zeros(cells.shape[-1])
    for y, x in np.argwhere(labels == label):
        row, column = (
            np.searchsorted(y_edges, y, "right") - 1,
            np.searchsorted(x_edges, x, "right") - 1,
        )
        area = (y_edges[row + 1] - y_edges[row]) * (x_edges[column + 1] - x_edges[column])
        total += cells[row, column] / area
    return total


@pytest.mark.parametrize("quality", ["standard", "fine"])
@pytest.mark.parametrize("shape", [(32, 32), (50, 70), (20, 90), (64, 64)])
def test_contributions_are_those_of_the_tiles(model, shape, quality):
    image, labels = drawn(shape)
    encoding = encode(model, image, downsample=1, quality=quality)
    found = sums_of(encoding, labels)
    cells = tile_by_tile(model, image, encoding)
    text = model.text.encode(PROMPTS).double().numpy()
    for number, label in enumerate(found.coverage.label):
        expected = text @ pixel_by_pixel(labels, encoding.lattice, cells, label)
        np.testing.assert_allclose(found.contribution[number], expected, atol=1e-6)
    np.testing.assert_allclose(found.total, text @ cells.sum((0, 1)), atol=1e-5)


def test_the_sums_are_means_of_the_map_where_it_is_flat(model):
    image = np.full((50, 70, 3), (0.2, 0.7, 0.1), np.float32)
    _, labels = drawn((50, 70))
    encoding = encode(model, image, downsample=1)
    found = sums_of(encoding, labels, "relative")
    flat = encoding.heatmaps(PROMPTS).lattice_values[:, 0, 0]
    means = found.heat / found.patches[:, np.newaxis]
    np.testing.assert_allclose(means, np.tile(flat, (5, 1)), atol=1e-6)
    np.testing.assert_allclose(found.map_max, flat, atol=1e-6)
    np.testing.assert_allclose(found.map_sum / found.n_known, flat, atol=1e-6)


def test_a_finer_lattice_has_the_same_patches_in_an_object(model):
    image = np.random.default_rng(3).integers(0, 256, (96, 96, 3), np.uint8)
    labels = np.zeros((96, 96), np.int32)
    labels[20:60, 24:64] = 1
    one, other = (
        sums_of(encode(model, image, downsample=1, quality=quality), labels)
        for quality in ("standard", "finest")
    )
    assert one.patches[0] == pytest.approx(100)
    assert other.patches[0] == pytest.approx(100)
    np.testing.assert_allclose(other.similarity, one.similarity, atol=1e-6)
    # Means over the object of what is seen through overlapping patches, and not only side by side.
    np.testing.assert_allclose(
        other.heat / other.patches[:, None], one.heat / one.patches[:, None], atol=0.02
    )
    np.testing.assert_allclose(other.contribution, one.contribution, rtol=0.1)


def test_patches_barely_touched_say_less_of_how_far_the_map_rises(model):
    image, labels = drawn((64, 64))
    encoding = encode(model, image, downsample=1)
    found = sums_of(encoding, labels, "relative")
    maps = encoding.heatmaps(PROMPTS).lattice_values.astype(np.float64)
    above = np.maximum(maps - maps.mean((1, 2), keepdims=True), 0)
    side = 64 // maps.shape[1]
    for number, label in enumerate(found.coverage.label):
        in_blocks = (labels == label).reshape(maps.shape[1], side, maps.shape[2], side)
        squared = in_blocks.mean((1, 3)) ** 2
        np.testing.assert_allclose(found.rise[number], (above * squared).sum((1, 2)), atol=1e-5)
        np.testing.assert_allclose(found.rise_weight[number], squared.sum())


def test_null_words_are_summed_like_prompts(model):
    image, labels = drawn((50, 70))
    encoding = encode(model, image, downsample=1)
    found = sums_of(encoding, labels)
    np.testing.assert_allclose(found.cosine[:, :2], found.cosine[:, 3:], atol=1e-9)  # red, green
    np.testing.assert_allclose(found.cosine[:, :3], found.heat, atol=1e-5)


def test_what_lies_outside_a_region_is_not_known(model):
    image, labels = drawn((96, 96), count=1)
    labels[:] = 2
    labels[:40, :40] = 1
    region = Region(box=(0, 0, 40, 40))
    found = sums_of(encode(model, image, region=region, downsample=1), labels)
    assert found.n_known == 100
    assert found.patches[0] == pytest.approx(100)
    assert found.patches[1] == 0
    whole = sums_of(encode(model, image, downsample=1), labels)
    np.testing.assert_allclose(found.heat[0], whole.heat[0], atol=1e-5)


def test_chunks_of_patches_do_not_show(model, monkeypatch):
    image, labels = drawn((50, 70))
    encoding = encode(model, image, downsample=1)
    whole = sums_of(encoding, labels)
    monkeypatch.setattr("napari_clip_heatmap.pipeline.objects.object_sums._PATCHES", 7)
    np.testing.assert_allclose(sums_of(encoding, labels).cosine, whole.cosine, atol=1e-6)


def test_planes_are_merged_label_by_label(model):
    planes = []
    for seed in range(3):
        image, labels = drawn((50, 70), seed)
        labels[labels == seed + 1] = 0
        planes.append(sums_of(encode(model, image, downsample=1), labels))
    merged = merge_planes(planes)
    assert merged.label.tolist() == [1, 2, 3, 4, 5]
    for number, label in enumerate(merged.label):
        own = [(p, np.flatnonzero(p.coverage.label == label)) for p in planes]
        area = sum(p.coverage.area[at].sum() for p, at in own)
        assert merged.area[number] == area
        contribution = sum(p.contribution[at].sum(0) for p, at in own) / 3
        np.testing.assert_allclose(merged.contribution[number], contribution)
        np.testing.assert_allclose(merged.rise[number], sum(p.rise[at].sum(0) for p, at in own))
        there = [n for n, (_, at) in enumerate(own) if len(at)]
        assert merged.planes[number, 1:].tolist() == [there[0], there[-1] + 1]
        boxes = np.concatenate([p.coverage.bbox[at] for p, at in own])
        assert merged.bbox[number].tolist() == [*boxes[:, :2].min(0), *boxes[:, 2:].max(0)]
    np.testing.assert_allclose(merged.similarity, np.mean([p.similarity for p in planes], 0))
    np.testing.assert_allclose(merged.map_max, np.max([p.map_max for p in planes], 0))
