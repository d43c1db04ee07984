"""Batches of tiles of several images: a small model takes less time for each than one by one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from napari_clip_heatmap.batch.tiles.plane_tiles import ReadTiles, stop_if
from napari_clip_heatmap.imaging.source import is_blank
from napari_clip_heatmap.pipeline.batches import (
    BatchedForward,
    Tile,
    TileOutput,
    at_once,
    forward_tile,
    products_of_tile,
    suitable_size,
)

if TYPE_CHECKING:
    from napari_clip_heatmap.batch.tiles.tile_journal import JournalTile
    from napari_clip_heatmap.clip.model import ClipModel

__all__ = ["compute_together", "shared_batch_size"]

_TOGETHER = 16
"""Tiles of several images that go through a small model together: on a CPU the bundled model takes
two thirds of the time for each that it takes for one alone."""

_FEWEST = 8
"""Tiles to which a smaller batch of several images is filled up. For fewer, a CPU may multiply in
another order, and the last digit of a result would depend on which images were left to do."""

_LONGEST = 6e9
"""Multiplications of a batch of several images: a larger model gets fewer tiles, as Ctrl+C waits
for the batch at hand."""


def compute_together(
    model: ClipModel,
    planes: Sequence[ReadTiles],
    cancelled: Callable[[], bool] = lambda: False,
) -> list[list[JournalTile]]:
    """Send the tiles of several planes through the model in shared batches.

    Parameters
    ----------
    model : ClipModel
    planes : sequence of ReadTiles
    cancelled : callable() -> bool

    Returns
    -------
    list of list of JournalTile
        Per plane its finished tiles, in order.

    Raises
    ------
    Cancelled
        `cancelled` returned true; nothing is kept.

    Examples
    --------
    >>> first, second = compute_together(model, [one.read(), other.read()])  # doctest: +SKIP
    """
    outputs: dict[tuple[int, int], TileOutput] = {}
    blanks: dict[bytes, TileOutput] = {}
    waiting: list[Tile] = []
    for number, plane in enumerate(planes):
        for place, (_, seen) in enumerate(plane.pixels):
            if not is_blank(seen):
                waiting.append(((number, place), seen))
                continue
            color = seen[0, 0].tobytes()
            if color not in blanks:
                blanks[color] = forward_tile(model, seen)
            outputs[number, place] = blanks[color]
    if waiting:
        largest = shared_batch_size(model)
        filled = waiting + waiting[-1:] * (min(_FEWEST, largest) - len(waiting))
        # As many as are computed side by side, unless they would be too small; of one size, about.
        n_batches = max(-(-len(filled) // largest), min(at_once(model), len(filled) // _FEWEST))
        size = -(-len(filled) // n_batches)
        batches = BatchedForward(model, size, partial(stop_if, cancelled))
        for finished in batches.submit(filled, last=True):
            outputs.update(finished)
    return [
        [plane.finished(place, outputs[number, place]) for place in range(len(plane))]
        for number, plane in enumerate(planes)
    ]


def shared_batch_size(model: ClipModel) -> int:
    """Return how many tiles of several images go through the model together.

    Examples
    --------
    >>> shared_batch_size(nch.load_model("demo", device="cpu"))
    16
    """
    usual = suitable_size(model)
    if model.device.type != "cpu":
        return usual
    return max(usual, min(_TOGETHER, int(_LONGEST / products_of_tile(model))))
