from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_clip_heatmap.core.selection import select
from napari_clip_heatmap.errors import DecompositionError

SIZE = {"n_layers": 24, "n_heads": 16}


def test_none_means_everything() -> None:
    chosen = select(None, None, **SIZE)
    assert chosen.layers == tuple(range(24))
    assert chosen.heads == tuple(range(16))
    assert chosen.labels[22][5] == "L22H5"


@given(
    layers=st.lists(st.integers(-24, 23), min_size=1),
    heads=st.lists(st.integers(-16, 15), min_size=1),
)
def test_numbers_and_labels_mean_the_same(layers: list[int], heads: list[int]) -> None:
    by_number = select(layers, heads, **SIZE)
    by_label = select([f"L{n % 24}" for n in layers], [f"H{n % 16}" for n in heads], **SIZE)
    assert by_number == by_label
    assert by_number.layers == tuple(dict.fromkeys(n % 24 for n in layers))


@pytest.mark.parametrize(
    ("layers", "heads", "expected"),
    [
        (["L22"], None, ((22,), tuple(range(16)))),
        (["L22H5"], None, ((22,), (5,))),
        (None, ["L22H5"], ((22,), (5,))),
        ("l22h5", None, ((22,), (5,))),
        (-1, 3, ((23,), (3,))),
        (["L1H2", "L1H3", "L4H2", "L4H3"], None, ((1, 4), (2, 3))),
        (["L22"], ["L22H5"], ((22,), (5,))),
        ([], None, ((), tuple(range(16)))),
    ],
)
def test_labels(layers: object, heads: object, expected: object) -> None:
    chosen = select(layers, heads, **SIZE)  # type: ignore[arg-type]
    assert (chosen.layers, chosen.heads) == expected


@pytest.mark.parametrize(
    ("layers", "heads", "message"),
    [
        ([24], None, "no layer 24: this model has 24"),
        (["L3H16"], None, "no head 16"),
        (["layer 3"], None, "Cannot read 'layer 3'"),
        ([1.5], None, "A layer is a whole number"),
        (1.5, None, "A layer is a whole number"),
        (["L" + "9" * 5000], None, "Cannot read 'L999"),
        (None, [None], "A head is a whole number"),
        (["L1H2", "L4H3"], None, "do not form a grid"),
        (["L1H2", "L4"], None, "do not form a grid"),
    ],
)
def test_invalid_requests_are_refused(layers: object, heads: object, message: str) -> None:
    with pytest.raises(DecompositionError, match=message):
        select(layers, heads, **SIZE)  # type: ignore[arg-type]
