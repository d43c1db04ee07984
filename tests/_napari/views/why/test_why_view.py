"""The texts and buttons around the grid."""

from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFileDialog

from napari_clip_heatmap._napari.views.why.head_grid import GridFigures
from napari_clip_heatmap._napari.views.why.why_view import LEFT_OUT, WhyView

BUTTON = Qt.MouseButton.LeftButton
FIGURES = GridFigures(np.linspace(-1, 1, 12, dtype=np.float32).reshape(3, 4))


@pytest.fixture
def view(qtbot):
    view = WhyView()
    qtbot.addWidget(view)
    view.resize(300, 400)
    view.show()
    qtbot.waitExposed(view)
    return view


def test_without_figures_there_is_only_a_text(view):
    view.show_value("Press Run", None)
    assert view.value.text() == "Press Run"
    assert not view.mode.isVisible()
    assert not view.words.isVisible()
    view.show_value("At y = 1", FIGURES)
    assert view.mode.isVisible()
    assert view.words.isVisible()
    assert view.grid.height() > 0


def test_what_to_do_with_heads_is_chosen(qtbot, view):
    view.show_value("At y = 1", FIGURES)
    assert not view.leaves_out
    with qtbot.waitSignal(view.changed):
        view.mode.setCurrentText(LEFT_OUT)
    assert view.leaves_out
    with qtbot.waitSignal(view.changed):
        qtbot.mouseClick(view.grid, BUTTON, pos=view.grid.center_of((1, 1)).toPoint())


def test_work_can_be_cancelled_while_it_lasts(qtbot, view):
    view.show_value("At y = 1", FIGURES)
    assert not view.cancel.isVisible()
    view.show_outcome("Tile 1 of 4", busy=True)
    assert view.cancel.isVisible()
    assert not view.words.isVisible()
    with qtbot.waitSignal(view.cancel_requested):
        qtbot.mouseClick(view.cancel, BUTTON)
    view.show_outcome("Layer nuclei")
    assert not view.cancel.isVisible()
    assert view.outcome.text() == "Layer nuclei"


def test_the_number_under_the_mouse_is_a_line(qtbot, view):
    view.show_value("At y = 1", FIGURES)
    view.grid.hovered.emit("L1H2  +0.5")
    assert view.hover.text() == "L1H2  +0.5"


def test_a_list_of_words_is_chosen(qtbot, view, monkeypatch):
    view.show_value("At y = 1", FIGURES)
    chosen = []
    view.words_chosen.connect(chosen.append)
    monkeypatch.setattr(QFileDialog, "open", lambda box: box.reject())
    qtbot.mouseClick(view.words, BUTTON)
    monkeypatch.setattr(QFileDialog, "open", lambda box: box.fileSelected.emit("words.txt"))
    qtbot.mouseClick(view.words, BUTTON)
    assert chosen == ["words.txt"]


def test_it_says_when_it_comes_on_screen(qtbot):
    view = WhyView()
    qtbot.addWidget(view)
    seen = []
    view.seen.connect(seen.append)
    view.show()
    view.hide()
    assert seen == [True, False]
