from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QToolButton

from napari_clip_heatmap._napari.views.annotation.class_table import HEADS, ClassTable
from napari_clip_heatmap._napari.views.prompt_cells import TRUST_COLORS

COLUMNS = (
    np.array([2, 5, 9]),
    np.array(["nuclei", "debris", "nuclei"], object),
    np.array([0.5, 0.25, np.nan]),
    np.array([0.1, 0.4, 0.3]),
    np.array(["good", "none", "doubtful"], object),
)


@pytest.fixture
def table(qtbot):
    table = ClassTable()
    qtbot.addWidget(table)
    table.show_objects(COLUMNS, np.array([0, 1, 0]))
    table.resize(400, 300)
    table.show()
    return table


def texts(table):
    rows = table.rows
    return [
        [rows.index(row, column).data() for column in range(len(HEADS))]
        for row in range(rows.rowCount())
    ]


def click(table, qtbot, row, twice=False):
    viewport = table.view.viewport()
    at = table.view.visualRect(table.rows.index(row, 0)).center()
    press = qtbot.mouseDClick if twice else qtbot.mouseClick
    press(viewport, Qt.MouseButton.LeftButton, pos=at)


def test_each_object_has_a_row_and_its_class_a_color(table):
    assert texts(table)[0] == ["2", "nuclei", "0.50", "0.10", "good"]
    assert texts(table)[2][2] == "-"
    colors = [
        table.rows.index(row, 1).data(Qt.ItemDataRole.DecorationRole).name() for row in range(3)
    ]
    assert colors[0] == colors[2] != colors[1]
    assert isinstance(table.rows.index(0, 1).data(Qt.ItemDataRole.DecorationRole), QColor)


def test_a_click_on_a_row_reports_its_label_also_when_sorted(table, qtbot):
    heard = []
    table.selected.connect(heard.append)
    table.centered.connect(lambda label: heard.append(-label))
    click(table, qtbot, 1)
    table.view.sortByColumn(3, Qt.SortOrder.DescendingOrder)
    assert [row[0] for row in texts(table)] == ["5", "9", "2"]
    click(table, qtbot, 2)
    click(table, qtbot, 2)
    click(table, qtbot, 2, twice=True)
    assert heard[:2] == [5, 2]
    assert heard[-1] == -2


def test_selecting_a_label_is_not_reported_back(table, qtbot):
    with qtbot.assertNotEmitted(table.selected):
        table.select(9)
        table.select(4)
    table.select(9)
    assert table.view.currentIndex().row() == 2


def test_twenty_thousand_objects_are_shown_at_once(table):
    many = 20_000
    words, trust = (np.full(many, word, object) for word in ("a", "good"))
    columns = [np.arange(1, many + 1), words, *np.zeros((2, many)), trust]
    table.show_objects(columns, np.zeros(many, np.intp))
    assert table.rows.rowCount() == many
    table.select(many)
    assert table.view.currentIndex().row() == many - 1


def test_nothing_to_show_hides_it_but_not_its_place(table):
    heard = []
    table.seen.connect(heard.append)
    table.show_objects((), np.zeros(0, np.intp))
    assert not table.body.isVisible()
    assert table.isVisible()
    table.hide()
    assert heard == [False]
    assert table.rows.row_of(3) is None


def test_buttons_request_what_they_say(table, qtbot):
    buttons = {button.text(): button for button in table.findChildren(QToolButton)}
    with qtbot.waitSignal(table.table_requested):
        buttons["All features"].click()
    with qtbot.waitSignal(table.gated_requested):
        buttons["Passing to Labels"].click()


def test_trust_has_its_colors_and_is_sorted_by_how_much_it_is(table):
    def colors():
        cells = [table.rows.index(row, 4) for row in range(3)]
        return [cell.data(Qt.ItemDataRole.ForegroundRole).name() for cell in cells]

    assert colors() == [TRUST_COLORS[each][0] for each in ("good", "none", "doubtful")]
    table.set_dark(False)
    assert colors() == [TRUST_COLORS[each][1] for each in ("good", "none", "doubtful")]
    table.view.sortByColumn(4, Qt.SortOrder.AscendingOrder)
    assert [row[4] for row in texts(table)] == ["none", "doubtful", "good"]
