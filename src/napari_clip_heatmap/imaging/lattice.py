"""The one patch lattice of an image: its cells, the tiles that cover them, how tiles are read.

There are two pixel grids. *Image pixels* are the user's. *Working pixels* are what the model
looks at: the image, averaged down by a factor. A lattice cell is one patch of the model, so `patch`
working pixels wide. Pixel ``i`` is the interval ``[i, i + 1)``, its center ``i + 0.5``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from napari_clip_heatmap.errors import SettingsError, shown_value
from napari_clip_heatmap.validation import number, one_of

__all__ = [
    "AUTO_TILES",
    "OVERLAP",
    "PARTS",
    "Axis",
    "Lattice",
    "Quality",
    "blend_tile",
    "choose_downsample",
    "plan",
    "plan_axis",
    "plan_lattice",
    "reflect",
]


@dataclass(frozen=True)
class Axis:
    """One axis of the lattice.

    The cells cover the image and reach beyond it by less than one patch, half of it on either side.
    All tiles start on a cell, so patches of overlapping tiles coincide. A tile that is larger than
    the image starts before cell 0; outside the image it sees the image's reflection, as context.

    Parameters
    ----------
    image : int
        Length of the user's image, in image pixels.
    working : int
        The same length in working pixels.
    patch, tile : int
        Width of a patch and of the model's input, in working pixels.
    starts : tuple of int
        First cell of each tile, ascending.
    parts : int
        Cells per patch. More than one: tiles are also shifted by parts of a patch. A cell is then
        narrower than the patch around its center, whose contribution it has.
    """

    image: int
    working: int
    patch: int
    tile: int
    starts: tuple[int, ...]
    parts: int = 1

    @property
    def n_patches(self) -> int:
        """Number of patches that cover the image, side by side."""
        return -(-self.working // self.patch)

    @property
    def n_cells(self) -> int:
        """Number of cells: from the center of the first patch to that of the last."""
        return (self.n_patches - 1) * self.parts + 1

    @property
    def cell(self) -> float:
        """Width of a cell, in working pixels."""
        return self.patch / self.parts

    @property
    def cells_per_tile(self) -> int:
        """Number of whole patches in a tile."""
        return self.tile // self.patch

    @property
    def lead(self) -> int:
        """Working pixels of the first patch that are outside the image."""
        return (self.n_patches * self.patch - self.working) // 2

    @property
    def first_edge(self) -> float:
        """Where cell 0 begins, in working pixels: before the image where negative."""
        return (self.patch - self.cell) / 2 - self.lead

    def pixels(self, tile: int) -> range:
        """Return the working pixels a tile looks at; those outside the image are reflections.

        Whole pixels: where `parts` does not divide the patch, up to half a pixel from its place.
        """
        first = round(self.starts[tile] * self.cell) - self.lead
        return range(first, first + self.tile)

    def is_shifted(self, tile: int) -> bool:
        """Return whether a tile begins within a patch of the unshifted ones."""
        return self.starts[tile] % self.parts != 0

    def cells(self, tile: int) -> tuple[slice, slice]:
        """Return the cells a tile covers: counted on the lattice, and counted in the tile."""
        start, parts = self.starts[tile], self.parts
        first = max(0, -(start // parts))
        stop = min(self.cells_per_tile, (self.n_cells - 1 - start) // parts + 1)
        step = parts if parts > 1 else None
        on_lattice = slice(start + first * parts, start + (stop - 1) * parts + 1, step)
        return on_lattice, slice(first, stop)

    @cached_property
    def weights(self) -> NDArray[np.float32]:
        """Weight of each tile in each cell, float32 (tile, n_cells); sums to 1 over tiles.

        A Hann window at cell centers, so never zero: where a single tile covers a cell, as at the
        border of the image, its weight is exactly 1.
        """
        centers = (np.arange(self.cells_per_tile) + 0.5) / self.cells_per_tile
        window = np.sin(np.pi * centers) ** 2
        weights = np.zeros((len(self.starts), self.n_cells))
        for tile in range(len(self.starts)):
            on_lattice, in_tile = self.cells(tile)
            weights[tile, on_lattice] = window[in_tile]
        weights /= weights.sum(axis=0)
        return weights.astype(np.float32)

    def cell_edges(self) -> NDArray[np.float64]:
        """Return where cells begin and end, (n_cells + 1,), in image pixels, within the image.

        The outermost cells reach to the border of the image.
        """
        working = np.arange(self.n_cells + 1) * self.cell + self.first_edge
        edges: NDArray[np.float64] = np.clip(working * (self.image / self.working), 0, self.image)
        if self.parts > 1:
            edges[[0, -1]] = 0, self.image
        return edges

    def cell_centers(self, cells: slice) -> NDArray[np.float64]:
        """Return the middle of some cells, clipped to the image, in image pixels."""
        edges = self.cell_edges()
        return (edges[:-1][cells] + edges[1:][cells]) / 2

    def position(self, at: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return image pixels of places on the lattice, of which cell 0 spans 0 to 1."""
        return (at * self.cell + self.first_edge) * (self.image / self.working)

    def cell_positions(self, pixels: slice | None = None) -> NDArray[np.float64]:
        """Return the centers of image pixels, by default all, in cells from the center of cell 0.

        Exact for any ratio of image to working pixels, and clamped to the outermost cell centers.
        """
        wanted = pixels or slice(0, self.image)
        centers = (np.arange(wanted.start, wanted.stop) + 0.5) * (self.working / self.image)
        return np.clip((centers - self.first_edge) / self.cell - 0.5, 0, self.n_cells - 1)


@dataclass(frozen=True)
class Lattice:
    """The lattice of an image, and its tiles: every pair of a row tile and a column tile."""

    y: Axis
    x: Axis

    @property
    def image_shape(self) -> tuple[int, int]:
        """Height and width of the user's image, in image pixels."""
        return self.y.image, self.x.image

    @property
    def working_shape(self) -> tuple[int, int]:
        """Height and width in working pixels."""
        return self.y.working, self.x.working

    @property
    def grid(self) -> tuple[int, int]:
        """Height and width of the lattice, in cells."""
        return self.y.n_cells, self.x.n_cells

    def cell_at(self, y: float, x: float) -> tuple[slice, slice]:
        """Return the cell (y, x) that contains a point, given in image pixels."""
        row, column = (
            int(np.searchsorted(axis.cell_edges(), at, side="right")) - 1
            for axis, at in ((self.y, y), (self.x, x))
        )
        row, column = min(max(row, 0), self.y.n_cells - 1), min(max(column, 0), self.x.n_cells - 1)
        return slice(row, row + 1), slice(column, column + 1)

    @property
    def quality(self) -> Quality:
        """How fine the lattice is."""
        return next(name for name in get_args(Quality) if PARTS[name] == self.y.parts)

    @property
    def unshifted(self) -> NDArray[np.bool_]:
        """Which tiles are also those of the standard lattice, bool (row, column)."""
        y, x = (
            np.array([not axis.is_shifted(tile) for tile in range(len(axis.starts))])
            for axis in (self.y, self.x)
        )
        unshifted: NDArray[np.bool_] = y[:, np.newaxis] & x
        return unshifted

    @property
    def tiles(self) -> tuple[tuple[int, int], ...]:
        """Each tile as (row, column), row by row."""
        return tuple(
            (row, column)
            for row in range(len(self.y.starts))
            for column in range(len(self.x.starts))
        )


@lru_cache(maxsize=4, typed=True)  # images of one size share their weights
def plan_axis(
    image: int, working: int, *, patch: int, tile: int, overlap: float, parts: int = 1
) -> Axis:
    """Cover one axis with as few tiles as the overlap allows, evenly spread, each on a whole cell.

    Parameters
    ----------
    image, working : int
        Length of the axis in image pixels and in working pixels, each at least 1.
    patch, tile : int
        Width of a patch and of the model's input, in working pixels.
    overlap : float
        Smallest fraction of a tile that its neighbor covers too, in [0, 1).
    parts : int
        Cells per patch: so many shifted sets of tiles, each planned like the unshifted one.
    """
    n_patches = -(-working // patch)
    starts = (
        shift + parts * start
        for shift in range(parts)
        for start in _starts(n_patches - (shift > 0), tile // patch, overlap)
    )
    return Axis(image, working, patch, tile, tuple(sorted(starts)), parts)


def _starts(n_patches: int, per_tile: int, overlap: float) -> tuple[int, ...]:
    """Return the first patch of each tile of one set; none where there is no patch."""
    spare = n_patches - per_tile
    if not n_patches:
        return ()
    if spare <= 0:
        return (-(-spare // 2),)
    # 1e-9: 10 * (1 - 0.9) is 0.9999999999999998 in floating point, and means 1.
    stride = max(1, math.floor(per_tile * (1 - overlap) + 1e-9))
    steps = -(-spare // stride)
    return tuple((step * spare) // steps for step in range(steps + 1))


def plan_lattice(
    image_shape: tuple[int, int],
    working_shape: tuple[int, int],
    *,
    patch: tuple[int, int],
    tile: tuple[int, int],
    overlap: float,
    parts: int = 1,
) -> Lattice:
    """Cover both axes; see `plan_axis`. Every pair is (y, x)."""
    y, x = (
        plan_axis(
            image_shape[axis],
            working_shape[axis],
            patch=patch[axis],
            tile=tile[axis],
            overlap=overlap,
            parts=parts,
        )
        for axis in (0, 1)
    )
    return Lattice(y, x)


Quality = Literal["standard", "fine", "finest"]
"""How fine a lattice is."""

PARTS: dict[str, int] = {"standard": 1, "fine": 2, "finest": 4}
"""Cells per patch and axis; tiles take the square of it as long."""

OVERLAP = 0.5
"""Least fraction by which neighboring tiles overlap, by default."""

AUTO_TILES = 16
"""With downsample "auto", the short side of an image is at most this many tiles long."""

TINY = 0.25
"""With downsample "auto", an image that fits one tile and whose short side is at most this part of
the tile is enlarged: a model sees next to nothing in a few patches."""

LEAST_DOWNSAMPLE = 0.125
"""An image is enlarged at most 8 times along each axis."""


def plan(
    shape: tuple[int, int],
    *,
    tile: tuple[int, int],
    patch: tuple[int, int],
    downsample: float | Literal["auto"] = "auto",
    overlap: float = OVERLAP,
    quality: Quality = "standard",
) -> tuple[Lattice, float]:
    """Return the lattice of an image, and image pixels per working pixel.

    Parameters
    ----------
    shape, tile, patch : (y, x)
        Of the image, in pixels; of the model's input and patches (``model.image_size``,
        ``model.patch_size``), in working pixels.
    downsample, overlap, quality
        As `encode` takes them.

    Raises
    ------
    SettingsError
        A setting has a wrong type or is outside its range.
    """
    overlap = number("overlap", overlap, 0, 0.9)
    parts = PARTS[one_of("quality", quality, PARTS)]
    factor = choose_downsample(shape, tile, downsample)
    working = max(1, round(shape[0] / factor)), max(1, round(shape[1] / factor))
    lattice = plan_lattice(shape, working, patch=patch, tile=tile, overlap=overlap, parts=parts)
    return lattice, factor


def choose_downsample(
    shape: tuple[int, int],
    tile: tuple[int, int],
    downsample: float | Literal["auto"] = "auto",
) -> float:
    """Return image pixels per working pixel: as given, or what "auto" means for this image.

    Parameters
    ----------
    shape, tile : (y, x)
        Of the image and of the model's input, in pixels.
    downsample : float or "auto"

    Raises
    ------
    SettingsError
        It is neither a number from 0.125 up nor "auto".
    """
    if not isinstance(downsample, str):
        return number("downsample", downsample, LEAST_DOWNSAMPLE)
    if downsample != "auto":
        raise SettingsError(
            f"downsample is {shown_value(downsample)}; accepted: 'auto', or a number of image "
            f"pixels per pixel that the model looks at, from {LEAST_DOWNSAMPLE} up"
        )
    short, long = sorted((shape[0] / tile[0], shape[1] / tile[1]))
    if short <= TINY and long <= 1:
        return max(LEAST_DOWNSAMPLE, short)
    return max(1.0, short / AUTO_TILES)


def reflect(positions: range, length: int) -> NDArray[np.intp]:
    """Map positions on an endless line to an axis that is mirrored at both ends, again and again.

    The outermost pixel is repeated (``c b a | a b c | c b a``), so even an axis of length 1 works.
    """
    folded = np.asarray(positions) % (2 * length)
    mirrored: NDArray[np.intp] = np.minimum(folded, 2 * length - 1 - folded)
    return mirrored


def blend_tile(
    total: NDArray[np.float32],
    lattice: Lattice,
    tile: tuple[int, int],
    tokens: NDArray[np.float32],
) -> None:
    """Add a tile's tokens to the lattice; over all tiles, the weights in each cell sum to 1.

    Parameters
    ----------
    total : float32 (grid_y, grid_x, d_embed)
        The token map, zeros at first; changed in place.
    lattice : Lattice
    tile : (row, column)
    tokens : float32 (cells_y, cells_x, d_embed)
        The tile's own token map.
    """
    (row, column), (y, y_in_tile), (x, x_in_tile) = (
        tile,
        lattice.y.cells(tile[0]),
        lattice.x.cells(tile[1]),
    )
    weights = lattice.y.weights[row, y, np.newaxis] * lattice.x.weights[column, x]
    total[y, x] += weights[..., np.newaxis] * tokens[y_in_tile, x_in_tile]
