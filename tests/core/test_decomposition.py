from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

from napari_clip_heatmap.clip.families import adapt
from napari_clip_heatmap.core.convention import Convention
from napari_clip_heatmap.core.decomposition import Decomposition, decompose
from napari_clip_heatmap.core.selection import Selection, select
from napari_clip_heatmap.errors import DecompositionError

SIZE = {"n_layers": 3, "n_heads": 4}


@torch.no_grad()
@settings(max_examples=25, deadline=None)
@given(
    layers=st.lists(st.integers(0, 2), unique=True),
    heads=st.lists(st.integers(0, 3), unique=True),
    convention=st.sampled_from(Convention),
)
def test_a_part_is_cut_from_the_whole(
    tiny_clip: Any, batch: Tensor, layers: list[int], heads: list[int], convention: Convention
) -> None:
    tower = adapt(tiny_clip.visual)
    whole = decompose(tower, batch, select(None, None, **SIZE), convention)
    part = decompose(tower, batch, select(layers, heads, **SIZE), convention)
    torch.testing.assert_close(part.attention, whole.attention[:, layers][:, :, :, heads])
    torch.testing.assert_close(part.mlp, whole.mlp)
    torch.testing.assert_close(part.total, whole.total, atol=1e-6, rtol=1e-5)
    assert whole.unselected.abs().max() == 0
    assert part.attention.shape == (2, len(layers), 17, len(heads), 24)


@torch.no_grad()
def test_conventions_agree_in_their_total_and_differ_in_their_parts(
    tiny_clip: Any, batch: Tensor
) -> None:
    tower = adapt(tiny_clip.visual)
    everything = select(None, None, **SIZE)
    theirs, centered = (decompose(tower, batch, everything, each) for each in Convention)
    unit = F.normalize(tiny_clip.encode_image(batch), dim=-1)
    torch.testing.assert_close(theirs.total, unit, atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(centered.total, unit, atol=1e-6, rtol=1e-5)
    assert repr(theirs) == (
        "Decomposition(batch=2, layers=3, tokens=17, heads=4, d_embed=24, convention='reference')"
    )
    assert (theirs.attention - centered.attention).abs().max() > 1e-3


def test_gradients_flow(tiny_clip: Any, batch: Tensor) -> None:
    tower = adapt(tiny_clip.visual)
    parts = decompose(tower, batch, select(["L2H1"], None, **SIZE), Convention.REFERENCE)
    (slope,) = torch.autograd.grad(parts.attention.square().sum(), tiny_clip.visual.proj)
    assert slope.abs().max() > 0


def test_a_record_of_another_shape_is_refused() -> None:
    with pytest.raises(DecompositionError, match="2 layers"):
        Decomposition(
            attention=torch.zeros(1, 3, 17, 1, 8),
            mlp=torch.zeros(1, 4, 8),
            unselected=torch.zeros(1, 8),
            representation=torch.zeros(1, 8),
            selection=Selection((0, 1), (0,)),
            convention=Convention.REFERENCE,
            grid=(4, 4),
        )


GOOD: dict[str, Any] = {
    "attention": torch.zeros(1, 2, 17, 1, 8),
    "mlp": torch.zeros(1, 4, 8),
    "unselected": torch.zeros(1, 8),
    "representation": torch.zeros(1, 8),
    "selection": Selection((0, 1), (0,)),
    "convention": Convention.REFERENCE,
    "grid": (4, 4),
}


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("attention", None, "attention is None"),
        ("attention", torch.zeros(1, 2, 17, 8), "5 axes"),
        ("attention", torch.zeros(1, 2, 15, 1, 8), "15 tokens"),
        ("attention", torch.zeros(1, 2, 17, 2, 8), "1 heads"),
        ("attention", torch.zeros(1, 2, 17, 1, 8, dtype=torch.int64), "int64"),
        ("mlp", torch.zeros(1, 4, 9), "mlp has the shape"),
        ("mlp", torch.zeros(1, 1, 8), "one more than the model has layers"),
        ("unselected", torch.zeros(2, 8), "unselected has the shape"),
        ("representation", [0.0] * 8, "representation is"),
        ("selection", ((0, 1), (0,)), "selection is"),
        ("convention", "reference", "convention is"),
        ("grid", (4,), "grid is"),
        ("grid", (4, 0.5), "grid is"),
        ("grid", "ab", "grid is"),
    ],
)
def test_each_part_is_checked_against_the_others(name: str, value: Any, said: str) -> None:
    assert Decomposition(**GOOD).grid == (4, 4)
    with pytest.raises(DecompositionError, match=said):
        Decomposition(**GOOD | {name: value})
