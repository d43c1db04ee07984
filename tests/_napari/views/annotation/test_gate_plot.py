from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtCore import QPoint, Qt

from napari_clip_heatmap._napari.views.annotation.gate_plot import FAILING, GATE, GatePlot

SCORES = {"nuclei": np.linspace(0, 1, 101), "debris": np.array([np.nan, 0.2, 0.4] * 10)}


@pytest.fixture
def plot(qtbot):
    plot = GatePlot()
    qtbot.addWidget(plot)
    plot.resize(300, 200)
    plot.show_scores(SCORES, {})
    plot.show()
    return plot


def test_the_mouse_drags_the_gate(plot, qtbot):
    heard = []
    plot.gated.connect(lambda *args: heard.append(args))
    bars = plot.histogram
    for value in (0.25, 0.75):
        at = QPoint(round(bars.position_of(value)), 40)
        qtbot.mousePress(bars, Qt.MouseButton.LeftButton, pos=at)
    assert [prompt for prompt, _ in heard] == ["nuclei"] * 2
    assert heard[-1][1] == pytest.approx(0.75, abs=0.01)
    assert bars.gate == heard[-1][1]
    assert plot.summary.text().startswith("26 of 101 objects pass")


def test_the_arrow_keys_move_it_and_it_stays_inside(plot, qtbot):
    bars = plot.histogram
    qtbot.keyClick(bars, Qt.Key.Key_Right)
    first = bars.gate
    qtbot.keyClick(bars, Qt.Key.Key_Right)
    assert 0 < first < bars.gate < 0.1
    for _ in range(5):
        qtbot.keyClick(bars, Qt.Key.Key_Left)
    assert bars.gate == 0
    qtbot.keyClick(bars, Qt.Key.Key_A)


def test_each_prompt_has_a_gate_of_its_own(plot, qtbot):
    plot.histogram.gate_moved.emit(0.5)
    plot.prompts.setCurrentText("debris")
    assert plot.histogram.gate is None
    assert "30 of 30" not in plot.summary.text() or "drag" in plot.summary.text()
    plot.prompts.setCurrentText("nuclei")
    assert plot.histogram.gate == 0.5


def test_bars_below_the_gate_are_gray_and_the_gate_is_drawn(plot):
    plot.histogram.gate_moved.emit(0.5)
    image = plot.histogram.grab().toImage()
    colors = {image.pixelColor(x, 60).name() for x in range(image.width())}
    assert {FAILING.name(), GATE.name()} <= colors


def test_no_objects_hide_it_and_equal_scores_can_be_shown(plot):
    plot.show_scores({"nuclei": np.full(3, 0.5)}, {})
    assert plot.isVisible()
    plot.show_scores({"nuclei": np.full(3, np.nan)}, {})
    plot.histogram.grab()
    plot.show_scores({}, {})
    assert not plot.isVisible()
