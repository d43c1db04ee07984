from __future__ import annotations

import json

import numpy as np
import pytest
import tifffile
from napari.layers import Labels

from napari_clip_heatmap._napari.annotation_state import BY_HAND
from napari_clip_heatmap.errors import OutputError


def made(viewer, kind):
    return [layer for layer in viewer.layers if isinstance(layer, kind)]


def test_outlines_can_be_those_of_the_image(maker, threshold, viewer_model, controls):
    maker.make("labels")
    (layer,) = made(viewer_model, Labels)
    by_map = layer.data > 0
    controls["by_image"].value = True
    threshold.use(True)
    maker.make("labels")
    stripe = np.zeros((96, 120), bool)
    stripe[:, :40] = True
    stripe[::16, ::16] = False  # other colors
    by_image = layer.data > 0
    assert (by_image ^ stripe).sum() < 0.2 * (by_map ^ stripe).sum()


def test_winners_cover_the_image(maker, viewer_model, controls):
    controls["objects_of"].value = "winner"
    maker.make("labels")
    (layer,) = made(viewer_model, Labels)
    assert (layer.data > 0).mean() > 0.99
    assert {*layer.features["prompt"][1:]} == {"red", "green", "blue"}


def test_without_heatmaps_the_user_is_told_to_run(maker, ran, cells, errors, viewer_model):
    ran.forget_result(cells)
    maker.make("labels")
    maker.export("objects.csv")
    assert errors == ["there are no heatmaps of this image yet: run first"] * 2
    assert len(made(viewer_model, Labels)) == 0


def test_a_threshold_that_is_no_number_is_refused_and_nothing_is_lost(
    maker, ran, errors, viewer_model
):
    maker.make("labels")
    (layer,) = made(viewer_model, Labels)
    before = layer.data.copy()
    ran.set_control("threshold_by", BY_HAND)
    ran.annotation.limits = {"r": float("nan")}
    maker.make("labels")
    assert len(errors) == 1
    assert "nan" in errors[0]
    assert made(viewer_model, Labels) == [layer]
    np.testing.assert_array_equal(layer.data, before)


def test_objects_are_written_in_the_format_of_the_name(maker, tmp_path, ran, errors):
    maker.export(str(tmp_path / "objects.geojson"))
    (feature,) = json.loads((tmp_path / "objects.geojson").read_text())["features"]
    assert feature["properties"]["classification"]["name"] == "red"
    maker.export(str(tmp_path / "objects.tif"))
    assert (tifffile.imread(tmp_path / "objects.tif") > 0).mean() == pytest.approx(1 / 3, abs=0.05)
    assert ran.message == f"1 objects written to {tmp_path / 'objects.tif'}"
    maker.export(str(tmp_path / "objects.docx"))
    assert "accepted" in errors[0]


def test_figures_are_saved_and_a_disk_that_refuses_is_reported(maker, tmp_path, ran, errors):
    maker.save_figures(str(tmp_path / "figures.csv"))
    assert (tmp_path / "figures.csv").read_text().startswith("prompt,")
    maker.save_figures(str(tmp_path / "absent" / "figures.csv"))
    assert "was not written" in errors[0]
    assert issubclass(OutputError, Exception)
