"""Columns of equal length under names: what measurements are returned in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_clip_heatmap.errors import SettingsError

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["Table"]


@dataclass(frozen=True, eq=False)
class Table:
    """One row per object.

    Parameters
    ----------
    columns : mapping of str to array (row,)
        In order. ``table["area"]`` and ``table.area`` give a column.

    Raises
    ------
    SettingsError
        Columns differ in length.

    Examples
    --------
    >>> table = Table({"label": np.array([1, 2]), "area": np.array([120, 64])})
    >>> table["area"].tolist(), table.names, len(table)
    ([120, 64], ('label', 'area'), 2)
    """

    columns: Mapping[str, NDArray[Any]]

    def __post_init__(self) -> None:
        lengths = {name: len(column) for name, column in self.columns.items()}
        if len(set(lengths.values())) > 1:
            raise SettingsError(f"the columns of a table are equally long; got {lengths}")

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns, in order."""
        return tuple(self.columns)

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()), ()))

    def __getitem__(self, name: str) -> NDArray[Any]:
        return self.columns[name]

    def __getattr__(self, name: str) -> NDArray[Any]:
        if name == "columns":  # not there yet while the table is being copied
            raise AttributeError(name)
        if name in self.columns:
            return self.columns[name]
        raise AttributeError(f"the table has no column {name!r}; it has {', '.join(self.names)}")

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield each row as plain Python values by column."""
        plain = {name: column.tolist() for name, column in self.columns.items()}
        for values in zip(*plain.values(), strict=True):
            yield dict(zip(plain, values, strict=True))

    def where(self, chosen: NDArray[np.bool_]) -> Table:
        """Return the rows that are chosen, bool (row,)."""
        return Table({name: column[chosen] for name, column in self.columns.items()})

    def to_pandas(self) -> DataFrame:
        """Return the table as a pandas DataFrame."""
        import pandas as pd

        return pd.DataFrame(dict(self.columns))
