"""Maps to compare with are what they say."""

from __future__ import annotations

import numpy as np
import torch

from napari_clip_heatmap.evaluation.faithfulness.control_methods import (
    attention,
    cosines,
    intensity,
    occlusion,
    random_order,
)


def test_random_order_hangs_on_the_pixels_alone(tiny_model, tiles, directions) -> None:
    batch = tiny_model.preprocess(tiles)
    first = random_order(tiny_model, batch, directions)
    again = random_order(tiny_model, batch.flip(0), directions)
    assert torch.equal(first, again.flip(0))
    assert not torch.equal(first[0], first[1])
    assert len(first[0].unique()) == 16


def test_intensity_is_the_distance_from_the_mean(tiny_model, directions) -> None:
    tile = np.full((1, 32, 32, 3), 0.5, np.float32)
    tile[0, :8, 8:16] = 0.9
    tile[0, 24:, 24:] = 0.2
    found = intensity(tiny_model, tiny_model.preprocess(tile), directions)[0]
    order = found.flatten().argsort(descending=True)
    assert order[:2].tolist() == [1, 15]
    others = np.delete(found.flatten().numpy(), [1, 15])
    assert np.allclose(others, others[0], atol=1e-6)


def test_attention_is_that_of_the_class_token(
    tiny_clip, tiny_model, tiles, directions, stock_streams
) -> None:
    batch = tiny_model.preprocess(tiles)
    block = tiny_clip.visual.transformer.resblocks[-1]
    inputs = block.ln_1(stock_streams(tiny_clip.visual, batch)[-2])
    with torch.no_grad():
        _, weights = block.attn(inputs, inputs, inputs, need_weights=True)
    expected = weights[:, 0, 1:].reshape(2, 4, 4)
    torch.testing.assert_close(attention(tiny_model, batch, directions), expected)


def test_occlusion_is_the_fall_of_the_cosine(tiny_clip, tiny_model, tiles, directions) -> None:
    batch = tiny_model.preprocess(tiles)
    found = occlusion(tiny_model, batch, directions)
    covered = batch[1].clone()
    covered[:, 8:32, :16] = batch[1].mean(dim=(1, 2))[:, None, None]  # around row 2, column 0
    with torch.no_grad():
        read = tiny_clip.encode_image(torch.stack([batch[1], covered]))
        whole, rest = torch.cosine_similarity(read, directions[1:])
    torch.testing.assert_close(found[1, 2, 0], whole - rest, atol=1e-5, rtol=1e-4)


def test_cosines_of_many_are_those_of_each(tiny_clip, tiny_model, directions) -> None:
    rng = np.random.default_rng(1)
    batch = tiny_model.preprocess(rng.random((35, 32, 32, 3)).astype(np.float32))
    towards = directions[:1].expand(35, -1)
    with torch.no_grad():
        expected = torch.cosine_similarity(tiny_clip.encode_image(batch), towards)
    torch.testing.assert_close(cosines(tiny_model, batch, towards), expected, atol=1e-5, rtol=1e-4)
