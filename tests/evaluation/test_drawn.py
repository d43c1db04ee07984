"""Drawn scenes in sets of seeds: together they are one set."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import napari_clip_heatmap as nch
from napari_clip_heatmap.evaluation.auroc import auroc
from napari_clip_heatmap.evaluation.drawn import (
    SIDE,
    DrawnResult,
    divide_scenes,
    evaluate_drawn,
)
from napari_clip_heatmap.scenes import CLASSES, draw

if TYPE_CHECKING:
    from napari_clip_heatmap.clip.model import ClipModel


@given(st.integers(1, 300), st.integers(1, 12), st.integers(0, 10**9))
def test_sets_follow_one_another_and_are_as_equal_as_can_be(n_scenes, n_seeds, seed) -> None:
    sets = divide_scenes(n_scenes, n_seeds, seed)
    numbers = [first + number for first, size in sets for number in range(size)]
    assert numbers == list(range(seed, seed + n_scenes))
    sizes = [size for _, size in sets]
    assert len(sets) == min(n_seeds, n_scenes)
    assert max(sizes) - min(sizes) <= 1


def test_sets_together_are_one_set(demo: ClipModel) -> None:
    done: list[int] = []

    def evaluate(seed: int, count: int) -> DrawnResult:
        return evaluate_drawn(demo, n_scenes=count, seed=seed, progress=lambda: done.append(1))

    whole, parts = evaluate(5_000_010, 2), [evaluate(5_000_010 + n, 1) for n in range(2)]
    joined = DrawnResult.joined(parts)
    assert joined.against_all.values == whole.against_all.values
    assert joined.against_others.values == whole.against_others.values
    np.testing.assert_array_equal(joined.votes, whole.votes)
    assert len(done) == 4
    shown = whole.votes.any(axis=1)
    np.testing.assert_allclose(whole.confusion[shown].sum(axis=1), 1)
    assert np.isnan(whole.confusion[~shown]).all()

    scene = draw(5_000_010, (SIDE, SIDE))
    maps = nch.encode(demo, scene.image).heatmaps(CLASSES).values
    for name, found in parts[0].against_all.values.items():
        own, inside = maps[CLASSES.index(name)], scene.masks[name]
        assert found == (pytest.approx(auroc(own[inside], own[~inside])),)
