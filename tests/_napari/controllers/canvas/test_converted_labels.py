from __future__ import annotations

import dask.array as da
import numpy as np
import pytest
import tifffile
from napari.layers import _layer_actions
from npe2 import PluginManager

from napari_clip_heatmap._napari.controllers.canvas.converted_labels import (
    HeatmapLevels,
    objects_above_otsu,
)
from napari_clip_heatmap._napari.controllers.layer_sync import StyleController
from napari_clip_heatmap._napari.controllers.layers import heatmaps_by_row
from napari_clip_heatmap._napari.controllers.run_control import RunController
from napari_clip_heatmap._napari.inputs.layer_planes import finest, is_heatmap
from napari_clip_heatmap._napari.job import heatmap_stack
from napari_clip_heatmap.errors import OutputError


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


def test_naparis_convert_to_labels_gives_objects(state, viewer_model, cells, session, immediate):
    style = StyleController(state, viewer_model)
    RunController(state, viewer_model, session).start()
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


@pytest.mark.parametrize("renewed", [False, True])
def test_naparis_convert_to_labels_takes_a_pyramid(
    state, viewer_model, cells, session, immediate, monkeypatch, renewed
):
    for name in ("EAGER_BYTES", "LARGEST_PLANE", "SMALLEST_LEVEL"):
        monkeypatch.setattr(heatmap_stack, name, 16)
    style = StyleController(state, viewer_model)
    RunController(state, viewer_model, session).start()
    heatmap = heatmaps_by_row(viewer_model, cells)["g"]
    assert heatmap.multiscale
    if renewed:
        RunController(state, viewer_model, session).start()
        heatmap = heatmaps_by_row(viewer_model, cells)["g"]
    viewer_model.layers.selection = {heatmap}
    _layer_actions._convert_to_labels(viewer_model.layers)
    labels = viewer_model.layers["green objects"]
    assert [level.shape for level in labels.data] == [level.shape for level in heatmap.data]
    assert np.asarray(labels.data[0])[48, 60] == 1  # inside the green stripe
    assert np.asarray(labels.data[0])[48, 10] == 0
    assert "Otsu" in state.message
    style.close()


@pytest.mark.filterwarnings("ignore:.*<tifffile.TiffWriter.write> data")  # of few planes
@pytest.mark.parametrize("size", ["eager", "lazy", "pyramid"])
@pytest.mark.parametrize("renewed", [False, True])
@pytest.mark.parametrize("whole_list", [False, True])
def test_napari_saves_heatmaps_of_every_size(
    state, viewer_model, cells, session, immediate, monkeypatch, tmp_path, size, renewed, whole_list
):
    if size != "eager":
        monkeypatch.setattr(heatmap_stack, "EAGER_BYTES", 16)
    if size == "pyramid":
        monkeypatch.setattr(heatmap_stack, "LARGEST_PLANE", 16)
        monkeypatch.setattr(heatmap_stack, "SMALLEST_LEVEL", 16)
    style = StyleController(state, viewer_model)
    for _ in range(1 + renewed):
        RunController(state, viewer_model, session).start()
    heatmap = heatmaps_by_row(viewer_model, cells)["g"]
    assert heatmap.multiscale == (size == "pyramid")
    PluginManager.instance().discover()  # napari's own writers
    path = tmp_path / "green.tif"
    if whole_list:
        viewer_model.layers.selection = {heatmap}
        viewer_model.layers.save(str(path), selected=True)
    else:
        heatmap.save(str(path))
    saved = tifffile.imread(path)
    assert saved.dtype == np.float32
    assert saved.shape == cells.data.shape[:2]
    np.testing.assert_array_equal(saved, np.asarray(finest(heatmap)))
    assert np.isfinite(saved).all()
    assert saved.std() > 0
    style.close()


def test_a_pyramid_that_memory_cannot_hold_is_refused():
    levels = HeatmapLevels([da.zeros((200_000, 100_000 // n), dtype=np.float32) for n in (1, 2)])
    with pytest.raises(OutputError, match=r"74\.5 GiB at full resolution.*encoding"):
        np.asarray(levels)
    assert np.asarray(HeatmapLevels([np.ones((4, 4)), np.ones((2, 2))]), dtype=int).shape == (4, 4)
