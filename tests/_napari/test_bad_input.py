"""Whatever is asked, the answer is a layer or a clear message, and the viewer lives on."""

from __future__ import annotations

import json
import pickle

import numpy as np
import pytest

from napari_clip_heatmap._napari.controllers.layers import own_heatmaps
from napari_clip_heatmap._napari.job.session import Session
from napari_clip_heatmap._napari.widget import HeatmapWidget


def open_widget(viewer, session):
    widget = HeatmapWidget(viewer, session)
    viewer.window.add_dock_widget(widget, name="CLIP Heatmap")
    return widget


@pytest.fixture
def widget(viewer, session):
    return open_widget(viewer, session)


@pytest.fixture
def run(qtbot):
    def run(widget):
        widget["run"].native.click()
        qtbot.waitUntil(lambda: widget["run"].enabled, timeout=60_000)

    return run


@pytest.fixture
def refused(viewer, run, messages, picture):
    """Run, expect one error with these words, then prove that the widget still answers."""

    def refused(widget, *words):
        before = list(viewer.layers)
        run(widget)
        assert list(viewer.layers) == before
        assert [str(message.severity).lower() for message in messages] == ["error"]
        for word in words:
            assert word in messages[0].message
            assert word in widget["status"].value
        assert "Traceback" not in messages[0].message

    return refused


@pytest.fixture
def answered(viewer, run, messages):
    def answered(widget):
        run(widget)
        assert not messages, messages
        layers = own_heatmaps(viewer)
        assert len(layers) == len(widget["prompts"].value)
        return layers

    return answered


def test_no_layer(widget, refused):
    refused(widget, "no image layer")


def test_a_labels_layer(viewer, widget, refused):
    viewer.add_labels(np.ones((5, 5), int), name="cells")
    refused(widget, "'cells' is a Labels layer")


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # napari's
def test_no_pixel(viewer, widget, refused):
    layer = viewer.add_image(np.zeros((5, 5)))
    with pytest.raises(ValueError, match="NaN"):  # napari's thumbnail of it; the layer stays
        layer.data = np.zeros((0, 5))
    refused(widget, "no pixel")


def test_only_nan(viewer, widget, refused):
    viewer.add_image(np.full((9, 9), np.nan), contrast_limits=(0, 1))
    refused(widget, "no valid pixel")


def test_five_channels(viewer, widget, refused):
    viewer.add_image(np.zeros((40, 50, 5)))
    refused(widget, "channels", "channel_axis")


@pytest.mark.parametrize("prompts", [[], [""], ["  ", "\t"]])
def test_blank_prompts(viewer, widget, refused, prompts):
    viewer.add_image(np.zeros((40, 50)))
    widget["prompts"].value = prompts
    refused(widget, "no prompt")


@pytest.mark.parametrize("shape", [(1, 1), (3, 5000), (1, 40)])
def test_odd_shapes(viewer, widget, answered, shape):
    viewer.add_image(np.arange(np.prod(shape), dtype=np.uint16).reshape(shape))
    assert {layer.data.shape for layer in answered(widget)} == {shape}


@pytest.mark.parametrize("dtype", [bool, np.int8, np.uint16, np.float16, np.float64])
def test_types(viewer, widget, answered, dtype):
    viewer.add_image(np.eye(64).astype(dtype))
    answered(widget)


def test_some_nan(viewer, widget, answered):
    image = np.random.default_rng(0).random((64, 64))
    image[10:20] = np.nan
    image[30, 30] = np.inf
    viewer.add_image(image, contrast_limits=(0, 1))
    for layer in answered(widget):
        assert np.isfinite(layer.contrast_limits).all()
        assert np.isnan(layer.data).sum() == 641


def test_a_long_prompt_says_which_words_were_not_seen(viewer, widget, answered):
    viewer.add_image(np.eye(64))
    widget["prompts"].value = [" ".join(f"word{i}" for i in range(300)), "nuclei", "🔬 <b>"]
    layers = answered(widget)
    assert layers[2].name == "🔬 <b>"
    assert "did not see" in widget["notes"].value


def test_an_unknown_model(viewer, widget, refused):
    viewer.add_image(np.eye(64))
    widget["model"].value = "absent"
    refused(widget, "'absent'")


@pytest.fixture
def folder(tmp_path):
    """A model folder with a config, and weights yet to come."""
    tower = {"image_size": 32, "layers": 1, "width": 64, "patch_size": 16}
    text = {"context_length": 77, "vocab_size": 49408, "width": 64, "heads": 1, "layers": 1}
    config = {"model_cfg": {"embed_dim": 16, "vision_cfg": tower, "text_cfg": text}}
    (tmp_path / "open_clip_config.json").write_text(json.dumps(config))
    return tmp_path


class Bomb:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (self.path, "w")


def test_a_corrupt_checkpoint(viewer, refused, folder):
    (folder / "open_clip_model.safetensors").write_bytes(b"no weights at all")
    viewer.add_image(np.eye(64))
    widget = open_widget(viewer, Session())
    widget["model"].value = f"local-dir:{folder}"
    refused(widget, str(folder))


def test_a_checkpoint_with_code_in_it_is_not_run(viewer, refused, folder, tmp_path):
    trace = tmp_path / "executed"
    (folder / "open_clip_pytorch_model.bin").write_bytes(pickle.dumps(Bomb(str(trace))))
    viewer.add_image(np.eye(64))
    widget = open_widget(viewer, Session())
    widget["model"].value = f"local-dir:{folder}"
    refused(widget, "open_clip_pytorch_model.bin")
    assert not trace.exists()


def test_a_tower_that_cannot_be_decomposed(viewer, refused, folder):
    config = json.loads((folder / "open_clip_config.json").read_text())
    config["model_cfg"]["vision_cfg"]["pool_type"] = "none"
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    viewer.add_image(np.eye(64))
    widget = open_widget(viewer, Session())
    widget["model"].value = f"local-dir:{folder}"
    refused(widget, "pooling of type 'none'")


def test_a_model_that_open_clip_does_not_know(viewer, refused):
    viewer.add_image(np.eye(64))
    widget = open_widget(viewer, Session())
    widget["model"].value = "ViT-Z-99/nobody"
    refused(widget, "ViT-Z-99")
