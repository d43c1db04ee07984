"""Buttons that make layers and files of objects; they decide nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QGridLayout, QMenu, QSizePolicy, QToolButton, QWidget

from napari_clip_heatmap._napari.views.annotation.file_filters import choose_objects_file
from napari_clip_heatmap._napari.views.annotation.on_screen import OnScreen

__all__ = ["FRAME", "LAYER_MENUS", "MakeButtons"]

FRAME = (
    "QToolButton { border: 1px solid rgba(128, 128, 128, 140); border-radius: 2px; padding: 3px; }"
)
"""napari draws tool buttons without a frame."""

LAYER_MENUS = (
    (
        "To Labels",
        (
            ("One layer per prompt", "labels"),
            ("One layer, colored by prompt", "labels_all"),
        ),
    ),
    (
        "To Points",
        (("Peaks of the map", "points"), ("Seeds for micro-sam (point_prompts)", "point_prompts")),
    ),
    (
        "To Shapes",
        (
            ("Outlines", "outlines"),
            ("Boxes", "boxes"),
            ("Boxes for micro-sam (prompts)", "box_prompts"),
        ),
    ),
)
"""Text of each button, and its entries with what they request; the first is the button's own."""


class MakeButtons(OnScreen):
    """Buttons with menus.

    Signals
    -------
    layer_requested : str
        One of the requests in `LAYER_MENUS`.
    export_requested : str
        The path that the user chose.
    undo_requested
    """

    layer_requested = Signal(str)
    export_requested = Signal(str)
    undo_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(4)
        self.buttons: dict[str, QToolButton] = {}
        for column, (text, entries) in enumerate(LAYER_MENUS):
            grid.addWidget(self._menu_button(text, entries), 0, column)
        self.undo = self._button("Undo", self.undo_requested.emit)
        export = self._button("Export\N{HORIZONTAL ELLIPSIS}", self._choose_export)
        export.setToolTip("Write the objects: table, GeoJSON for QuPath, OME-Zarr or TIFF labels.")
        grid.addWidget(self.undo, 1, 0)
        grid.addWidget(export, 1, 1)
        self.show_undo("")

    def show_undo(self, what: str) -> None:
        """Show what can be undone; an empty text where there is nothing."""
        self.undo.setEnabled(bool(what))
        self.undo.setToolTip(f"Take back: {what}" if what else "Nothing to undo")

    def _menu_button(self, text: str, entries: Sequence[tuple[str, str]]) -> QToolButton:
        button = self._button(text, lambda: self.layer_requested.emit(entries[0][1]))
        menu = QMenu(button)
        for words, request in entries:
            menu.addAction(words, lambda request=request: self.layer_requested.emit(request))
        button.setMenu(menu)
        button.setPopupMode(QToolButton.ToolButtonPopupMode.MenuButtonPopup)
        return button

    def _button(self, text: str, slot: Callable[[], None]) -> QToolButton:
        button = QToolButton()
        button.setText(text)
        button.setAccessibleName(text)
        button.setStyleSheet(FRAME)
        button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        button.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        button.clicked.connect(slot)
        self.buttons[text] = button
        return button

    def _choose_export(self) -> None:
        choose_objects_file(self, self.export_requested.emit, "objects.csv")
