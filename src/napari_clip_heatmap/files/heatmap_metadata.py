"""What a heatmap layer tells of how it was made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from napari_clip_heatmap.errors import SettingsError

__all__ = ["Record", "require"]

Record = Mapping[str, Any]
"""``layer.metadata["clip_heatmap"]`` of a heatmap layer."""


def require(record: Record, names: Sequence[str]) -> None:
    """Raise unless a record holds something of each name.

    Raises
    ------
    SettingsError
        It does not: it is of another version, or of a run that is not done.
    """
    missing = [name for name in names if not record.get(name)]
    if missing:
        raise SettingsError(
            f"this layer's record has no {', '.join(missing)}; it was made by another version, or "
            "is not done yet: run again, and copy then"
        )
