from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from napari_clip_heatmap.clip.model import ClipModel
from napari_clip_heatmap.errors import DecompositionError, ImageError


def test_it_describes_itself(tiny_model: ClipModel, tiny_clip: Any) -> None:
    assert (tiny_model.image_size, tiny_model.patch_size) == ((32, 32), (8, 8))
    assert tiny_model.grid == (4, 4)
    sizes = (tiny_model.n_layers, tiny_model.n_heads, tiny_model.d_model, tiny_model.d_embed)
    assert sizes == (3, 4, 32, 24)
    assert math.isclose(tiny_model.logit_scale, tiny_clip.logit_scale.exp().item(), rel_tol=1e-6)
    described = json.loads(json.dumps(tiny_model.describe()))
    assert described["weights_sha256"] == tiny_model.weights_sha256
    assert described["precision"] == "float32"
    assert repr(tiny_model) == "ClipModel('custom', device='cpu', dtype=torch.float32)"


def test_preprocessing_is_open_clips(tiny_model: ClipModel) -> None:
    pixels = np.random.default_rng(0).random((2, 32, 32, 3), np.float32)
    expected = (pixels - np.asarray(tiny_model.mean)) / np.asarray(tiny_model.std)
    found = tiny_model.preprocess(pixels)
    assert found.shape == (2, 3, 32, 32)
    np.testing.assert_allclose(found.permute(0, 2, 3, 1).numpy(), expected, rtol=1e-5, atol=1e-6)
    read_only = np.broadcast_to(np.float32(0.5), (1, 32, 32, 3))
    assert tiny_model.preprocess(read_only).shape == (1, 3, 32, 32)


@pytest.mark.parametrize("convention", ["reference", "centered", "centred"])
def test_decomposition_by_label(tiny_model: ClipModel, batch: Tensor, convention: Any) -> None:
    whole = tiny_model.decompose(batch, convention=convention)
    part = tiny_model.decompose(batch, layers=["L2H1"], convention=convention)
    torch.testing.assert_close(part.attention, whole.attention[:, 2:3, :, 1:2])
    mapped = tiny_model.token_map(batch, convention=convention)
    torch.testing.assert_close(
        mapped.tokens.flatten(1, 2), whole.attention.sum((1, 3))[:, 1:], atol=1e-6, rtol=1e-5
    )
    assert not whole.attention.requires_grad


def test_an_unknown_convention_is_refused(tiny_model: ClipModel, batch: Tensor) -> None:
    with pytest.raises(DecompositionError, match="'reference', 'centered'"):
        tiny_model.token_map(batch, convention="half")  # type: ignore[arg-type]


@pytest.mark.parametrize("shape", [(3, 32, 32), (1, 3, 32, 31), (1, 1, 32, 32), (0, 3, 32, 32)])
def test_a_batch_that_does_not_fit_is_refused(tiny_model: ClipModel, shape: Any) -> None:
    with pytest.raises(ImageError, match="batch"):
        tiny_model.token_map(torch.zeros(shape))
    with pytest.raises(ImageError, match="batch"):
        tiny_model.decompose(torch.zeros(shape))


def test_tiles_that_do_not_fit_are_refused(tiny_model: ClipModel) -> None:
    with pytest.raises(ImageError, match="b, h, w, 3"):
        tiny_model.preprocess(np.zeros((32, 32, 3), np.float32))
    with pytest.raises(ImageError, match="numbers"):
        tiny_model.preprocess([[["a"]]])  # type: ignore[arg-type]


@pytest.mark.parametrize("value", [1.01, -0.01, 255.0, float("nan"), float("inf")])
def test_pixels_outside_the_unit_range_are_refused(tiny_model: ClipModel, value: float) -> None:
    tiles = np.full((1, 32, 32, 3), 0.5, np.float32)
    tiles[0, 3, 4, 1] = value
    with pytest.raises(ImageError, match=r"in 0\.\.1; got values from .*255"):
        tiny_model.preprocess(tiles)


@pytest.mark.parametrize("value", [0.0, 1.0, 1 + 1e-6, -1e-6])
def test_rounding_of_pixels_is_tolerated(tiny_model: ClipModel, value: float) -> None:
    tiles = np.full((1, 32, 32, 3), value, np.float32)
    assert tiny_model.preprocess(tiles).isfinite().all()
    assert tiny_model.preprocess(tiles[:0]).shape == (0, 3, 32, 32)


def test_tiles_may_be_tensors_of_any_precision(tiny_model: ClipModel) -> None:
    tiles = torch.rand(1, 32, 32, 3, generator=torch.Generator().manual_seed(0)).bfloat16()
    expected = tiny_model.preprocess(tiles.float().numpy())
    assert torch.equal(tiny_model.preprocess(tiles), expected)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_batches_of_another_precision_are_cast(
    tiny_model: ClipModel, batch: Tensor, dtype: torch.dtype
) -> None:
    expected = tiny_model.token_map(batch.to(dtype).float()).tokens
    assert torch.equal(tiny_model.token_map(batch.to(dtype)).tokens, expected)


@pytest.mark.parametrize(
    "odd", [None, 3, "image", np.zeros((1, 3, 32, 32)), torch.zeros(1, 3, 32, 32).int()]
)
def test_other_things_than_batches_are_refused(tiny_model: ClipModel, odd: Any) -> None:
    with pytest.raises(ImageError, match="floating-point tensor"):
        tiny_model.token_map(odd)
