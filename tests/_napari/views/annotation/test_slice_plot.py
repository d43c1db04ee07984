from __future__ import annotations

import pytest
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QFileDialog, QToolButton

from napari_clip_heatmap._napari.annotation_state import SliceFigures
from napari_clip_heatmap._napari.views.annotation.slice_plot import SlicePlot
from napari_clip_heatmap.annotation.palette import distinct_color

FIGURES = (
    SliceFigures("nuclei", "t", (0, 1, 2), (3, 5, 0), (30.0, 55.0, 0.0)),
    SliceFigures("debris", "t", (0, 1, 2), (1, 1, 1), (4.0, 4.0, 4.0)),
)


@pytest.fixture
def plot(qtbot):
    plot = SlicePlot()
    qtbot.addWidget(plot)
    plot.resize(300, 200)
    return plot


def test_it_is_there_while_there_are_figures(plot):
    plot.show()
    plot.show_figures(FIGURES)
    assert plot.isVisible()
    plot.show_figures(())
    assert not plot.isVisible()


def test_each_prompt_is_a_line_of_its_color(plot):
    plot.show_figures(FIGURES)
    image = plot.canvas.grab().toImage()
    seen = {
        image.pixelColor(x, y).name() for x in range(image.width()) for y in range(image.height())
    }
    for number in range(2):
        assert QColor(*distinct_color(number)).name() in seen


def test_counts_or_areas_can_be_shown(plot):
    plot.show_figures(FIGURES)
    assert "nuclei: 5 at most" in plot.canvas.toolTip()
    plot.quantity.setCurrentText("area")
    assert "nuclei: 55 at most" in plot.canvas.toolTip()


def test_saving_asks_for_a_path(plot, qtbot, monkeypatch):
    plot.show_figures(FIGURES)
    monkeypatch.setattr(QFileDialog, "open", lambda box: box.fileSelected.emit("a.csv"))
    with qtbot.waitSignal(plot.save_requested) as signal:
        plot.findChild(QToolButton).click()
    assert signal.args == ["a.csv"]
