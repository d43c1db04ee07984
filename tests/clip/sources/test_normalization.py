from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_clip_heatmap.clip.sources.normalization import (
    OPENAI,
    PREPROCESSINGS,
    Normalization,
    normalization_of,
    parse_preprocess,
    resolve_normalization,
)
from napari_clip_heatmap.errors import ModelLoadError, SettingsError

triples = st.tuples(*[st.floats(0.01, 1.0)] * 3)


@given(triples, triples)
def test_numbers_are_accepted_as_text_and_as_pairs(
    mean: tuple[float, float, float], std: tuple[float, float, float]
) -> None:
    text = "/".join(",".join(map(repr, each)) for each in (mean, std))
    assert parse_preprocess(text) == parse_preprocess((mean, std)) == Normalization(mean, std)


def test_names_and_nothing() -> None:
    assert parse_preprocess(None) is None
    for name, normalization in PREPROCESSINGS.items():
        assert parse_preprocess(name) is normalization


@pytest.mark.parametrize(
    "odd",
    [
        "clip",
        "",
        "1,2,3",
        "1,2/1,2",
        "1,2,3/1,1,0",
        "1,2,3/a,b,c",
        "0,0,0/nan,1,1",
        (1, 2),
        7,
        True,
        {"mean": 1},
    ],
)
def test_other_values_are_refused(odd: object) -> None:
    with pytest.raises(SettingsError, match=r"openai.*red, green and blue"):
        parse_preprocess(odd)  # type: ignore[arg-type]


def test_a_missing_normalization_is_not_guessed() -> None:
    requested = Normalization((0.1, 0.2, 0.3), (1.0, 2.0, 3.0))
    stored = {"mean": [0.5] * 3, "std": [0.25] * 3}
    assert resolve_normalization(requested, stored, origin="x") is requested
    assert resolve_normalization(None, stored, origin="x").std == (0.25,) * 3
    for missing in ({}, {"mean": [0.5] * 3}, {"mean": None, "std": None}):
        with pytest.raises(ModelLoadError, match=r"config\.json does not contain.*--preprocess"):
            resolve_normalization(None, missing, origin="config.json")


@pytest.mark.parametrize(
    "config",
    [
        {"mean": [0.5] * 2},
        {"mean": [0.5, 0.5, float("nan")]},
        {"mean": [0.5, 0.5, "0.5"]},
        {"mean": [True] * 3},
        {"mean": "red"},
        {"std": 0},
        {"std": [0.2, 0.2, 0.0]},
        {"std": [0.2, 0.2, float("inf")]},
        {"std": {"red": 1}},
        {"std": [10**400] * 3},
        [0.5, 0.5, 0.5],
        "openai",
    ],
)
def test_numbers_that_cannot_be_are_refused(config: Any) -> None:
    with pytest.raises(ModelLoadError, match=r"must be (three numbers|an object)") as caught:
        normalization_of(config)
    assert len(str(caught.value)) <= 500


def test_open_clips_defaults_and_gray_values() -> None:
    assert normalization_of({}) == OPENAI
    assert normalization_of({"mean": 0.5, "std": 0.25}).mean == (0.5,) * 3
