from __future__ import annotations

from unittest.mock import Mock

import pytest
from app_model import Application

from napari_clip_heatmap._napari.controllers.annotation.layer_menu import ENTRIES, LayerMenu
from napari_clip_heatmap._napari.controllers.layers import own_heatmaps


@pytest.fixture
def calls():
    return Mock()


@pytest.fixture
def menu(ran, viewer_model, calls):
    menu = LayerMenu(viewer_model, calls.choose, calls.make, calls.report, None)
    yield menu
    menu.close()


@pytest.fixture
def app():
    app = Application("layer menus")
    yield app
    Application.destroy(app.name)


def entries(app):
    return [name for name, _ in app.commands if name.startswith("napari-clip-heatmap.heatmap_to")]


def test_the_entries_are_there_while_the_dock_is(viewer_model, app, calls):
    menu = LayerMenu(viewer_model, calls.choose, calls.make, calls.report, app)
    assert len(entries(app)) == len(ENTRIES)
    second = LayerMenu(viewer_model, calls.choose, calls.make, calls.report, app)
    second.close()
    assert len(entries(app)) == len(ENTRIES)
    menu.close()
    assert entries(app) == []


def test_an_entry_makes_a_layer_of_the_heatmap_that_was_clicked(menu, viewer_model, calls):
    viewer_model.layers.selection.active = own_heatmaps(viewer_model)[1]
    menu.make("points")
    assert [call[0] for call in calls.mock_calls] == ["choose", "make"]
    calls.choose.assert_called_once_with("g")
    calls.make.assert_called_once_with("points")


def test_another_layer_is_refused_in_words(menu, viewer_model, calls, cells):
    viewer_model.layers.selection.active = cells
    menu.make("labels")
    calls.make.assert_not_called()
    assert "no heatmap" in calls.report.call_args.args[0]
