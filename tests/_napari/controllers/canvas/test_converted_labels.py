from __future__ import annotations

import numpy as np
import pytest
from napari.layers import _layer_actions

from napari_clip_heatmap._napari.controllers.canvas.converted_labels import objects_above_otsu
from napari_clip_heatmap._napari.controllers.layer_sync import StyleController
from napari_clip_heatmap._napari.controllers.layers import heatmaps_by_row
from napari_clip_heatmap._napari.controllers.run_control import RunController
from napari_clip_heatmap._napari.inputs.layer_planes import is_heatmap


def test_areas_above_the_threshold_are_numbered_and_nan_is_none():
    values = np.zeros((20, 30), np.float32)
    values[2:5, 2:5] = values[10:15, 20:25] = 0.003
    values[12, 22] = np.nan
    found, limit = objects_above_otsu(values)
    assert 0 < limit < 0.003
    assert found.max() == 2
    assert (found > 0).sum() == 9 + 24


def test_a_flat_map_has_no_objects():
    assert not objects_above_otsu(np.ones((4, 4), np.float32))[0].any()
    assert not objects_above_otsu(np.full((4, 4), np.nan, np.float32))[0].any()


@pytest.mark.filterwarnings("ignore:projection mode:UserWarning")
def test_naparis_convert_to_labels_gives_objects(state, viewer_model, cells, session, immediate):
    style = StyleController(state, viewer_model)
    RunController(state, viewer_model, session, style).start()
    heatmap = heatmaps_by_row(viewer_model, cells)["g"]
    viewer_model.layers.selection = {heatmap}
    _layer_actions._convert_to_labels(viewer_model.layers)
    labels = viewer_model.layers["green objects"]
    assert labels.data[48, 60] > 0  # inside the green stripe
    assert labels.data[48, 10] == 0
    assert heatmap in viewer_model.layers
    assert not is_heatmap(labels), "it is the user's, and can be a region"
    assert "Otsu" in state.message
    style.close()
