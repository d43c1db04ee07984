"""How long a model takes for a megapixel, measured on this machine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np

from napari_clip_heatmap.errors import Cancelled
from napari_clip_heatmap.pipeline.batches import BatchedForward, Tile

if TYPE_CHECKING:
    from napari_clip_heatmap.clip.model import ClipModel

__all__ = ["MeasuredSpeed", "measure_architecture", "measure_speed", "tiles_per_megapixel"]

MIN_ROUNDS, MIN_SECONDS = 3, 0.5
"""Batches that are timed at least, and how long at least."""


@dataclass(frozen=True)
class MeasuredSpeed:
    """How fast an architecture is on this machine.

    Parameters
    ----------
    seconds_per_megapixel : float
        As `measure_speed` returns it.
    device, precision : str
        Where it ran, such as "cuda:0" and "float16"; that need not be what was asked for.
    """

    seconds_per_megapixel: float
    device: str
    precision: str


def measure_architecture(
    architecture: str,
    *,
    device: str = "auto",
    precision: str = "auto",
    at_once: int | None = None,
    cancelled: Callable[[], bool] = lambda: False,
) -> MeasuredSpeed:
    """Measure an architecture with random weights, so that nothing has to be downloaded.

    Parameters
    ----------
    architecture : str
        Of the catalog: `CatalogEntry.architecture`.
    device, precision : str
        As `load_model` takes them.
    at_once : int, optional
        Batches that a CPU computes side by side, as `encode_progressively` takes it.
    cancelled : callable() -> bool, optional
        Called before each batch.

    Raises
    ------
    ModelLoadError, UnsupportedModelError, DeviceError
        As `clip.loading.load_untrained` raises them.
    Cancelled
        `cancelled` returned true.

    Examples
    --------
    >>> measure_architecture("ViT-B-32", device="cpu")  # doctest: +SKIP
    MeasuredSpeed(seconds_per_megapixel=5.1, device='cpu', precision='float32')
    """
    from napari_clip_heatmap.clip.devices import release_memory

    try:
        return _of_untrained(architecture, device, precision, at_once, cancelled)
    finally:
        release_memory()  # of a GPU, which the next run needs


def _of_untrained(
    architecture: str,
    device: str,
    precision: str,
    at_once: int | None,
    cancelled: Callable[[], bool],
) -> MeasuredSpeed:
    from napari_clip_heatmap.clip.loading import load_untrained

    model = load_untrained(architecture, device=device, precision=precision)
    seconds = measure_speed(model, at_once=at_once, cancelled=cancelled)
    return MeasuredSpeed(seconds, str(model.device), str(model.dtype).removeprefix("torch."))


def measure_speed(
    model: ClipModel,
    *,
    at_once: int | None = None,
    cancelled: Callable[[], bool] = lambda: False,
) -> float:
    """Return the seconds that `encode` takes per megapixel at full resolution.

    Batches of noise go through the model as `encode` sends them: preprocessed, of the size that
    suits the device, with the maps fetched from it. The first one is not timed. Reading the image
    is not included.

    Parameters
    ----------
    model : ClipModel
    at_once : int, optional
        Batches that a CPU computes side by side, as `encode_progressively` takes it.
    cancelled : callable() -> bool, optional
        Called before each batch.

    Returns
    -------
    float
        Median over rounds of as many batches as are computed at once; with the default overlap of
        half a tile, `downsample=1`.

    Raises
    ------
    Cancelled
        `cancelled` returned true.

    Examples
    --------
    >>> measure_speed(nch.load_model("demo"))
    0.9
    """

    def check() -> None:
        if cancelled():
            raise Cancelled("The measurement was cancelled.")

    batches = BatchedForward(model, check=check, at_once=at_once)
    tiles = _noise(model, batches.at_once * batches.size)
    _forward(batches, tiles)  # too large a batch makes `size` smaller
    tiles = tiles[: batches.at_once * batches.size]
    rounds = [_seconds(batches, tiles)]
    while len(rounds) < MIN_ROUNDS or sum(rounds) < MIN_SECONDS:
        rounds.append(_seconds(batches, tiles))
    return median(rounds) / len(tiles) * tiles_per_megapixel(model.grid, model.patch_size)


def tiles_per_megapixel(grid: tuple[int, int], patch_size: tuple[int, int]) -> float:
    """Return how many tiles cover a megapixel of a large image that is encoded by default.

    Parameters
    ----------
    grid : (int, int)
        Rows and columns of patches of a tile.
    patch_size : (int, int)
        Height and width, pixels.
    """
    steps = (  # half a tile, in whole patches, as `plan_lattice` spreads tiles
        max(1, n_patches // 2) * patch for n_patches, patch in zip(grid, patch_size, strict=True)
    )
    height, width = steps
    return 1e6 / (height * width)


def _noise(model: ClipModel, n_tiles: int) -> list[Tile]:
    pixels = np.random.default_rng(0).random((n_tiles, *model.image_size, 3), np.float32)
    return [((0, number), tile) for number, tile in enumerate(pixels)]


def _forward(batches: BatchedForward, tiles: list[Tile]) -> None:
    for _ in batches.submit(tiles, last=True):
        pass


def _seconds(batches: BatchedForward, tiles: list[Tile]) -> float:
    start = perf_counter()
    _forward(batches, tiles)
    return perf_counter() - start
