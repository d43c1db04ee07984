"""Slips of the keyboard: a word with one letter left out, doubled, swapped or mistaken."""

from __future__ import annotations

import string
from collections.abc import Collection

import numpy as np

__all__ = ["misspell", "typos"]

_FEWEST_LETTERS = 5
_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")


def typos(word: str) -> tuple[str, ...]:
    """Return the ways to mistype a word by one letter, sorted; none for short words.

    Examples
    --------
    >>> "nucli" in typos("nuclei"), "nuclie" in typos("nuclei"), typos("cell")
    (True, True, ())
    """
    if len(word) < _FEWEST_LETTERS or not set(word) <= set(string.ascii_lowercase):
        return ()
    found = set()
    for place, letter in enumerate(word):
        before, after = word[:place], word[place + 1 :]
        found.add(before + after)
        found.add(before + 2 * letter + after)
        found.update(before + near + after for near in _near(letter))
        if after:
            found.add(before + after[0] + letter + after[1:])
    return tuple(sorted(found - {word}))


def misspell(rng: np.random.Generator, phrase: str, known: Collection[str]) -> str:
    """Return a phrase with one word mistyped, unless all are short; never as another known word."""
    words = phrase.split()
    options = [
        (place, typo)
        for place, word in enumerate(words)
        for typo in typos(word)
        if typo not in known
    ]
    if options:
        place, typo = options[int(rng.integers(len(options)))]
        words[place] = typo
    return " ".join(words)


def _near(letter: str) -> str:
    """Return the letters to the left and right of a key."""
    row = next(row for row in _ROWS if letter in row)
    place = row.index(letter)
    return row[max(0, place - 1) : place] + row[place + 1 : place + 2]
