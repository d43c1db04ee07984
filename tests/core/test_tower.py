"""The seam is enough: a family unlike any in the package, made of the protocols alone."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from napari_clip_heatmap.core.attention import layer_norm, statistics
from napari_clip_heatmap.core.convention import Convention
from napari_clip_heatmap.core.decomposition import decompose
from napari_clip_heatmap.core.selection import select
from napari_clip_heatmap.core.token_map import fold, token_map
from napari_clip_heatmap.core.tower import (
    BlockOutput,
    HeadStatistics,
    Tower,
    accumulation_dtype,
    block_outputs,
)
from napari_clip_heatmap.errors import DecompositionError

WIDTH, HEADS, TOKENS, OUT = 12, 3, 7, 5


@dataclass(frozen=True)
class AverageBlock:
    """A post-norm block whose every query counts (average pooling); the norm is linearised.

    ``x + LN(attn(x))`` with the norm's deviation at its actual value: a factor on the shares, and a
    constant that differs from image to image.
    """

    mix: Tensor  # [head, token, token]
    value: Tensor  # [d_model, d_model]
    out: Tensor  # [d_model, d_model]
    bias: Tensor  # [d_model]

    @property
    def out_weight(self) -> Tensor:
        return self.out - self.out.mean(dim=0)

    @property
    def value_bias(self) -> Tensor | None:
        return None

    def step(self, stream: Tensor) -> BlockOutput:
        values = (stream @ self.value).unflatten(-1, (HEADS, -1))
        mixed = torch.einsum("hqn,bnhd->bqhd", self.mix, values).flatten(2)
        raw = mixed @ self.out.mT + self.bias
        stream = stream + F.layer_norm(raw, (WIDTH,))
        _, sigma = statistics(raw, 1e-5)  # [batch, query]
        weights = torch.einsum("hqn,bq->bnh", self.mix, 1 / sigma) / TOKENS
        centered = (self.bias - self.bias.mean()) * (1 / sigma).mean(dim=1)[:, None]
        mlp = stream.sin()
        shares = weights[..., None] * values
        return BlockOutput(stream + mlp, weights, shares, centered, mlp.mean(dim=1))

    def last_step(self, stream: Tensor) -> BlockOutput:
        return self.step(stream)


@dataclass(frozen=True)
class AverageHead:
    gain: Tensor
    shift: Tensor
    projection: Tensor
    subtracts_mean: bool = True

    @property
    def weight(self) -> Tensor:
        return self.gain[:, None] * self.projection

    @property
    def offset(self) -> Tensor:
        return self.shift @ self.projection

    def pool(self, stream: Tensor) -> Tensor:
        return stream.mean(dim=1)

    def read(self, pooled: Tensor) -> HeadStatistics:
        mean, sigma = statistics(pooled, 1e-6)
        normed = layer_norm(pooled, self.gain, self.shift, 1e-6)
        return HeadStatistics(mean, sigma, normed @ self.projection)


@pytest.fixture
def tower() -> Tower:
    generator = torch.Generator().manual_seed(0)

    def draw(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    blocks = tuple(
        AverageBlock(
            draw(HEADS, TOKENS, TOKENS).softmax(-1),
            draw(WIDTH, WIDTH),
            draw(WIDTH, WIDTH),
            draw(WIDTH),
        )
        for _ in range(3)
    )
    positions = draw(TOKENS, WIDTH)
    return Tower(
        family="average",
        embed=lambda batch: batch.flatten(1)[:, :, None] + positions,
        blocks=blocks,
        head=AverageHead(draw(WIDTH), draw(WIDTH), draw(WIDTH, OUT)),
        n_heads=HEADS,
        d_model=WIDTH,
        d_embed=OUT,
        image_size=(1, TOKENS),
        patch_size=(1, 1),
        n_prefix=0,
    )


@pytest.mark.parametrize("convention", Convention)
def test_another_family_is_exact_too(tower: Tower, convention: Convention) -> None:
    batch = torch.randn(2, 1, 1, TOKENS, generator=torch.Generator().manual_seed(1)).double()
    stream = tower.embed(batch)
    for step in block_outputs(tower, stream):
        stream = step.resid_post
    embedding = F.normalize(tower.head.read(tower.head.pool(stream)).representation, dim=-1)
    mapped = token_map(tower, batch, fold(tower, convention))
    assert mapped.tokens.shape == (2, 1, TOKENS, OUT)
    torch.testing.assert_close(mapped.total, embedding)
    chosen = select(["L1"], ["H2", "H0"], n_layers=3, n_heads=HEADS)
    torch.testing.assert_close(decompose(tower, batch, chosen, convention).total, embedding)


def test_a_tower_without_layers_is_refused(tower: Tower) -> None:
    empty = Tower(**{**vars(tower), "blocks": ()})
    with pytest.raises(DecompositionError, match="no layers"):
        next(block_outputs(empty, torch.zeros(1, TOKENS, WIDTH)))


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [
        (torch.float16, torch.float32),
        (torch.bfloat16, torch.float32),
        (torch.float32, torch.float32),
        (torch.float64, torch.float64),
    ],
)
def test_sums_are_never_in_half_precision(dtype: torch.dtype, expected: torch.dtype) -> None:
    assert accumulation_dtype(dtype) == expected
