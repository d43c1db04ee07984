"""The menu of what can be done with heatmap layers and encodings; decides nothing."""

from __future__ import annotations

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QMenu, QMessageBox, QPushButton

from napari_clip_heatmap._napari.views.file_choice import choose_file

__all__ = ["ExportMenu"]

FILES = "Encodings (*.zarr.zip *.zarr)"
ELLIPSIS = "\N{HORIZONTAL ELLIPSIS}"


class ExportMenu(QMenu):  # type: ignore[misc] # qtpy ships no types
    """The menu of a button.

    Signals
    -------
    script_requested, methods_requested, edges_requested, clear_requested
    save_requested, open_requested : str
        The path that the user chose.
    about_to_show
    """

    script_requested = Signal()
    methods_requested = Signal()
    edges_requested = Signal()
    save_requested = Signal(str)
    open_requested = Signal(str)
    clear_requested = Signal()
    about_to_show = Signal()

    def __init__(self, button: QPushButton) -> None:
        super().__init__(button)
        button.setMenu(self)
        self.addAction("Copy as Python", self.script_requested.emit)
        self.addAction("Copy methods text", self.methods_requested.emit)
        self.addAction("Draw along edges (display only)", self.edges_requested.emit)
        self.addSeparator()
        self.addAction(f"Save the encoding{ELLIPSIS}", self._choose_save)
        self.addAction(f"Open an encoding{ELLIPSIS}", self._choose_open)
        self.addSeparator()
        self._clear = self.addAction(f"Clear the cache{ELLIPSIS}", self.ask_clear)
        self.aboutToShow.connect(self.about_to_show.emit)

    def show_cache_size(self, megabytes: float) -> None:
        """Show how much the cache holds on disk."""
        self._clear.setText(f"Clear the cache ({megabytes:.0f} MB){ELLIPSIS}")

    def ask_clear(self) -> None:
        """Ask before what cannot be undone."""
        box = QMessageBox(self.parentWidget())
        box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        box.setIcon(QMessageBox.Icon.Question)
        box.setText("Remove all encodings from the disk?")
        box.setInformativeText("Images are then encoded again, which takes as long as before.")
        box.addButton("Clear", QMessageBox.ButtonRole.AcceptRole)
        box.setDefaultButton(box.addButton(QMessageBox.StandardButton.Cancel))
        box.accepted.connect(self.clear_requested.emit)
        box.open()  # not exec, which would start a nested event loop

    def _choose_save(self) -> None:
        choose_file(
            self.parentWidget(),
            "Save the encoding",
            self.save_requested.emit,
            filters=FILES,
            save_as="encoding.zarr.zip",
        )

    def _choose_open(self) -> None:
        choose_file(
            self.parentWidget(), "Open an encoding", self.open_requested.emit, filters=FILES
        )
