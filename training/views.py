"""Views of drawn scenes: small square pictures with the list of what each shows.

A view is one picture, or a mosaic of four that have nothing to do with one another. In a mosaic
every picture keeps its own captions, so that its patches must speak for it and not for its
neighbours.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from einops import rearrange
from numpy.typing import NDArray
from torch.utils.data import IterableDataset, get_worker_info

from napari_clip_heatmap.scenes import Scene, draw
from training.captions import FALSE, TRUE, UNCLEAR, Caption, Content, caption_set

__all__ = ["Batch", "Batches", "Layout"]

_CLEAR_AREA = 40  # pixels a class must cover to be there: a vesicle of 7 px across
_PER_STRUCTURE = {"platelets": 30, "vesicles": 20, "filaments": 60, "white blood cells": 120}

_Picture = tuple[NDArray[np.uint8], Content]


@dataclass(frozen=True, slots=True)
class Layout:
    """How a view is cut from scenes.

    Attributes
    ----------
    split : int
        Pictures side by side in a view, along each axis.
    scene : float
        Side of a scene over side of a picture.
    per_scene : int
        Pictures that are cut from one scene.
    """

    split: int
    scene: float
    per_scene: int


SINGLE = Layout(split=1, scene=2.5, per_scene=6)
MOSAIC = Layout(split=2, scene=3.5, per_scene=16)


@dataclass(frozen=True, slots=True)
class Batch:
    """Views and captions.

    Attributes
    ----------
    images : ndarray (view, y, x, 3) uint8
    captions : list of Caption
    parts : ndarray (view, part, caption) int8
        TRUE, FALSE or UNCLEAR of each picture in a view; row by row.
    """

    images: NDArray[np.uint8]
    captions: list[Caption]
    parts: NDArray[np.int8]

    @property
    def states(self) -> NDArray[np.int8]:
        """What is true of whole views, (view, caption)."""
        if self.parts.shape[1] == 1:
            return self.parts[:, 0]
        anywhere, nowhere = (self.parts == TRUE).any(1), (self.parts == FALSE).all(1)
        states = np.where(anywhere, TRUE, np.where(nowhere, FALSE, UNCLEAR)).astype(np.int8)
        for number, caption in enumerate(self.captions):
            if caption.is_empty:
                states[:, number] = self.parts[:, :, number].min(1)
            elif len(caption.classes) > 1:  # one picture may show the first, another the second
                states[:, number][states[:, number] == FALSE] = UNCLEAR
        return states


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


def _pictures(rng: np.random.Generator, side: int, layout: Layout) -> Iterator[_Picture]:
    """Draw one scene and cut pictures out of it."""
    scene_side = round(side * layout.scene)
    scene = draw(int(rng.integers(2**62)), (scene_side, scene_side))
    for _ in range(layout.per_scene):
        top, left = rng.integers(0, scene_side - side + 1, 2)
        window = (slice(top, top + side), slice(left, left + side))
        picture = np.rot90(scene.image[window], rng.integers(4))
        yield picture[:, :: rng.choice((-1, 1))], _content(scene, window)


class Batches(IterableDataset[Batch]):
    """An endless stream of batches; every worker draws its own scenes from ``seed``."""

    def __init__(self, seed: tuple[int, ...], batch_size: int, side: int, mosaics: float) -> None:
        self._seed = seed
        self._batch_size = batch_size
        self._side = side
        self._mosaics = mosaics

    def __iter__(self) -> Iterator[Batch]:
        """Draw scenes and cut views; those of one scene are spread over several batches."""
        torch.set_num_threads(1)
        worker = get_worker_info()
        rng = np.random.default_rng((*self._seed, 0 if worker is None else worker.id))
        pools: dict[Layout, list[_Picture]] = {SINGLE: [], MOSAIC: []}
        while True:
            layout = MOSAIC if rng.random() < self._mosaics else SINGLE
            yield self._batch(rng, layout, pools[layout])

    def _batch(self, rng: np.random.Generator, layout: Layout, pool: list[_Picture]) -> Batch:
        wanted = self._batch_size * layout.split**2
        while len(pool) < 3 * wanted:
            pool.extend(_pictures(rng, self._side // layout.split, layout))
        order = rng.permutation(len(pool))
        chosen = [pool[index] for index in order[:wanted]]
        pool[:] = [pool[index] for index in order[wanted:]]
        captions, states = caption_set(rng, [content for _, content in chosen])
        images = rearrange(
            np.stack([picture for picture, _ in chosen]),
            "(view row column) y x rgb -> view (row y) (column x) rgb",
            row=layout.split,
            column=layout.split,
        )
        parts = rearrange(states, "(view part) caption -> view part caption", part=layout.split**2)
        return Batch(images, captions, parts)
