"""An encoding as a JSON-able record and named arrays, and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from functools import cache, cached_property
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_clip_heatmap.clip.torch_import import open_clip_imported
from napari_clip_heatmap.errors import ModelLoadError, OutputError, SettingsError
from napari_clip_heatmap.imaging.lattice import Axis, Lattice
from napari_clip_heatmap.imaging.region import Mask, Region
from napari_clip_heatmap.imaging.validity import Hole, Validity
from napari_clip_heatmap.imaging.view import ShownRange, View
from napari_clip_heatmap.pipeline.encoding import Encoding
from napari_clip_heatmap.pipeline.storage.zarr_file import (
    from_half,
    read_arrays,
    to_half,
    write_arrays,
)
from napari_clip_heatmap.pipeline.token_grid import CoarsePreview, TokenAccumulator

if TYPE_CHECKING:
    from napari_clip_heatmap.clip.model import ClipModel
    from napari_clip_heatmap.clip.text import TextEncoder

__all__ = [
    "DeferredText",
    "accumulator_arrays",
    "coarse_arrays",
    "encoding_arrays",
    "encoding_of",
    "lattice_record",
    "open_saved_encoding",
    "region_arrays",
    "require_same",
    "restore_accumulator",
    "restore_coarse",
    "restore_lattice",
    "restore_region",
    "restore_validity",
    "save_encoding",
    "validity_arrays",
]


Record = dict[str, Any]

Arrays = dict[str, NDArray[Any]]


def lattice_record(lattice: Lattice) -> Record:
    """Return the positions of cells and tiles."""
    record = {name: asdict(getattr(lattice, name)) for name in ("y", "x")}
    for axis in record.values():
        if axis["parts"] == 1:  # as records without it say
            del axis["parts"]
    return record


def restore_lattice(record: Record) -> Lattice:
    """Return the lattice of a record."""
    y, x = (
        Axis(**{**record[name], "starts": tuple(record[name]["starts"])}) for name in ("y", "x")
    )
    return Lattice(y, x)


def accumulator_arrays(accumulator: TokenAccumulator) -> tuple[Record, Arrays]:
    """Return the token map where tiles were added, and which tiles these are."""
    y, x = accumulator.covered
    arrays = {
        "embeddings": accumulator.embeddings,
        "done": accumulator.tile_mask,
        "patch_sums": accumulator.patch_sums,
    }
    if accumulator.tile_mask.any():
        arrays["tokens"] = accumulator.token_map[y, x]
        # Half precision is a tenth of a gray level.
        arrays["color_low"] = accumulator.contrast.low[y, x].astype(np.float16)
        arrays["color_high"] = accumulator.contrast.high[y, x].astype(np.float16)
    return {"cells": _corners((y, x))}, arrays


def restore_accumulator(lattice: Lattice, record: Record, arrays: Arrays) -> TokenAccumulator:
    """Return the accumulator of a record."""
    embeddings, done = arrays["embeddings"], arrays["done"]
    cells = _slices(record["cells"])
    nothing = np.zeros((0, 0, embeddings.shape[-1]), np.float32)
    accumulator = TokenAccumulator.restored(
        lattice,
        cells,
        arrays.get("tokens", nothing),
        embeddings,
        done,
        arrays.get("patch_sums"),
    )
    if "color_low" in arrays:
        accumulator.contrast.low[cells] = arrays["color_low"]
        accumulator.contrast.high[cells] = arrays["color_high"]
    return accumulator


def validity_arrays(validity: Validity) -> tuple[Record, Arrays]:
    """Return where the image was invalid; one array holds the bits of all holes."""
    holes, bits = [], []
    for hole in validity.holes:
        packed = [] if hole.packed is None else [hole.packed.reshape(-1)]
        bits += packed
        shape = None if hole.packed is None else list(hole.packed.shape)
        corners = _corners((hole.y, hole.x))
        holes.append({"stored": list(hole.stored_shape), "at": corners, "packed": shape})
    arrays = {"invalid": np.concatenate(bits)} if bits else {}
    return {"image_shape": list(validity.image_shape), "holes": holes}, arrays


def restore_validity(record: Record, arrays: Arrays) -> Validity:
    """Return the validity of a record."""
    first, holes = 0, []
    for hole in record["holes"]:
        packed = None
        if hole["packed"] is not None:
            rows, columns = hole["packed"]
            packed = arrays["invalid"][first : first + rows * columns].reshape(rows, columns)
            first += rows * columns
        holes.append(Hole(_pair(hole["stored"]), *_slices(hole["at"]), packed))
    return Validity(_pair(record["image_shape"]), holes)


def region_arrays(region: Region) -> tuple[Record, Arrays]:
    """Return the region; of labels only whether they are 0."""
    box = None if region.box is None else [float(edge) for edge in region.box]
    mask = region.mask
    if mask is None:
        return {"box": box, "mask": None}, {}
    from napari_clip_heatmap.imaging.masks import LabeledRegion, Outlines

    if isinstance(mask, Outlines):
        counts = [len(polygon) for polygon in mask.polygons]
        outlines = {"box": box, "mask": "outlines", "corners": counts}
        return outlines, {"outlines": np.concatenate(mask.polygons)}
    if isinstance(mask, LabeledRegion):
        matrix = np.eye(3) if mask.matrix is None else mask.matrix
        height, width = mask.labels.shape
        labeled = np.asarray(mask.labels[0:height, 0:width]) != 0
        described = {"box": box, "mask": "labels", "matrix": np.asarray(matrix, float).tolist()}
        return described, {"labelled": labeled}
    raise SettingsError(
        f"the region's mask is a {type(mask).__name__}, which cannot be saved; accepted: Outlines "
        "or labels"
    )


def restore_region(record: Record, arrays: Arrays) -> Region:
    """Return the region of a record."""
    box = record["box"]
    corners = None if box is None else (box[0], box[1], box[2], box[3])
    if record["mask"] is None:
        return Region(corners)
    from napari_clip_heatmap.imaging.masks import LabeledRegion, Outlines

    mask: Mask | None = None
    if record["mask"] == "outlines":
        ends = np.cumsum(record["corners"])[:-1]
        mask = Outlines(np.split(arrays["outlines"], ends))
    elif record["mask"] == "labels":
        mask = LabeledRegion(arrays["labelled"], np.array(record["matrix"]))
    return Region(corners, mask)


def coarse_arrays(coarse: CoarsePreview | None) -> tuple[Record | None, Arrays]:
    """Return the coarse preview, if there is one."""
    if coarse is None:
        return None, {}
    arrays = {f"coarse_{name}": getattr(coarse, name) for name in ("tokens", "embedding", "y", "x")}
    return {"bounds": _corners(coarse.bounds)}, arrays


def restore_coarse(record: Record | None, arrays: Arrays) -> CoarsePreview | None:
    """Return the coarse preview of a record."""
    if record is None:
        return None
    tokens, embedding, y, x = (arrays[f"coarse_{n}"] for n in ("tokens", "embedding", "y", "x"))
    return CoarsePreview(tokens, embedding, _slices(record["bounds"]), y, x)


def _corners(cells: tuple[slice, slice]) -> list[list[int]]:
    return [[int(each.start), int(each.stop)] for each in cells]


def _slices(corners: list[list[int]]) -> tuple[slice, slice]:
    y, x = (slice(*each) for each in corners)
    return y, x


def _pair(numbers: list[int]) -> tuple[int, int]:
    return int(numbers[0]), int(numbers[1])


def open_saved_encoding(path: str | Path, *, model: str | ClipModel | None = None) -> Encoding:
    """Open an encoding as `api.open_encoding` says."""
    record, arrays = read_arrays(Path(path))
    described = record["model"]
    if model is None or isinstance(model, str):
        text = DeferredText(model or described["name"], described, arrays["embeddings"].shape[-1])
        return encoding_of(record, arrays, text)
    require_same(described, model.name, model.weights_sha256)
    return encoding_of(record, arrays, model.text)


def encoding_of(
    record: Mapping[str, Any],
    arrays: Mapping[str, NDArray[Any]],
    text: Any,
    model: Mapping[str, object] | None = None,
) -> Encoding:
    """Return the encoding of a record and arrays, as `encoding_arrays` makes them.

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
        known["tokens"] = from_half(known["tokens"], record["exponent"])
    lattice = restore_lattice(record["lattice"])
    return Encoding(
        accumulator=restore_accumulator(lattice, record["board"], known),
        validity=restore_validity(record["validity"], known),
        region=restore_region(record["region"], known),
        view=View(**record["view"]),
        downsample=record["downsample"],
        overlap=record["overlap"],
        model=record["model"] if model is None else model,
        text=text,
        coarse=restore_coarse(record["coarse"], known),
        notices=tuple(record["notices"]),
        ranges=tuple(ShownRange(**shown) for shown in record.get("ranges", ())),
    )


def save_encoding(
    encoding: Encoding, path: str | Path, *, compact: bool = False, overwrite: bool = False
) -> Path:
    """Write an encoding as `Encoding.save` says."""
    target = Path(path)
    if target.exists() and not overwrite:
        raise OutputError(f"'{target}' exists; choose another name, or pass overwrite=True")
    record, arrays = encoding_arrays(encoding)
    if compact and "tokens" in arrays and (half := to_half(arrays["tokens"])) is not None:
        arrays["tokens"], record["exponent"] = half
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        write_arrays(target, record, arrays)
    except OutputError:
        raise
    except OSError as error:
        raise OutputError(
            f"the encoding cannot be saved as '{target}' ({error.strerror or error}); make room or "
            "choose another folder"
        ) from error
    return target


def encoding_arrays(encoding: Encoding) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Return everything of an encoding except its text tower: a record, and arrays."""
    accumulator, of_tokens = accumulator_arrays(encoding.accumulator)
    validity, of_validity = validity_arrays(encoding.validity)
    region, of_region = region_arrays(encoding.region)
    coarse, of_coarse = coarse_arrays(encoding.coarse)
    record = {
        "program": "napari-clip-heatmap",
        "version": _own_version(),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "model": dict(encoding.model),
        "notices": list(encoding.notices),
        "lattice": lattice_record(encoding.lattice),
        "board": accumulator,
        "validity": validity,
        "region": region,
        "coarse": coarse,
        "view": asdict(encoding.view),
        "ranges": [asdict(shown) for shown in encoding.ranges],
        "downsample": float(encoding.downsample),
        "overlap": float(encoding.overlap),
        "complete": encoding.complete,
        "exponent": None,
    }
    return record, {**of_tokens, **of_validity, **of_region, **of_coarse}


@cache
def _own_version() -> str:
    """Return the version of this package; it takes milliseconds to find."""
    return version("napari-clip-heatmap")


class DeferredText:
    """A `TextEncoder` that is loaded when it is first used.

    Parameters
    ----------
    name : str
        As `api.load_model` takes it.
    encoded : mapping
        Description of the model that encoded.
    d_embed : int
        Size of the joint space.
    """

    def __init__(self, name: str, encoded: Mapping[str, Any], d_embed: int) -> None:
        self._name, self._encoded = name, encoded
        self.d_embed = d_embed

    def __getattr__(self, name: str) -> Any:
        """Forward public names to the text encoder; Python's protocols look for others."""
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._loaded, name)

    @cached_property
    def _loaded(self) -> TextEncoder:
        with open_clip_imported():
            from napari_clip_heatmap.clip.loading import load_text
            from napari_clip_heatmap.clip.sources.normalization import normalization_of

        if self._name == "custom":
            raise ModelLoadError(
                "this encoding was made by a ready model, which has no name to load it by; give "
                "the model: open_encoding(path, model=load_model(...))"
            )
        height, width = self._encoded["image_size"]
        text, weights = load_text(
            self._name,
            image_size=(height, width),
            normalization=normalization_of(self._encoded),
            d_embed=self.d_embed,
        )
        require_same(self._encoded, self._name, weights)
        return text


def require_same(encoded: Mapping[str, Any], name: str, weights: str) -> None:
    """Raise unless these are the weights that encoded.

    Raises
    ------
    ModelLoadError
        They are others, whose text directions do not fit the token map.
    """
    if encoded["weights_sha256"] != weights:
        raise ModelLoadError(
            f"the encoding was made by the model '{encoded['name']}' with weights "
            f"{encoded['weights_sha256'][:12]}..., and '{name}' has {weights[:12]}...: the "
            "text of one model does not fit the image of another. Give the model that encoded, as "
            "open_encoding(path, model=...), or encode the image again"
        )
