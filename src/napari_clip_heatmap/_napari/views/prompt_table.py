"""The prompts of the dock widget: a table with a row per prompt, and the buttons below it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

from magicgui.widgets import Container
from napari.utils.colormaps import AVAILABLE_COLORMAPS
from napari.utils.notifications import show_error
from psygnal import Signal
from pydantic import ValidationError
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QHBoxLayout, QMenu, QToolButton

from napari_clip_heatmap._napari.colormaps import COLORMAPS, LayerStyle
from napari_clip_heatmap._napari.state import PromptRow
from napari_clip_heatmap._napari.views.file_choice import choose_file
from napari_clip_heatmap._napari.views.prompt_model import PromptModel, lines_of, rows_of
from napari_clip_heatmap._napari.views.prompt_view import PromptView
from napari_clip_heatmap.errors import PromptError
from napari_clip_heatmap.prompting.prompt_set import (
    SUFFIXES,
    Entry,
    PromptSet,
    first_fault,
    load_set,
    save_set,
    shipped_set,
    shipped_sets,
)

__all__ = ["PromptTable"]

FILES = "Sets of prompts ({})".format(" ".join(f"*{suffix}" for suffix in SUFFIXES))


RECENT_WIDTH = 360
"""Pixels of an entry of the menu of recent prompts."""


class PromptTable(Container[Any]):
    """A table of prompts; its value is the list of words that are not blank, without examples.

    Parameters
    ----------
    value : iterable of str
    style : callable
        Returns how maps become colors.

    Signals
    -------
    changed : list of str
        The prompts have changed.
    loaded : PromptSet
        A set of prompts was loaded.
    **options
        As magicgui's containers take them.
    """

    loaded = Signal(PromptSet)

    def __init__(
        self,
        *,
        value: Iterable[str] = (),
        style: Callable[[], LayerStyle] = LayerStyle,
        **options: Any,
    ) -> None:
        super().__init__(widgets=(), labels=False, **options)
        self.model = PromptModel(self.native)
        self.view = PromptView(self.model, COLORMAPS, style, self.native)
        self.view.setToolTip(self.tooltip)
        self.templates: str | tuple[str, ...] = "plain"
        self.recent: tuple[tuple[str, ...], ...] = ()
        layout = self.native.layout()
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addWidget(self.view)
        layout.addLayout(self._buttons())
        self.native.setFocusProxy(self.view)
        self.model.reset(rows_of(value))
        self.model.prompts_changed.connect(lambda: self.changed.emit(self.value))
        self.model.dropped.connect(self.load)

    @property
    def rows(self) -> tuple[PromptRow, ...]:
        """The rows that are not blank, in order."""
        return tuple(row for row in self.model.rows if row.prompt)

    @property
    def value(self) -> list[str]:
        """The prompts in words, in order; an example's name alone says nothing."""
        return [row.prompt for row in self.rows if row.example is None]

    @value.setter
    def value(self, prompts: str | Iterable[str]) -> None:
        given = lines_of(prompts) if isinstance(prompts, str) else [p.strip() for p in prompts]
        self.model.edit(rows_of(filter(None, given), self.model.rows), "set")

    def set_appearance(self, points: float, *, dark: bool) -> None:
        """Take the theme's font size, and colors that can be read on its background."""
        font = self.native.font()
        font.setPointSizeF(points)
        self.native.setFont(font)
        for part in (
            self.view,
            self.view.horizontalHeader(),
            *self.native.findChildren(QToolButton),
        ):
            part.setFont(font)
        self.model.dark = dark
        self.repaint()

    def repaint(self) -> None:
        """Draw the rows again, whose colors may have changed."""
        self.view.viewport().update()

    def load(self, path: str | Path) -> None:
        """Load the prompts of a file; show an error and keep the prompts if that fails."""
        try:
            self._take(load_set(Path(path)))
        except PromptError as error:
            show_error(str(error))

    def save(self, path: str | Path) -> None:
        """Write the prompts to a file; show an error if that fails."""
        try:
            entries = tuple(
                Entry(prompt=r.prompt, colormap=r.colormap, example=r.example and r.asked)
                for r in self.rows
            )
            if not entries:
                raise PromptError("there is no prompt to save: type at least one")
            save_set(PromptSet(prompts=entries, templates=self.templates), Path(path))
        except PromptError as error:
            show_error(str(error))
        except ValidationError as error:  # a prompt that cannot be parsed
            show_error(f"not saved: {first_fault(error)}")

    def sets_menu(self) -> QMenu:
        """Return the menu of shipped sets and of files."""
        menu = QMenu(self.native)
        for name in shipped_sets():
            menu.addAction(name.capitalize(), partial(self._take_shipped, name))
        recent = menu.addMenu("Recent")
        recent.aboutToShow.connect(partial(self._list_recent, recent))
        menu.addSeparator()
        menu.addAction("Open a file\N{HORIZONTAL ELLIPSIS}", self._ask_open)
        menu.addAction("Save to a file\N{HORIZONTAL ELLIPSIS}", self._ask_save)
        return menu

    def _list_recent(self, menu: QMenu) -> None:
        """Offer the prompts of the last runs."""
        menu.clear()
        for prompts in self.recent:
            text = menu.fontMetrics().elidedText(
                ", ".join(prompts), Qt.TextElideMode.ElideRight, RECENT_WIDTH
            )
            menu.addAction(text, partial(setattr, self, "value", prompts))
        if not self.recent:
            menu.addAction("No run yet").setEnabled(False)

    def _take_shipped(self, name: str) -> None:
        self._take(shipped_set(name))

    def _take(self, chosen: PromptSet) -> None:
        old = {row.prompt: row.key for row in self.model.rows}
        rows = []
        for entry in chosen.prompts:
            known = entry.colormap if entry.colormap in (*COLORMAPS, *AVAILABLE_COLORMAPS) else ""
            key = old.pop(entry.prompt, None) or uuid4().hex
            rows.append(PromptRow(entry.prompt, known, key, entry.example))
        self.templates = chosen.templates
        self.model.edit(rows, f"set {chosen.name}")
        self.loaded.emit(chosen)

    def _ask_open(self) -> None:
        choose_file(self.native, "Open a set of prompts", self.load, filters=FILES)

    def _ask_save(self) -> None:
        choose_file(
            self.native, "Save the prompts", self.save, filters=FILES, save_as="prompts.yaml"
        )

    def _buttons(self) -> QHBoxLayout:
        line = QHBoxLayout()
        for name, text, tooltip, slot in (
            ("add", "+", "Add a prompt (Enter).", self.view.add),
            ("remove", "\N{MINUS SIGN}", "Remove the selected prompts (Delete).", self.view.remove),
            ("up", "\N{UPWARDS ARROW}", "Move up (Ctrl+Up).", lambda: self.view.move(-1)),
            ("down", "\N{DOWNWARDS ARROW}", "Move down (Ctrl+Down).", lambda: self.view.move(1)),
            ("undo", "\N{LEFTWARDS ARROW WITH HOOK}", "Undo (Ctrl+Z).", self.model.stack.undo),
        ):
            button = _button(name, text, tooltip)
            button.clicked.connect(slot)
            line.addWidget(button)
        line.addStretch()
        sets = _button("sets", "Sets  ", "Load or save a set of prompts; files can be dropped too.")
        sets.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        sets.setMenu(self.sets_menu())
        line.addWidget(sets)
        return line


def _button(name: str, text: str, tooltip: str) -> QToolButton:
    button = QToolButton()
    button.setObjectName(name)
    button.setText(text)
    button.setToolTip(tooltip)
    button.setAccessibleName(tooltip)
    button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
    return button
