"""Views and mosaics: every caption stays with the picture it is true of."""

from __future__ import annotations

import numpy as np
import pytest
from training.captions import FALSE, TRUE, UNCLEAR, Caption
from training.views import Batch, Batches


def test_batches_repeat_from_a_seed() -> None:
    one, two = (next(iter(Batches((1, 2), 4, 64, mosaics=0.5))) for _ in range(2))
    assert np.array_equal(one.images, two.images)
    assert one.captions == two.captions


@pytest.mark.parametrize(("mosaics", "n_parts"), [(0.0, 1), (1.0, 4)])
def test_shapes(mosaics: float, n_parts: int) -> None:
    batch = next(iter(Batches((0,), 5, 64, mosaics)))
    assert batch.images.shape == (5, 64, 64, 3)
    assert batch.parts.shape == (5, n_parts, len(batch.captions))
    assert batch.states.shape == (5, len(batch.captions))
    assert set(np.unique(batch.parts)) <= {TRUE, FALSE, UNCLEAR}
    assert (batch.states == TRUE).any(1).all(), "every view has a true caption"


def test_what_is_true_of_a_mosaic() -> None:
    captions = [
        Caption("nuclei", ("nuclei",)),
        Caption("background", is_empty=True),
        Caption("nuclei and bacteria", ("nuclei", "bacteria")),
    ]
    parts = np.array(
        [
            [[TRUE, FALSE, FALSE], [FALSE, TRUE, FALSE]],  # nuclei beside nothing
            [[FALSE, TRUE, FALSE], [FALSE, TRUE, FALSE]],  # nothing at all
            [[UNCLEAR, UNCLEAR, UNCLEAR], [FALSE, TRUE, FALSE]],  # a sliver of a nucleus
        ],
        np.int8,
    )
    batch = Batch(np.zeros((3, 8, 8, 3), np.uint8), captions, parts)
    expected = [
        [TRUE, FALSE, UNCLEAR],  # the bacteria might be in the other picture
        [FALSE, TRUE, UNCLEAR],
        [UNCLEAR, UNCLEAR, UNCLEAR],
    ]
    assert batch.states.tolist() == expected
