"""Stimuli show what their prompt names, and no more than they say."""

from __future__ import annotations

from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest

from napari_clip_heatmap.errors import ImageError
from napari_clip_heatmap.evaluation.faithfulness.stimuli import draw_stimuli, read_stimuli
from napari_clip_heatmap.scenes import CLASSES


def test_drawn_tiles_have_the_models_size_and_something_in_them(tiny_model) -> None:
    found = draw_stimuli(tiny_model, 8, seed=3)
    assert len(found) == 8
    for each in found:
        assert each.pixels.shape == (32, 32, 3)
        assert each.pixels.dtype == np.float32
        assert 0 <= each.pixels.min() <= each.pixels.max() <= 1
        assert each.prompt in CLASSES
        assert 0.01 <= each.mask.mean() <= 0.9


def test_the_same_seed_draws_the_same(tiny_model) -> None:
    one, other = (draw_stimuli(tiny_model, 3, seed=5) for _ in range(2))
    for a, b in zip(one, other, strict=True):
        assert a.prompt == b.prompt
        assert np.array_equal(a.pixels, b.pixels)


def test_real_tiles_are_cut_with_their_truth(tiny_model, tmp_path: Path) -> None:
    (tmp_path / "nuclei").mkdir()
    labels = np.zeros((90, 120), np.uint16)
    labels[40:60, 70:90] = 3
    image = np.where(labels[..., None] > 0, 200, 20).astype(np.uint8).repeat(3, axis=2)
    iio.imwrite(tmp_path / "nuclei" / "stained_1.png", image)
    iio.imwrite(tmp_path / "nuclei" / "stained_1_labels.png", labels)
    (found,) = read_stimuli(tiny_model, tmp_path, seed=1)
    assert (found.prompt, found.kind, found.mask.shape) == ("nuclei", "stained", (32, 32))
    assert np.array_equal(found.pixels[..., 0] > 0.5, found.mask)


def test_a_folder_without_a_tile_of_truth_is_refused(tiny_model, tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"boxes\.json"):
        read_stimuli(tiny_model, tmp_path, seed=1)


def test_deep_pictures_are_refused_and_not_guessed(tiny_model, tmp_path: Path) -> None:
    (tmp_path / "nuclei").mkdir()
    labels = np.zeros((40, 40), np.uint8)
    labels[10:20, 10:20] = 1
    iio.imwrite(tmp_path / "nuclei" / "a_1.png", np.full((40, 40), 40000, np.uint16))
    iio.imwrite(tmp_path / "nuclei" / "a_1_labels.png", labels)
    with pytest.raises(ImageError, match="8-bit"):
        read_stimuli(tiny_model, tmp_path, seed=1)
