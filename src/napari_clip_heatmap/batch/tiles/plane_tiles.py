"""One plane of an image: which tiles it has, what the model says of each, and all of them together.

`PlaneTiles.compute` and `PlaneTiles.assemble` may run in different processes, on any number of
machines: tiles are added row by row whoever computed them, so the result is the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_clip_heatmap.batch.tiles.tile_journal import JournalTile
from napari_clip_heatmap.errors import Cancelled
from napari_clip_heatmap.imaging.lattice import OVERLAP, Axis, Lattice, Quality, plan
from napari_clip_heatmap.imaging.region import Region
from napari_clip_heatmap.imaging.source import ImageSource, is_blank, read_tile
from napari_clip_heatmap.imaging.validity import Hole, Validity
from napari_clip_heatmap.imaging.view import Appearance, View
from napari_clip_heatmap.pipeline.batches import (
    BatchedForward,
    Tile,
    TileOutput,
    forward_tile,
    read_ahead,
    read_now,
)
from napari_clip_heatmap.pipeline.encoding import Encoding
from napari_clip_heatmap.pipeline.token_grid import SeenContrast, TokenAccumulator

if TYPE_CHECKING:
    from napari_clip_heatmap.clip.model import ClipModel
    from napari_clip_heatmap.imaging.channel import Channel

__all__ = ["PlaneTiles", "ReadTiles", "open_plane", "stop_if"]


@dataclass(frozen=True, eq=False)
class PlaneTiles:
    """A plane that is open, and how it is cut into tiles.

    Parameters
    ----------
    model : ClipModel
    channels : sequence of Channel
    view : View
    region : Region
    lattice : Lattice
    downsample : float
    appearance : Appearance
    source : ImageSource

    Examples
    --------
    >>> plane = open_plane(model, channels, View(), Region(), "auto")  # doctest: +SKIP
    >>> encoding = plane.assemble(plane.compute(plane.tiles))  # doctest: +SKIP
    """

    model: ClipModel
    channels: Sequence[Channel]
    view: View
    region: Region
    lattice: Lattice
    downsample: float
    appearance: Appearance
    source: ImageSource

    @cached_property
    def tiles(self) -> tuple[tuple[int, int], ...]:
        """The tiles of the region, as (row, column), row by row."""
        return self.region.tiles(self.lattice)

    @cached_property
    def cache_key(self) -> str | None:
        """What the cache of encodings calls it; None where its pixels cannot be identified."""
        from napari_clip_heatmap.pipeline.storage.cache import key_of, pixels_of

        pixels = read_now(pixels_of, self.channels)
        if pixels is None:
            return None
        return key_of(pixels, self.model, self.channels, self.view, self.lattice)

    def compute(
        self,
        tiles: Sequence[tuple[int, int]],
        cancelled: Callable[[], bool] = lambda: False,
    ) -> Iterator[JournalTile]:
        """Send tiles through the model, and yield each when it is done.

        Raises
        ------
        Cancelled
            `cancelled` returned true; what was yielded is done.
        ImageError
            A part of the image cannot be read.

        Examples
        --------
        >>> done = list(plane.compute(plane.tiles[:4]))  # doctest: +SKIP
        """
        batches = BatchedForward(self.model, None, partial(stop_if, cancelled))
        wanted, groups = set(tiles), self._groups(tiles, batches.size)
        ends = {group[-1] for group in groups}
        ordered = [tile for group in groups for tile in group]
        blanks: dict[bytes, TileOutput] = {}
        seen_of: dict[tuple[int, int], _Seen] = {}
        waiting: list[Tile] = []
        read = _NewHoles(self.source, self.lattice)
        for tile, (seen, holes) in read_ahead(read, ordered, 2 * batches.size):
            stop_if(cancelled)
            seen_of[tile] = _Seen(*self._range(seen), holes)
            if is_blank(seen):
                color = seen[0, 0].tobytes()
                if color not in blanks:
                    blanks[color] = forward_tile(self.model, seen)
                yield from self._done(seen_of, wanted, [(tile, blanks[color])])
            else:
                waiting.append((tile, seen))
            if tile in ends:
                for finished in batches.submit(waiting, last=tile == ordered[-1]):
                    yield from self._done(seen_of, wanted, finished)
                waiting.clear()

    def read(self) -> ReadTiles:
        """Read all tiles, for `compute_together`.

        Raises
        ------
        ImageError
            A part of the image cannot be read.

        Examples
        --------
        >>> len(plane.read().pixels)  # doctest: +SKIP
        1
        """
        pixels: list[Tile] = []
        seen_of: dict[tuple[int, int], _Seen] = {}
        read = _NewHoles(self.source, self.lattice)
        for tile in self.tiles:
            seen, holes = read_now(read, tile)
            pixels.append((tile, seen))
            seen_of[tile] = _Seen(*self._range(seen), holes)
        return ReadTiles(self, tuple(pixels), seen_of)

    def in_chunks(
        self, tiles: Sequence[tuple[int, int]], size: int
    ) -> list[tuple[tuple[int, int], ...]]:
        """Return tiles in chunks of at least a size, so that no batch is cut in two.

        Examples
        --------
        >>> len(plane.in_chunks(plane.tiles, 32))  # doctest: +SKIP
        7
        """
        wanted, batch = set(tiles), BatchedForward(self.model).size
        chunks: list[tuple[tuple[int, int], ...]] = []
        current: list[tuple[int, int]] = []
        for group in self._groups(tiles, batch):
            current += [tile for tile in group if tile in wanted]
            if len(current) >= size:
                chunks.append(tuple(current))
                current = []
        return [*chunks, tuple(current)] if current else chunks

    def assemble(self, done: Iterable[JournalTile]) -> Encoding:
        """Return the encoding of the plane from its finished tiles, in any order of batches.

        Examples
        --------
        >>> plane.assemble(journal.read(journal.index())).complete  # doctest: +SKIP
        True
        """
        accumulator = TokenAccumulator(self.lattice, self.model.d_embed)
        holes: list[Hole] = []
        for each in done:
            accumulator.add_tile(each.tile, each.tokens, each.embedding)
            (y, in_y), (x, in_x) = (
                axis.cells(at)
                for axis, at in zip((self.lattice.y, self.lattice.x), each.tile, strict=True)
            )
            contrast = accumulator.contrast
            contrast.low[y, x] = np.fmin(contrast.low[y, x], each.low[in_y, in_x])
            contrast.high[y, x] = np.fmax(contrast.high[y, x], each.high[in_y, in_x])
            holes += each.holes
        return Encoding(
            accumulator=accumulator,
            validity=Validity(self.channels[0].shape, holes),
            region=self.region,
            view=self.view,
            downsample=self.downsample,
            overlap=OVERLAP,
            model=self.model.describe(),
            text=self.model.text,
            notices=tuple(self.model.notices),
            ranges=self.appearance.ranges,
        )

    def _groups(
        self, tiles: Sequence[tuple[int, int]], size: int
    ) -> list[tuple[tuple[int, int], ...]]:
        """Return the batches in which these tiles are: always the same, whatever is left to do.

        A model's output for a tile depends on the others of its batch, in the last digit.
        """
        wanted = set(tiles)
        every = (self.tiles[first : first + size] for first in range(0, len(self.tiles), size))
        return [group for group in every if not wanted.isdisjoint(group)]

    def _done(
        self,
        seen_of: dict[tuple[int, int], _Seen],
        wanted: set[tuple[int, int]],
        finished: Iterable[tuple[tuple[int, int], TileOutput]],
    ) -> Iterator[JournalTile]:
        for tile, output in finished:
            done = seen_of.pop(tile).with_output(tile, output)
            if tile in wanted:
                yield done

    def _range(self, seen: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return the darkest and the brightest color of each patch of a tile."""
        alone = Lattice(_alone(self.lattice.y), _alone(self.lattice.x))
        contrast = SeenContrast(alone)
        contrast.add_tile((0, 0), seen)
        return contrast.low, contrast.high


@dataclass(frozen=True, eq=False)
class _Seen:
    """What is known of a tile before the model has seen it."""

    low: NDArray[np.float32]
    high: NDArray[np.float32]
    holes: tuple[Hole, ...]

    def with_output(self, tile: tuple[int, int], output: TileOutput) -> JournalTile:
        return JournalTile(tile, output.tokens, output.embedding, self.low, self.high, self.holes)


@dataclass(frozen=True, eq=False)
class ReadTiles:
    """All tiles of a plane of few, read and not yet encoded.

    Parameters
    ----------
    plane : PlaneTiles
    pixels : tuple of (tile, float32 (tile_y, tile_x, 3))
    seen : dict
        Per tile, what is known of it before the model has seen it.
    """

    plane: PlaneTiles
    pixels: tuple[Tile, ...]
    seen: dict[tuple[int, int], _Seen]

    def __len__(self) -> int:
        return len(self.pixels)

    def finished(self, number: int, output: TileOutput) -> JournalTile:
        """Return one of the tiles with what the model says of it."""
        tile, _ = self.pixels[number]
        return self.seen[tile].with_output(tile, output)


def open_plane(
    model: ClipModel,
    channels: Sequence[Channel],
    view: View,
    region: Region,
    downsample: float | str,
    quality: Quality = "standard",
) -> PlaneTiles:
    """Plan the tiles of a plane, and find the values that are shown as black and white.

    Raises
    ------
    ImageError
        The image has no valid pixel, or cannot be read.

    Examples
    --------
    >>> open_plane(model, as_channels(image), View(), Region(), 2.0)  # doctest: +SKIP
    """
    lattice, factor = plan(
        channels[0].shape,
        tile=model.image_size,
        patch=model.patch_size,
        downsample=downsample,  # type: ignore[arg-type]
        overlap=OVERLAP,
        quality=quality,
    )
    region.require_pixels(lattice)
    appearance = read_now(view.appearance, channels)
    source = ImageSource(channels, appearance, lattice.working_shape)
    return PlaneTiles(model, channels, view, region, lattice, factor, appearance, source)


class _NewHoles:
    """Reads tiles, and gives the invalid pixels that were not known before with each."""

    def __init__(self, source: ImageSource, lattice: Lattice) -> None:
        self._source, self._lattice = source, lattice
        self._known: set[Hole] = set()

    def __call__(self, tile: tuple[int, int]) -> tuple[NDArray[np.float32], tuple[Hole, ...]]:
        seen = read_tile(self._source, self._lattice, tile)
        new = tuple(hole for hole in self._source.validity.holes if hole not in self._known)
        self._known.update(new)
        return seen, new


def _alone(axis: Axis) -> Axis:
    """Return an axis that is one tile."""
    size = axis.cells_per_tile * axis.patch
    return Axis(size, size, axis.patch, size, (0,))


def stop_if(cancelled: Callable[[], bool]) -> None:
    """Raise if the user asked to stop.

    Raises
    ------
    Cancelled

    Examples
    --------
    >>> stop_if(lambda: False)
    """
    if cancelled():
        raise Cancelled("stopped; what is done is kept, and repeating the command goes on")
