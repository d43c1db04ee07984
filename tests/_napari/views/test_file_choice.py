from __future__ import annotations

import pytest
from qtpy.QtWidgets import QFileDialog, QWidget

from napari_clip_heatmap._napari.views.file_choice import choose_file


@pytest.fixture
def parent(qtbot):
    parent = QWidget()
    qtbot.addWidget(parent)
    parent.show()
    return parent


def test_it_returns_at_once_and_hands_on_what_is_chosen(parent, qtbot, tmp_path):
    chosen = []
    choose_file(parent, "Save", chosen.append, filters="Text (*.txt)", save_as="a.txt")
    dialog = parent.findChild(QFileDialog)
    assert dialog.isVisible()
    assert dialog.acceptMode() == QFileDialog.AcceptMode.AcceptSave
    dialog.fileSelected.emit(str(tmp_path / "a.txt"))
    dialog.reject()
    assert chosen == [str(tmp_path / "a.txt")]
    qtbot.waitUntil(lambda: parent.findChild(QFileDialog) is None)


def test_cancelled_it_hands_on_nothing(parent):
    choose_file(parent, "Open", pytest.fail)
    dialog = parent.findChild(QFileDialog)
    assert dialog.fileMode() == QFileDialog.FileMode.ExistingFile
    dialog.reject()


def test_a_folder_is_asked_for(parent):
    choose_file(parent, "Open", pytest.fail, folder=True)
    dialog = parent.findChild(QFileDialog)
    assert dialog.fileMode() == QFileDialog.FileMode.Directory
    dialog.reject()
