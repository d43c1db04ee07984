"""Maps from gradients, against finite differences."""

from __future__ import annotations

from itertools import product

import pytest
import torch

from napari_clip_heatmap.clip.loading import load_model
from napari_clip_heatmap.evaluation.faithfulness.attention_access import (
    run_with_attention,
    unit_cosine,
)
from napari_clip_heatmap.evaluation.faithfulness.control_methods import cosines
from napari_clip_heatmap.evaluation.faithfulness.gradient_methods import (
    GRADIENT_METHODS,
    grad_cam,
    gradient_attention,
    integrated_gradients,
    legrad,
    sum_by_patch,
)

STEP = 1e-3


@pytest.mark.parametrize("name", GRADIENT_METHODS)
@pytest.mark.parametrize("pool_type", ["tok", "avg"])
def test_a_map_for_each_tile(make_clip, tiles, name, pool_type) -> None:
    model = load_model(make_clip(1, pool_type=pool_type), device="cpu")
    towards = model.encode_text(["nuclei", "rods"])
    found = GRADIENT_METHODS[name][1](model, model.preprocess(tiles), towards)
    assert found.shape == (2, 4, 4)
    assert torch.isfinite(found).all()
    assert not found.requires_grad
    alone = GRADIENT_METHODS[name][1](model, model.preprocess(tiles[1:]), towards[1:])
    torch.testing.assert_close(found[1:], alone, atol=1e-6, rtol=1e-4)


def attention_slopes(model, batch, direction):
    """Return the derivative of the cosine by each softmax weight, by central differences."""
    with torch.no_grad():
        shape = run_with_attention(model.tower, batch).weights[0].shape
        slopes = torch.zeros(shape)
        for index in product(*map(range, shape)):
            sides = []
            for sign in (1, -1):
                moved = torch.zeros(shape, dtype=torch.float64)
                moved[index] = sign * STEP
                run = run_with_attention(model.tower, batch, moved.add)
                sides.append(unit_cosine(run.representation, direction))
            slopes[index] = (sides[0] - sides[1]) / (2 * STEP)
    return slopes


@pytest.fixture
def differences(one_head, tiles):
    """Model, batch, direction, weights and slopes in double precision, for one tile."""
    model = load_model(one_head.double(), device="cpu")
    batch = model.preprocess(tiles[:1]).double()
    direction = model.encode_text(["nuclei"]).double()
    with torch.no_grad():
        weights = run_with_attention(model.tower, batch).weights[0]
    return model, batch, direction, weights, attention_slopes(model, batch, direction)


def test_gradient_times_attention(differences) -> None:
    model, batch, direction, weights, slopes = differences
    expected = (slopes * weights).clamp(min=0).mean(dim=(1, 2))[:, 1:].reshape(1, 4, 4)
    found = gradient_attention(model, batch, direction)
    torch.testing.assert_close(found.float(), expected.float(), atol=1e-6, rtol=1e-3)


def test_legrad(differences) -> None:
    model, batch, direction, _, slopes = differences
    expected = slopes.clamp(min=0).mean(dim=(1, 2))[:, 1:].reshape(1, 4, 4)
    found = legrad(model, batch, direction)
    torch.testing.assert_close(found.float(), expected.float(), atol=1e-6, rtol=1e-3)


def test_grad_cam_weighs_channels_by_their_slope(
    tiny_clip, tiny_model, tiles, directions, stock_streams
) -> None:
    batch = tiny_model.preprocess(tiles)
    visual = tiny_clip.visual
    stream = stock_streams(visual, batch)[-2].double()
    block = visual.transformer.resblocks[-1]

    def score(moved):
        with torch.no_grad():
            pooled = block(moved.float())[:, 0]
            return torch.cosine_similarity(visual.ln_post(pooled) @ visual.proj, directions)

    weights = torch.zeros(2, 32)
    for channel in range(32):
        moved = torch.zeros_like(stream)
        moved[:, 1:, channel] = 0.02
        weights[:, channel] = (score(stream + moved) - score(stream - moved)) / 0.04 / 16
    expected = torch.einsum("btd,bd->bt", stream[:, 1:].float(), weights).clamp(min=0)
    found = grad_cam(tiny_model, batch, directions).flatten(1)
    torch.testing.assert_close(found, expected, atol=2e-3, rtol=2e-2)


def test_integrated_gradients_are_complete(tiny_model, tiles, directions) -> None:
    smooth = 0.5 + 0.1 * (tiles - 0.5)  # near its mean color, 16 steps are enough
    batch = tiny_model.preprocess(smooth)
    empty = batch.mean(dim=(2, 3), keepdim=True).expand_as(batch).contiguous()
    gain = cosines(tiny_model, batch, directions) - cosines(tiny_model, empty, directions)
    found = integrated_gradients(tiny_model, batch, directions).sum(dim=(1, 2))
    torch.testing.assert_close(found, gain, atol=2e-3, rtol=2e-2)


def test_sums_by_patch_are_of_its_own_pixels(tiny_model) -> None:
    pixels = torch.zeros(1, 3, 32, 32)
    pixels[0, 1, 9, 30] = 5
    found = sum_by_patch(tiny_model.tower, pixels)
    assert found[0, 1, 3] == 5
    assert found.sum() == 5
