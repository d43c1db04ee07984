from __future__ import annotations

import pytest
from qtpy.QtCore import Qt
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

    answers = []
    ask_replace(parent, "nuclei", True, answers.append)
    assert not answers, "asking does not wait"
    (box,) = (w for w in QApplication.topLevelWidgets() if isinstance(w, QMessageBox))
    (button,) = (b for b in box.buttons() if b.text().replace("&", "") == text)
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    assert answers == [answer]


@pytest.mark.parametrize(
    "leave",
    [lambda box, qtbot: qtbot.keyClick(box, Qt.Key.Key_Escape), lambda box, qtbot: box.close()],
    ids=["escape", "closed"],
)
def test_who_leaves_the_question_changes_nothing(qtbot, leave):
    parent = QWidget()
    qtbot.addWidget(parent)
    answers = []
    ask_replace(parent, "nuclei", True, answers.append)
    (box,) = (w for w in QApplication.topLevelWidgets() if isinstance(w, QMessageBox))
    leave(box, qtbot)
    assert answers == [ReplaceAnswer.CANCEL]


def test_a_layer_that_another_plugin_finds_by_name_has_no_second(qtbot):
    parent = QWidget()
    qtbot.addWidget(parent)
    box = replace_box(parent, "point_prompts", new_possible=False)
    assert "point_prompts" in box.text()
    assert len(box.buttons()) == 2
