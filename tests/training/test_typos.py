"""Slips are one letter away from the word, and never another word that is known."""

from __future__ import annotations

import numpy as np
import pytest
from training.captions import vocabulary
from training.typos import misspell, typos


def is_one_slip_away(word: str, typo: str) -> bool:
    """Say whether one letter was left out, put in, replaced, or swapped with its neighbor."""
    if sorted(word) == sorted(typo):
        return sum(a != b for a, b in zip(word, typo, strict=True)) == 2
    if len(word) == len(typo):
        return sum(a != b for a, b in zip(word, typo, strict=True)) == 1
    longer, shorter = (word, typo) if len(word) > len(typo) else (typo, word)
    return any(longer[:place] + longer[place + 1 :] == shorter for place in range(len(longer)))


@pytest.mark.parametrize("word", ["nuclei", "mitochondria", "platelets"])
def test_every_slip_is_one_letter_away(word: str) -> None:
    found = typos(word)
    assert len(found) > 3 * len(word)
    assert word not in found
    assert all(is_one_slip_away(word, typo) for typo in found)


def test_short_words_and_codes_are_left_alone() -> None:
    assert typos("cell") == ()
    assert typos("gm130") == ()
    assert misspell(np.random.default_rng(0), "a cell", ()) == "a cell"


def test_one_word_is_mistyped_and_never_as_another_known_word() -> None:
    known = frozenset(vocabulary())
    rng = np.random.default_rng(0)
    for _ in range(200):
        first, second = misspell(rng, "filaments nuclear", known).split()
        assert (first == "filaments") != (second == "nuclear")
        assert not {first, second} - {"filaments", "nuclear"} & known
