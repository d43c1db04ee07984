from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from napari.layers import Image
from numpy import zeros

from napari_clip_heatmap._napari.inputs.pixel_size import (
    ModelSizes,
    pixel_length,
    read_resolution,
    sizes_of_model,
)
from napari_clip_heatmap.errors import SettingsError

PLAIN = Image(zeros((4, 5)))
METRIC = Image(zeros((4, 5)), scale=(0.5, 0.5), units=("um", "um"))


def read(text, layer=PLAIN):
    return read_resolution(text, layer.scale, layer.units)


@pytest.mark.parametrize("text", ["auto", "", " Auto "])
def test_auto(text):
    assert read(text) == "auto"


@given(st.floats(0.001, 1000))
def test_a_factor_is_itself(factor):
    assert read(f"{factor!r}") == factor
    assert read(f" {factor!r} x") == factor


@pytest.mark.parametrize(
    "text", ["2 um", "2um", "2 µm", "2 \N{GREEK SMALL LETTER MU}m", "2000 nm", "0.002 mm"]
)
def test_a_pixel_size_in_any_unit_of_length(text):
    assert read(text, METRIC) == pytest.approx(4)


def test_of_pixels_that_are_not_square_the_mean_counts():
    layer = Image(zeros((4, 5)), scale=(1, 4), units=("um", "um"))
    assert read("2 um", layer) == pytest.approx(1)


@pytest.mark.parametrize("text", ["0", "-2", "nan", "inf", "two", "1 2", "2 apples", "-1 um"])
def test_refuses_in_words(text):
    with pytest.raises(SettingsError, match=r"auto"):
        read(text, METRIC)


@pytest.mark.parametrize(("text", "layer"), [("2 um", PLAIN), ("2 s", METRIC)])
def test_refuses_a_length_where_there_is_none(text, layer):
    with pytest.raises(SettingsError, match="unit"):
        read(text, layer)


def test_a_scale_without_a_unit_is_no_size_of_a_pixel():
    assert pixel_length(0.5, PLAIN.units[-1]) == 1
    assert pixel_length(-0.25, METRIC.units[-1]) == 0.25


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
