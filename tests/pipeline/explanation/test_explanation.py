from __future__ import annotations

import numpy as np
import pytest

from napari_clip_heatmap.errors import DecompositionError
from napari_clip_heatmap.pipeline.explanation.explanation import Explanation, label_mask


@pytest.fixture
def why() -> Explanation:
    contributions = np.random.default_rng(0).normal(size=(2, 3, 4)).astype(np.float32)
    contributions[0, 2, 1] = 9
    parts = {"input": np.float32([1, 2]), "L0 MLP": np.float32([-3, 4])}
    return Explanation(("nuclei", "cells"), "relative", contributions, parts, whole=True, tiles=2)


def test_the_value_is_the_sum(why: Explanation) -> None:
    np.testing.assert_allclose(why.rest, [-2, 6])
    np.testing.assert_allclose(why.value, why.contributions.sum(axis=(1, 2)) + why.rest, rtol=1e-6)
    assert repr(why) == "Explanation(whole image, prompts=2, layers=3, heads=4, tiles=2)"
    assert why.labels[2][1] == "L2H1"
    assert why.strongest(1) == [("L2H1", 9.0)]
    assert why.text(1).splitlines()[0].startswith(f"nuclei: {why.value[0]:+.4f} = L2H1 +9.0000")


def test_the_value_without_heads_is_what_is_left(why: Explanation) -> None:
    left = why.without(heads=["L2H1", "L0H3"])
    np.testing.assert_allclose(
        left, why.value - why.contributions[:, 2, 1] - why.contributions[:, 0, 3], rtol=1e-5
    )
    left = why.without(layers=[0, 1, 2])
    np.testing.assert_allclose(left, why.rest, atol=1e-5)


@pytest.mark.parametrize(
    ("layers", "heads", "expected"),
    [
        (["L1"], None, [(1, 0), (1, 1), (1, 2), (1, 3)]),
        (None, ["H2"], [(0, 2), (1, 2), (2, 2)]),
        (["L1", 2], ["H0"], [(1, 0), (2, 0)]),
        (["L1"], ["L1H2"], [(1, 2)]),
        (None, ["L1H2", "l0h3"], [(0, 3), (1, 2)]),
        (-1, 0, [(2, 0)]),
    ],
)
def test_heads_are_named(layers: object, heads: object, expected: list[tuple[int, int]]) -> None:
    mask = label_mask(layers, heads, (3, 4))  # type: ignore[arg-type]
    assert [tuple(map(int, at)) for at in np.argwhere(mask)] == expected


@pytest.mark.parametrize(
    ("layers", "heads", "words"),
    [
        (None, None, "No layer and no head"),
        ([], [], "No layer and no head"),
        (["L3"], None, "no layer 3"),
        (["L1"], ["L2H0"], "two ways"),
        (["L1", "L2"], ["L1H0"], "two ways"),
        (None, ["H1", "L2H0"], "two ways"),
        ("nucleus", None, "Cannot read"),
    ],
)
def test_what_names_no_head_is_refused(layers: object, heads: object, words: str) -> None:
    with pytest.raises(DecompositionError, match=words):
        label_mask(layers, heads, (3, 4))  # type: ignore[arg-type]
