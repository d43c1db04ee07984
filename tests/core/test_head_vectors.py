"""Sums of layers and heads, against the full tensor and the authors' own numbers."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from napari_clip_heatmap.clip.families import adapt
from napari_clip_heatmap.core.convention import Convention
from napari_clip_heatmap.core.decomposition import decompose
from napari_clip_heatmap.core.head_vectors import run_heads
from napari_clip_heatmap.core.selection import select
from napari_clip_heatmap.core.token_map import fold, token_map


def directions_of(width: int, n_prompts: int = 3) -> Tensor:
    generator = torch.Generator().manual_seed(width)
    return F.normalize(torch.randn(n_prompts, width, generator=generator), dim=-1)


def weights_of(*shape: int) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(sum(shape)))


@torch.no_grad()
def test_the_sums_are_those_of_the_authors_own_terms(reference: Any) -> None:
    """Every term of the authors' code, times the text, summed with the weights of the tokens."""
    arrays = reference.arrays
    heads = run_heads(reference.tower, arrays["image"])
    n_batch, _, n_tokens = arrays["attentions"].shape[:3]
    weights = weights_of(n_batch, n_tokens)
    expected = torch.einsum("bn,blnhd,pd->bplh", weights, arrays["attentions"], arrays["text"])
    found = heads.contributions(weights, arrays["text"])
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=1e-5)
    direct = torch.einsum("bld,pd->bpl", arrays["mlps"], arrays["text"])
    found = heads.direct_contributions(arrays["text"])
    torch.testing.assert_close(found, direct, atol=1e-6, rtol=1e-5)


@torch.no_grad()
def test_the_map_of_each_head_is_its_terms(tiny_clip: Any, batch: Tensor) -> None:
    tower = adapt(tiny_clip.visual)
    everything = select(None, None, n_layers=3, n_heads=4)
    terms = decompose(tower, batch, everything, Convention.REFERENCE).attention
    text = directions_of(24)
    expected = torch.einsum("blnhd,pd->bplhn", terms, text)[..., 1:]
    found = run_heads(tower, batch).maps(text)
    assert found.shape == (2, 3, 3, 4, 4, 4)
    torch.testing.assert_close(found.flatten(4), expected, atol=1e-6, rtol=1e-5)


@torch.no_grad()
def test_outliers_are_replaced_as_in_the_token_map(tiny_clip: Any, batch: Tensor) -> None:
    tower = adapt(tiny_clip.visual)
    factor = 1.05  # low, so that some patches are outliers
    expected = token_map(tower, batch, fold(tower), outlier_factor=factor).tokens
    plain = token_map(tower, batch, fold(tower)).tokens
    assert not torch.equal(expected, plain)
    heads = run_heads(tower, batch, outlier_factor=factor)
    text, cells = directions_of(24), weights_of(2, 4, 4)
    found = heads.contributions(heads.patch_weights(cells), text).sum(dim=(2, 3))
    wanted = torch.einsum("byx,byxd,pd->bp", cells, expected, text)
    torch.testing.assert_close(found, wanted, atol=1e-6, rtol=1e-5)
    maps = heads.maps(text).sum(dim=(2, 3))
    torch.testing.assert_close(maps, (expected @ text.mT).movedim(-1, 1), atol=1e-6, rtol=1e-5)
