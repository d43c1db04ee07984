"""T1 and T2: the authors' own numbers, and the definition computed literally."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from napari_clip_heatmap.core.convention import Convention
from napari_clip_heatmap.core.decomposition import Decomposition, decompose
from napari_clip_heatmap.core.selection import select
from napari_clip_heatmap.core.token_map import fold, token_map


def all_of(tower: Any, batch: Tensor, convention: Convention) -> Decomposition:
    everything = select(None, None, n_layers=tower.n_layers, n_heads=tower.n_heads)
    return decompose(tower, batch, everything, convention)


def relative(found: Tensor, expected: Tensor) -> float:
    return float((found - expected).abs().max() / (expected.max() - expected.min()))


@torch.no_grad()
def test_maps_equal_the_authors(reference: Any) -> None:
    answer = token_map(reference.tower, reference.arrays["image"], fold(reference.tower))
    maps = answer.tokens.flatten(1, 2) @ reference.arrays["text"].mT
    assert relative(maps, reference.arrays["maps"]) <= 1e-5


@torch.no_grad()
def test_every_term_equals_the_authors(reference: Any) -> None:
    parts = all_of(reference.tower, reference.arrays["image"], Convention.REFERENCE)
    assert relative(parts.attention, reference.arrays["attentions"]) <= 1e-5
    assert relative(parts.mlp, reference.arrays["mlps"]) <= 1e-5
    assert relative(parts.representation, reference.arrays["representation"]) <= 1e-5


@torch.no_grad()
@pytest.mark.parametrize("convention", Convention)
def test_parts_sum_to_the_embedding(reference: Any, convention: Convention) -> None:
    image = reference.arrays["image"]
    unit = F.normalize(reference.visual(image), dim=-1)
    parts = all_of(reference.tower, image, convention)
    summed = token_map(reference.tower, image, fold(reference.tower, convention))
    assert (parts.total - unit).norm(dim=-1).max() <= 1e-5
    assert (summed.total - unit).norm(dim=-1).max() <= 1e-5


@torch.no_grad()
@pytest.mark.parametrize("convention", Convention)
def test_every_term_equals_the_definition(
    reference: Any, literally: Any, convention: Convention
) -> None:
    image = reference.arrays["image"][:1]
    expected = literally(
        reference.visual,
        image,
        n_heads=reference.n_heads,
        patch=reference.patch,
        quick_gelu=reference.quick_gelu,
        centered=convention is Convention.CENTERED,
    )
    parts = all_of(reference.tower, image, convention)
    assert relative(parts.attention, expected.attention) <= 1e-5
    assert relative(parts.mlp, expected.mlp) <= 1e-5
    assert relative(parts.representation, expected.representation) <= 1e-5
