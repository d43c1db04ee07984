"""Views of drawn scenes: small square pictures with the list of what each shows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import IterableDataset, get_worker_info

from napari_clip_heatmap.scenes import Scene, draw
from training.captions import TRUE, UNCLEAR, Caption, Content, caption_set

__all__ = ["Batch", "Batches"]

_SCENE_PER_VIEW = 2.5  # side of a scene over side of a view
_VIEWS_PER_SCENE = 6
_CLEAR_AREA = 40  # pixels a class must cover to be there: a vesicle of 7 px across
_PER_STRUCTURE = {"platelets": 30, "vesicles": 20, "filaments": 60, "white blood cells": 120}


@dataclass(frozen=True, slots=True)
class Batch:
    """Views and captions.

    Attributes
    ----------
    images : ndarray (view, y, x, 3) uint8
    captions : list of Caption
    states : ndarray (view, caption) int8
        TRUE, FALSE or UNCLEAR.
    corner : (float, float)
        Where the views lie in the model's input, as shares of the room that they leave.
    """

    images: NDArray[np.uint8]
    captions: list[Caption]
    states: NDArray[np.int8]
    corner: tuple[float, float]


def _content(scene: Scene, window: tuple[slice, slice]) -> Content:
    present, coverage = {}, {}
    for name, mask in scene.masks.items():
        area = int(np.count_nonzero(mask[window]))
        if area:
            enough = area >= _PER_STRUCTURE.get(name, _CLEAR_AREA)
            present[name] = TRUE if enough else UNCLEAR
            coverage[name] = area / mask[window].size
    # A white cell has a nucleus: whether "nuclei" is true of it is a matter of taste.
    if "white blood cells" in present:
        present.setdefault("nuclei", UNCLEAR)
        coverage.setdefault("nuclei", 0.0)
    colours = {name: word for name, word in scene.colours.items() if name in present}
    return Content(present, coverage, colours, scene.modality)


def _views(
    rng: np.random.Generator, scene: Scene, side: int
) -> Iterator[tuple[NDArray[np.uint8], Content]]:
    room = scene.image.shape[0] - side
    for _ in range(_VIEWS_PER_SCENE):
        top, left = rng.integers(0, room + 1, 2)
        window = (slice(top, top + side), slice(left, left + side))
        view = np.rot90(scene.image[window], rng.integers(4))
        yield view[:, :: rng.choice((-1, 1))], _content(scene, window)


class Batches(IterableDataset[Batch]):
    """An endless stream of batches; every worker draws its own scenes from ``seed``."""

    def __init__(self, seed: tuple[int, ...], batch_size: int, side: int) -> None:
        self._seed = seed
        self._batch_size = batch_size
        self._side = side

    def __iter__(self) -> Iterator[Batch]:
        """Draw scenes and cut views; those of one scene are spread over several batches."""
        torch.set_num_threads(1)
        worker = get_worker_info()
        rng = np.random.default_rng((*self._seed, 0 if worker is None else worker.id))
        pool: list[tuple[NDArray[np.uint8], Content]] = []
        scene_side = round(self._side * _SCENE_PER_VIEW)
        while True:
            while len(pool) < 4 * self._batch_size:
                scene = draw(int(rng.integers(2**62)), (scene_side, scene_side))
                pool.extend(_views(rng, scene, self._side))
            order = rng.permutation(len(pool))
            chosen = [pool[index] for index in order[: self._batch_size]]
            pool = [pool[index] for index in order[self._batch_size :]]
            captions, states = caption_set(rng, [content for _, content in chosen])
            corner = (float(rng.random()), float(rng.random()))
            yield Batch(np.stack([view for view, _ in chosen]), captions, states, corner)
