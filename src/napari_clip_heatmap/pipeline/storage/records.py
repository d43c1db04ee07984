"""What an encoding is made of, as a record that JSON has and arrays, and back."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_clip_heatmap.imaging.lattice import Axis, Lattice
from napari_clip_heatmap.imaging.masks import Labelled, Mask, Outlines
from napari_clip_heatmap.imaging.region import Region
from napari_clip_heatmap.imaging.validity import Hole, Validity
from napari_clip_heatmap.pipeline.token_grid import Board
from napari_clip_heatmap.pipeline.coarse import Coarse

__all__ = [
    "board_arrays",
    "coarse_arrays",
    "lattice_record",
    "region_arrays",
    "restore_board",
    "restore_coarse",
    "restore_lattice",
    "restore_region",
    "restore_validity",
    "validity_arrays",
]

Record = dict[str, Any]
Arrays = dict[str, NDArray[Any]]


def lattice_record(lattice: Lattice) -> Record:
    """Describe where cells and tiles lie."""
    return {name: asdict(getattr(lattice, name)) for name in ("y", "x")}


def restore_lattice(record: Record) -> Lattice:
    """Return the lattice of a record."""
    y, x = (
        Axis(**{**record[name], "starts": tuple(record[name]["starts"])}) for name in ("y", "x")
    )
    return Lattice(y, x)


def board_arrays(board: Board) -> tuple[Record, Arrays]:
    """Return the token map where tiles were laid, and which these are."""
    y, x = board.laid
    arrays = {"embeddings": board.embeddings, "done": board.done}
    if board.done.any():
        arrays["tokens"] = board.token_map[y, x]
    return {"cells": _corners((y, x))}, arrays


def restore_board(lattice: Lattice, record: Record, arrays: Arrays) -> Board:
    """Return the board of a record."""
    embeddings, done = arrays["embeddings"], arrays["done"]
    cells = _slices(record["cells"])
    nothing = np.zeros((0, 0, embeddings.shape[-1]), np.float32)
    return Board.restored(lattice, cells, arrays.get("tokens", nothing), embeddings, done)


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
    for told in record["holes"]:
        packed = None
        if told["packed"] is not None:
            rows, columns = told["packed"]
            packed = arrays["invalid"][first : first + rows * columns].reshape(rows, columns)
            first += rows * columns
        holes.append(Hole(_pair(told["stored"]), *_slices(told["at"]), packed))
    return Validity(_pair(record["image_shape"]), holes)


def region_arrays(region: Region) -> tuple[Record, Arrays]:
    """Return what was asked about; of labels only whether they are 0 matters."""
    box = None if region.box is None else [float(edge) for edge in region.box]
    mask = region.mask
    if mask is None:
        return {"box": box, "mask": None}, {}
    if isinstance(mask, Outlines):
        counts = [len(polygon) for polygon in mask.polygons]
        told = {"box": box, "mask": "outlines", "corners": counts}
        return told, {"outlines": np.concatenate(mask.polygons)}
    if isinstance(mask, Labelled):
        matrix = np.eye(3) if mask.matrix is None else mask.matrix
        height, width = mask.labels.shape
        labelled = np.asarray(mask.labels[0:height, 0:width]) != 0
        told = {"box": box, "mask": "labels", "matrix": np.asarray(matrix, float).tolist()}
        return told, {"labelled": labelled}
    raise TypeError(f"a region's mask is outlines or labels, not {type(mask).__name__}")


def restore_region(record: Record, arrays: Arrays) -> Region:
    """Return the region of a record."""
    mask: Mask | None = None
    if record["mask"] == "outlines":
        ends = np.cumsum(record["corners"])[:-1]
        mask = Outlines(np.split(arrays["outlines"], ends))
    elif record["mask"] == "labels":
        mask = Labelled(arrays["labelled"], np.array(record["matrix"]))
    box = record["box"]
    return Region(None if box is None else (box[0], box[1], box[2], box[3]), mask)


def coarse_arrays(coarse: Coarse | None) -> tuple[Record | None, Arrays]:
    """Return the coarse look, if there was one."""
    if coarse is None:
        return None, {}
    arrays = {f"coarse_{name}": getattr(coarse, name) for name in ("tokens", "embedding", "y", "x")}
    return {"bounds": _corners(coarse.bounds)}, arrays


def restore_coarse(record: Record | None, arrays: Arrays) -> Coarse | None:
    """Return the coarse look of a record."""
    if record is None:
        return None
    tokens, embedding, y, x = (arrays[f"coarse_{n}"] for n in ("tokens", "embedding", "y", "x"))
    return Coarse(tokens, embedding, _slices(record["bounds"]), y, x)


def _corners(cells: tuple[slice, slice]) -> list[list[int]]:
    return [[int(each.start), int(each.stop)] for each in cells]


def _slices(corners: list[list[int]]) -> tuple[slice, slice]:
    y, x = (slice(*each) for each in corners)
    return y, x


def _pair(numbers: list[int]) -> tuple[int, int]:
    return int(numbers[0]), int(numbers[1])
