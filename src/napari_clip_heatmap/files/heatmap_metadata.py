"""What a heatmap layer's metadata say of how the layer was made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from napari_clip_heatmap.errors import SettingsError

__all__ = ["HeatmapMetadata", "require_keys"]

HeatmapMetadata = Mapping[str, Any]
"""``layer.metadata["clip_heatmap"]`` of a heatmap layer, or a part of it."""


def require_keys(metadata: HeatmapMetadata, keys: Sequence[str]) -> None:
    """Raise unless the metadata have a value for each key.

    Raises
    ------
    SettingsError
        They have not: they are of another version, or of a run that is not done.

    Examples
    --------
    >>> require_keys({"prompts": ["nuclei"]}, ["prompts"])
    """
    missing = [key for key in keys if not metadata.get(key)]
    if missing:
        raise SettingsError(
            f"this layer's metadata have no {', '.join(missing)}; the layer was made by another "
            "version, or is not done yet: run again, and copy then"
        )
