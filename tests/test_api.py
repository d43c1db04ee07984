"""The public contract, on a small random CLIP."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest
import torch

import napari_clip_heatmap as nch
from napari_clip_heatmap.errors import DecompositionError, ImageError, ModelLoadError, PromptError


@pytest.fixture(scope="module")
def image():
    return np.random.default_rng(0).integers(0, 256, (75, 50, 3), np.uint8)


@pytest.fixture(scope="module")
def batch(tiny_model):
    tiles = np.random.default_rng(1).random((2, 32, 32, 3), np.float32)
    return tiny_model.preprocess(tiles)


def test_a_ready_model_is_loaded(tiny_clip):
    model = nch.load_model(tiny_clip, device="cpu")
    assert model.encode_text(["nuclei", "debris"]).shape == (2, 24)


def test_a_folder_is_loaded(tiny_folder, tiny_model, image):
    model = nch.load_model(f"local-dir:{tiny_folder}", device="cpu")
    assert model.mean == (0.5, 0.5, 0.5)
    assert np.isfinite(nch.encode(model, image).token_map).all()


def test_an_unknown_model_is_refused():
    with pytest.raises(ModelLoadError):
        nch.load_model("no-such-model/at-all")


def test_parts_sum_to_the_unit_embedding(tiny_model, batch):
    parts = nch.decompose(tiny_model, batch)
    assert parts.attention.shape == (2, 3, 17, 4, 24)
    assert parts.mlp.shape == (2, 4, 24)
    whole = parts.attention.sum((1, 2, 3)) + parts.mlp.sum(1)
    expected = torch.nn.functional.normalize(parts.representation, dim=-1)
    torch.testing.assert_close(whole, expected, rtol=1e-5, atol=1e-5)


def test_token_map_is_the_attention_over_layers_and_heads(tiny_model, batch):
    tokens = nch.token_map(tiny_model, batch)
    assert tokens.shape == (2, 4, 4, 24)
    whole = nch.decompose(tiny_model, batch).attention.sum((1, 3))[:, 1:]
    torch.testing.assert_close(tokens.flatten(1, 2), whole, rtol=1e-5, atol=1e-6)


def test_chosen_layers_and_heads(tiny_model, batch):
    some = nch.decompose(tiny_model, batch, layers=["L2"], heads=[0, 3])
    assert some.attention.shape == (2, 1, 17, 2, 24)
    with pytest.raises(DecompositionError):
        nch.decompose(tiny_model, batch, layers=[99])


def test_a_batch_that_does_not_fit_is_refused(tiny_model):
    with pytest.raises(ImageError):
        nch.token_map(tiny_model, torch.zeros(1, 3, 16, 16))


def test_words_in_maps_out(tiny_model, image):
    encoding = nch.encode(tiny_model, image)
    maps = encoding.heatmaps(["nuclei", "filaments", "nuclei"], score="relative")
    assert maps.prompts == ("nuclei", "filaments")
    assert maps.values.shape == (2, 75, 50)
    assert maps.values.dtype == np.float32
    assert maps.similarity.shape == (2,)
    np.testing.assert_allclose(maps.values.sum(0), 0, atol=1e-6)


def test_one_tile_is_exactly_the_models_own_token_map(tiny_model):
    image = np.random.default_rng(2).integers(0, 256, (32, 32, 3), np.uint8)
    encoding = nch.encode(tiny_model, image, downsample=1)
    alone = tiny_model.preprocess((image / np.float32(255))[None])
    np.testing.assert_array_equal(encoding.token_map, nch.token_map(tiny_model, alone)[0])


def test_similarity_of_one_tile_is_open_clips_cosine(tiny_model, tiny_clip):
    image = np.random.default_rng(2).integers(0, 256, (32, 32, 3), np.uint8)
    maps = nch.encode(tiny_model, image, downsample=1).heatmaps(["nuclei", "debris"], "absolute")
    with torch.no_grad():
        pixels = tiny_model.preprocess((image / np.float32(255))[None])
        whole = tiny_clip.encode_image(pixels, normalize=True)[0]
    expected = tiny_model.encode_text(["nuclei", "debris"]) @ whole
    np.testing.assert_allclose(maps.similarity, expected, rtol=1e-4, atol=1e-6)


def test_double_precision_models_give_single_precision_maps(tiny_clip, image):
    double = nch.load_model(tiny_clip, device="cpu", precision="fp64")
    maps = nch.encode(double, image).heatmaps(["nuclei", "debris", "cells"])
    single = nch.encode(nch.load_model(tiny_clip, device="cpu"), image).heatmaps(maps.prompts)
    assert maps.values.dtype == np.float32
    np.testing.assert_allclose(single.values, maps.values, atol=1e-5 * np.ptp(maps.values))


@pytest.mark.parametrize("shape", [(1, 1), (3, 500)])
def test_images_smaller_than_a_tile(tiny_model, shape):
    maps = nch.encode(tiny_model, np.ones(shape, np.uint16)).heatmaps(["nuclei", "debris"])
    assert maps.values.shape == (2, *shape)
    assert np.isfinite(maps.values).all()


def test_a_prompt_longer_than_the_context_runs_and_says_so(tiny_model, image):
    long = " ".join(f"word{i}" for i in range(300))
    maps = nch.encode(tiny_model, image).heatmaps([long, "🔬 nuclei", "debris"])
    assert np.isfinite(maps.values).all()
    assert any("did not see" in note for note in maps.notes)


def test_blank_prompts_are_refused(tiny_model, image):
    with pytest.raises(PromptError):
        nch.encode(tiny_model, image).heatmaps(["nuclei", "  "])


def test_an_encoding_keeps_no_image_tower(make_clip, image):
    """Prompts can be scored after the model is gone: only its text tower is kept."""
    clip = make_clip()
    tower = weakref.ref(clip.visual)
    model = nch.load_model(clip, device="cpu")
    encoding, weights_sha256 = nch.encode(model, image), model.weights_sha256
    del clip, model
    gc.collect()
    assert tower() is None
    assert encoding.model["weights_sha256"] == weights_sha256
    assert encoding.heatmaps(["nuclei", "debris"]).values.shape == (2, 75, 50)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32, torch.uint8])
def test_tensors_are_images_too(tiny_model, dtype):
    pixels = torch.arange(40 * 40).reshape(40, 40) % 200
    found = nch.encode(tiny_model, pixels.to(dtype))
    expected = nch.encode(tiny_model, pixels.to(dtype).to(torch.float32).numpy())
    if dtype == torch.uint8:
        expected = nch.encode(tiny_model, pixels.numpy().astype(np.uint8))
    np.testing.assert_array_equal(found.token_map, expected.token_map)


def test_both_spellings_of_centered_give_the_same(tiny_model, batch):
    ours, british = (
        nch.decompose(tiny_model, batch, convention=name) for name in ("centered", "centred")
    )
    assert torch.equal(ours.attention, british.attention)
    assert str(ours.convention) == str(british.convention) == "centered"
    assert not torch.equal(ours.attention, nch.decompose(tiny_model, batch).attention)
