"""The Qt model of the model catalog: a row per model, to be sorted and searched."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from html import escape
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QAbstractTableModel, QModelIndex, QSortFilterProxyModel, Qt
from qtpy.QtGui import QFont

from napari_clip_heatmap.files.model_listing import pixels_in_words, size_in_words, speed_in_words

if TYPE_CHECKING:
    from napari_clip_heatmap.clip.catalog import CatalogEntry

__all__ = [
    "WARNING",
    "FilteredModels",
    "ModelColumn",
    "ModelTable",
    "describe_model",
    "license_in_words",
]


WARNING = "\N{WARNING SIGN}"


def license_in_words(entry: CatalogEntry) -> str:
    """Return the license, preceded by what it forbids, as a narrow column cuts the end."""
    if not entry.forbids:
        return entry.licence
    return f"{WARNING} forbids {entry.forbids} ({entry.licence})"


def describe_model(entry: CatalogEntry) -> str:
    """Return a description of a model as rich text."""
    lines = [f"<b>{escape(entry.name)}</b> \N{EM DASH} {_where(entry)}"]
    if entry.forbids:
        lines.append(
            f"<b>{WARNING} Its licence, {escape(entry.licence)}, forbids "
            f"{escape(entry.forbids)}.</b>"
        )
    else:
        lines.append(f"Licence: {escape(entry.licence)}.")
    lines.append(f"Trained on {escape(entry.data)}. {_sight(entry)}")
    if entry.needs:
        lines.append(_needed(entry.needs))
    if entry.note:
        lines.append(f"<i>{escape(entry.note)}</i>")
    return "<br>".join(lines)


def _where(entry: CatalogEntry) -> str:
    if entry.here:
        return "on this machine."
    size = "" if entry.download_bytes is None else f", about {size_in_words(entry.download_bytes)}"
    return f"not on this machine. Download it now{size}, or let the first run do it."


def _sight(entry: CatalogEntry) -> str:
    rows, columns = entry.grid
    return (
        f"It looks at {pixels_in_words(entry.image_size)} pixels per side at a time, in "
        f"{rows} x {columns} patches of {pixels_in_words(entry.patch_size)}."
    )


def _needed(package: str) -> str:
    if find_spec(package) is not None:
        return f"It needs the package {escape(package)}, which is installed."
    return (
        f"<b>It needs the package {escape(package)}, which is not installed</b>: "
        f"pip install {escape(package)}"
    )


class ModelColumn(IntEnum):
    """What a row shows, from left to right."""

    MODEL = 0
    SIZE = 1
    PIXELS = 2
    PATCH = 3
    SPEED = 4
    MEASURED = 5
    HERE = 6
    LICENCE = 7
    DATA = 8
    NOTE = 9


@dataclass(frozen=True)
class _Head:
    """A column: its title and tooltip, the text of a cell, and the key that it is sorted by."""

    title: str
    tooltip: str
    text: Callable[[CatalogEntry], str]
    key: Callable[[CatalogEntry], Any]


HEADS: Mapping[ModelColumn, _Head] = {
    ModelColumn.MODEL: _Head(
        "Model",
        "The name that the widget, the command and the library load it by.",
        lambda entry: entry.name,
        lambda entry: entry.name.lower(),
    ),
    ModelColumn.SIZE: _Head(
        "Download",
        "Approximate size of the download, in single precision.",
        lambda entry: size_in_words(entry.download_bytes),
        lambda entry: float("inf") if entry.download_bytes is None else entry.download_bytes,
    ),
    ModelColumn.PIXELS: _Head(
        "Pixels",
        "Height and width of the model's input.",
        lambda entry: pixels_in_words(entry.image_size),
        lambda entry: entry.image_size[0] * entry.image_size[1],
    ),
    ModelColumn.PATCH: _Head(
        "Patch",
        "Pixels per side of a patch, the smallest detail of a heatmap.",
        lambda entry: pixels_in_words(entry.patch_size),
        lambda entry: entry.patch_size[0] * entry.patch_size[1],
    ),
    ModelColumn.SPEED: _Head(
        "s/MP",
        "Seconds per megapixel at full resolution, measured on two processor cores: to compare "
        "models, not for this machine.",
        lambda entry: speed_in_words(entry.seconds_per_megapixel),
        lambda entry: entry.seconds_per_megapixel or float("inf"),
    ),
    ModelColumn.MEASURED: _Head(
        "s/MP here",
        "Seconds per megapixel at full resolution on this machine, with the device and precision "
        "of the dock; empty until Measure was pressed.",
        lambda entry: "" if entry.seconds_here is None else speed_in_words(entry.seconds_here),
        lambda entry: entry.seconds_here or float("inf"),
    ),
    ModelColumn.HERE: _Head(
        "Here",
        "Whether its files are on this machine.",
        lambda entry: "yes" if entry.here else "",
        lambda entry: not entry.here,
    ),
    ModelColumn.LICENCE: _Head(
        "Licence",
        "License of the weights, as stated by their authors; bold if it forbids a use.",
        license_in_words,
        lambda entry: (f"~{entry.forbids}" if entry.forbids else "") + entry.licence.lower(),
    ),
    ModelColumn.DATA: _Head(
        "Trained on",
        "The images and texts that it was trained on.",
        lambda entry: entry.data,
        lambda entry: entry.data.lower(),
    ),
    ModelColumn.NOTE: _Head(
        "Note",
        "What else to know; for biomedical models, their field.",
        lambda entry: entry.note,
        lambda entry: (not entry.note, entry.note.lower()),
    ),
}

SIDES: Mapping[ModelColumn, Qt.AlignmentFlag] = {
    **dict.fromkeys(
        (
            *(ModelColumn.SIZE, ModelColumn.PIXELS, ModelColumn.PATCH),
            *(ModelColumn.SPEED, ModelColumn.MEASURED),
        ),
        Qt.AlignmentFlag.AlignRight,
    ),
    ModelColumn.HERE: Qt.AlignmentFlag.AlignHCenter,
}
"""Alignment of the columns that are not aligned left."""


class ModelTable(QAbstractTableModel):  # type: ignore[misc] # qtpy ships no types
    """A row per entry of the catalog."""

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self.entries: tuple[CatalogEntry, ...] = ()

    def reset(self, entries: tuple[CatalogEntry, ...]) -> None:
        """Show these entries."""
        self.beginResetModel()
        self.entries = entries
        self.endResetModel()

    def rowCount(self, parent: QModelIndex | None = None) -> int:  # noqa: N802
        return 0 if parent is not None and parent.isValid() else len(self.entries)

    def columnCount(self, parent: QModelIndex | None = None) -> int:  # noqa: N802
        return 0 if parent is not None and parent.isValid() else len(ModelColumn)

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid():
            return None
        entry, column = self.entries[index.row()], ModelColumn(index.column())
        head, roles = HEADS[column], Qt.ItemDataRole
        if role == roles.FontRole:
            return _bold() if column == ModelColumn.LICENCE and entry.forbids else None
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
        head = HEADS[ModelColumn(section)]
        if role == Qt.ItemDataRole.ToolTipRole:
            return f"{head.tooltip}\nClick to sort."
        return head.title if role == Qt.ItemDataRole.DisplayRole else None


class FilteredModels(QSortFilterProxyModel):  # type: ignore[misc] # qtpy ships no types
    """The rows that a search finds, sorted by a column, or in the order of the catalog.

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
        """Show only some rows.

        Parameters
        ----------
        search : str
            Words that an entry must all contain.
        here : bool
            Only models on this machine.
        architectures : tuple of str, optional
            Only released models in open_clip's list, of these architectures; empty for all.
        """
        self._search, self._here, self._architectures = search, here, architectures
        self.invalidate()

    def entry(self, index: QModelIndex) -> CatalogEntry | None:
        """Return the entry of a visible row."""
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
        key = HEADS[ModelColumn(left.column())].key
        first, second = (self._table.entries[index.row()] for index in (left, right))
        return bool(key(first) < key(second))


def _is_alike(name: str, architectures: tuple[str, ...]) -> bool:
    """Whether a name is "ARCH/TAG" with one of these architectures; empty for any."""
    arch, slash, _ = name.partition("/")
    return bool(slash) and ":" not in arch and (not architectures or arch in architectures)


def _bold() -> QFont:
    font = QFont()
    font.setBold(True)
    return font
