"""Distance from nonsense: chance neighbors of words that were never learned play no part."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from napari_clip_heatmap.pipeline.nonsense import MADE_UP, NONSENSE, STAND_IN
from napari_clip_heatmap.pipeline.null_reference import NonsenseScale

THING = np.eye(64)[0]


class Words:
    """Texts to directions: at random by their words, but for what is said to lie elsewhere."""

    def __init__(self, vocabulary: set[str] | None, placed: dict[str, NDArray[Any]]) -> None:
        self._vocabulary, self._placed = vocabulary, placed
        self.encoder = SimpleNamespace(unknown_words=self._unknown)

    def directions(self, phrases: Iterable[tuple[str, ...]]) -> NDArray[np.float64]:
        return np.array([self._direction(" ".join(phrase)) for phrase in phrases])

    def _direction(self, text: str) -> NDArray[np.float64]:
        if text in self._placed:
            return self._placed[text]
        seed = int(hashlib.sha256(text.encode()).hexdigest()[:8], 16)
        found = np.random.default_rng(seed).standard_normal(64)
        return found / np.linalg.norm(found)

    def _unknown(self, text: str) -> tuple[str, ...]:
        if self._vocabulary is None:
            return ()
        return tuple(word for word in text.split() if word not in self._vocabulary)


KNOWN = {word for text in NONSENSE for word in text.split()} - {
    word for text in MADE_UP for word in text.split()
} | {"nuclei"}


@pytest.mark.parametrize("near", [text for text in MADE_UP if text != STAND_IN])
def test_a_word_never_learned_may_lie_on_a_thing(near: str) -> None:
    placed = {"nuclei": THING, near: THING}
    words: Any = Words(KNOWN, placed)
    dependence, _ = NonsenseScale.of(words).dependence(THING[np.newaxis])
    assert dependence[0] > 0.8
    blind: Any = Words(None, placed)  # without a vocabulary such a text counts
    (value,), (nearest,) = NonsenseScale.of(blind).dependence(THING[np.newaxis])
    assert value == pytest.approx(0, abs=1e-6)
    assert NONSENSE[nearest] == near


def test_prompts_with_words_never_learned_are_nonsense_whatever_they_lie_near() -> None:
    words: Any = Words(KNOWN, {"nuclei": THING, "flimble": THING})
    scale = NonsenseScale.of(words)
    phrases = [("nuclei",), ("flimble",)]
    dependence, nearest, unmet = scale.judge(phrases, words.directions(phrases))
    assert dependence[0] > 0.8
    assert dependence[1] == pytest.approx(0, abs=1e-6)
    assert NONSENSE[nearest[1]] == STAND_IN
    assert unmet == {1}


def test_presence_is_measured_with_all_nonsense() -> None:
    words: Any = Words(KNOWN, {})
    scale = NonsenseScale.of(words)
    assert scale.directions.shape == (len(NONSENSE), 64)
    assert len(scale.senseless) < len(NONSENSE)
    assert len(scale.numbers) == len(scale.senseless)
