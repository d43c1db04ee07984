"""A folder of encoded images on screen: pictures in rows, the most similar to the words first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from qtpy.QtCore import QSize, Qt, Signal
from qtpy.QtGui import QColor, QIcon, QPixmap
from qtpy.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QListView,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_clip_heatmap._napari.views.file_choice import choose_file

__all__ = ["EncodedImagesView"]

ICON = 96
"""Pixels of the longer side of a picture."""

CELL = QSize(ICON + 12, ICON + 44)
"""Room for a picture and two lines of text."""

_NUMBER = Qt.ItemDataRole.UserRole


class EncodedImagesView(QWidget):  # type: ignore[misc] # qtpy ships no types
    """Words above, pictures below.

    Attributes
    ----------
    words_changed : Signal(str)
    opened : Signal(int)
        The number of the image that was clicked, or chosen with Enter.
    """

    words_changed = Signal(str)
    opened = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.choose = QPushButton("Open a folder\N{HORIZONTAL ELLIPSIS}")
        self.choose.setToolTip("A folder that `clip-heatmap encode` has written")
        self.folder = QLabel("")
        self.words = QLineEdit()
        self.words.setPlaceholderText("What to look for, such as: a cell in mitosis")
        self.words.setToolTip(
            "Images are sorted by their similarity to these words. Compare similarities of images "
            "of one kind only."
        )
        self.pictures = QListWidget()
        self.pictures.setViewMode(QListView.ViewMode.IconMode)
        self.pictures.setResizeMode(QListView.ResizeMode.Adjust)
        self.pictures.setMovement(QListView.Movement.Static)
        self.pictures.setUniformItemSizes(True)
        self.pictures.setWordWrap(True)
        self.pictures.setIconSize(QSize(ICON, ICON))
        self.pictures.setGridSize(CELL)
        self.status = QLabel("")
        self.status.setWordWrap(True)
        self._items: list[QListWidgetItem] = []
        self._lay_out()
        self.words.textChanged.connect(self.words_changed)
        self.pictures.itemClicked.connect(self._on_item)
        self.pictures.itemActivated.connect(self._on_item)

    def ask_for_folder(self, chosen: Callable[[Path], None]) -> None:
        """Let the user choose a folder."""
        choose_file(self, "Open encoded images", lambda path: chosen(Path(path)), folder=True)

    def add(self, name: str, thumbnail: Path | None) -> None:
        """Add an image as the last."""
        item = QListWidgetItem(_icon(thumbnail), name)
        item.setData(_NUMBER, len(self._items))
        item.setToolTip(name)
        item.setTextAlignment(Qt.AlignmentFlag.AlignHCenter)
        item.setSizeHint(CELL)
        self._items.append(item)
        self.pictures.addItem(item)

    def clear(self) -> None:
        """Remove all images."""
        self.pictures.clear()
        self._items.clear()

    def show_order(self, order: Sequence[int], texts: Sequence[str]) -> None:
        """Show images in an order, each with a text.

        Parameters
        ----------
        order : sequence of int
            Numbers of the images, the first one first.
        texts : sequence of str
            By number.
        """
        self.pictures.setUpdatesEnabled(False)
        try:
            while self.pictures.count():
                self.pictures.takeItem(self.pictures.count() - 1)
            for number in order:
                self._items[number].setText(texts[number])
                self.pictures.addItem(self._items[number])
        finally:
            self.pictures.setUpdatesEnabled(True)
        self.pictures.scrollToTop()

    def shown(self) -> list[str]:
        """Return the texts of the images, in their order on screen."""
        return [self.pictures.item(row).text() for row in range(self.pictures.count())]

    def _on_item(self, item: QListWidgetItem) -> None:
        self.opened.emit(item.data(_NUMBER))

    def _lay_out(self) -> None:
        top = QHBoxLayout()
        top.addWidget(self.choose)
        top.addWidget(self.folder, stretch=1)
        column = QVBoxLayout(self)
        column.addLayout(top)
        column.addWidget(self.words)
        column.addWidget(self.pictures, stretch=1)
        column.addWidget(self.status)


def _icon(thumbnail: Path | None) -> QIcon:
    """Return a picture in a square, or a gray square where there is none."""
    square = QPixmap(ICON, ICON)
    square.fill(QColor(0, 0, 0, 0) if thumbnail else QColor(128, 128, 128, 80))
    picture = QPixmap(str(thumbnail)) if thumbnail else QPixmap()
    if picture.isNull():
        return QIcon(square)
    return QIcon(picture.scaled(ICON, ICON, Qt.AspectRatioMode.KeepAspectRatio))
