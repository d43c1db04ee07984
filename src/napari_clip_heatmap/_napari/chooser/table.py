"""The catalogue as Qt sees it: a row a model, sortable and searched."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QAbstractTableModel, QModelIndex, QSortFilterProxyModel, Qt
from qtpy.QtGui import QFont

from napari_clip_heatmap._napari.chooser.about import licence_in_words
from napari_clip_heatmap.files.model_listing import pixels_in_words, size_in_words

if TYPE_CHECKING:
    from napari_clip_heatmap.clip.catalogue import CatalogueEntry

__all__ = ["Column", "Filtered", "ModelTable"]


class Column(IntEnum):
    """What a row shows, from left to right."""

    MODEL = 0
    SIZE = 1
    PIXELS = 2
    PATCH = 3
    HERE = 4
    LICENCE = 5
    DATA = 6
    NOTE = 7


@dataclass(frozen=True)
class _Head:
    """A column: its title, what it tells, the text of a cell, and what it is sorted by."""

    title: str
    tooltip: str
    text: Callable[[CatalogueEntry], str]
    key: Callable[[CatalogueEntry], Any]


HEADS: Mapping[Column, _Head] = {
    Column.MODEL: _Head(
        "Model",
        "The name by which the widget, the command and the library load it.",
        lambda entry: entry.name,
        lambda entry: entry.name.lower(),
    ),
    Column.SIZE: _Head(
        "Download",
        "About how much there is to download, in single precision.",
        lambda entry: size_in_words(entry.download_bytes),
        lambda entry: float("inf") if entry.download_bytes is None else entry.download_bytes,
    ),
    Column.PIXELS: _Head(
        "Pixels",
        "Height and width of what the model looks at in one pass.",
        lambda entry: pixels_in_words(entry.image_size),
        lambda entry: entry.image_size[0] * entry.image_size[1],
    ),
    Column.PATCH: _Head(
        "Patch",
        "Pixels per side of a patch, the smallest thing that a heatmap shows.",
        lambda entry: pixels_in_words(entry.patch_size),
        lambda entry: entry.patch_size[0] * entry.patch_size[1],
    ),
    Column.HERE: _Head(
        "Here",
        "Whether its files are on this machine.",
        lambda entry: "yes" if entry.here else "",
        lambda entry: not entry.here,
    ),
    Column.LICENCE: _Head(
        "Licence",
        "Of the weights, as their authors say; bold where it forbids a use.",
        licence_in_words,
        lambda entry: (f"~{entry.forbids}" if entry.forbids else "") + entry.licence.lower(),
    ),
    Column.DATA: _Head(
        "Trained on",
        "The images and texts that it learned from.",
        lambda entry: entry.data,
        lambda entry: entry.data.lower(),
    ),
    Column.NOTE: _Head(
        "Note",
        "What is worth knowing beside; of biomedical models, what they know.",
        lambda entry: entry.note,
        lambda entry: (not entry.note, entry.note.lower()),
    ),
}

SIDES: Mapping[Column, Qt.AlignmentFlag] = {
    **dict.fromkeys((Column.SIZE, Column.PIXELS, Column.PATCH), Qt.AlignmentFlag.AlignRight),
    Column.HERE: Qt.AlignmentFlag.AlignHCenter,
}
"""Where a column's texts stand, if not at the left."""


class ModelTable(QAbstractTableModel):  # type: ignore[misc] # qtpy ships no types
    """Entries of the catalogue, each a row."""

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self.entries: tuple[CatalogueEntry, ...] = ()

    def reset(self, entries: tuple[CatalogueEntry, ...]) -> None:
        """Show these."""
        self.beginResetModel()
        self.entries = entries
        self.endResetModel()

    def rowCount(self, parent: QModelIndex | None = None) -> int:  # noqa: N802
        return 0 if parent is not None and parent.isValid() else len(self.entries)

    def columnCount(self, parent: QModelIndex | None = None) -> int:  # noqa: N802
        return 0 if parent is not None and parent.isValid() else len(Column)

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid():
            return None
        entry, column = self.entries[index.row()], Column(index.column())
        head, roles = HEADS[column], Qt.ItemDataRole
        if role == roles.FontRole:
            return _bold() if column == Column.LICENCE and entry.forbids else None
        if role == roles.TextAlignmentRole:
            return SIDES.get(column, Qt.AlignmentFlag.AlignLeft) | Qt.AlignmentFlag.AlignVCenter
        text = head.text(entry)
        if role == roles.AccessibleTextRole:
            return f"{head.title}: {text or 'nothing'}"
        return text if role in (roles.DisplayRole, roles.ToolTipRole) else None

    def headerData(  # noqa: N802
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> Any:
        if orientation != Qt.Orientation.Horizontal:
            return None
        head = HEADS[Column(section)]
        if role == Qt.ItemDataRole.ToolTipRole:
            return f"{head.tooltip}\nA click sorts by it."
        return head.title if role == Qt.ItemDataRole.DisplayRole else None


class Filtered(QSortFilterProxyModel):  # type: ignore[misc] # qtpy ships no types
    """The rows that a search finds, sorted by a column, or as the catalogue has them.

    Parameters
    ----------
    table : ModelTable
    """

    def __init__(self, table: ModelTable, parent: Any = None) -> None:
        super().__init__(parent)
        self._table = table
        self._search, self._here = "", False
        self._architectures: tuple[str, ...] | None = None
        self.setSourceModel(table)

    def narrow(
        self, search: str, *, here: bool, architectures: tuple[str, ...] | None = None
    ) -> None:
        """Leave only some rows.

        Parameters
        ----------
        search : str
            Words that must all be in an entry.
        here : bool
            Only what is on this machine.
        architectures : tuple of str, optional
            Only released models of open_clip's list, of these architectures; of all where empty.
        """
        self._search, self._here, self._architectures = search, here, architectures
        self.invalidate()

    def entry(self, index: QModelIndex) -> CatalogueEntry | None:
        """Return the entry of a row that is shown."""
        source = self.mapToSource(index)
        return self._table.entries[source.row()] if source.isValid() else None

    def filterAcceptsRow(self, row: int, _parent: QModelIndex) -> bool:  # noqa: N802
        entry = self._table.entries[row]
        return (
            entry.matches(self._search)
            and (entry.here or not self._here)
            and (self._architectures is None or _is_alike(entry.name, self._architectures))
        )

    def lessThan(self, left: QModelIndex, right: QModelIndex) -> bool:  # noqa: N802
        key = HEADS[Column(left.column())].key
        first, second = (self._table.entries[index.row()] for index in (left, right))
        return bool(key(first) < key(second))


def _is_alike(name: str, architectures: tuple[str, ...]) -> bool:
    """Whether a name is "ARCH/TAG" of one of these architectures, or of any where there is none."""
    arch, slash, _ = name.partition("/")
    return bool(slash) and ":" not in arch and (not architectures or arch in architectures)


def _bold() -> QFont:
    font = QFont()
    font.setBold(True)
    return font
