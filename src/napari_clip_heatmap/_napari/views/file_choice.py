"""Ask for a file without stopping the window."""

from __future__ import annotations

from collections.abc import Callable

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFileDialog, QWidget

__all__ = ["choose_file"]


def choose_file(
    parent: QWidget,
    title: str,
    chosen: Callable[[str], object],
    *,
    filters: str = "",
    save_as: str = "",
    folder: bool = False,
) -> QFileDialog:
    """Open a file dialog, and return it at once.

    Qt's own functions for this wait in an event loop of their own, in which the rest of the window
    goes on and may take away what the caller stands on.

    Parameters
    ----------
    parent : QWidget
    title : str
    chosen : callable(str)
        Called with the path, unless the user cancels.
    filters : str
        Kinds of files, as Qt takes them.
    save_as : str
        Name to begin with, where a file is to be written.
    folder : bool
        Whether to ask for a folder.
    """
    dialog = QFileDialog(parent, title, save_as, filters)
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    if save_as:
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
    mode = QFileDialog.FileMode
    kind = mode.AnyFile if save_as else mode.ExistingFile
    dialog.setFileMode(mode.Directory if folder else kind)
    dialog.fileSelected.connect(chosen)
    dialog.open()
    return dialog
