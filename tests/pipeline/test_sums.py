"""What sums to what on a whole image, with tiles that overlap or not."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import napari_clip_heatmap as nch
from napari_clip_heatmap.imaging.channel import as_channels
from napari_clip_heatmap.imaging.source import ImageSource, read_tile
from napari_clip_heatmap.imaging.view import View
from napari_clip_heatmap.pipeline.scoring import build_scoring
from napari_clip_heatmap.pipeline.token_grid import TokenAccumulator

PROMPTS = ["nuclei", "rods", "dots"]


def picture(seed: int, shape: tuple[int, int]) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 255, (*shape, 3), dtype=np.uint8)


def decomposed(model, image, encoding):
    """Return each tile's patch terms (tile, y, x, d_embed) and the rest (tile, d_embed)."""
    lattice, channels = encoding.lattice, as_channels(image)
    source = ImageSource(channels, View().appearance(channels), lattice.working_shape)
    tiles = np.stack([read_tile(source, lattice, place) for place in lattice.tiles])
    parts = model.decompose(model.preprocess(tiles))
    terms = parts.attention.sum(dim=(1, 3)).numpy()  # [tile, token, d_embed]
    rest = parts.mlp.sum(dim=1).numpy() + terms[:, 0]
    return terms[:, 1:].reshape(len(tiles), *model.grid, -1), rest


@settings(max_examples=5)
@given(st.integers(0, 2**31), st.integers(1, 3), st.integers(1, 3))
def test_without_overlap_patches_and_rest_sum_to_the_similarity(
    tiny_model, seed, rows, columns
) -> None:
    image = picture(seed, (32 * rows, 32 * columns))
    encoding = nch.encode(tiny_model, image, overlap=0, downsample=1)
    _, rest = decomposed(tiny_model, image, encoding)
    patches = encoding.token_map.sum(axis=(0, 1)) / (rows * columns)
    np.testing.assert_allclose(patches + rest.mean(axis=0), encoding.embedding, atol=1e-5)
    maps = encoding.heatmaps(PROMPTS, "absolute")
    directions = tiny_model.encode_text(PROMPTS).numpy()
    total = maps.lattice_values.sum(axis=(1, 2)) / (rows * columns)
    expected = maps.similarity - directions @ rest.mean(axis=0)
    np.testing.assert_allclose(total, expected, atol=1e-5)
    np.testing.assert_allclose(encoding.unowned, rest.mean(axis=0), atol=1e-5)


@settings(max_examples=4)
@given(st.integers(0, 2**31), st.integers(1, 2), st.sampled_from(["fine", "finest"]))
def test_each_shifted_lattice_of_a_finer_map_sums_to_the_similarity_of_its_own_tiles(
    tiny_model, seed, rows, quality
) -> None:
    """One patch more than tiles have: the shifted tiles lie side by side between the others."""
    image = picture(seed, (32 * rows + 8, 40))
    encoding = nch.encode(tiny_model, image, overlap=0, downsample=1, quality=quality)
    _, rest = decomposed(tiny_model, image, encoding)
    lattice, parts = encoding.lattice, encoding.lattice.y.parts
    for y, x in np.ndindex(parts, parts):
        own = [
            number
            for number, (row, column) in enumerate(lattice.tiles)
            if (lattice.y.starts[row] % parts, lattice.x.starts[column] % parts) == (y, x)
        ]
        if not (y and x):
            continue  # their tiles overlap
        assert len(own) == rows
        patches = encoding.token_map[y::parts, x::parts].sum(axis=(0, 1)) / rows
        embeddings = np.stack([encoding.accumulator.embeddings[lattice.tiles[n]] for n in own])
        np.testing.assert_allclose(
            patches + rest[own].mean(axis=0), embeddings.mean(axis=0), atol=1e-5
        )


@pytest.mark.parametrize("quality", ["fine", "finest"])
@pytest.mark.parametrize("shape", [(32, 32), (50, 91), (5, 40)])
def test_a_finer_map_has_the_standard_values_and_the_same_similarity(
    tiny_model, shape, quality
) -> None:
    standard = nch.encode(tiny_model, picture(6, shape), downsample=1)
    finer = nch.encode(tiny_model, picture(6, shape), downsample=1, quality=quality)
    parts = finer.lattice.y.parts
    same = finer.token_map[::parts, ::parts]
    np.testing.assert_allclose(same, standard.token_map, atol=1e-5)
    total = standard.token_map.sum(axis=(0, 1))
    np.testing.assert_allclose(same.sum(axis=(0, 1)), total, atol=1e-5)
    np.testing.assert_allclose(finer.embedding, standard.embedding, atol=1e-6)
    one, other = (each.heatmaps(PROMPTS) for each in (standard, finer))
    np.testing.assert_allclose(other.similarity, one.similarity, atol=1e-6)
    assert [check.trust for check in other.checks] == [check.trust for check in one.checks]


@settings(max_examples=5)
@given(st.integers(0, 2**31), st.integers(33, 90), st.integers(33, 90))
def test_with_overlap_a_cell_is_the_weighted_mean_of_its_tiles(
    tiny_model, seed, height, width
) -> None:
    image = picture(seed, (height, width))
    encoding = nch.encode(tiny_model, image, overlap=0.5, downsample=1)
    terms, _ = decomposed(tiny_model, image, encoding)
    lattice = encoding.lattice
    total, weight = np.zeros(encoding.token_map.shape), np.zeros(lattice.grid)
    for (row, column), of_tile in zip(lattice.tiles, terms, strict=True):
        for y, x in np.ndindex(tiny_model.grid):
            at = lattice.y.starts[row] + y, lattice.x.starts[column] + x
            part = np.sin(np.pi * (y + 0.5) / 4) ** 2 * np.sin(np.pi * (x + 0.5) / 4) ** 2
            if 0 <= at[0] < lattice.grid[0] and 0 <= at[1] < lattice.grid[1]:
                total[at] += part * of_tile[y, x]
                weight[at] += part
    # The weights are a product over axes, so they are brought to 1 on each axis or on both alike.
    np.testing.assert_allclose(encoding.token_map, total / weight[..., None], atol=1e-5)


@pytest.mark.parametrize("score", ["relative", "balanced", "absolute", "softmax"])
def test_the_part_that_no_patch_owns_is_beside_each_score(tiny_model, score) -> None:
    image = picture(6, (70, 50))
    encoding = nch.encode(tiny_model, image, overlap=0.5, downsample=1)
    terms, rest = decomposed(tiny_model, image, encoding)
    np.testing.assert_allclose(encoding.unowned, rest.mean(axis=0), atol=1e-5)
    text = tiny_model.encode_text(PROMPTS).double().numpy()
    shown = build_scoring(tiny_model.text, PROMPTS, score).directions[: len(PROMPTS)]
    patches = terms.sum(axis=(1, 2)).mean(axis=0)
    for number, check in enumerate(nch.assess(encoding, PROMPTS, score).checks):
        assert check.unowned == pytest.approx(text[number] @ rest.mean(axis=0), abs=1e-5)
        assert check.similarity - check.unowned == pytest.approx(text[number] @ patches, abs=1e-5)
        owned = check.image_score - check.score_unowned
        assert owned == pytest.approx(shown[number] @ patches, abs=1e-5)
        assert f"{check.unowned:.3f} belongs to no patch" in check.figures


def test_an_encoding_of_earlier_versions_does_not_know_that_part(tiny_model) -> None:
    encoding = nch.encode(tiny_model, picture(7, (40, 40)), downsample=1)
    done = encoding.accumulator
    everything = tuple(slice(0, cells) for cells in encoding.lattice.grid)
    earlier = TokenAccumulator.restored(
        encoding.lattice, everything, done.token_map, done.embeddings, done.tile_mask
    )
    (check,) = nch.assess(dataclasses.replace(encoding, accumulator=earlier), ["nuclei"]).checks
    assert check.unowned is None
    assert check.score_unowned is None
    assert "no patch" not in check.figures


def test_with_overlap_the_lattice_does_not_sum_to_the_similarity(tiny_model) -> None:
    encoding = nch.encode(tiny_model, picture(3, (64, 64)), overlap=0.5, downsample=1)
    terms, rest = decomposed(tiny_model, picture(3, (64, 64)), encoding)
    np.testing.assert_allclose(
        (terms.sum(axis=(1, 2)) + rest).mean(axis=0), encoding.embedding, atol=1e-5
    )
    summed = encoding.token_map.sum(axis=(0, 1)) / len(encoding.tiles)
    assert np.abs(summed + rest.mean(axis=0) - encoding.embedding).max() > 1e-3


@pytest.mark.parametrize("shape", [(32, 32), (50, 91)])
def test_relative_sums_to_zero_and_softmax_to_one(tiny_model, shape) -> None:
    encoding = nch.encode(tiny_model, picture(4, shape))
    relative = encoding.heatmaps(PROMPTS, "relative").lattice_values
    np.testing.assert_allclose(relative.sum(axis=0), 0, atol=1e-6)
    softmax = encoding.heatmaps(PROMPTS, "softmax").lattice_values
    np.testing.assert_allclose(softmax.sum(axis=0), 1, atol=1e-6)


def test_softmax_compares_contributions_times_patches_and_logit_scale(tiny_model) -> None:
    encoding = nch.encode(tiny_model, picture(5, (32, 32)))
    absolute = encoding.heatmaps(PROMPTS, "absolute").lattice_values
    logits = absolute * 16 * tiny_model.logit_scale
    odds = np.exp(logits - logits.max(axis=0))
    softmax = encoding.heatmaps(PROMPTS, "softmax").lattice_values
    np.testing.assert_allclose(softmax, odds / odds.sum(axis=0), rtol=1e-3, atol=1e-6)
