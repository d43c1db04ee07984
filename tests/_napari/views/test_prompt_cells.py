"""The cells of the prompt table, painted and clicked."""

from __future__ import annotations

import numpy as np
import pytest
from napari.utils.colormaps import ensure_colormap
from qtpy.QtCore import QEvent, QPointF, QRect, Qt
from qtpy.QtGui import QColor, QKeyEvent, QMouseEvent, QPainter, QPixmap, QStandardItemModel
from qtpy.QtWidgets import QStyleOptionViewItem, QWidget

from napari_clip_heatmap._napari.views.prompt_cells import (
    BAR,
    HEADS,
    TRUST,
    TRUST_COLORS,
    BarCell,
    ColorCell,
    PromptColumn,
    strip_of,
)
from napari_clip_heatmap.pipeline.trust import Trust


@pytest.fixture
def index(qapp):
    model = QStandardItemModel(1, 1)
    index = model.index(0, 0)
    yield index
    model.clear()


@pytest.fixture
def parent(qtbot):
    parent = QWidget()
    qtbot.addWidget(parent)
    return parent


def painted(cell, index, width=60, height=20):
    """The pixels of a cell, (y, x, 3)."""
    picture = QPixmap(width, height)
    picture.fill(QColor("white"))
    option = QStyleOptionViewItem()
    option.rect = QRect(0, 0, width, height)
    painter = QPainter(picture)
    cell.paint(painter, option, index)
    painter.end()
    image = picture.toImage()
    rgb = [[image.pixelColor(x, y).getRgb()[:3] for x in range(width)] for y in range(height)]
    return np.array(rgb)


def click(button=Qt.MouseButton.LeftButton):
    position = QPointF(5, 5)
    none = Qt.KeyboardModifier.NoModifier
    return QMouseEvent(QEvent.Type.MouseButtonRelease, position, position, button, button, none)


def key(pressed):
    return QKeyEvent(QEvent.Type.KeyPress, pressed, Qt.KeyboardModifier.NoModifier)


@pytest.mark.parametrize(("length", "share"), [(0.0, 0.0), (0.5, 0.5), (1.0, 1.0), (7.0, 1.0)])
def test_a_bar_is_as_long_as_its_value(index, parent, length, share):
    index.model().setData(index, length, BAR)
    row = painted(BarCell(parent), index)[10]
    assert abs((row < 250).any(axis=-1).mean() - share) < 0.06


def test_without_a_value_there_is_no_bar(index, parent):
    assert (painted(BarCell(parent), index) > 250).all()


@pytest.mark.parametrize("name", ["jet", "gray", "magma"])
def test_a_strip_runs_over_its_colormap(qapp, name):
    image = strip_of(name)
    ends = [image.pixelColor(x, 0).getRgbF()[:3] for x in (0, image.width() - 1)]
    np.testing.assert_allclose(ends, ensure_colormap(name).map([0, 1])[:, :3], atol=0.01)


def test_a_color_cell_shows_the_strip_of_its_row(index, parent):
    cell = ColorCell(lambda row: ["gray"][row], parent)
    row = painted(cell, index)[10].mean(axis=-1)
    assert row[5] < 40
    assert row[-6] > 215


@pytest.mark.parametrize(
    "event", [click(), key(Qt.Key.Key_Space), key(Qt.Key.Key_Return), key(Qt.Key.Key_Enter)]
)
def test_a_click_and_keys_press_a_cell(index, parent, event):
    cell, pressed = ColorCell(lambda _row: "jet", parent), []
    cell.pressed.connect(pressed.append)
    assert cell.editorEvent(event, index.model(), QStyleOptionViewItem(), index)
    assert pressed == [0]


@pytest.mark.parametrize("event", [click(Qt.MouseButton.RightButton), key(Qt.Key.Key_A)])
def test_other_events_do_not(index, parent, event):
    cell, pressed = ColorCell(lambda _row: "jet", parent), []
    cell.pressed.connect(pressed.append)
    assert not cell.editorEvent(event, index.model(), QStyleOptionViewItem(), index)
    assert not pressed


def test_every_column_and_verdict_is_described():
    assert {*HEADS} == {*PromptColumn}
    assert all(tooltip for _, tooltip in HEADS.values())
    assert {*TRUST_COLORS} == {*Trust}


@pytest.mark.parametrize(
    ("trust", "hatched"), [("good", False), ("doubtful", True), ("none", True)]
)
def test_the_strip_of_a_map_that_is_not_to_be_trusted_is_hatched(index, parent, trust, hatched):
    cell = ColorCell(lambda _row: "jet", parent)
    plain = painted(cell, index)
    index.model().setData(index, Trust(trust), TRUST)
    assert np.any(painted(cell, index) != plain) == hatched


def luminance(color):
    parts = np.array(QColor(color).getRgbF()[:3])
    linear = np.where(parts <= 0.03928, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


@pytest.mark.parametrize("trust", Trust)
@pytest.mark.parametrize(("number", "background"), [(0, "#262930"), (0, "#414851"), (1, "#efebe9")])
def test_words_of_trust_can_be_read(trust, number, background):
    one, other = sorted((luminance(TRUST_COLORS[trust][number]), luminance(background)))
    assert (other + 0.05) / (one + 0.05) >= 4.5
