"""Prompts that mean nothing, of several kinds that people type, drawn from a seed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

__all__ = ["CLASSIC", "FUNCTION_WORDS", "PICTURE_WORDS", "UNRELATED", "draw_gibberish", "shuffle"]

FUNCTION_WORDS = ("a", "an", "and", "are", "here", "of", "the", "there", "under", "with")
"""Words that name nothing, all of them known to the bundled model."""

PICTURE_WORDS = (
    "image", "labeled", "labelled", "micrograph", "microscope", "microscopy", "photo", "picture",
)  # fmt: skip
"""Words for pictures in general, all of them known to the bundled model."""

CLASSIC = (
    "colorless green ideas sleep furiously", "foo bar baz", "blah blah blah", "qwerty", "asdf",
    "lorem ipsum dolor sit amet", "xyzzy plugh", "purple monkey dishwasher", "abc def ghi",
    "0000", "12 34 56", "$$$ %%%", "zzzzzzzzzz", "hello world", "to be or not to be",
    "the quick brown fox jumps over the lazy dog", "photo of of an", "of the a image here",
)  # fmt: skip
"""Nonsense that people type to test whether a program can be fooled."""

UNRELATED = (
    "dog", "bicycle", "a photo of a dog", "sitting on a chair", "brain tumor", "tomato soup",
    "galaxy", "an elephant", "mountain landscape", "a photo of a guitar", "two people dancing",
    "parliament building", "a picture of a beach", "jazz music", "quarterly report", "snow",
    "old wooden table", "a cup of coffee", "astronaut riding a horse", "traffic lights",
    "kitchen", "winter in Moscow", "the king of France", "economic policy", "shoes",
    "sunset over the sea", "democracy", "airplane", "an image of a train", "handwriting",
)  # fmt: skip
"""Plain English that the bundled model never learned: to it, random letters."""

_ONSETS = (
    "b", "bl", "br", "ch", "d", "dr", "f", "fl", "g", "gl", "gr", "j", "k", "kl", "m", "n", "p",
    "pl", "pr", "qu", "s", "sk", "sn", "sp", "st", "t", "tr", "v", "vr", "w", "y", "z",
)  # fmt: skip
_VOWELS = ("a", "e", "i", "o", "u", "oo", "ee", "ai", "ou", "y")
_ENDS = (
    "b", "ck", "d", "ft", "g", "k", "l", "lm", "m", "n", "nt", "p", "rb", "rf", "sh", "st", "t",
    "x", "zz",
)  # fmt: skip
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_MEANT = frozenset({"stain"})
"""Words that the syllables can form and that mean something in microscopy."""
_Maker = Callable[[np.random.Generator], str]


def draw_gibberish(seed: int, count: int) -> Mapping[str, tuple[str, ...]]:
    """Draw prompts of four kinds, ``count`` of each; other seeds, other prompts.

    Returns
    -------
    mapping of str to tuple of str
        "pseudo-words": made of syllables; "keyboard": letters at random; "senseless": words that
        name nothing, in any order; "mixed": those and pseudo-words.
    """
    rng = np.random.default_rng(seed)
    fillers = (*FUNCTION_WORDS * 3, *PICTURE_WORDS)

    def mixed(rng: np.random.Generator) -> str:
        return _pseudo_word(rng) if rng.random() < 0.5 else _one(rng, fillers)

    return {
        "pseudo-words": tuple(_some(rng, 1, 4, _pseudo_word) for _ in range(count)),
        "keyboard": tuple(_some(rng, 1, 4, _mash) for _ in range(count)),
        "senseless": tuple(shuffle(rng, fillers, 2, 6) for _ in range(count)),
        "mixed": tuple(_some(rng, 3, 6, mixed) for _ in range(count)),
    }


def shuffle(rng: np.random.Generator, words: Sequence[str], fewest: int, most: int) -> str:
    """Return ``fewest`` to ``most`` of some words, with repetition, in any order."""
    return _some(rng, fewest, most, lambda rng: _one(rng, words))


def _some(rng: np.random.Generator, fewest: int, most: int, make: _Maker) -> str:
    return " ".join(make(rng) for _ in range(rng.integers(fewest, most + 1)))


def _one(rng: np.random.Generator, words: Sequence[str]) -> str:
    return words[int(rng.integers(len(words)))]


def _pseudo_word(rng: np.random.Generator) -> str:
    while True:
        first = _one(rng, _ONSETS) + _one(rng, _VOWELS) if rng.random() < 0.5 else ""
        word = first + _one(rng, _ONSETS) + _one(rng, _VOWELS) + _one(rng, _ENDS)
        if word not in _MEANT:
            return word


def _mash(rng: np.random.Generator) -> str:
    return "".join(_one(rng, _LETTERS) for _ in range(rng.integers(3, 9)))
