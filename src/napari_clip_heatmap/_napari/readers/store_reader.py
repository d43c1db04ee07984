"""The reader in the manifest: which Zarr stores it opens, and as what."""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

__all__ = ["get_reader", "read_stores"]

LayerData = tuple[Any, dict[str, Any], str]

_ENCODING, _RECORD = "clip_heatmap_encoding", "clip_heatmap"
"""Attributes of a saved encoding, and of maps in OME-Zarr."""

_METADATA = "zarr.json"
"""The file of every Zarr group that says what it holds."""


def get_reader(path: str | Sequence[str]) -> Callable[..., list[LayerData]] | None:
    """Return what reads these paths; None where one of them was not written by this package.

    napari asks for every file of these names. Only metadata are looked at here.

    Parameters
    ----------
    path : str or sequence of str
        A saved encoding (``*.zarr.zip``), or the file ``zarr.json`` in a folder that holds one
        (``*.zarr``) or maps (``*.ome.zarr``). The folder itself is accepted too.
    """
    return read_stores if all(map(_attribute, _paths(path))) else None


def read_stores(path: str | Sequence[str]) -> list[LayerData]:
    """Return the layers of saved encodings and of maps.

    Raises
    ------
    ImageError
        One is damaged, or of a newer version.
    """
    from napari_clip_heatmap._napari.readers.encoding_layers import encoding_layers
    from napari_clip_heatmap._napari.readers.map_layers import map_layers

    layers: list[LayerData] = []
    for each in _paths(path):
        read = encoding_layers if _attribute(each) == _ENCODING else map_layers
        layers += read(each)
    return layers


def _paths(path: str | Sequence[str]) -> list[Path]:
    """Return the stores that these paths name, by themselves or by the file in them."""
    paths = map(Path, [path] if isinstance(path, str | os.PathLike) else path)
    return [each.parent if each.name.lower() == _METADATA else each for each in paths]


def _attribute(path: Path) -> str | None:
    """Return the attribute that says what a store holds; None of other files and folders."""
    try:
        attributes = json.loads(_metadata(path))["attributes"]
    except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile):
        return None
    if _ENCODING in attributes:
        return _ENCODING
    return _RECORD if "settings" in attributes.get(_RECORD, ()) else None  # labels have no settings


def _metadata(path: Path) -> str | bytes:
    """Return the metadata of the outermost group, as JSON."""
    if path.is_dir():
        return (path / _METADATA).read_text(encoding="utf-8")
    with zipfile.ZipFile(path) as store:
        return store.read(_METADATA)
