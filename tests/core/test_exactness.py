from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from napari_clip_heatmap.clip.families import adapt
from napari_clip_heatmap.core.exactness import TOLERANCE, relative_error, require_exact
from napari_clip_heatmap.core.token_map import fold
from napari_clip_heatmap.errors import DecompositionError


@torch.no_grad()
@pytest.mark.parametrize("factor", [1.0, 1.01, 0.5])
def test_the_error_is_relative_to_the_embedding(
    tiny_clip: Any, batch: Tensor, factor: float
) -> None:
    tower = adapt(tiny_clip.visual)
    embedding = tiny_clip.encode_image(batch) * factor
    found = relative_error(tower, batch, fold(tower), embedding)
    assert found == pytest.approx(abs(1 - factor) / factor, rel=1e-3, abs=1e-6)


@torch.no_grad()
def test_a_wrong_contribution_is_detected(tiny_clip: Any, batch: Tensor) -> None:
    tower = adapt(tiny_clip.visual)
    folded = fold(tower)
    folded.layers[1].mul_(1.001)
    assert relative_error(tower, batch, folded, tiny_clip.encode_image(batch)) > 1e-5


@torch.no_grad()
def test_the_error_is_infinite_if_anything_is_not_finite(tiny_clip: Any, batch: Tensor) -> None:
    tower = adapt(tiny_clip.visual)
    found = relative_error(tower, batch * float("nan"), fold(tower), tiny_clip.encode_image(batch))
    assert math.isinf(found)


@torch.no_grad()
def test_an_embedding_whose_norm_overflows_hides_no_error(tiny_clip: Any, batch: Tensor) -> None:
    tower = adapt(tiny_clip.visual)
    embedding = tiny_clip.encode_image(batch) * 1e30  # finite, but its squares are not
    assert embedding.isfinite().all()
    assert math.isinf(relative_error(tower, batch, fold(tower), embedding))


@pytest.mark.parametrize("dtype", TOLERANCE)
def test_above_the_tolerance_the_error_reports_its_size(dtype: torch.dtype) -> None:
    require_exact(TOLERANCE[dtype], dtype)
    with pytest.raises(DecompositionError, match=r"relative error is 0\.25"):
        require_exact(0.25, dtype)
    with pytest.raises(DecompositionError, match="inf"):
        require_exact(float("inf"), dtype)
