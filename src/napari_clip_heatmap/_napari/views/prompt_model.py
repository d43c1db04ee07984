"""The prompt table as Qt sees it: rows, what they show, and every edit undoable."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from qtpy.QtCore import QAbstractTableModel, QMimeData, QModelIndex, Qt, Signal
from qtpy.QtGui import QBrush, QColor, QUndoCommand, QUndoStack

from napari_clip_heatmap._napari.state import PromptRow
from napari_clip_heatmap._napari.views.prompt_cells import (
    BAR,
    HEADS,
    SOLO_SIGN,
    WORDS,
    PromptColumn,
)
from napari_clip_heatmap.pipeline.verdicts import Verdict

__all__ = ["PromptModel", "RowFigures", "lines_of", "rows_of"]


MOVED = "application/x-clip-heatmap-row"
"""What a row is while it is dragged."""


class PromptModel(QAbstractTableModel):  # type: ignore[misc] # qtpy ships no types
    """Rows that can be edited, moved, dropped onto, and undone.

    Signals
    -------
    asked
        The prompts are others now, or in another order.
    colored : key
        A row has another colormap.
    show : key, bool
        The user wants a layer shown, or hidden.
    solo : key
        The user wants one layer alone, or no longer.
    dropped : path
        A file was dropped onto the table.
    """

    asked = Signal()
    colored = Signal(str)
    show = Signal(str, bool)
    solo = Signal(str)
    dropped = Signal(str)

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self.rows: tuple[PromptRow, ...] = ()
        self.stack = QUndoStack(self)
        self._visible: dict[str, bool] = {}
        self._figures: dict[str, RowFigures] = {}
        self._here: dict[str, float] = {}
        self._soloed = ""

    # What the rows are.

    def edit(self, rows: Iterable[PromptRow], what: str) -> None:
        """Make the rows others; `what` names it for undo."""
        rows = tuple(rows)
        if rows != self.rows:
            self.stack.push(_Edit(self, rows, what))

    def reset(self, rows: Iterable[PromptRow]) -> None:
        """Make the rows others, with nothing to undo."""
        self.stack.clear()
        self.become(tuple(rows))

    def become(self, rows: tuple[PromptRow, ...]) -> None:
        """Be these rows, and tell those who ask and those who paint."""
        old = self.rows
        if [row.key for row in old] == [row.key for row in rows]:
            self.rows = rows
            self._repaint(*PromptColumn)
        else:
            self.beginResetModel()
            self.rows = rows
            self.endResetModel()
        if [(r.key, r.prompt) for r in old] != [(r.key, r.prompt) for r in rows]:
            self.asked.emit()
        colours = {row.key: row.colormap for row in old}
        for row in rows:
            if colours.get(row.key, row.colormap) != row.colormap:
                self.colored.emit(row.key)

    def insert(self, prompts: Sequence[str], at: int | None = None) -> int:
        """Add prompts before a row, by default at the end; return where the first went."""
        place = len(self.rows) if at is None else at
        new = tuple(map(PromptRow, prompts))
        self.edit((*self.rows[:place], *new, *self.rows[place:]), "add")
        return place

    def remove(self, places: Iterable[int]) -> None:
        """Take rows out."""
        gone = set(places)
        self.edit((row for n, row in enumerate(self.rows) if n not in gone), "remove")

    def move(self, place: int, to: int) -> None:
        """Put a row where another is."""
        if 0 <= place < len(self.rows) and 0 <= to < len(self.rows):
            rows = list(self.rows)
            rows.insert(to, rows.pop(place))
            self.edit(rows, "move")

    def colour(self, place: int, colormap: str) -> None:
        """Give a row's layer another colormap."""
        rows = list(self.rows)
        rows[place] = replace(rows[place], colormap=colormap)
        self.edit(rows, "colour")

    # What the rows show.

    def set_visible(self, visible: Mapping[str, bool], soloed: str = "") -> None:
        """Show which rows' layers are visible; a row that is not named has no layer."""
        self._visible, self._soloed = dict(visible), soloed
        self._repaint(PromptColumn.SHOWN, PromptColumn.SOLO)

    def set_figures(self, figures: Mapping[str, RowFigures]) -> None:
        """Show what is known of the maps."""
        self._figures = dict(figures)
        self._repaint(PromptColumn.SIMILARITY, PromptColumn.WORTH)

    def set_cursor_values(self, here: Mapping[str, float]) -> None:
        """Show where in their maps' ranges the values beneath the cursor lie, 0..1."""
        if here or self._here:
            self._here = dict(here)
            self._repaint(PromptColumn.HERE)

    def _repaint(self, *columns: PromptColumn) -> None:
        if self.rows:
            for column in columns:
                first, last = self.index(0, column), self.index(len(self.rows) - 1, column)
                self.dataChanged.emit(first, last)

    # Qt's questions.

    def rowCount(self, parent: QModelIndex | None = None) -> int:  # noqa: N802
        return 0 if parent is not None and parent.isValid() else len(self.rows)

    def columnCount(self, parent: QModelIndex | None = None) -> int:  # noqa: N802
        return 0 if parent is not None and parent.isValid() else len(PromptColumn)

    def headerData(self, section: int, way: Any, role: int) -> Any:  # noqa: N802
        if way != Qt.Orientation.Horizontal:
            return None
        title, tooltip = HEADS[PromptColumn(section)]
        if role == Qt.ItemDataRole.DisplayRole:
            return title
        return tooltip if role == Qt.ItemDataRole.ToolTipRole else None

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        row, column = self.rows[index.row()], PromptColumn(index.column())
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.EditRole):
            return self._text(row, column)
        if role == Qt.ItemDataRole.CheckStateRole and column == PromptColumn.SHOWN:
            shown = self._visible.get(row.key, False)
            return Qt.CheckState.Checked if shown else Qt.CheckState.Unchecked
        if role == BAR:
            return self._bar(row, column)
        if role == Qt.ItemDataRole.ToolTipRole:
            figures = self._figures.get(row.key)
            told = figures.advice if figures and column == PromptColumn.WORTH else ""
            words = f"{row.prompt}\n\n" if column == PromptColumn.PROMPT else ""
            return told or words + HEADS[column][1]
        if role == Qt.ItemDataRole.ForegroundRole and column == PromptColumn.WORTH:
            verdict = self._figures.get(row.key, RowFigures()).verdict
            return None if verdict is None else QBrush(QColor(WORDS[verdict][1]))
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return f"{row.prompt}: {column.name.lower()} {self._text(row, column)}"
        return None

    def setData(self, index: QModelIndex, value: Any, role: int = Qt.ItemDataRole.EditRole) -> bool:  # noqa: N802
        row, column = self.rows[index.row()], PromptColumn(index.column())
        if column == PromptColumn.SHOWN and role == Qt.ItemDataRole.CheckStateRole:
            self.show.emit(row.key, Qt.CheckState(value) == Qt.CheckState.Checked)
            return True
        if column != PromptColumn.PROMPT or role != Qt.ItemDataRole.EditRole:
            return False
        self.rewrite(index.row(), str(value).strip())
        return True

    def rewrite(self, place: int, prompt: str) -> None:
        """Give a row other words; of words that come letter by letter, undo takes all back."""
        rows = list(self.rows)
        rows[place] = replace(rows[place], prompt=prompt)
        self.edit(rows, f"edit {rows[place].key}")

    def flags(self, index: QModelIndex) -> Any:
        if not index.isValid():
            return Qt.ItemFlag.ItemIsDropEnabled
        flags = (
            Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable | Qt.ItemFlag.ItemIsDragEnabled
        )
        column = PromptColumn(index.column())
        if column == PromptColumn.PROMPT:
            flags |= Qt.ItemFlag.ItemIsEditable
        if column == PromptColumn.SHOWN:
            flags |= Qt.ItemFlag.ItemIsUserCheckable
        return flags

    def supportedDropActions(self) -> Any:  # noqa: N802
        return Qt.DropAction.CopyAction | Qt.DropAction.MoveAction

    def mimeTypes(self) -> list[str]:  # noqa: N802
        return [MOVED, "text/uri-list", "text/plain"]

    def mimeData(self, indexes: Sequence[QModelIndex]) -> QMimeData:  # noqa: N802
        carried = QMimeData()
        place = indexes[0].row()
        carried.setData(MOVED, str(place).encode())
        carried.setText(self.rows[place].prompt)
        return carried

    def canDropMimeData(self, data: QMimeData, *_: Any) -> bool:  # noqa: N802
        return any(data.hasFormat(kind) for kind in self.mimeTypes())

    def dropMimeData(  # noqa: N802
        self, data: QMimeData, action: Any, row: int, column: int, parent: QModelIndex
    ) -> bool:
        place = row if row >= 0 else parent.row() if parent.isValid() else len(self.rows)
        if data.hasFormat(MOVED):
            start = int(bytes(data.data(MOVED).data()))
            self.move(start, place - (place > start))
        elif data.hasUrls():
            for url in data.urls():
                if url.isLocalFile():
                    self.dropped.emit(str(Path(url.toLocalFile())))
        else:
            self.insert(lines_of(data.text()), place)
        return False  # a view that is told of a move would take the row out once more

    def _text(self, row: PromptRow, column: PromptColumn) -> str:
        figures, here = self._figures.get(row.key), self._here.get(row.key)
        if column == PromptColumn.PROMPT:
            return row.prompt
        if column == PromptColumn.SOLO:
            return SOLO_SIGN
        if column == PromptColumn.COLOUR:
            return row.colormap
        if column == PromptColumn.HERE and here is not None:
            return f"{100 * here:.0f} %"
        if figures is None:
            return ""
        if column == PromptColumn.WORTH and figures.verdict is not None:
            return WORDS[figures.verdict][0]
        if column == PromptColumn.SIMILARITY and figures.similarity is not None:
            return f"{figures.similarity:.3f}"
        return ""

    def _bar(self, row: PromptRow, column: PromptColumn) -> float | None:
        figures, here = self._figures.get(row.key), self._here.get(row.key)
        if column == PromptColumn.HERE and here is not None:
            return here
        if (
            column == PromptColumn.SIMILARITY
            and figures is not None
            and figures.similarity is not None
        ):
            return figures.fraction
        if column == PromptColumn.SOLO:
            return 1.0 if row.key == self._soloed else None
        return None


class _Edit(QUndoCommand):  # type: ignore[misc] # qtpy ships no types
    """From some rows to others."""

    def __init__(self, model: PromptModel, rows: tuple[PromptRow, ...], what: str) -> None:
        super().__init__(what)
        self._model, self._before, self._after = model, model.rows, rows

    def id(self) -> int:
        """Only edits of words may become one."""
        return 1 if self.text().startswith("edit ") else -1

    def mergeWith(self, other: _Edit) -> bool:  # noqa: N802
        if other.text() != self.text():
            return False
        self._after = other._after
        return True

    def redo(self) -> None:
        self._model.become(self._after)

    def undo(self) -> None:
        self._model.become(self._before)


@dataclass(frozen=True)
class RowFigures:
    """What is known of a prompt's map.

    Parameters
    ----------
    similarity : float, optional
        Cosine of the whole of what was looked at.
    fraction : float
        Where that lies between the lowest and the highest in the table, 0..1.
    verdict : Verdict, optional
        What the map is worth.
    advice : str
        The same in sentences, with figures.
    """

    similarity: float | None = None
    fraction: float = 0.0
    verdict: Verdict | None = None
    advice: str = ""


def lines_of(text: str) -> list[str]:
    """Return the lines that have words, without the spaces around them."""
    return [line.strip() for line in text.splitlines() if line.strip()]


def rows_of(prompts: Iterable[str], old: Sequence[PromptRow] = ()) -> tuple[PromptRow, ...]:
    """Return rows for prompts; one that has its row already keeps it."""
    spare = {row.prompt: row for row in reversed(old)}
    return tuple(spare.pop(p) if p in spare else PromptRow(p) for p in prompts)
