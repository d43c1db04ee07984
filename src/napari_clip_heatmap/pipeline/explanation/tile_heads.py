"""Tiles through the model with all their heads kept, each once as long as memory allows."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Literal
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_clip_heatmap.errors import ClipHeatmapError, DecompositionError
from napari_clip_heatmap.hashing import hash_arrays
from napari_clip_heatmap.imaging.channel import Channel, as_channels
from napari_clip_heatmap.imaging.lattice import OVERLAP, Quality, plan
from napari_clip_heatmap.imaging.region import Region
from napari_clip_heatmap.imaging.source import ImageSource, read_tile
from napari_clip_heatmap.imaging.view import View
from napari_clip_heatmap.pipeline.batches import read_now

if TYPE_CHECKING:
    from torch import Tensor

    from napari_clip_heatmap.clip.model import ClipModel
    from napari_clip_heatmap.core.head_vectors import HeadVectors
    from napari_clip_heatmap.core.tower import Tower

__all__ = ["TileIndex", "TiledImage", "computed", "tile_heads"]

LIMIT = 256 * 2**20
"""Bytes of tiles that are kept for each model: ten of ViT-L-14, hundreds of the bundled model."""

TileIndex = tuple[int, int]


class TiledImage:
    """An image on the lattice on which `encode` puts it, tile by tile.

    Parameters
    ----------
    model : ClipModel
    image, view, region, downsample, overlap, quality
        As `encode` takes them.

    Raises
    ------
    ImageError, SettingsError
        As `encode` raises them.
    """

    def __init__(
        self,
        model: ClipModel,
        image: ArrayLike | Channel | Sequence[Channel],
        *,
        view: View | None = None,
        region: Region | None = None,
        downsample: float | Literal["auto"] = "auto",
        overlap: float = OVERLAP,
        quality: Quality = "standard",
    ) -> None:
        channels = as_channels(image)
        self.model, self.region = model, region or Region()
        self.lattice, _ = plan(
            channels[0].shape,
            tile=model.image_size,
            patch=model.patch_size,
            downsample=downsample,
            overlap=overlap,
            quality=quality,
        )
        self.region.require_pixels(self.lattice)
        appearance = read_now((view or View()).appearance, channels)
        self._source = ImageSource(channels, appearance, self.lattice.working_shape)
        self.validity = self._source.validity

    @property
    def tiles(self) -> tuple[TileIndex, ...]:
        """The tiles of the region, as (row, column), row by row."""
        return self.region.tiles(self.lattice)

    def read(self, tile: TileIndex) -> NDArray[np.float32]:
        """Return what the model sees in a tile, float32 (tile_y, tile_x, 3) in 0..1."""
        return read_now(partial(read_tile, self._source, self.lattice), tile)

    def tiles_over(self, rows: slice, columns: slice) -> list[TileIndex]:
        """Return the tiles that cover at least one cell of a rectangle."""
        y = np.flatnonzero((self.lattice.y.weights[:, rows] > 0).any(axis=1))
        x = np.flatnonzero((self.lattice.x.weights[:, columns] > 0).any(axis=1))
        return [(int(row), int(column)) for row in y for column in x]

    def counted(self) -> list[TileIndex]:
        """Return the tiles whose embeddings count for the similarity; all have been read."""
        done = np.zeros((len(self.lattice.y.starts), len(self.lattice.x.starts)), bool)
        rows, columns = np.transpose(self.tiles)
        done[rows, columns] = True
        counted = self.validity.counted(self.lattice, done & self.lattice.unshifted)
        return [tile for tile in self.tiles if counted[tile]]


@dataclass(eq=False)
class _RecentTiles:
    """Tiles that went through a tower, the last used last."""

    tower: Tower
    tiles: OrderedDict[str, HeadVectors] = field(default_factory=OrderedDict)

    def keep(self, key: str, heads: HeadVectors) -> None:
        self.tiles[key] = heads
        while len(self.tiles) > 1 and sum(each.n_bytes for each in self.tiles.values()) > LIMIT:
            self.tiles.popitem(last=False)


_recent: WeakKeyDictionary[ClipModel, _RecentTiles] = WeakKeyDictionary()
_lock = threading.Lock()


def tile_heads(model: ClipModel, seen: NDArray[np.float32]) -> HeadVectors:
    """Send one tile (tile_y, tile_x, 3), in 0..1, through the model; recent tiles are kept."""
    key = hash_arrays([seen])
    with _lock:
        recent = _recent.get(model)
        if recent is None or recent.tower is not model.tower:  # another device, another precision
            recent = _recent[model] = _RecentTiles(model.tower)
        if key in recent.tiles:
            recent.tiles.move_to_end(key)
            return recent.tiles[key]
    heads = _forward(model, seen)
    with _lock:
        if recent.tower is model.tower:
            recent.keep(key, heads)
    return heads


def computed(sums: Callable[[], Tensor | None]) -> NDArray[np.float64]:
    """Return what is computed from heads as an array; no gradients are kept, wherever it ran."""
    import torch

    with torch.no_grad():
        found = sums()
    if found is None:
        raise RuntimeError("the MLPs of this model belong to no token")
    array: NDArray[np.float64] = found.double().cpu().numpy()
    return array


def _forward(model: ClipModel, seen: NDArray[np.float32]) -> HeadVectors:
    """Run one tile; where its device fails, the CPU continues."""
    from napari_clip_heatmap.clip.devices import describe_failure

    try:
        heads = model.head_vectors(model.preprocess(seen[np.newaxis])).moved("cpu")
    except ClipHeatmapError:
        raise
    except (RuntimeError, MemoryError) as error:
        if model.device.type == "cpu":
            raise
        reason = describe_failure(error)
    else:
        if heads.is_finite:
            return heads
        if model.fall_back_to_full_precision():
            return _forward(model, seen)
        raise DecompositionError(
            "the contributions of a tile are not finite, even in full precision: the model's "
            "weights hold NaN or infinity, or overflow; get them again, or use another model"
        )
    model.fall_back_to_cpu(reason)
    return _forward(model, seen)
