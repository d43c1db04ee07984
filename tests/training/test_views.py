"""Views: every caption stays with the picture it is true of."""

from __future__ import annotations

import numpy as np
import pytest
from training.captions import FALSE, TRUE, UNCLEAR
from training.real_pictures import RealPictures
from training.views import Batches, Mixture


def test_batches_repeat_from_a_seed() -> None:
    one, two = (next(iter(Batches((1, 2), 4 * 64**2, {64: 1.0}))) for _ in range(2))
    assert np.array_equal(one.images, two.images)
    assert one.captions == two.captions


@pytest.mark.parametrize("side", [24, 96])
def test_shapes(side: int) -> None:
    batch = next(iter(Batches((0,), 5 * side**2, {side: 1.0})))
    assert batch.images.shape == (5, side, side, 3)
    assert batch.states.shape == (5, len(batch.captions))
    assert len(set(batch.bags.tolist())) == 5
    assert set(np.unique(batch.states)) <= {TRUE, FALSE, UNCLEAR}


def test_a_view_has_a_true_caption_or_shows_something_unclear() -> None:
    batch = next(iter(Batches((3,), 40 * 32**2, {32: 1.0})))
    assert ((batch.states == TRUE).any(1)).all()  # the kind of picture, if nothing else


def test_small_views_come_in_larger_batches() -> None:
    stream = iter(Batches((0,), 20_000, {24: 0.5, 64: 0.5}))
    sizes = {batch.images.shape[:2] for batch in (next(stream) for _ in range(8))}
    assert sizes == {(20_000 // 24**2, 24), (20_000 // 64**2, 64)}


def test_views_of_one_real_picture_share_a_bag_and_its_captions(pictures: RealPictures) -> None:
    mixture = Mixture(pictures, real_part=0.5)
    batch = next(iter(Batches((0,), 32 * 48**2, {48: 1.0}, mixture)))
    numbers, counts = np.unique(batch.bags, return_counts=True)
    assert len(batch.images) == 32
    assert sorted(set(counts.tolist())) == [1, 192 // 48]
    assert (counts > 1).sum() == 4
    for number in numbers:
        states = batch.states[batch.bags == number]
        assert (states == states[0]).all()


def test_specimens_come_with_their_kind_of_microscopy() -> None:
    batch = next(iter(Batches((0,), 60 * 64**2, {64: 1.0}, Mixture(specimen_part=1.0))))
    kinds = [caption for caption in batch.captions if caption.modality]
    true = {
        caption.modality
        for column, caption in enumerate(batch.captions)
        if caption in kinds and (batch.states[:, column] == TRUE).any()
    }
    assert {"phase", "EM", "gram", "fluorescence"} <= true
