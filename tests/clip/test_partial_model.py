from __future__ import annotations

from typing import Any

import pytest
import torch

from napari_clip_heatmap.clip.partial_model import PartialModel
from napari_clip_heatmap.errors import DecompositionError


def test_parts_sum_to_the_whole(tiny_model: Any) -> None:
    batch = torch.randn(2, 3, *tiny_model.image_size, generator=torch.Generator().manual_seed(0))
    whole = tiny_model.token_map(batch)
    heads = [
        PartialModel(tiny_model, heads=[n]).token_map(batch) for n in range(tiny_model.n_heads)
    ]
    total = torch.stack([each.tokens for each in heads]).sum(dim=0)
    assert torch.allclose(total, whole.tokens, atol=1e-6)
    for each in heads:
        unit = whole.representation / whole.representation.norm(dim=-1, keepdim=True)
        assert torch.allclose(each.total, unit, atol=1e-5)
        assert torch.equal(each.representation, whole.representation)


def test_it_says_what_it_is(tiny_model: Any) -> None:
    part = PartialModel(tiny_model, layers=["L0"], heads=[1])
    assert part.describe() == {**tiny_model.describe(), "layers": ["L0"], "heads": [1]}
    assert part.text is tiny_model.text
    with pytest.raises(DecompositionError, match="layer 50"):
        PartialModel(tiny_model, layers=[50])
