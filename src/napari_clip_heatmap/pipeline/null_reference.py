"""The null reference: maps of nonsense prompts on an image, as a measure for others."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from napari_clip_heatmap.pipeline.calibration import Calibration, TextLimits, find_calibration
from napari_clip_heatmap.pipeline.encoding import Encoding
from napari_clip_heatmap.pipeline.nonsense import NONSENSE, STAND_IN
from napari_clip_heatmap.pipeline.presence import (
    LONGEST,
    ImageTokens,
    measure_tokens,
    token_covariance,
)
from napari_clip_heatmap.pipeline.scoring import (
    NEUTRAL_PROMPTS,
    Directions,
    Scoring,
    TextDirections,
)
from napari_clip_heatmap.pipeline.trust import Finding, Trust
from napari_clip_heatmap.prompting.language import PLAIN, Phrase

__all__ = [
    "NonsenseScale",
    "NullReference",
    "TextAnswer",
    "correlations",
    "judge_lists",
    "judge_texts",
    "make_null_reference",
]

_APART = 0.9
"""Quantile over nonsense of the distance to the nearest other; the largest may be one odd case."""

_NEGATION = re.compile(r"\b(no|not|non|without)\b", re.IGNORECASE)
_NEAR = 0.5
"""Part of the lower limit, below which a prompt is nonsense itself and not several things."""

_SOME, _MOST = 0.3, 0.7
"""Agreement of the map that is shown with the prompt's own, below which it is not the prompt's map,
and below which it is so only in part. Of maps that agree less than 0.3, 81 % have lost more than
0.2 of their AUROC; from 0.7 to 0.8, 8 %; above, none (docs/honesty.md)."""

_SAME = 1e-6
"""Difference of two cosines that may be rounding."""


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

    @cached_property
    def all_directions(self) -> Directions:
        """Unit directions of nonsense and of neutral prompts, which are whole sentences."""
        neutral = TextDirections(self.words.encoder).directions((text,) for text in NEUTRAL_PROMPTS)
        return np.concatenate([self.directions, neutral])

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


@dataclass(frozen=True, eq=False)
class NullReference:
    """Statistics of the maps of nonsense prompts on one image.

    Parameters
    ----------
    scale : NonsenseScale
        Distances from nonsense.
    embedding, unowned : float64 (d_embed,)
        Embedding of the image, and the part of it that no patch contributes.
    covariance : float64 (d_embed, d_embed)
        Covariance of the image's tokens.
    tokens : ImageTokens
        What presence in this image is judged by.
    similarities : float64 (nonsense + neutral,)
        Cosine similarity of the image with each.
    calibration : Calibration, optional
        The limits for this model; None if it was never calibrated.
    """

    scale: NonsenseScale
    embedding: NDArray[np.float64]
    unowned: NDArray[np.float64]
    covariance: NDArray[np.float64]
    tokens: ImageTokens
    similarities: NDArray[np.float64]
    calibration: Calibration | None = None

    def rank(self, similarities: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the fraction of neutral and nonsense prompts less similar to the image."""
        below = self.similarities < similarities[:, np.newaxis] - _SAME
        return np.asarray(below.mean(axis=1))

    @property
    def words(self) -> TextDirections:
        """How texts become directions, for nonsense and for prompts."""
        return self.scale.words

    def residual_variance(self, directions: Directions) -> NDArray[np.float64]:
        """Return the fraction of each map's variance that no nonsense map explains, (prompt,).

        0 to 1: what remains after a linear fit of the best-fitting nonsense map.
        """
        explained = correlations(self.covariance, directions, self.scale.directions) ** 2
        left: NDArray[np.float64] = 1 - explained.max(axis=1)
        left[_deviations(self.covariance, directions) == 0] = 0
        return left


def make_null_reference(
    encoding: Encoding, templates: tuple[str, ...] = PLAIN, scale: NonsenseScale | None = None
) -> NullReference:
    """Compare nonsense and neutral prompts with an image.

    Parameters
    ----------
    encoding : Encoding
    templates : tuple of str
        Those of the prompts to judge: nonsense is put into the same sentences.
    scale : NonsenseScale, optional
        Of these templates, where it is known from another image of the same model.
    """
    scale = scale or NonsenseScale.of(TextDirections(encoding.text, templates))
    embedding = encoding.embedding.astype(np.float64)
    return NullReference(
        scale=scale,
        embedding=embedding,
        unowned=encoding.unowned.astype(np.float64),
        covariance=token_covariance(encoding),
        tokens=measure_tokens(encoding, scale.directions.astype(np.float32)),
        similarities=scale.all_directions @ embedding,
        calibration=find_calibration(str(encoding.model.get("weights_sha256"))),
    )


def correlations(
    covariance: NDArray[np.float64], one: Directions, other: Directions
) -> NDArray[np.float64]:
    """Return the correlation of each map of one set with each of another; 0 for flat maps."""
    scale = np.outer(_deviations(covariance, one), _deviations(covariance, other))
    products = one @ covariance @ other.T
    related = np.divide(products, scale, out=np.zeros_like(products), where=scale > 0)
    return np.asarray(related.clip(-1, 1))


def _deviations(covariance: NDArray[np.float64], directions: Directions) -> NDArray[np.float64]:
    variances = (directions @ covariance * directions).sum(axis=1)  # faster than by einsum
    return np.asarray(np.sqrt(np.maximum(variances, 0)))


@dataclass(frozen=True)
class TextAnswer:
    """Whether a prompt's map depends on its words.

    Parameters
    ----------
    finding : Finding
    dependence : float
        Distance from the nearest nonsense, in units of what separates nonsense from itself.
    nearest : str
        That nonsense.
    """

    finding: Finding
    dependence: float
    nearest: str


def judge_texts(
    reference: NullReference, phrases: Sequence[Phrase], directions: NDArray[np.float64]
) -> tuple[TextAnswer, ...]:
    """Judge prompts by their words alone: the image plays no part.

    Parameters
    ----------
    reference : NullReference
    phrases : sequence of tuple of str
        The names in each prompt.
    directions : float64 (prompt, d_embed)
        Their unit directions; zero where synonyms cancel.
    """
    limits = TextLimits() if reference.calibration is None else reference.calibration.text
    dependence, nearest, unmet = reference.scale.judge(phrases, directions)
    like_nonsense = [
        number
        for number, value in enumerate(dependence)
        if _NEAR * limits.none <= value < limits.none and number not in unmet
    ]
    several = _with_a_word_that_counts(reference, phrases, like_nonsense, limits)
    return tuple(
        TextAnswer(
            finding=_text_finding(
                float(value),
                NONSENSE[like],
                limits,
                unmet=number in unmet,
                several=number in several,
                negated=any(map(_NEGATION.search, phrases[number])),
            ),
            dependence=float(value),
            nearest=NONSENSE[like],
        )
        for number, (value, like) in enumerate(zip(dependence, nearest, strict=True))
    )


def _text_finding(
    dependence: float,
    nearest: str,
    limits: TextLimits,
    *,
    unmet: bool,
    several: bool,
    negated: bool,
) -> Finding:
    if several:
        return Finding(
            Trust.DOUBTFUL,
            "Its words together are close to nonsense, and one of them alone is not: name one "
            "thing in each prompt.",
        )
    if dependence < limits.none:
        return Finding(
            Trust.NONE,
            "The model was never trained on some of its words: use words that it knows."
            if unmet
            else f"To the model it is much like '{nearest}', which means nothing: name one thing "
            "in plain words, or use a model that knows the subject.",
        )
    if unmet:
        return Finding(
            Trust.DOUBTFUL, "The model was never trained on some of its words; the others count."
        )
    if negated:
        return Finding(
            Trust.DOUBTFUL,
            "CLIP reads the words and not the negation: the map shows the thing that is denied.",
        )
    if dependence < limits.good:
        return Finding(
            Trust.DOUBTFUL, f"To the model it differs only a little from '{nearest}' (nonsense)."
        )
    return Finding(Trust.GOOD, "The map depends on the words.")


def _with_a_word_that_counts(
    reference: NullReference,
    phrases: Sequence[Phrase],
    numbers: Iterable[int],
    limits: TextLimits,
) -> set[int]:
    """Return which of some prompts of several words have one that alone is far from nonsense."""
    words = {number: _words(phrases[number]) for number in numbers}
    asked = [(number, word) for number, found in words.items() if len(found) > 1 for word in found]
    if not asked:
        return set()
    directions = reference.words.directions((word,) for _, word in asked)
    dependence, _ = reference.scale.dependence(directions)
    return {
        number for (number, _), value in zip(asked, dependence, strict=True) if value >= limits.good
    }


def _words(names: Phrase) -> tuple[str, ...]:
    found = dict.fromkeys(word for name in names for word in re.findall(r"\w+", name))
    return tuple(found)[:LONGEST]


def judge_lists(
    reference: NullReference, scoring: Scoring, directions: NDArray[np.float64]
) -> Iterator[tuple[Finding, float | None]]:
    """Yield per prompt whether the map that is shown is its own, and the correlation of the two.

    What is subtracted, or competes, can turn a map into that of another prompt.

    Parameters
    ----------
    reference : NullReference
    scoring : Scoring
    directions : float64 (prompt, d_embed)
        Unit directions of the prompts themselves.
    """
    shown = scoring.method.map_directions(
        scoring.directions.astype(np.float64), len(scoring.prompts)
    )
    related = correlations(reference.covariance, shown, directions).diagonal()
    varies = _deviations(reference.covariance, directions) > 0
    for agreement, known in zip(related.tolist(), varies.tolist(), strict=True):
        yield (_list_finding(agreement), agreement) if known else (Finding(Trust.GOOD, ""), None)


def _list_finding(agreement: float) -> Finding:
    if agreement >= _MOST:
        return Finding(Trust.GOOD, "")
    what = f"The correlation of the map that is shown with the prompt's own is {agreement:.2f}"
    if agreement < _SOME:
        return Finding(
            Trust.NONE,
            f"{what}: what is subtracted has changed it. Use the score balanced or absolute, or "
            "other prompts.",
        )
    return Finding(Trust.DOUBTFUL, f"{what}: part of it comes from what is subtracted.")
