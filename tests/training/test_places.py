"""Shares of patches: what captions cover, where it is known, turned as the picture is."""

from __future__ import annotations

import numpy as np
import pytest
from training.captions import FALSE, TRUE, UNCLEAR, Caption, Content, truths
from training.places import caption_shares
from training.real_pictures import RealPictures
from training.views import Batch, Batches, Mixture

ROWS = 12
LEFT = np.zeros((24, 24), bool)
LEFT[:, :5] = True
NUCLEI = Caption("nuclei", ("nuclei",))
RED = Caption("red nuclei", ("nuclei",), color="red")
BOTH = Caption("nuclei and cells", ("nuclei", "cells"))
CELLS = Caption("cells", ("cells",))
YEAST = Caption("yeast", ("yeast",))
MODALITY = Caption("fluorescence", modality="fluorescence")
CAPTIONS = (NUCLEI, RED, BOTH, CELLS, YEAST, MODALITY)


def content(**more: object) -> Content:
    present = {"nuclei": TRUE, "cells": UNCLEAR}
    return Content(present, {}, {"nuclei": "blue"}, "fluorescence", **more)  # type: ignore[arg-type]


def test_a_caption_covers_the_share_of_a_patch_that_its_class_does() -> None:
    contents = [content(masks={"nuclei": LEFT}), content()]
    shares = caption_shares(CAPTIONS, contents, truths(CAPTIONS, contents), ROWS)
    assert shares.shape == (2, len(CAPTIONS), ROWS, ROWS)
    drawn = dict(zip(CAPTIONS, shares[0], strict=True))
    assert drawn[NUCLEI][3].tolist() == [1, 1, 0.5, *[0] * 9]  # patches of 2 pixels
    assert not drawn[RED].any()  # false: they are blue
    assert not drawn[YEAST].any()
    for unknown in (BOTH, CELLS, MODALITY):
        assert np.isnan(drawn[unknown]).all()
    real = dict(zip(CAPTIONS, shares[1], strict=True))
    assert np.isnan(real[NUCLEI]).all()
    assert not real[YEAST].any()


def drawn_batch(seed: int) -> Batch:
    return next(iter(Batches((seed,), 24 * 96**2, {96: 1.0}, n_rows=ROWS)))


@pytest.mark.parametrize("seed", range(3))
def test_places_are_turned_and_mirrored_as_the_picture(seed: int) -> None:
    """Nuclei of a dark picture are bright where they lie, and not in another pose."""
    batch = drawn_batch(seed)
    column = next(n for n, each in enumerate(batch.captions) if each.classes == ("nuclei",))
    right = wrong = 0
    for picture, shares in zip(batch.images, batch.shares[:, column], strict=True):
        gray = picture.max(-1).astype(float)
        if np.isnan(shares).any() or not 0.1 < shares.mean() < 0.6 or gray.mean() > 110:
            continue
        patches = gray.reshape(ROWS, 8, ROWS, 8).mean((1, 3))
        poses = [np.rot90(way, turns) for way in (patches, patches.T) for turns in range(4)]
        likeness = [float(np.corrcoef(pose.ravel(), shares.ravel())[0, 1]) for pose in poses]
        right += likeness[0] == max(likeness)
        wrong += likeness[0] < max(likeness)
    assert right > 2 * wrong


def test_places_are_false_or_known_of_drawn_views_and_false_or_unknown_of_real_ones(
    pictures: RealPictures,
) -> None:
    mixture = Mixture(pictures, real_part=0.5)
    batch = next(iter(Batches((0,), 16 * 96**2, {96: 1.0}, mixture, n_rows=ROWS)))
    known = np.isfinite(batch.shares).all((2, 3))
    assert known[batch.states == FALSE].all()
    numbers, counts = np.unique(batch.bags, return_counts=True)
    for view, bag in enumerate(batch.bags):
        is_real = counts[numbers == bag] > 1
        covered = np.nan_to_num(batch.shares[view]).any()
        assert not (is_real and covered)


def test_places_are_not_worked_out_for_stages_that_do_not_ask() -> None:
    assert next(iter(Batches((0,), 4 * 24**2, {24: 1.0}))).shares.size == 0
