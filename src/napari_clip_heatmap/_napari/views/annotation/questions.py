"""Questions to the user about layers and files."""

from __future__ import annotations

from collections.abc import Callable

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QMessageBox, QWidget

from napari_clip_heatmap._napari.annotation_state import ReplaceAnswer

__all__ = ["ask_replace", "replace_box"]


def replace_box(parent: QWidget, name: str, *, new_possible: bool) -> QMessageBox:
    """Return the question what to do with a layer that was changed by hand."""
    box = QMessageBox(parent)
    box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    box.setIcon(QMessageBox.Icon.Question)
    box.setWindowTitle("CLIP Heatmap")
    box.setText(f"'{name}' was changed by hand.")
    box.setInformativeText("Replace it? What was drawn in it would be lost.")
    box.addButton("Replace", QMessageBox.ButtonRole.DestructiveRole)
    if new_possible:
        box.addButton("Make a new layer", QMessageBox.ButtonRole.AcceptRole)
    box.setDefaultButton(box.addButton(QMessageBox.StandardButton.Cancel))
    return box


def ask_replace(
    parent: QWidget, name: str, new_possible: bool, then: Callable[[ReplaceAnswer], None]
) -> None:
    """Ask what to do with a layer that was changed by hand; `then` gets the answer."""
    box = replace_box(parent, name, new_possible=new_possible)
    roles = {
        QMessageBox.ButtonRole.DestructiveRole: ReplaceAnswer.REPLACE,
        QMessageBox.ButtonRole.AcceptRole: ReplaceAnswer.NEW,
    }

    def answer(_result: int) -> None:
        then(roles.get(box.buttonRole(box.clickedButton()), ReplaceAnswer.CANCEL))

    box.finished.connect(answer)
    box.open()  # not exec, which would start a nested event loop
