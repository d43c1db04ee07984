"""Views: small square pictures, drawn or real, with the list of captions true of each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import IterableDataset, get_worker_info

from napari_clip_heatmap.scenes import CLASSES, Scene, draw
from napari_clip_heatmap.scenes.specimens import draw_specimen
from training.captions import TRUE, UNCLEAR, Caption, Content, caption_set, with_implied
from training.places import caption_shares
from training.real_pictures import RealPictures

__all__ = ["Batch", "Batches", "Mixture"]

_CLEAR_AREA = dict(zip(CLASSES, (100, 45, 50, 45, 20, 60, 110, 110, 30), strict=True))
"""Pixels that a class must cover to be there beyond doubt; less of it, but some, is unclear."""
_USUAL_CLEAR_AREA = 80

_UNLABELED: Mapping[str, tuple[str, ...]] = {
    "EM": ("cells", "cytoplasm", "tissue", "neurons", "neurites", "axons"),
}
_USUALLY_UNLABELED = ("cells", "cytoplasm", "tissue", "debris")
"""What a drawn picture may seem to show; nobody says so, and nobody says the contrary."""

_MAY_SEEM: Mapping[str, tuple[str, ...]] = {
    "filaments": ("collagen", "neurites"),
    "vesicles": ("beads", "particles", "bubbles", "droplets"),
    "membranes": ("cell walls", "plant cells", "grain boundaries"),
    "bacteria": ("particles",),
    "nuclei": ("chromosomes", "embryo"),
    "mitochondria": ("endoplasmic reticulum",),
    "dividing cells": ("chromosomes",),
    "cells": ("nuclei", "membranes", "glial cells"),
    "droplets": ("bubbles", "particles", "pores"),
    "bubbles": ("droplets", "particles", "pores"),
    "beads": ("particles", "spots", "droplets"),
    "yeast": ("particles", "plankton"),
}
"""Drawn class -> classes that look like it."""

_SMALLEST_SCENE = 176
"""Pixels along a scene's side: larger ones cost less time a pixel, smaller ones vary more."""

_BAG_SIDES = 192
"""Sides of the views of one real picture, put end to end: small views show too little alone."""

_View = tuple[NDArray[np.uint8], Content]


@dataclass(frozen=True, slots=True)
class Mixture:
    """Which pictures are learnt from.

    Attributes
    ----------
    real : RealPictures or None
    real_part : float
        Part of the views that are of real pictures.
    specimen_part : float
        Part of the drawn pictures that are specimens; the others are scenes.
    """

    real: RealPictures | None = None
    real_part: float = 0.35
    specimen_part: float = 0.25


@dataclass(frozen=True, slots=True)
class Batch:
    """Views and captions.

    Attributes
    ----------
    images : ndarray (view, y, x, 3) uint8
    captions : list of Caption
    states : ndarray (view, caption) int8
        TRUE, FALSE or UNCLEAR; of a real view, for the picture it was cut from.
    bags : ndarray (view,) int64
        Views of one real picture have one number; a drawn view has one of its own.
    real_smears : ndarray (view,) bool
        Views of real pictures of blood.
    shares : ndarray (view, caption, row, column) float32
        Of each patch, what a caption covers, as `caption_shares` says; without rows if not asked.
    """

    images: NDArray[np.uint8]
    captions: list[Caption]
    states: NDArray[np.int8]
    bags: NDArray[np.int64]
    real_smears: NDArray[np.bool_]
    shares: NDArray[np.float32]


class Batches(IterableDataset[Batch]):
    """An endless stream of batches; every worker draws its own scenes from ``seed``.

    Parameters
    ----------
    seed : tuple of int
    n_pixels : int
        Of all views of a batch together, so that every batch takes about the same time.
    sides : mapping of int to float
        Side of the views of a batch -> share of the batches. Small views tell more of where things
        are, large ones show what they are.
    mixture : Mixture
    n_rows : int
        Rows of patches in a view, to say what captions cover of each patch; 0 says nothing.
    """

    def __init__(
        self,
        seed: tuple[int, ...],
        n_pixels: int,
        sides: Mapping[int, float],
        mixture: Mixture | None = None,
        n_rows: int = 0,
    ) -> None:
        self._seed = seed
        self._n_pixels = n_pixels
        self._sides = sides
        self._mixture = mixture or Mixture()
        self._n_rows = n_rows

    def __iter__(self) -> Iterator[Batch]:
        """Draw scenes and cut views; those of one scene are spread over several batches."""
        torch.set_num_threads(1)
        worker = get_worker_info()
        rng = np.random.default_rng((*self._seed, 0 if worker is None else worker.id))
        pools: dict[int, list[_View]] = {side: [] for side in self._sides}
        while True:
            side = int(rng.choice(list(self._sides), p=list(self._sides.values())))
            yield self._batch(rng, side, pools[side])

    def _batch(self, rng: np.random.Generator, side: int, pool: list[_View]) -> Batch:
        wanted = max(1, self._n_pixels // side**2)
        views, bags = self._real_views(rng, side, wanted)
        n_drawn = wanted - len(views)
        while len(pool) < 4 * n_drawn:
            pool.extend(_views(rng, side, self._mixture.specimen_part))
        order = rng.permutation(len(pool))
        views += [pool[index] for index in order[:n_drawn]]
        pool[:] = [pool[index] for index in order[n_drawn:]]
        bags += range(wanted, wanted + n_drawn)
        contents = [content for _, content in views]
        captions, states = caption_set(rng, contents)
        pictures = np.stack([picture for picture, _ in views])
        real_smears = np.array([content.is_real_smear for content in contents])
        bag_of = np.asarray(bags, np.int64)
        shares = caption_shares(captions, contents, states, self._n_rows)
        return Batch(pictures, captions, states, bag_of, real_smears, shares)

    def _real_views(
        self, rng: np.random.Generator, side: int, wanted: int
    ) -> tuple[list[_View], list[int]]:
        """Return views of real pictures, and the number of the picture of each."""
        views: list[_View] = []
        bags: list[int] = []
        if self._mixture.real is None:
            return views, bags
        n_crops = max(2, _BAG_SIDES // side)
        for number in range(round(wanted * self._mixture.real_part / n_crops)):
            crops, content = self._mixture.real.bag(rng, side, n_crops)
            views += [(crop, content) for crop in crops]
            bags += [number] * n_crops
        return views, bags


def _views(rng: np.random.Generator, side: int, specimen_part: float) -> Iterator[_View]:
    """Draw one picture and cut views out of it, turned and mirrored."""
    whole = max(_SMALLEST_SCENE, 2 * side)
    seed = int(rng.integers(2**62))
    is_specimen = rng.random() < specimen_part
    drawn = (draw_specimen if is_specimen else draw)(seed, (whole, whole))
    colors = drawn.colors if isinstance(drawn, Scene) else {}
    is_stained = isinstance(drawn, Scene) and drawn.modality == "brightfield"
    modality = "stained" if is_stained else drawn.modality
    for _ in range((whole // side) ** 2):
        top, left = rng.integers(0, whole - side + 1, 2)
        window = (slice(top, top + side), slice(left, left + side))
        turns = int(rng.integers(4))
        picture = np.rot90(drawn.image[window], turns)
        step = rng.choice((-1, 1))
        masks = {
            name: np.rot90(mask[window], turns)[:, ::step] for name, mask in drawn.masks.items()
        }
        yield picture[:, ::step], _content(masks, modality, colors)


def _content(
    masks: dict[str, NDArray[np.bool_]],
    modality: str,
    words: Mapping[str, str],
) -> Content:
    """Return what a view shows, from where things were drawn."""
    present, coverage = {}, {}
    for name, mask in masks.items():
        area = int(np.count_nonzero(mask))
        if area:
            is_clear = area >= _CLEAR_AREA.get(name, _USUAL_CLEAR_AREA)
            present[name] = TRUE if is_clear else UNCLEAR
            coverage[name] = area / mask.size
    unclear = [other for name in present for other in _MAY_SEEM.get(name, ())]
    # A white cell has a nucleus: whether "nuclei" is true of it is a matter of taste.
    if "white blood cells" in present:
        unclear.append("nuclei")
    if present or modality == "stained":
        unclear += _UNLABELED.get(modality, _USUALLY_UNLABELED)
    colors = {name: word for name, word in words.items() if name in present}
    present = with_implied(present, unclear)
    return Content(present, coverage, colors, modality, masks=masks)
