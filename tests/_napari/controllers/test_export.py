"""Scripts, paragraphs, saved encodings, settings and verdicts, from a real viewer."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication, QMessageBox

from napari_clip_heatmap._napari import settings
from napari_clip_heatmap._napari.controllers.layers import own_heatmaps
from napari_clip_heatmap._napari.inputs.layer_planes import METADATA_KEY
from napari_clip_heatmap._napari.views.form_controls import REMOVE, RESTORE
from napari_clip_heatmap._napari.views.prompt_cells import PromptColumn
from napari_clip_heatmap._napari.widget import HeatmapWidget
from napari_clip_heatmap.files.methods_paragraph import methods_text
from napari_clip_heatmap.files.reproduction_script import python_script
from napari_clip_heatmap.pipeline import null_reference as reference
from napari_clip_heatmap.scenes import sample_scene

PROMPTS = ["nuclei", "filaments", "qwerty asdf zxcv"]


@pytest.fixture
def widget(viewer):
    """With the library and the bundled model behind it."""
    widget = HeatmapWidget(viewer)
    viewer.window.add_dock_widget(widget, name="CLIP Heatmap")
    widget["prompts"].value = PROMPTS
    return widget


@pytest.fixture
def image(viewer, widget, qtbot):
    image = viewer.add_image(sample_scene()[:160, :200], name="cells")
    widget.start()
    qtbot.waitUntil(lambda: widget["run"].enabled, timeout=120_000)
    return image


def action(widget, begins):
    (found,) = (each for each in widget.export_menu.actions() if each.text().startswith(begins))
    return found


def worth(widget):
    model = widget["prompts"].model
    return [model.index(n, PromptColumn.VERDICT).data() for n in range(3)]


def test_verdicts_come_with_advice_and_figures(viewer, widget, image, qtbot):
    qtbot.waitUntil(lambda: worth(widget)[0] != "", timeout=60_000)
    assert worth(widget)[2] == "none"
    assert worth(widget)[0] == "good"
    cell = widget["prompts"].model.index(2, PromptColumn.VERDICT)
    reported = cell.data(Qt.ItemDataRole.ToolTipRole)
    assert "Match with the image" in reported
    assert max(map(len, reported.splitlines())) <= 60
    assert "True resolution" in widget["notes"].value


def test_the_measure_of_an_image_is_taken_once(viewer, widget, image, qtbot, monkeypatch):
    qtbot.waitUntil(lambda: worth(widget)[0] != "", timeout=60_000)
    module = "napari_clip_heatmap._napari.controllers.live_update.make_null_reference"
    monkeypatch.setattr(module, lambda *_: pytest.fail("taken again"))
    widget["prompts"].model.rewrite(2, "vesicles")
    qtbot.waitUntil(
        lambda: (
            (now := widget.state.result).result.scoring.prompts[2] == "vesicles"
            and now.assessment is not None
        ),
        timeout=60_000,
    )
    assert reference.make_null_reference is not None


def test_a_layer_as_a_script_and_as_a_paragraph(viewer, widget, image, messages):
    viewer.layers.selection.active = viewer.layers["filaments"]
    record = viewer.layers["filaments"].metadata[METADATA_KEY]
    action(widget, "Copy as Python").trigger()
    assert QApplication.clipboard().text() == python_script(record)
    action(widget, "Copy methods").trigger()
    assert QApplication.clipboard().text() == methods_text(record)
    widget["remove_all"].native.click()
    action(widget, "Copy methods").trigger()
    assert "run first" in messages[-1].message


def test_an_encoding_is_saved_and_opened_without_the_image_tower(
    viewer, widget, image, qtbot, tmp_path, messages
):
    path = tmp_path / "cells.zarr.zip"
    values = viewer.layers["nuclei"].data.copy()
    widget.export.save(path)
    qtbot.waitUntil(lambda: "Saved" in widget["status"].value, timeout=60_000)
    widget["remove_all"].native.click()
    fresh = HeatmapWidget(viewer)
    viewer.window.add_dock_widget(fresh, name="another")
    fresh["prompts"].value = PROMPTS
    fresh.export.open(path)
    qtbot.waitUntil(lambda: len(own_heatmaps(viewer)) == 3, timeout=120_000)
    np.testing.assert_array_equal(viewer.layers["nuclei"].data, values)
    fresh["prompts"].model.rewrite(0, "mitochondria")
    qtbot.waitUntil(lambda: "mitochondria" in viewer.layers, timeout=60_000)
    viewer.add_image(np.zeros((9, 9)), name="other")
    fresh["image"].value = viewer.layers["other"]
    fresh.export.open(path)
    qtbot.waitUntil(lambda: any("160 x 200" in each.message for each in messages), timeout=60_000)
    fresh.export.open(tmp_path / "absent.zarr.zip")
    qtbot.waitUntil(lambda: "absent" in messages[-1].message, timeout=60_000)


def test_after_remove_all_a_saved_encoding_brings_its_layers_and_figures(
    viewer, widget, image, qtbot, tmp_path
):
    path = tmp_path / "cells.zarr.zip"
    widget.export.save(path)
    qtbot.waitUntil(lambda: "Saved" in widget["status"].value, timeout=60_000)
    widget["remove_all"].native.click()
    assert widget.state.result is None
    assert not own_heatmaps(viewer)
    assert widget["remove_all"].text == RESTORE
    widget.export.open(path)
    qtbot.waitUntil(lambda: len(own_heatmaps(viewer)) == 3, timeout=60_000)
    qtbot.waitUntil(lambda: not widget.live_updater.showing, timeout=60_000)
    assert widget["remove_all"].text == REMOVE, "what was removed is not offered any more"
    assert {layer.name for layer in own_heatmaps(viewer)} == set(PROMPTS)
    assert sum(layer.visible for layer in own_heatmaps(viewer)) == 1
    model = widget["prompts"].model
    figure = model.index(0, PromptColumn.SIMILARITY).data()
    assert float(figure) == pytest.approx(widget.state.result.result.similarity[0], abs=1e-3)


def test_the_cache_is_measured_and_cleared(viewer, widget, image, qtbot):
    cache = widget.cache
    assert len(cache) == 1
    widget.export_menu.aboutToShow.emit()
    assert "MB" in action(widget, "Clear the cache").text()
    action(widget, "Clear the cache").trigger()
    box = widget.native.window().findChild(QMessageBox)
    assert len(cache) == 1, "it cannot be undone, so it is confirmed"
    assert box.defaultButton() is box.button(QMessageBox.StandardButton.Cancel)
    box.reject()
    qtbot.waitUntil(lambda: widget.native.window().findChild(QMessageBox) is None)
    action(widget, "Clear the cache").trigger()
    (clear,) = (
        b for b in widget.native.window().findChild(QMessageBox).buttons() if b.text() == "Clear"
    )
    clear.click()
    assert len(cache) == 0
    assert "Removed" in widget["status"].value


def test_choices_are_kept_and_one_that_is_gone_is_not(viewer, session, monkeypatch):
    kept = SimpleNamespace(
        model="demo",
        score="absolute",
        templates="photo",
        view="raw",
        colormap="viridis",
        scale="own",
        opacity=0.5,
        prompts="one thing\nanother",
        recent="red\nblue\n\ngreen",
        tab="Maps",
        device="cpu",
        resolution="2",
        transparent_low=True,
        color_bar=False,
        ranking_list="a list of an older version",
    )
    monkeypatch.setattr(settings, "section", lambda: kept)
    widget = HeatmapWidget(viewer, session)
    viewer.window.add_dock_widget(widget)
    assert widget["score"].value == "absolute"
    assert widget["colormap"].value == "viridis"
    assert kept.ranking_list == widget["ranking_list"].value == "the prompts"
    widget["score"].value = "softmax"
    assert kept.score == "softmax"
    assert widget["prompts"].value == ["one thing", "another"]
    assert widget["resolution"].value == "2"
    assert widget["opacity"].value == 0.5
    assert widget.tabs.title == "Maps"
    assert widget["prompts"].recent == (("red", "blue"), ("green",))
    widget["prompts"].model.rewrite(0, "a third")
    assert kept.prompts == "a third\nanother"
    widget.tabs.open("Click")
    assert kept.tab == "Click"
    widget.state.note_recent()
    assert kept.recent.startswith("a third\nanother\n\nred\nblue")
    menu = widget["prompts"].sets_menu()
    recent = next(each.menu() for each in menu.actions() if each.text() == "Recent")
    recent.aboutToShow.emit()
    recent.actions()[1].trigger()
    assert widget["prompts"].value == ["red", "blue"]


def test_an_encoding_that_is_opened_says_that_its_image_is_not_known(
    viewer, widget, image, qtbot, tmp_path
):
    def origin():
        return "Opened from 'blood.zarr.zip', which does not say" in widget["notes"].value

    def settle():
        qtbot.waitUntil(lambda: not widget.live_updater.showing, timeout=60_000)
        qtbot.waitUntil(lambda: widget.state.result.assessment is not None, timeout=60_000)

    widget.export.save(tmp_path / "blood.zarr.zip")
    qtbot.waitUntil(lambda: "Saved" in widget["status"].value, timeout=60_000)
    other = viewer.add_image(255 - image.data, name="negative")
    widget["image"].value = other
    widget.export.open(tmp_path / "blood.zarr.zip")
    qtbot.waitUntil(lambda: widget.state.result is not None, timeout=60_000)
    settle()
    assert origin()
    widget["prompts"].model.rewrite(0, "mitochondria")
    qtbot.waitUntil(lambda: "mitochondria - negative" in viewer.layers, timeout=60_000)
    settle()
    assert origin()
    widget["image"].value = image
    assert not origin()
