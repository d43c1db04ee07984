from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_clip_heatmap.clip.sources.normalization import (
    PREPROCESSINGS,
    Normalization,
    parse_preprocess,
    resolve_normalization,
)
from napari_clip_heatmap.errors import ModelLoadError, SettingsError

triples = st.tuples(*[st.floats(0.01, 1.0)] * 3)


@given(triples, triples)
def test_numbers_are_taken_as_text_and_as_pairs(
    mean: tuple[float, float, float], std: tuple[float, float, float]
) -> None:
    text = "/".join(",".join(map(repr, each)) for each in (mean, std))
    assert parse_preprocess(text) == parse_preprocess((mean, std)) == Normalization(mean, std)


def test_names_and_nothing() -> None:
    assert parse_preprocess(None) is None
    for name, normalisation in PREPROCESSINGS.items():
        assert parse_preprocess(name) is normalisation


@pytest.mark.parametrize(
    "odd",
    ["clip", "", "1,2,3", "1,2/1,2", "1,2,3/1,1,0", "1,2,3/a,b,c", "0,0,0/nan,1,1", (1, 2), 7],
)
def test_what_is_neither_is_refused(odd: object) -> None:
    with pytest.raises(SettingsError, match=r"openai.*red, green and blue"):
        parse_preprocess(odd)  # type: ignore[arg-type]


def test_nothing_is_guessed() -> None:
    asked = Normalization((0.1, 0.2, 0.3), (1.0, 2.0, 3.0))
    told = {"mean": [0.5] * 3, "std": [0.25] * 3}
    assert resolve_normalization(asked, told, origin="x") is asked
    assert resolve_normalization(None, told, origin="x").std == (0.25,) * 3
    for silent in ({}, {"mean": [0.5] * 3}, {"mean": None, "std": None}):
        with pytest.raises(ModelLoadError, match=r"config\.json does not say.*--preprocess"):
            resolve_normalization(None, silent, origin="config.json")
