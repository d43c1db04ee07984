from __future__ import annotations

import socket
from pathlib import Path

import numpy as np
import pytest
import yaml
from napari.components import ViewerModel
from napari.layers import Image

import napari_clip_heatmap
from napari_clip_heatmap._napari import sample_data


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    monkeypatch.setattr(socket, "socket", None)


@pytest.mark.parametrize("name", ["drawn_scene", "blood_smear", "stained_tissue"])
def test_samples_are_color_images_and_need_no_network(name):
    ((image, options, kind),) = getattr(sample_data, name)()
    assert kind == "image"
    assert image.dtype == np.uint8
    assert image.shape[-1] == 3
    assert min(image.shape[:2]) >= 384
    assert options["name"]


def test_the_real_nuclei_are_a_gray_image_and_need_no_network():
    ((image, options, kind),) = sample_data.fluorescent_nuclei()
    assert kind == "image"
    assert (image.dtype, image.shape) == (np.uint8, (512, 512))
    assert 0 < np.median(image) < 40 < 200 < image.max()  # nuclei on dark ground
    assert "scale" not in options  # which is not known


def test_channels_lie_on_one_another():
    layers = [Image(data, **options) for data, options, _ in sample_data.fluorescence_channels()]
    assert [layer.name for layer in layers] == ["DAPI", "TOM20", "phalloidin"]
    assert {layer.blending for layer in layers} == {"additive"}
    assert (
        len(
            {
                (tuple(layer.scale), tuple(map(str, layer.units)), layer.data.shape)
                for layer in layers
            }
        )
        == 1
    )


def test_the_stack_has_sizes():
    ((stack, options, _),) = sample_data.z_stack()
    layer = Image(stack, **options)
    assert layer.ndim == 3
    assert layer.scale.tolist() == [1, 0.2, 0.2]


def test_every_sample_of_the_manifest_opens():
    manifest = Path(napari_clip_heatmap.__file__).with_name("napari.yaml")
    contributions = yaml.safe_load(manifest.read_text(encoding="utf-8"))["contributions"]
    names = [sample["key"] for sample in contributions["sample_data"]]
    assert sorted(names) == sorted(sample_data.__all__)
    viewer = ViewerModel()
    for name in names:
        for data, options, kind in getattr(sample_data, name)():
            getattr(viewer, f"add_{kind}")(data, **options)
