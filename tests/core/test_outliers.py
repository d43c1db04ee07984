from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

import napari_clip_heatmap as nch
from napari_clip_heatmap.clip.families import adapt
from napari_clip_heatmap.core.outliers import find_outliers, inpaint_outliers
from napari_clip_heatmap.core.token_map import fold, token_map
from napari_clip_heatmap.errors import DecompositionError


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
