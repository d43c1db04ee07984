from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

import napari_clip_heatmap as nch
from napari_clip_heatmap.clip.families import adapt
from napari_clip_heatmap.core.convention import Convention
from napari_clip_heatmap.core.decomposition import decompose
from napari_clip_heatmap.core.selection import select
from napari_clip_heatmap.core.token_map import (
    TokenMap,
    find_outliers,
    fold,
    inpaint_outliers,
    token_map,
)
from napari_clip_heatmap.errors import DecompositionError


@torch.no_grad()
@pytest.mark.parametrize("convention", Convention)
def test_it_is_the_full_tensor_summed(
    tiny_clip: Any, batch: Tensor, convention: Convention
) -> None:
    tower = adapt(tiny_clip.visual)
    everything = select(None, None, n_layers=tower.n_layers, n_heads=tower.n_heads)
    parts = decompose(tower, batch, everything, convention)
    answer = token_map(tower, batch, fold(tower, convention))
    assert answer.tokens.shape == (2, 4, 4, 24)
    torch.testing.assert_close(answer.tokens.flatten(1, 2), parts.attention.sum((1, 3))[:, 1:])
    torch.testing.assert_close(
        answer.rest, parts.attention.sum((1, 3))[:, 0] + parts.mlp.sum(1), atol=1e-6, rtol=1e-5
    )
    torch.testing.assert_close(answer.representation, tiny_clip.encode_image(batch))


@torch.no_grad()
@pytest.mark.parametrize("convention", Convention)
def test_double_precision_is_exact(tiny_clip: Any, batch: Tensor, convention: Convention) -> None:
    visual = copy.deepcopy(tiny_clip.visual).double()
    tower = adapt(visual)
    answer = token_map(tower, batch, fold(tower, convention))
    unit = F.normalize(visual(batch.double()), dim=-1)
    assert answer.tokens.dtype == torch.float64
    assert (answer.total - unit).abs().max() <= 1e-13


@torch.no_grad()
@pytest.mark.parametrize("convention", Convention)
def test_prompts_known_beforehand_give_the_same_maps(
    tiny_clip: Any, batch: Tensor, convention: Convention
) -> None:
    tower = adapt(tiny_clip.visual)
    directions = F.normalize(torch.randn(5, 24, generator=torch.Generator().manual_seed(3)), dim=-1)
    later = token_map(tower, batch, fold(tower, convention))
    known = token_map(tower, batch, fold(tower, convention, directions))
    torch.testing.assert_close(known.tokens, later.tokens @ directions.mT, atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(known.total, later.total @ directions.mT, atol=1e-6, rtol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize("n_folded", [0, 1, 2])
@pytest.mark.parametrize("convention", Convention)
def test_layers_beyond_the_memory_budget_give_the_same_map(
    tiny_clip: Any, batch: Tensor, n_folded: int, convention: Convention
) -> None:
    tower = adapt(tiny_clip.visual)
    all_folded = fold(tower, convention)
    partly = fold(tower, convention, budget=n_folded * 32 * 24 * 4)
    assert [matrix is None for matrix in partly.layers] == [n >= n_folded for n in range(3)]
    expected, found = (token_map(tower, batch, each) for each in (all_folded, partly))
    torch.testing.assert_close(found.tokens, expected.tokens, atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(found.rest, expected.rest, atol=1e-6, rtol=1e-5)


@torch.no_grad()
@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**16), order=st.permutations(range(3)))
def test_images_of_a_batch_do_not_know_one_another(
    tiny_clip: Any, seed: int, order: list[int]
) -> None:
    tower = adapt(tiny_clip.visual)
    folded = fold(tower)
    batch = torch.randn(3, 3, 32, 32, generator=torch.Generator().manual_seed(seed))
    together = token_map(tower, batch[order], folded)
    for place, image in enumerate(order):
        alone = token_map(tower, batch[image : image + 1], folded)
        torch.testing.assert_close(together.tokens[place], alone.tokens[0], atol=1e-6, rtol=1e-4)


@pytest.mark.parametrize("budget", [0, 10**6])
def test_gradients_flow_through_the_maps(tiny_clip: Any, batch: Tensor, budget: int) -> None:
    visual = copy.deepcopy(tiny_clip.visual).double()
    tower = adapt(visual)
    batch = batch[:1].double()

    def loss() -> Tensor:
        return (token_map(tower, batch, fold(tower, budget=budget)).tokens ** 3).sum()

    weights = {
        name: visual.get_parameter(name)
        for name in (
            "proj",
            "conv1.weight",
            "ln_post.weight",
            "transformer.resblocks.0.attn.in_proj_weight",
            "transformer.resblocks.1.attn.out_proj.weight",
            "transformer.resblocks.2.mlp.c_proj.bias",
        )
    }
    for weight in weights.values():
        (slope,) = torch.autograd.grad(loss(), weight)
        direction = torch.randn(weight.shape, generator=torch.Generator().manual_seed(5)).double()
        with torch.no_grad():
            weight += 1e-5 * direction
            above = loss()
            weight -= 2e-5 * direction
            below = loss()
            weight += 1e-5 * direction
        numeric = (above - below) / 2e-5
        torch.testing.assert_close((slope * direction).sum(), numeric, rtol=1e-5, atol=1e-9)


@torch.no_grad()
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_weights_sum_in_single(tiny_clip: Any, batch: Tensor, dtype: Any) -> None:
    half = copy.deepcopy(tiny_clip.visual).to(dtype)
    tower = adapt(half)
    answer = token_map(tower, batch, fold(tower))
    assert answer.tokens.dtype == answer.representation.dtype == torch.float32
    # Each value is rounded to half, so the map is near; but it is summed without further loss.
    exact = token_map(adapt(tiny_clip.visual), batch, fold(adapt(tiny_clip.visual)))
    scale = exact.tokens.abs().max()
    assert (answer.tokens - exact.tokens).abs().max() <= 3e-2 * scale


def test_wrong_shapes_are_refused() -> None:
    with pytest.raises(DecompositionError, match="grid_y"):
        TokenMap(torch.zeros(1, 4, 4), torch.zeros(1, 8), torch.zeros(1, 8))


@given(seed=st.integers(0, 2**16), factor=st.floats(1.0, 3.0, exclude_min=True))
def test_no_more_than_half_are_outliers(seed: int, factor: float) -> None:
    patches = torch.randn(3, 9, 4, generator=torch.Generator().manual_seed(seed)) ** 3
    outliers = find_outliers(patches, factor)
    assert (outliers.sum(dim=1) <= 4).all()
    norms = patches.norm(dim=-1)
    for image in range(3):
        assert (norms[image][~outliers[image]].max() <= norms[image][outliers[image]]).all()


@given(seed=st.integers(0, 2**16))
def test_inpainted_values_lie_between_their_neighbors(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    tokens = torch.rand(2, 4, 5, 3, generator=generator)
    outliers = torch.rand(2, 4, 5, generator=generator) < 0.5
    outliers[:, 0, 0] = False
    cleaned = inpaint_outliers(tokens, outliers)
    assert torch.equal(cleaned[~outliers], tokens[~outliers])
    for image in range(2):
        known = tokens[image][~outliers[image]]
        assert (cleaned[image] <= known.amax(dim=0) + 1e-6).all()
        assert (cleaned[image] >= known.amin(dim=0) - 1e-6).all()


def test_a_single_hole_is_the_mean_around_it() -> None:
    tokens = torch.arange(9.0).reshape(1, 3, 3, 1)
    tokens[0, 0, 0] = 1000
    hole = torch.zeros(1, 3, 3, dtype=torch.bool)
    hole[0, 0, 0] = True
    assert inpaint_outliers(tokens, hole)[0, 0, 0].item() == pytest.approx((1 + 3 + 4) / 3)


@pytest.fixture
def with_register(tiny_clip: Any) -> Any:
    """A tower whose second patch has a huge norm, whatever it shows."""
    model = copy.deepcopy(tiny_clip)
    with torch.no_grad():
        model.visual.ln_pre = torch.nn.Identity()
        model.visual.positional_embedding[2] *= 600
    return model


@torch.no_grad()
def test_a_register_leaves_the_map_and_not_the_total(with_register: Any, batch: Tensor) -> None:
    tower = adapt(with_register.visual)
    folded = fold(tower)
    plain = token_map(tower, batch, folded)
    cleaned = token_map(tower, batch, folded, outlier_factor=3.0)
    changed = (cleaned.tokens != plain.tokens).any(dim=-1)
    assert changed.nonzero().tolist() == [[0, 0, 1], [1, 0, 1]]
    torch.testing.assert_close(cleaned.total, plain.total)
    assert torch.equal(cleaned.representation, plain.representation)
    around = plain.tokens[:, [0, 0, 1, 1, 1], [0, 2, 0, 1, 2]].mean(dim=1)
    torch.testing.assert_close(cleaned.tokens[:, 0, 1], around)


def test_outliers_are_kept_by_default(with_register: Any, batch: Tensor) -> None:
    plain = nch.load_model(with_register, device="cpu")
    without = nch.load_model(with_register, device="cpu", outlier_factor=3)
    assert plain.describe()["outlier_factor"] is None
    assert without.describe()["outlier_factor"] == 3
    assert not torch.equal(nch.token_map(plain, batch), nch.token_map(without, batch))


@torch.no_grad()
def test_prompts_known_beforehand_give_the_same_map(with_register: Any, batch: Tensor) -> None:
    tower = adapt(with_register.visual)
    directions = F.normalize(torch.randn(2, 24, generator=torch.Generator().manual_seed(3)), dim=-1)
    known = token_map(tower, batch, fold(tower, directions=directions), outlier_factor=3)
    later = token_map(tower, batch, fold(tower), outlier_factor=3)
    torch.testing.assert_close(known.tokens, later.tokens @ directions.mT, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("factor", [1, 0.0, -3, float("nan"), float("inf"), "3", True])
def test_invalid_factors_are_refused(tiny_clip: Any, factor: Any) -> None:
    with pytest.raises(DecompositionError, match="above 1"):
        nch.load_model(tiny_clip, device="cpu", outlier_factor=factor)
