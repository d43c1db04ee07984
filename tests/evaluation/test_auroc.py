from __future__ import annotations

import numpy as np
import pytest

from napari_clip_heatmap.evaluation.auroc import auroc


def test_auroc_is_the_chance_that_inside_wins() -> None:
    rng = np.random.default_rng(0)
    inside, outside = rng.integers(0, 9, 40).astype(float), rng.integers(0, 7, 60).astype(float)
    wins = (inside[:, None] > outside).mean() + 0.5 * (inside[:, None] == outside).mean()
    assert auroc(inside, outside) == pytest.approx(wins, abs=1e-12)


def test_auroc_of_perfect_blind_and_inverted_maps() -> None:
    high, low = np.ones(5), np.zeros(7)
    assert (auroc(high, low), auroc(high, high), auroc(low, high)) == (1.0, 0.5, 0.0)
