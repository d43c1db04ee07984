"""A saved encoding, opened: it answers prompts with the text tower of its model alone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from napari_clip_heatmap.imaging.view import View
from napari_clip_heatmap.pipeline.encoding import Encoding
from napari_clip_heatmap.pipeline.storage import parts
from napari_clip_heatmap.pipeline.storage.zarr_file import read_arrays
from napari_clip_heatmap.pipeline.storage.half import restored
from napari_clip_heatmap.pipeline.storage.text import LateText, require_same

if TYPE_CHECKING:
    from napari_clip_heatmap.clip.model import ClipModel

__all__ = ["encoding_of", "open_encoding"]


def open_encoding(path: str | Path, *, model: str | ClipModel | None = None) -> Encoding:
    """Open an encoding as `api.open_encoding` says."""
    record, arrays = read_arrays(Path(path))
    told = record["model"]
    if model is None or isinstance(model, str):
        text = LateText(model or told["name"], told, arrays["embeddings"].shape[-1])
        return encoding_of(record, arrays, text)
    require_same(told, model.name, model.weights_sha256)
    return encoding_of(record, arrays, model.text)


def encoding_of(
    record: Mapping[str, Any],
    arrays: Mapping[str, NDArray[Any]],
    text: Any,
    model: Mapping[str, object] | None = None,
) -> Encoding:
    """Return the encoding of a record and arrays, as `saving.contents` makes them.

    Parameters
    ----------
    record, arrays : mapping
    text : TextEncoder
        Of the model that encoded.
    model : mapping, optional
        Its description, by default as recorded.
    """
    known = dict(arrays)
    if record["exponent"] is not None:
        known["tokens"] = restored(known["tokens"], record["exponent"])
    lattice = parts.restore_lattice(record["lattice"])
    return Encoding(
        board=parts.restore_board(lattice, record["board"], known),
        validity=parts.restore_validity(record["validity"], known),
        region=parts.restore_region(record["region"], known),
        view=View(**record["view"]),
        downsample=record["downsample"],
        overlap=record["overlap"],
        model=record["model"] if model is None else model,
        text=text,
        coarse=parts.restore_coarse(record["coarse"], known),
        notices=tuple(record["notices"]),
    )
