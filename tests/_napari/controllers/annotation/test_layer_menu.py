from __future__ import annotations

from unittest.mock import Mock

import pytest
from app_model import Application

from napari_clip_heatmap._napari.controllers.annotation import layer_menu
from napari_clip_heatmap._napari.controllers.annotation.layer_menu import (
    ENTRIES,
    LayerMenu,
    make_of_selected,
)
from napari_clip_heatmap._napari.controllers.layers import own_heatmaps


@pytest.fixture
def calls(monkeypatch):
    calls = Mock()
    monkeypatch.setattr(layer_menu, "show_error", calls.report)
    return calls


@pytest.fixture
def app():
    app = Application("layer menus")
    yield app
    Application.destroy(app.name)


@pytest.fixture
def menu(ran, viewer_model, calls, app):
    menu = LayerMenu(viewer_model, calls.choose, calls.make, app)
    yield menu
    menu.close()


def test_the_entries_are_added_once_however_many_docks_there_are(menu, viewer_model, calls, app):
    second = LayerMenu(viewer_model, calls.choose, calls.make, app)
    names = [name for name, _ in app.commands if name.startswith("napari-clip-heatmap.heatmap_to")]
    assert len(names) == len(ENTRIES)
    second.close()
    second.close()


def test_an_entry_makes_a_layer_of_the_heatmap_that_was_clicked(menu, viewer_model, calls, app):
    viewer_model.layers.selection.active = own_heatmaps(viewer_model)[1]
    app.commands.execute_command("napari-clip-heatmap.heatmap_to.points")
    assert [call[0] for call in calls.mock_calls] == ["choose", "make"]
    calls.choose.assert_called_once_with("g")
    calls.make.assert_called_once_with("points")


def test_another_layer_or_a_closed_dock_is_refused_in_words(menu, viewer_model, calls, cells):
    viewer_model.layers.selection.active = cells
    make_of_selected("labels")
    assert "no heatmap" in calls.report.call_args.args[0]
    viewer_model.layers.selection.active = own_heatmaps(viewer_model)[0]
    menu.close()
    make_of_selected("labels")
    assert calls.report.call_count == 2
    calls.make.assert_not_called()
