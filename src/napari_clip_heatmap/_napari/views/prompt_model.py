"""The Qt model of the prompt table: rows, what they show, and edits that can be undone."""

from __future__ import annotations

import textwrap
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
    SWATCH,
    TRUST,
    TRUST_COLORS,
    PromptColumn,
)
from napari_clip_heatmap.pipeline.trust import Trust

__all__ = ["PromptModel", "RowFigures", "lines_of", "rows_of", "shown_name", "wrapped"]


MOVED = "application/x-clip-heatmap-row"
"""MIME type of a dragged row."""


class PromptModel(QAbstractTableModel):  # type: ignore[misc] # qtpy ships no types
    """Rows that can be edited, moved and dropped onto; every edit can be undone.

    Signals
    -------
    prompts_changed
        The prompts, or their order, have changed.
    colored : key
        The colormap of a row has changed.
    show : key, bool
        The user wants a layer to be shown or hidden.
    dropped : path
        A file was dropped onto the table.
    counting : bool
        Counts of objects are shown from now on, or no longer.
    """

    prompts_changed = Signal()
    colored = Signal(str)
    show = Signal(str, bool)
    dropped = Signal(str)
    counting = Signal(bool)

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self.rows: tuple[PromptRow, ...] = ()
        self.stack = QUndoStack(self)
        self._visible: dict[str, bool] = {}
        self._figures: dict[str, RowFigures] = {}
        self._cursor_values: dict[str, float] = {}
        self._counts: dict[str, int] = {}
        self._problems: dict[str, str] = {}
        self._swatches: dict[str, str] = {}
        self.dark = True

    # The rows.

    def edit(self, rows: Iterable[PromptRow], what: str) -> None:
        """Replace the rows; `what` names the step for undo."""
        rows = tuple(rows)
        if rows != self.rows:
            self.stack.push(_Edit(self, rows, what))

    def reset(self, rows: Iterable[PromptRow]) -> None:
        """Replace the rows, and forget what could be undone."""
        self.stack.clear()
        self.become(tuple(rows))

    def become(self, rows: tuple[PromptRow, ...]) -> None:
        """Take these rows and emit what has changed; for undo steps only."""
        old = self.rows
        if [row.key for row in old] == [row.key for row in rows]:
            self.rows = rows
            for number, row in enumerate(rows):
                if row != old[number]:
                    end = self.index(number, max(PromptColumn))
                    self.dataChanged.emit(self.index(number, 0), end)
        else:
            self.beginResetModel()
            self.rows = rows
            self.endResetModel()
        before, after = ([(r.key, r.prompt, r.example) for r in each] for each in (old, rows))
        if before != after:
            self.prompts_changed.emit()
        colors = {row.key: row.colormap for row in old}
        for row in rows:
            if colors.get(row.key, row.colormap) != row.colormap:
                self.colored.emit(row.key)

    def insert(self, prompts: Sequence[str], at: int | None = None) -> int:
        """Add prompts before a row, by default at the end; return the number of the first."""
        number = len(self.rows) if at is None else at
        new = tuple(map(PromptRow, prompts))
        self.edit((*self.rows[:number], *new, *self.rows[number:]), "add")
        return number

    def put_example(self, row: PromptRow) -> None:
        """Give a row its example, or add it at the end; as clicks are undone on their layer."""
        if any(each.key == row.key for each in self.rows):
            self.become(tuple(row if each.key == row.key else each for each in self.rows))
        else:
            self.edit((*self.rows, row), "add")

    def remove(self, numbers: Iterable[int]) -> None:
        """Remove rows."""
        gone = set(numbers)
        self.edit((row for n, row in enumerate(self.rows) if n not in gone), "remove")

    def move(self, number: int, to: int) -> None:
        """Move a row to the position of another."""
        if 0 <= number < len(self.rows) and 0 <= to < len(self.rows):
            rows = list(self.rows)
            rows.insert(to, rows.pop(number))
            self.edit(rows, "move")

    def set_color(self, number: int, colormap: str) -> None:
        """Set the colormap of a row's layer; empty for the default one."""
        rows = list(self.rows)
        rows[number] = replace(rows[number], colormap=colormap)
        if rows[number] == self.rows[number]:
            self.colored.emit(rows[number].key)  # chosen again: a colormap set by hand gives way
        self.edit(rows, "color")

    def set_visible(self, visible: Mapping[str, bool]) -> None:
        """Show which rows' layers are visible, by key; other rows have no layer."""
        self._visible = dict(visible)
        self._repaint(PromptColumn.SHOWN)

    def set_figures(self, figures: Mapping[str, RowFigures]) -> None:
        """Show what is known about the maps, by the rows' keys."""
        self._figures = dict(figures)
        self._repaint(PromptColumn.COLOR, PromptColumn.SIMILARITY, PromptColumn.VERDICT)

    def set_counts(self, counts: Mapping[str, int]) -> None:
        """Show how many objects there are of each prompt, by key; empty: nothing is counted."""
        before, self._counts = bool(self._counts), dict(counts)
        if bool(counts) != before:
            self.counting.emit(bool(counts))
        self._repaint(PromptColumn.COUNT)

    def set_swatches(self, colors: Mapping[str, str]) -> None:
        """Show one color a row instead of its colormap, by key; none: the colormaps again."""
        self._swatches = dict(colors)
        self._repaint(PromptColumn.COLOR)

    def set_problems(self, problems: Mapping[str, str]) -> None:
        """Mark rows that cannot be scored, or only in part, with the reason, by key."""
        if problems != self._problems:
            self._problems = dict(problems)
            self._repaint(PromptColumn.PROMPT)

    def set_cursor_values(self, cursor_value: Mapping[str, float]) -> None:
        """Show where in their maps' ranges the values beneath the cursor lie, 0..1."""
        if cursor_value or self._cursor_values:
            self._cursor_values = dict(cursor_value)
            self._repaint(PromptColumn.CURSOR)

    def _repaint(self, *columns: PromptColumn) -> None:
        if self.rows:
            for column in columns:
                first, last = self.index(0, column), self.index(len(self.rows) - 1, column)
                self.dataChanged.emit(first, last)

    # What Qt calls.

    def rowCount(self, parent: QModelIndex | None = None) -> int:  # noqa: N802
        return 0 if parent is not None and parent.isValid() else len(self.rows)

    def columnCount(self, parent: QModelIndex | None = None) -> int:  # noqa: N802
        return 0 if parent is not None and parent.isValid() else len(PromptColumn)

    def headerData(self, section: int, orientation: Any, role: int) -> Any:  # noqa: N802
        if orientation != Qt.Orientation.Horizontal:
            return None
        title, tooltip = HEADS[PromptColumn(section)]
        if role == Qt.ItemDataRole.DisplayRole:
            return title
        return tooltip if role == Qt.ItemDataRole.ToolTipRole else None

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        row, column = self.rows[index.row()], PromptColumn(index.column())
        if role == Qt.ItemDataRole.DisplayRole and column == PromptColumn.PROMPT:
            return shown_name(row)
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.EditRole):
            return self._text(row, column)
        if role == Qt.ItemDataRole.CheckStateRole and column == PromptColumn.SHOWN:
            shown = self._visible.get(row.key, False)
            return Qt.CheckState.Checked if shown else Qt.CheckState.Unchecked
        if role == BAR:
            return self._bar(row, column)
        figures = self._figures.get(row.key, RowFigures())
        if role == TRUST:
            return figures.trust
        if role == SWATCH:
            return self._swatches.get(row.key)
        if role == Qt.ItemDataRole.ToolTipRole:
            return self._tooltip(row, column, figures)
        if role == Qt.ItemDataRole.ForegroundRole:
            return self._color(row, column, figures)
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return f"{row.prompt}: {column.name.lower()} {self._text(row, column)}"
        return None

    def _tooltip(self, row: PromptRow, column: PromptColumn, figures: RowFigures) -> str:
        if column == PromptColumn.VERDICT and figures.facts:
            return "\n".join(figures.facts)
        problem = self._problems.get(row.key)
        if column == PromptColumn.PROMPT and problem:
            return f"{row.prompt}\n\n{wrapped(problem)}"
        words = f"{shown_name(row)}\n\n" if column == PromptColumn.PROMPT else ""
        if column == PromptColumn.PROMPT and row.example is not None:
            return words + wrapped(EXAMPLE_HELP)
        return words + HEADS[column][1]

    def _color(self, row: PromptRow, column: PromptColumn, figures: RowFigures) -> QBrush | None:
        trust: Trust | None = None
        if column == PromptColumn.VERDICT:
            trust = figures.trust
        elif column == PromptColumn.PROMPT and row.key in self._problems:
            trust = Trust.NONE
        return None if trust is None else QBrush(QColor(TRUST_COLORS[trust][0 if self.dark else 1]))

    def setData(self, index: QModelIndex, value: Any, role: int = Qt.ItemDataRole.EditRole) -> bool:  # noqa: N802
        row, column = self.rows[index.row()], PromptColumn(index.column())
        if column == PromptColumn.SHOWN and role == Qt.ItemDataRole.CheckStateRole:
            self.show.emit(row.key, Qt.CheckState(value) == Qt.CheckState.Checked)
            return True
        if column != PromptColumn.PROMPT or role != Qt.ItemDataRole.EditRole:
            return False
        self.rewrite(index.row(), str(value).strip())
        return True

    def rewrite(self, number: int, prompt: str) -> None:
        """Change the words of a row; letters typed one after another are undone together."""
        rows = list(self.rows)
        rows[number] = replace(rows[number], prompt=prompt)
        self.edit(rows, f"edit {rows[number].key}")

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
        number = indexes[0].row()
        carried.setData(MOVED, str(number).encode())
        carried.setText(self.rows[number].prompt)
        return carried

    def canDropMimeData(self, data: QMimeData, *_: Any) -> bool:  # noqa: N802
        return any(data.hasFormat(kind) for kind in self.mimeTypes())

    def dropMimeData(  # noqa: N802
        self, data: QMimeData, action: Any, row: int, column: int, parent: QModelIndex
    ) -> bool:
        number = row if row >= 0 else parent.row() if parent.isValid() else len(self.rows)
        if data.hasFormat(MOVED):
            start = int(bytes(data.data(MOVED).data()))
            self.move(start, number - (number > start))
        elif data.hasUrls():
            for url in data.urls():
                if url.isLocalFile():
                    self.dropped.emit(str(Path(url.toLocalFile())))
        else:
            self.insert(lines_of(data.text()), number)
        return False  # after True, the view would remove the row that was moved

    def _text(self, row: PromptRow, column: PromptColumn) -> str:
        figures, cursor_value = self._figures.get(row.key), self._cursor_values.get(row.key)
        if column == PromptColumn.PROMPT:
            return row.prompt
        if column == PromptColumn.COLOR:
            return row.colormap
        if column == PromptColumn.CURSOR and cursor_value is not None:
            return f"{100 * cursor_value:.0f} %"
        if column == PromptColumn.COUNT and row.key in self._counts:
            return str(self._counts[row.key])
        if figures is None:
            return ""
        if column == PromptColumn.VERDICT and figures.trust is not None:
            return figures.trust.value
        if column == PromptColumn.SIMILARITY and figures.similarity is not None:
            return f"{figures.similarity:.3f}"
        return ""

    def _bar(self, row: PromptRow, column: PromptColumn) -> float | None:
        figures, cursor_value = self._figures.get(row.key), self._cursor_values.get(row.key)
        if column == PromptColumn.CURSOR and cursor_value is not None:
            return cursor_value
        if (
            column == PromptColumn.SIMILARITY
            and figures is not None
            and figures.similarity is not None
        ):
            return figures.fraction
        return None


class _Edit(QUndoCommand):  # type: ignore[misc] # qtpy ships no types
    """An undo step from some rows to others."""

    def __init__(self, model: PromptModel, rows: tuple[PromptRow, ...], what: str) -> None:
        super().__init__(what)
        self._model, self._before, self._after = model, model.rows, rows

    def id(self) -> int:
        """Return the kind of the step; only edits of words are merged."""
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
    """What is known about a prompt's map.

    Parameters
    ----------
    similarity : float, optional
        Mean over tiles of the cosine with the prompt.
    fraction : float
        Its position between the lowest and the highest in the table, 0..1.
    trust : Trust, optional
        How far the map can be trusted; None while that is not known.
    facts : tuple of str
        Why, in short wrapped lines.
    """

    similarity: float | None = None
    fraction: float = 0.0
    trust: Trust | None = None
    facts: tuple[str, ...] = ()


EXAMPLE_HELP = (
    "An example: its map shows what looks like its places. Their numbers follow its name, those "
    "that show the thing first; then the AUROC of its places, each judged by the others."
)


def shown_name(row: PromptRow) -> str:
    """Return the words of a row; of an example its name and how well its places agree."""
    example = row.example
    if example is None:
        return row.prompt
    agree = "" if example.leave_one_out is None else f", AUROC {example.leave_one_out:.2f}"
    return f"{row.prompt} ({example.positive} + {example.negative}{agree})"


def wrapped(text: str, width: int = 60) -> str:
    """Break a text into lines, for a tooltip."""
    return "\n".join(textwrap.wrap(text, width))


def lines_of(text: str) -> list[str]:
    """Return the lines that are not blank, without the spaces around them."""
    return [line.strip() for line in text.splitlines() if line.strip()]


def rows_of(prompts: Iterable[str], old: Sequence[PromptRow] = ()) -> tuple[PromptRow, ...]:
    """Return rows for prompts; a prompt that already has a row keeps it."""
    spare = {row.prompt: row for row in reversed(old)}
    return tuple(spare.pop(p) if p in spare else PromptRow(p) for p in prompts)
