"""Each score against its formula, and what reads the table of scores."""

from __future__ import annotations

from importlib.resources import files
from typing import get_args

import numpy as np
import pytest
import yaml

from napari_clip_heatmap.errors import PromptError
from napari_clip_heatmap.pipeline.score_registry import (
    SCORES,
    Comparison,
    Score,
    alike_notes,
    score_method,
)

RNG = np.random.default_rng(0)
NEUTRAL = np.eye(5)[:2]


def unit(n):
    directions = RNG.standard_normal((n, 5))
    return directions / np.linalg.norm(directions, axis=1, keepdims=True)


@pytest.fixture
def comparison():
    """Three prompts, the last with a contrast of its own, and a baseline of two."""
    text = unit(3)
    own = text.copy()
    own[2] -= unit(1)[0]
    return compare(text, own, [True, True, False], unit(2))


def compare(text, own=None, compared=None, baseline=None, nonsense=None, alike=0.3):
    """Return a comparison with prompts that are nonsense, and one neutral direction."""
    senseless = np.zeros(len(text), bool) if nonsense is None else np.array(nonsense)
    return Comparison(
        text,
        text if own is None else own,
        [True] * len(text) if compared is None else compared,
        np.zeros((0, 5)) if baseline is None else baseline,
        lambda: (senseless, alike),
        lambda: NEUTRAL,
    )


def test_relative_subtracts_the_mean_over_compared_prompts(comparison):
    alone = compare(comparison.text, comparison.own, comparison.compared)
    got = SCORES["relative"].directions(alone)
    np.testing.assert_allclose(got[:2].sum(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(got[0] - got[1], alone.text[0] - alone.text[1], atol=1e-12)
    np.testing.assert_array_equal(got[2], alone.own[2])


@pytest.mark.parametrize("name", ["relative", "contrast"])
def test_a_baseline_is_subtracted_from_compared_prompts_only(comparison, name):
    got = SCORES[name].directions(comparison)
    expected = comparison.text[:2] - (comparison.baseline[0] + comparison.baseline[1]) / 2
    np.testing.assert_allclose(got[:2], expected, atol=1e-12)
    np.testing.assert_array_equal(got[2], comparison.own[2])


def test_absolute_leaves_every_prompt_as_it_is(comparison):
    np.testing.assert_array_equal(SCORES["absolute"].directions(comparison), comparison.own)
    values = RNG.standard_normal((3, 2, 2)).astype(np.float32)
    np.testing.assert_array_equal(SCORES["absolute"].maps(values, 3, 9.0), values)


def test_softmax_follows_its_formula_for_large_logits_too(comparison):
    method = SCORES["softmax"]
    assert method.directions(comparison).shape == (5, 5)
    values = RNG.standard_normal((5, 3, 4)).astype(np.float32)
    for scale in (1.0, 40.0, 1e4):
        logits = np.float64(scale) * values
        expected = np.exp(logits - np.logaddexp.reduce(logits, axis=0))
        np.testing.assert_allclose(method.maps(values, 2, scale), expected[:2], atol=1e-4)


def test_neutral_prompts_take_part_where_nothing_would_be_left():
    counts = {name: [SCORES[name].needs_neutral([True] * n) for n in (1, 2, 3)] for name in SCORES}
    assert counts["relative"] == counts["softmax"] == [True, False, False]
    assert not any(counts["absolute"] + counts["contrast"])
    for name, method in SCORES.items():
        assert bool(method.neutral_note) == any(counts[name])


def test_the_names_are_the_same_everywhere():
    manifest = yaml.safe_load(files("napari_clip_heatmap").joinpath("napari.yaml").read_text())
    properties = manifest["contributions"]["configurations"]["widget"]["properties"]
    assert properties["score"]["default"] == "balanced"
    assert tuple(SCORES) == get_args(Score)
    assert [method.name for method in SCORES.values()] == list(SCORES)


def test_every_score_is_described_in_words():
    for method in SCORES.values():
        assert len(method.help) > 20
        assert not method.help.endswith(".")
        sentence = method.methods_sentence.format(against="'x'")
        assert ("'x'" in sentence) == bool(method.takes_baseline or method.neutral_note)


@pytest.mark.parametrize("name", ["best", "", None, 3, ["relative"], "x" * 9999])
def test_an_unknown_score_is_refused_in_words(name):
    with pytest.raises(PromptError, match="accepted: 'relative'") as caught:
        score_method(name)
    assert len(str(caught.value)) < 200


def balanced(text, **given):
    return SCORES["balanced"].directions(compare(text, **given))


def test_balanced_subtracts_half_the_mean_over_things():
    text = unit(4)
    expected = text - text.mean(axis=0) / 2
    np.testing.assert_allclose(balanced(text, alike=1e-3), expected, atol=1e-12)


def test_balanced_alone_subtracts_half_the_neutral_mean():
    text = unit(1)
    np.testing.assert_allclose(balanced(text), text - NEUTRAL.mean(axis=0) / 2, atol=1e-12)
    twins = np.concatenate([text, text])
    np.testing.assert_allclose(balanced(twins)[0], balanced(text)[0], atol=1e-12)


@pytest.mark.parametrize("seed", range(8))
def test_balanced_ignores_order_synonyms_of_a_prompt_and_nonsense(seed):
    rng = np.random.default_rng(seed)
    text = np.eye(5)[:4] + 0.05 * rng.standard_normal((4, 5))
    text /= np.linalg.norm(text, axis=1, keepdims=True)
    plain = balanced(text)
    order = rng.permutation(4)
    np.testing.assert_allclose(balanced(text[order]), plain[order], atol=1e-12)
    synonym = text[0] + 0.05 * rng.standard_normal(5)
    synonym /= np.linalg.norm(synonym)
    more = np.concatenate([text, synonym[np.newaxis], unit(2)])
    found = balanced(more, nonsense=[False] * 5 + [True] * 2)
    np.testing.assert_allclose(found[0], plain[0], atol=1e-12)
    # A synonym of a rival moves the rival's direction within its own spread, and no further.
    np.testing.assert_allclose(found[1:4], plain[1:4], atol=0.05)
    duplicated = np.concatenate([text, text])
    np.testing.assert_allclose(balanced(duplicated)[:4], plain, atol=1e-12)


def test_balanced_leaves_a_prompt_with_its_own_contrast_as_it_is():
    text = unit(3)
    own = text - 0.5
    found = balanced(text, own=own, compared=[True, True, False])
    np.testing.assert_array_equal(found[2], own[2])
    np.testing.assert_allclose(found[:2], own[:2] - text[:2].mean(axis=0) / 2, atol=1e-12)


@pytest.mark.parametrize("n", [2, 3, 30, 100])
def test_maps_that_are_all_alike_are_one_note(n):
    prompts = [f"thing {number}" for number in range(n)]
    pairs = [(a, b, 1 - i / 1000) for i, a in enumerate(prompts) for b in prompts[i + 1 :]]
    (note,) = alike_notes(pairs)
    assert "'thing 0' and 'thing 1'" in note
    assert (f"and {n - 6} more" in note) == (n > 6)
    assert len(note) < 300


def test_every_prompt_that_is_like_another_is_in_a_note():
    chain = [("a", "b", 0.97), ("b", "c", 0.96), ("d", "e", 0.99)]
    notes = " ".join(alike_notes(chain))
    assert all(f"'{each}'" in notes for each in "abcde")
    assert [*alike_notes([])] == []
