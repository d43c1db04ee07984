from __future__ import annotations

import pytest

from napari_clip_heatmap._napari.inputs.pixel_size import ModelSizes, sizes_of_model


@pytest.mark.parametrize(
    ("name", "sizes"),
    [
        ("demo", ModelSizes((96, 96), (8, 8))),
        ("ViT-L-14/openai", ModelSizes((224, 224), (14, 14))),
        ("hf-hub:someone/something", None),
        ("ViT-Z-99/nobody", None),
        ("local-dir:/nowhere", None),
        ("RN50/openai", None),
        ("", None),
    ],
)
def test_tells_sizes_without_weights(name, sizes):
    assert sizes_of_model(name) == sizes


@pytest.mark.parametrize("text", ["{}", "no json", '{"model_cfg": {"vision_cfg": {}}}'])
def test_a_damaged_folder_has_none(tmp_path, text):
    (tmp_path / "open_clip_config.json").write_text(text)
    assert sizes_of_model(f"local-dir:{tmp_path}") is None
