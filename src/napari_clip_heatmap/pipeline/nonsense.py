"""Prompts that mean nothing, and how far others are from them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from napari_clip_heatmap.pipeline.scoring import Directions, TextDirections
    from napari_clip_heatmap.prompting.language import Phrase

__all__ = ["MADE_UP", "NONSENSE", "STAND_IN", "NonsenseScale", "distances"]

STAND_IN = "wug"
"""Replaces every word that a model never learned."""

MADE_UP = (
    "wug", "xv", "florb", "qxz", "kwijibo", "dax mimsy", "uiop vlk", "zorp blick mave",
    "tove gimble wabe brillig", "snark frabjous vorpal tulgey", "zzxqw kjvbn pwrtl",
    "hgfd mnbv lkjh poiu", "a photo of a slithe", "a picture of plim", "an image of a quonk",
    "there are raths here", "yellow borogove flumph", "outgrabe yellow snib drell trop",
)  # fmt: skip
"""Words of no language: alone, together, and in sentences."""

# Chosen by `choose_null_prompts` with the bundled model, so that no senseless sequence of words is
# far from all of them. Nothing in them is specific to that model.
_SENSELESS = (
    "under an an an", "there a a an there", "with of of of there of", "are are are are of the",
    "under under under under", "are an under wug of of", "of there the there a of",
    "a wug there an", "are under wug under", "the", "are the the an are", "of are wug an",
    "here a here an the an", "there wug are a are under", "the under of of an of",
    "here there and the and", "a a there a", "an there wug", "a the under of wug there",
    "are are wug a", "a a under an", "under a are wug a", "an here an wug there there",
    "the are wug the of there", "of there an are are the", "with an an an a an",
    "there here under there the the", "an under wug a there are", "wug there there there here",
    "an are are wug", "wug the wug of the of", "are there the under an there", "an an wug an",
    "under wug there an an", "of under wug", "wug under of under wug under", "wug wug are are",
    "a there there wug there", "under with under are are are", "the here under are are are",
    "the an of", "a a an are an", "microscope micrograph microscope",
    "there an micrograph labelled a micrograph",
    "microscope microscopy image an there microscope",
    "image microscopy are wug micrograph under",
    "micrograph there microscopy the micrograph under", "an are wug are photo microscope",
    "microscope image wug", "micrograph image an", "microscope picture a picture image",
    "of microscope wug microscopy microscopy an",
    "there micrograph here microscopy microscopy an", "microscope are of wug microscope",
    "there of micrograph image image", "micrograph an photo under under",
    "micrograph a a there a microscope", "microscope wug image",
    "image there labeled labeled an image", "photo the the wug", "of a wug are microscope",
    "of microscope an picture an", "there labeled wug micrograph of an",
    "an wug there photo image", "are wug labeled microscope are there",
    "labeled labeled microscope labelled", "of an wug a micrograph", "a an picture micrograph",
    "image microscope an photo", "of wug an image", "wug micrograph micrograph an",
    "microscopy image wug a an picture", "microscope are", "wug under are a labeled an",
    "labeled an picture wug labeled under", "labelled wug wug the micrograph",
    "are under picture microscopy picture micrograph", "are there wug under microscope a",
)  # fmt: skip

NONSENSE = MADE_UP + _SENSELESS
"""Made-up words, and known words that name nothing, in senseless order."""

_APART = 0.9
"""Quantile over nonsense of the distance to the nearest other; the largest may be one odd case."""


@dataclass(frozen=True, eq=False)
class NonsenseScale:
    """Distances from prompts that mean nothing: of the words alone, no image plays a part.

    Parameters
    ----------
    words : TextDirections
    directions : float64 (nonsense, d_embed)
        Unit directions of `NONSENSE`.
    senseless : float64 (text, d_embed)
        Unit directions of what prompts are compared with: `NONSENSE`, in which words that the model
        never learned are all the same word. What such a word is near to is chance, even if it is
        a thing that the model knows.
    numbers : int (text,)
        Index in `NONSENSE` of each of these texts.
    apart : float
        Distance of these texts from the nearest other one, at the 0.9 quantile: the unit.
    """

    words: TextDirections
    directions: Directions
    senseless: Directions
    numbers: NDArray[np.intp]
    apart: float

    @classmethod
    def of(cls, words: TextDirections) -> NonsenseScale:
        """Put nonsense into the same sentences as the prompts; encoded once per model."""
        texts = [_with_stand_ins((text,), words) for text in NONSENSE]
        first = dict(zip(reversed(texts), reversed(range(len(texts))), strict=True))
        directions = words.directions((text,) for text in NONSENSE)
        senseless = words.directions(first)
        between = distances(senseless, senseless)
        np.fill_diagonal(between, np.inf)
        apart = float(np.quantile(between.min(axis=1), _APART))
        # A text tower with one answer for all texts has no distances to divide by.
        return cls(words, directions, senseless, np.array([*first.values()]), apart or np.inf)

    def dependence(self, directions: Directions) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
        """Return the distance from nonsense, and the nearest nonsense prompt.

        Parameters
        ----------
        directions : float64 (prompt, d_embed)
            Unit directions.

        Returns
        -------
        dependence : float64 (prompt,)
            In units of `apart`: a value up to 1 is typical of nonsense.
        nearest : int (prompt,)
            Its index in `NONSENSE`.
        """
        found = distances(directions, self.senseless)
        return found.min(axis=1) / self.apart, self.numbers[found.argmin(axis=1)]

    def judge(
        self, phrases: Sequence[Phrase], directions: Directions
    ) -> tuple[NDArray[np.float64], NDArray[np.intp], frozenset[int]]:
        """Return dependence and nearest nonsense of prompts, and which have words never learned.

        Words that the model never learned are replaced by `STAND_IN`: they cannot mean anything to
        it, even if parts of them are pieces of words that it knows. Where its vocabulary is not
        known, nothing is replaced. Synonyms that cancel say nothing.
        """
        dependence, nearest = self.dependence(directions)
        dependence[~directions.any(axis=1)] = 0
        replaced = {
            number: changed
            for number, names in enumerate(phrases)
            if (changed := _with_stand_ins(names, self.words)) != names
        }
        if replaced:
            less, alike = self.dependence(self.words.directions(replaced.values()))
            for number, value, like in zip(replaced, less, alike, strict=True):
                if value < dependence[number]:
                    dependence[number], nearest[number] = value, like
        return dependence, nearest, frozenset(replaced)


def _with_stand_ins(names: Phrase, words: TextDirections) -> Phrase:
    """Return names in which all words that the model never learned are `STAND_IN`."""

    def known(word: re.Match[str]) -> str:
        return STAND_IN if words.encoder.unknown_words(word[0]) else word[0]

    return tuple(dict.fromkeys(re.sub(r"\w+", known, name) for name in names))


def distances(one: Directions, other: Directions) -> NDArray[np.float64]:
    """Return the distance of each direction of one set from each of another, (one, other)."""
    squared = (one**2).sum(axis=1)[:, np.newaxis] + (other**2).sum(axis=1) - 2 * one @ other.T
    result: NDArray[np.float64] = np.sqrt(np.maximum(squared, 0))
    return result
