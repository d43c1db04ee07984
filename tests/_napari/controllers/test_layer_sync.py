from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_clip_heatmap._napari.controllers.layer_sync import LayerWatcher


@pytest.fixture
def viewer():
    return ViewerModel()


@pytest.fixture
def layers(viewer):
    return tuple(viewer.add_image(np.eye(9), name=name) for name in ("first", "second", "other"))


@pytest.fixture
def heard():
    return []


@pytest.fixture
def watch(viewer, layers, heard):
    return LayerWatcher(viewer, layers[:2], heard.append, lambda: heard.append("moved"))


def test_tells_once_when_a_layer_goes(viewer, layers, watch, heard):
    viewer.layers.remove(layers[2])
    assert not heard
    viewer.layers.remove(layers[1])
    viewer.layers.remove(layers[0])
    assert heard == ["the layer 'second' was removed during the run"]


def test_tells_when_data_is_replaced(layers, watch, heard):
    layers[2].data = np.ones((9, 9))
    layers[1].refresh()
    layers[1].contrast_limits = (0, 2)
    assert not heard
    layers[1].data = np.ones((9, 9))
    assert heard == ["the data of 'second' was replaced during the run"]


def test_tells_when_the_first_is_moved_and_takes_a_new_name_in_silence(layers, watch, heard):
    layers[0].name = "renamed"
    layers[1].translate = (3, 4)
    assert not heard
    layers[0].translate = (3, 4)
    layers[0].units = ("um", "um")
    assert set(heard) == {"moved"}


def test_hears_nothing_once_stopped(viewer, layers, watch, heard):
    watch.stop()
    layers[0].translate = (3, 4)
    layers[0].data = np.ones((9, 9))
    viewer.layers.clear()
    assert not heard
