from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from napari_clip_heatmap.clip.families import adapt
from napari_clip_heatmap.core.convention import (
    Convention,
    bias_contribution,
    bias_contribution_by_head,
    linearize_head,
    parse_convention,
    token_contributions,
)
from napari_clip_heatmap.core.tower import BlockOutput, Tower, block_outputs
from napari_clip_heatmap.errors import DecompositionError


@pytest.mark.parametrize(
    ("name", "convention"),
    [
        ("reference", Convention.REFERENCE),
        ("centered", Convention.CENTERED),
        ("centred", Convention.CENTERED),  # as it was first published
        (Convention.CENTERED, Convention.CENTERED),
    ],
)
def test_both_spellings_are_accepted(name: str, convention: Convention) -> None:
    assert parse_convention(name) is convention


@pytest.mark.parametrize("name", ["half", "", None, "x" * 10_000])
def test_other_names_are_refused(name: Any) -> None:
    with pytest.raises(DecompositionError, match="'reference', 'centered'") as caught:
        parse_convention(name)
    assert len(str(caught.value)) <= 500


@pytest.fixture
def tower(tiny_clip: Any) -> Tower:
    return adapt(tiny_clip.visual)


@pytest.fixture
def outputs(tower: Tower, batch: Tensor) -> list[BlockOutput]:
    with torch.no_grad():
        return list(block_outputs(tower, tower.embed(batch)))


@torch.no_grad()
def test_attention_output_is_the_same_in_both(tower: Tower, outputs: list[BlockOutput]) -> None:
    """Tokens and bias together are what the block's attention adds, whoever gets which part."""
    for block, output in zip(tower.blocks, outputs, strict=True):
        totals = [
            token_contributions(block, output, convention).sum(dim=1).flatten(1)
            @ block.out_weight.mT
            + bias_contribution(block, output, convention)
            for convention in Convention
        ]
        torch.testing.assert_close(*totals)


@torch.no_grad()
@pytest.mark.parametrize("convention", Convention)
def test_biases_of_all_heads_sum_to_the_bias(
    tower: Tower, outputs: list[BlockOutput], convention: Convention
) -> None:
    for block, output in zip(tower.blocks, outputs, strict=True):
        by_head = bias_contribution_by_head(block, output, convention, tower.n_heads).sum(dim=1)
        whole = bias_contribution(block, output, convention).expand_as(by_head)
        torch.testing.assert_close(by_head, whole)


@torch.no_grad()
@pytest.mark.parametrize("convention", Convention)
def test_the_linearized_head_gives_the_embedding(
    tower: Tower, outputs: list[BlockOutput], convention: Convention
) -> None:
    pooled = tower.head.pool(outputs[-1].resid_post)
    statistics = tower.head.read(pooled)
    unit = linearize_head(tower.head, convention).project(pooled, statistics, 1.0)
    torch.testing.assert_close(unit, torch.nn.functional.normalize(statistics.representation))


@torch.no_grad()
def test_centered_directions_ignore_the_mean(tower: Tower) -> None:
    head = linearize_head(tower.head, Convention.CENTERED)
    assert not head.per_mean.any()
    torch.testing.assert_close(head.weight.mean(dim=0), torch.zeros(tower.d_embed))
