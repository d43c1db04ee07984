"""Views: every caption stays with the picture it is true of."""

from __future__ import annotations

import numpy as np
import pytest
from training.captions import FALSE, TRUE, UNCLEAR
from training.views import Batches


def test_batches_repeat_from_a_seed() -> None:
    one, two = (next(iter(Batches((1, 2), 4 * 64**2, {64: 1.0}))) for _ in range(2))
    assert np.array_equal(one.images, two.images)
    assert one.captions == two.captions


@pytest.mark.parametrize("side", [24, 96])
def test_shapes(side: int) -> None:
    batch = next(iter(Batches((0,), 5 * side**2, {side: 1.0})))
    assert batch.images.shape == (5, side, side, 3)
    assert batch.states.shape == (5, len(batch.captions))
    assert set(np.unique(batch.states)) <= {TRUE, FALSE, UNCLEAR}


def test_a_view_has_a_true_caption_or_shows_something_unclear() -> None:
    batch = next(iter(Batches((3,), 40 * 32**2, {32: 1.0})))
    assert ((batch.states == TRUE).any(1)).all()  # the kind of picture, if nothing else


def test_small_views_come_in_larger_batches() -> None:
    stream = iter(Batches((0,), 20_000, {24: 0.5, 64: 0.5}))
    sizes = {batch.images.shape[:2] for batch in (next(stream) for _ in range(8))}
    assert sizes == {(20_000 // 24**2, 24), (20_000 // 64**2, 64)}
