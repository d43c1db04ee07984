"""Maps of whole images by other methods are tiled exactly as the product tiles."""

from __future__ import annotations

import numpy as np
import pytest

import napari_clip_heatmap as nch
from napari_clip_heatmap.errors import SettingsError
from napari_clip_heatmap.evaluation.faithfulness.token_methods import IMAGE_METHODS
from napari_clip_heatmap.evaluation.image_maps import image_maps

PROMPTS = ["nuclei", "rods", "dots"]


@pytest.mark.parametrize("shape", [(32, 32), (50, 91), (20, 70)])
@pytest.mark.parametrize("downsample", ["auto", 1.5, 0.5])
def test_exact_is_what_heatmaps_give(tiny_model, shape, downsample) -> None:
    image = np.random.default_rng(0).integers(0, 255, (*shape, 3), dtype=np.uint8)
    directions = tiny_model.encode_text(PROMPTS).numpy()
    found = image_maps(tiny_model, image, directions, ["exact"], downsample=downsample)["exact"]
    encoding = nch.encode(tiny_model, image, downsample=downsample)
    expected = encoding.heatmaps(PROMPTS, "absolute").values
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_all_methods_give_a_map_for_each_direction(tiny_model) -> None:
    image = np.random.default_rng(1).integers(0, 255, (40, 60), dtype=np.uint8)
    directions = tiny_model.encode_text(PROMPTS).numpy()
    found = image_maps(tiny_model, image, directions, list(IMAGE_METHODS))
    assert list(found) == list(IMAGE_METHODS)
    for values in found.values():
        assert values.shape == (3, 40, 60)
        assert np.isfinite(values).all()


def test_methods_without_a_vector_a_patch_are_refused(tiny_model) -> None:
    with pytest.raises(SettingsError, match=r"'legrad'.*accepted: exact"):
        image_maps(tiny_model, np.zeros((40, 40)), np.zeros((1, 24)), ["legrad"])
