"""Places that a user marked in an image, as points or masks, and the tokens that lie there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_clip_heatmap.errors import PromptError, shown_value

if TYPE_CHECKING:
    from napari_clip_heatmap.imaging.lattice import Axis
    from napari_clip_heatmap.pipeline.encoding import Encoding

__all__ = ["Places", "no_places", "read_places"]

_COVERED = 0.5
"""Fraction of a patch that a mask must cover, so that the patch shows what the mask marks."""

_ACCEPTED = (
    "points as numbers (n, 2), y and x in image pixels, or a mask, bool (y, x), of the image's "
    "shape"
)


@dataclass(frozen=True, eq=False)
class Places:
    """The patches under marked places.

    Parameters
    ----------
    cells : int (place, 2)
        Row and column on the lattice.
    weights : float64 (place,)
        How much each counts: 1 for a point, and the covered fraction of a patch of a mask.
    """

    cells: NDArray[np.intp]
    weights: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.cells)

    def tokens(self, token_map: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the token of each place, float64 (place, d_embed)."""
        return token_map[self.cells[:, 0], self.cells[:, 1]].astype(np.float64)

    def without(self, number: int) -> Places:
        """Return all places but one."""
        return Places(np.delete(self.cells, number, axis=0), np.delete(self.weights, number))


def no_places() -> Places:
    """Return no place at all."""
    return Places(np.zeros((0, 2), np.intp), np.zeros(0))


def read_places(encoding: Encoding, given: Any, what: str) -> Places:
    """Return the patches under points or a mask.

    Parameters
    ----------
    encoding : Encoding
    given : array-like
        Points (n, 2) or a mask, bool (y, x).
    what : str
        "positive" or "negative", for messages.

    Raises
    ------
    PromptError
        The shape or type is neither, or a place lies outside the image, the region or where the
        image is known.
    """
    try:
        array = np.asarray(given)
    except (TypeError, ValueError) as error:
        raise _refused(given, what) from error
    if array.dtype == bool:
        return _of_mask(encoding, array, what)
    if array.size == 0:
        return no_places()
    if array.dtype.kind not in "iuf" or array.ndim != 2 or array.shape[1] != 2:
        raise _refused(given, what, array)
    return _of_points(encoding, array.astype(np.float64), what)


def _refused(given: object, what: str, array: NDArray[Any] | None = None) -> PromptError:
    found = shown_value(given) if array is None else f"{array.dtype} of shape {array.shape}"
    return PromptError(f"the {what} places are {found}; accepted: {_ACCEPTED}")


def _of_points(encoding: Encoding, points: NDArray[np.float64], what: str) -> Places:
    height, width = encoding.image_shape
    at = points + 0.5  # a whole number is the center of a pixel
    inside = (at >= 0).all(axis=1) & (at[:, 0] <= height) & (at[:, 1] <= width)
    if not inside.all():  # NaN is not inside either
        y, x = points[~inside][0]
        raise PromptError(
            f"the {what} point at y={y:g}, x={x:g} lies outside the image, which has {height} x "
            f"{width} pixels; accepted: y from 0 to {height - 1}, x from 0 to {width - 1}"
        )
    cells = np.array(
        [[each.start for each in encoding.lattice.cell_at(y, x)] for y, x in at], np.intp
    )
    known = _known_cells(encoding)
    for point, position, cell in zip(points, at, cells, strict=True):
        if not (_is_valid(encoding, position) and known[tuple(cell)]):
            raise PromptError(
                f"the {what} point at y={point[0]:g}, x={point[1]:g} lies where the image is not "
                "known: NaN, masked, outside the region, or not encoded yet; accepted: points "
                "where the maps have values. Move or remove it"
            )
    return Places(cells, np.ones(len(cells)))


def _is_valid(encoding: Encoding, position: NDArray[np.float64]) -> bool:
    y, x = position[:1], position[1:]
    answers = encoding.validity.read(y, x), encoding.region.inside(y, x)
    return all(answer is None or bool(answer.all()) for answer in answers)


def _known_cells(encoding: Encoding) -> NDArray[np.bool_]:
    """Return the patches of the region whose tiles are all done, bool (grid_y, grid_x)."""
    if encoding.complete:
        return encoding.touched
    rows, columns = (slice(0, length) for length in encoding.lattice.grid)
    done: NDArray[np.bool_] = encoding.accumulator.weights(rows, columns) > 1 - 1e-5
    return done & encoding.touched


def _of_mask(encoding: Encoding, mask: NDArray[np.bool_], what: str) -> Places:
    if mask.shape != encoding.image_shape:
        raise PromptError(
            f"the {what} mask has the shape {mask.shape}, and the image {encoding.image_shape}; "
            "accepted: a mask, bool (y, x), of the image's shape"
        )
    if not mask.any():
        return no_places()
    shown = mask & encoding.valid
    covered = _cell_sums(encoding, shown) / _cell_sums(encoding, np.ones_like(mask))
    covered[~_known_cells(encoding)] = 0
    if not covered.any():
        raise PromptError(
            f"the {what} mask lies where the image is not known: NaN, masked, outside the region, "
            "or not encoded yet; accepted: a mask where the maps have values"
        )
    # A mask that is smaller than a patch marks the patch that it covers most of.
    chosen = covered >= min(_COVERED, float(covered.max()))
    return Places(np.argwhere(chosen), covered[chosen])


def _cell_sums(encoding: Encoding, mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Count the pixels of a mask in each cell of the lattice."""
    first_y, first_x = (_first_pixels(axis) for axis in (encoding.lattice.y, encoding.lattice.x))
    rows = np.add.reduceat(mask, first_y, axis=0, dtype=np.float64)
    sums: NDArray[np.float64] = np.add.reduceat(rows, first_x, axis=1)
    return np.maximum(sums, 0)


def _first_pixels(axis: Axis) -> NDArray[np.intp]:
    """Return the first pixel of each cell: the first whose center is in it."""
    first = np.ceil(axis.cell_edges()[:-1] - 0.5).astype(np.intp)
    return np.clip(first, 0, axis.image - 1)
