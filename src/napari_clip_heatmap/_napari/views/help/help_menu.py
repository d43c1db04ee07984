"""The menu of the question mark, and the windows with its answers."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QMenu, QMessageBox, QPushButton, QWidget

from napari_clip_heatmap._napari.views.help.help_topics import TOPICS, TOUR, HelpTopic
from napari_clip_heatmap._napari.views.help.tour_bubble import TourBubble

__all__ = ["HelpMenu"]


class HelpMenu(QMenu):  # type: ignore[misc] # qtpy ships no types
    """Questions to choose from, and a tour of the dock.

    Parameters
    ----------
    button : QPushButton
        Gets the menu.
    controls : mapping of str to QWidget
        The controls that the tour points at.
    """

    tour_requested = Signal()

    def __init__(self, button: QPushButton, controls: Mapping[str, QWidget]) -> None:
        super().__init__(button)
        button.setMenu(self)
        self._controls = controls
        self.bubble: TourBubble | None = None
        for topic in TOPICS:
            self.addAction(topic.question, lambda topic=topic: self.show_answer(topic))
        self.addSeparator()
        self.addAction("Show me around", self.start_tour)

    def show_answer(self, topic: HelpTopic) -> QMessageBox:
        """Open a window with the answer and a link to the page with more; it blocks nothing."""
        box = QMessageBox(self.parentWidget())
        box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        box.setWindowTitle(topic.question)
        box.setTextFormat(Qt.TextFormat.RichText)
        answer = escape(topic.answer).replace("\n", "<br>")
        box.setText(f'{answer}<p><a href="{topic.address}">Read more</a></p>')
        box.setTextInteractionFlags(Qt.TextInteractionFlag.TextBrowserInteraction)
        box.setModal(False)
        box.show()
        return box

    def start_tour(self) -> TourBubble:
        """Show the first step; it goes on by its own buttons."""
        if self.bubble is not None:
            self.bubble.close()
        self.bubble = TourBubble(self._controls, TOUR)
        self.bubble.finished.connect(self._forget)
        self.bubble.show_step(0)
        return self.bubble

    def _forget(self) -> None:
        self.bubble = None
