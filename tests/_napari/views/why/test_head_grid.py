"""The grid of layers and heads, with a real mouse and real keys."""

from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtCore import QEvent, QPoint, QPointF, Qt
from qtpy.QtGui import QHelpEvent, QMouseEvent
from qtpy.QtWidgets import QApplication, QToolTip

from napari_clip_heatmap._napari.views.why.head_grid import LEFT, TOP, GridFigures, HeadGrid

BUTTON = Qt.MouseButton.LeftButton
NONE, CTRL = Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.ControlModifier


@pytest.fixture
def grid(qtbot):
    grid = HeadGrid()
    qtbot.addWidget(grid)
    values = np.linspace(-1, 1, 12, dtype=np.float32).reshape(3, 4)
    grid.show_figures(GridFigures(values, np.float32([0.5, -0.5, 0.25]), {(1, 2): "round spots"}))
    grid.resize(300, grid.height())
    grid.show()
    qtbot.waitExposed(grid)
    return grid


def click(qtbot, grid, spot, modifier=NONE):
    with qtbot.waitSignal(grid.selection_changed):
        qtbot.mouseClick(grid, BUTTON, modifier, spot)


def cell(grid, layer, head):
    return grid.center_of((layer, head)).toPoint()


def hover(grid, spot):
    """Move the mouse; the pointer itself stays, as it may be over another window."""
    where = QPointF(spot), QPointF(grid.mapToGlobal(spot))
    none = Qt.MouseButton.NoButton
    QApplication.sendEvent(grid, QMouseEvent(QEvent.Type.MouseMove, *where, none, none, NONE))


def test_a_click_selects_and_a_second_one_takes_it_back(qtbot, grid):
    click(qtbot, grid, cell(grid, 1, 2))
    assert grid.selected == {(1, 2)}
    click(qtbot, grid, cell(grid, 0, 3))
    assert grid.selected == {(0, 3)}
    click(qtbot, grid, cell(grid, 2, 0), CTRL)
    assert grid.selected == {(0, 3), (2, 0)}
    click(qtbot, grid, cell(grid, 0, 3), CTRL)
    assert grid.selected == {(2, 0)}
    click(qtbot, grid, cell(grid, 2, 0))
    assert not grid.selected


def test_names_select_layers_and_heads(qtbot, grid):
    click(qtbot, grid, QPoint(LEFT // 2, cell(grid, 1, 0).y()))
    assert grid.selected == {(1, head) for head in range(4)}
    click(qtbot, grid, QPoint(cell(grid, 0, 3).x(), TOP // 2))
    assert grid.selected == {(layer, 3) for layer in range(3)}


def test_keys_move_and_select(qtbot, grid):
    grid.setFocus()
    for key in (Qt.Key.Key_Right, Qt.Key.Key_Right, Qt.Key.Key_Down):
        qtbot.keyClick(grid, key)
    with qtbot.waitSignal(grid.selection_changed):
        qtbot.keyClick(grid, Qt.Key.Key_Space)
    assert grid.selected == {(1, 1)}
    for _ in range(9):
        qtbot.keyClick(grid, Qt.Key.Key_Left)
    qtbot.keyClick(grid, Qt.Key.Key_Space)
    assert grid.selected == {(1, 1), (1, 0)}
    qtbot.keyClick(grid, Qt.Key.Key_Escape)
    assert not grid.selected


def test_hovering_tells_the_numbers(qtbot, grid):
    told = []
    grid.hovered.connect(told.append)
    hover(grid, cell(grid, 1, 2))
    assert told[-1] == f"L1H2  {float(grid.figures.values[1, 2]):+.5f}  round spots"
    hover(grid, QPoint(LEFT // 2, cell(grid, 2, 0).y()))
    assert told[-1] == f"L2  {float(grid.figures.values[2].sum()):+.5f}"
    hover(grid, cell(grid, 1, 4))  # after the last head: the MLP
    assert told[-1] == "L1 MLP  -0.50000"
    spot = cell(grid, 0, 1)
    QApplication.sendEvent(grid, QHelpEvent(QEvent.Type.ToolTip, spot, grid.mapToGlobal(spot)))
    assert QToolTip.text().startswith("L0H1")
    QToolTip.hideText()


def test_what_adds_is_red_and_what_takes_is_blue(qtbot, grid):
    picture = grid.grab().toImage()
    scale = picture.width() / grid.width()

    def color(layer, head):
        at = grid.center_of((layer, head)) * scale
        return picture.pixelColor(int(at.x()), int(at.y()))

    assert color(2, 3).red() > color(2, 3).blue() + 50
    assert color(0, 0).blue() > color(0, 0).red() + 50
    before = color(1, 1)
    click(qtbot, grid, cell(grid, 1, 1))
    grid.show_left_out(True)
    picture = grid.grab().toImage()  # crossed out: the middle has the color of text
    assert color(1, 1) != before


def test_heads_that_another_model_does_not_have_are_not_selected(qtbot, grid):
    grid.select(frozenset({(2, 3), (0, 0)}))
    grid.show_figures(GridFigures(np.ones((2, 2), np.float32)))
    assert grid.selected == {(0, 0)}
    grid.show_figures(None)
    qtbot.mouseClick(grid, BUTTON, NONE, QPoint(40, 0))
    assert grid.height() == 0
    assert grid.text_of((0, 0)) == ""
