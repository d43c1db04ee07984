from __future__ import annotations

import pytest
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QApplication, QMessageBox, QWidget

from napari_clip_heatmap._napari.annotation_state import ReplaceAnswer
from napari_clip_heatmap._napari.views.annotation.questions import ask_replace, replace_box


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("Replace", ReplaceAnswer.REPLACE),
        ("Make a new layer", ReplaceAnswer.NEW),
        ("Cancel", ReplaceAnswer.CANCEL),
    ],
)
def test_each_button_is_an_answer(qtbot, text, answer):
    parent = QWidget()
    qtbot.addWidget(parent)

    def press():
        (box,) = (w for w in QApplication.topLevelWidgets() if isinstance(w, QMessageBox))
        (button,) = (b for b in box.buttons() if b.text().replace("&", "") == text)
        button.click()

    QTimer.singleShot(100, press)
    assert ask_replace(parent, "nuclei", True) is answer


def test_a_layer_that_another_plugin_finds_by_name_has_no_second(qtbot):
    parent = QWidget()
    qtbot.addWidget(parent)
    box = replace_box(parent, "point_prompts", new_possible=False)
    assert "point_prompts" in box.text()
    assert len(box.buttons()) == 2
