"""How the maps of an image vary, whatever the prompt: the covariance of its patches' tokens."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from napari_clip_heatmap.pipeline.encoding import Encoding

__all__ = ["token_covariance"]

_WINDOWS, _SIDE = 8, 8
"""Windows per axis and cells per window: of any lattice, at most 4096 cells are looked at."""


def token_covariance(encoding: Encoding) -> NDArray[np.float64]:
    """Return the covariance over patches of their tokens, (d_embed, d_embed).

    For directions ``s`` and ``t`` the covariance of their maps is ``s @ C @ t``. Of a large
    lattice, windows on a regular grid are looked at: every prompt at the cost of a few.

    Zero where the region holds no two patches that are known and valid.
    """
    basis = np.eye(encoding.token_map.shape[-1], dtype=np.float32)
    tokens = np.concatenate([_tokens(encoding, basis, cells) for cells in _windows(encoding)])
    if len(tokens) < 2:
        return np.zeros((len(basis), len(basis)))
    centred = tokens - tokens.mean(axis=0, dtype=np.float64)
    covariance: NDArray[np.float64] = centred.T @ centred / len(tokens)
    return covariance


def _windows(encoding: Encoding) -> Iterator[tuple[slice, slice]]:
    y, x = encoding.bounds
    for rows in _spread(y):
        for columns in _spread(x):
            yield rows, columns


def _spread(cells: slice) -> list[slice]:
    if cells.stop - cells.start <= _WINDOWS * _SIDE:
        return [cells]
    starts = np.linspace(cells.start, cells.stop - _SIDE, _WINDOWS).astype(int)
    return [slice(int(start), int(start) + _SIDE) for start in starts]


def _tokens(
    encoding: Encoding, basis: NDArray[np.float32], cells: tuple[slice, slice]
) -> NDArray[np.float32]:
    """Return the tokens of the cells that are known and valid, (cell, d_embed)."""
    values = encoding.lattice_values(basis, cells)
    known = np.isfinite(values).all(axis=0)
    y, x = (
        axis.cell_centres(each)
        for axis, each in zip((encoding.lattice.y, encoding.lattice.x), cells, strict=True)
    )
    valid = encoding.validity.read(y, x)
    if valid is not None:
        known &= valid
    return values[:, known].T
