"""The three answers behind a verdict: on the text, on presence, and on the list of prompts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_clip_heatmap.pipeline.calibration import Calibration, TextLimits
from napari_clip_heatmap.pipeline.null_reference import (
    NONSENSE,
    STAND_IN,
    NullReference,
    correlations,
)
from napari_clip_heatmap.pipeline.trust import Finding, Trust
from napari_clip_heatmap.prompting.language import Phrase

if TYPE_CHECKING:
    from napari_clip_heatmap.pipeline.scoring import Scoring

__all__ = ["TextAnswer", "judge_lists", "judge_presence", "judge_texts"]

_NEGATION = re.compile(r"\b(no|not|non|without)\b", re.IGNORECASE)
_SEVERAL = re.compile(r"\band\b|\bor\b|[,&+]", re.IGNORECASE)

_LONGEST = 12
"""Words up to which a name is taken apart; a longer text is a sentence, not a name."""

_SOME, _MOST = 0.3, 0.7
"""Agreement of the map that is shown with the prompt's own, below which it is not the prompt's map,
and below which it is so only in part. Of maps that agree less than 0.3, 81 % have lost more than
0.2 of their AUROC; from 0.7 to 0.8, 8 %; above, none (docs/how-to-read-a-map.md)."""


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
    dependence, nearest = reference.dependence(directions)
    dependence[~directions.any(axis=1)] = 0
    unmet = _unmet_words_replaced(reference, phrases)
    for number, (less, alike) in unmet.items():
        if less < dependence[number]:
            dependence[number], nearest[number] = less, alike
    like_nonsense = [
        number
        for number, value in enumerate(dependence)
        if value < limits.none and number not in unmet
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


def _unmet_words_replaced(
    reference: NullReference, phrases: Iterable[Phrase]
) -> dict[int, tuple[float, int]]:
    """Return dependence and nearest nonsense of prompts with words the model never learned.

    These words are replaced by `STAND_IN`: they cannot mean anything to the model, even if parts of
    them are pieces of words that it knows. Prompts of known words are left out, and so are all
    prompts if the model's vocabulary is not known.
    """
    encoder = reference.words.encoder

    def stand_in(word: re.Match[str]) -> str:
        return STAND_IN if encoder.unknown_words(word[0]) else word[0]

    changed = {}
    for number, names in enumerate(phrases):
        stood_in = tuple(dict.fromkeys(re.sub(r"\w+", stand_in, name) for name in names))
        if stood_in != names:
            changed[number] = stood_in
    if not changed:
        return {}
    dependence, nearest = reference.dependence(reference.words.directions(changed.values()))
    return dict(zip(changed, zip(dependence.tolist(), nearest.tolist(), strict=True), strict=True))


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
    dependence, _ = reference.dependence(directions)
    return {
        number for (number, _), value in zip(asked, dependence, strict=True) if value >= limits.good
    }


def _words(names: Phrase) -> tuple[str, ...]:
    found = dict.fromkeys(word for name in names for word in re.findall(r"\w+", name))
    return tuple(found)[:_LONGEST]


def judge_presence(
    reference: NullReference,
    phrases: Sequence[Phrase],
    directions: NDArray[np.float64],
    tokens: NDArray[np.float32] | None = None,
) -> tuple[tuple[Finding, float | None], ...]:
    """Judge whether each thing is in the image, or at a place; with its strength.

    Parameters
    ----------
    reference : NullReference
        With what the model saw of the image.
    phrases, directions
        As `judge_texts` takes them.
    tokens : float32 (patch, d_embed), optional
        Of a place in the image, scaled as `ImageTokens.tokens` are; by default of all of it.
    """
    calibration, image = reference.calibration, reference.tokens
    if calibration is None:
        unknown = Finding(
            Trust.UNKNOWN,
            "Whether it is in this image is not known: this model is not calibrated "
            "('clip-heatmap calibrate' does it).",
        )
        return ((unknown, None),) * len(phrases)
    strengths = image.strengths(directions, calibration, tokens)
    if np.isnan(strengths).any():
        unknown = Finding(Trust.UNKNOWN, "The model has seen nothing here.")
        return ((unknown, None),) * len(phrases)
    levels = [calibration.level(float(strength)) for strength in strengths]
    lowest = _lowest_part_strengths(reference, calibration, phrases, levels, tokens)
    for number, (strength, several) in lowest.items():
        if several:
            levels[number] = _capped(levels[number], calibration.level(strength))
        if levels[number] is Trust.NONE and strength >= calibration.low:
            levels[number] = Trust.DOUBTFUL
    where = "in this image" if tokens is None else "here"
    return tuple(
        (_presence_finding(level, reference, calibration, where), float(strength))
        for level, strength in zip(levels, strengths, strict=True)
    )


def _capped(level: Trust, most: Trust) -> Trust:
    order = (Trust.NONE, Trust.DOUBTFUL, Trust.GOOD)
    return min(level, most, key=order.index)


def _presence_finding(
    level: Trust, reference: NullReference, calibration: Calibration, where: str
) -> Finding:
    if reference.tokens.is_flat(calibration):
        return Finding(Trust.NONE, "The model sees no difference between the parts of this image.")
    if level is Trust.NONE:
        return Finding(level, f"Not found {where}: no patch answers as such a thing does.")
    if reference.tokens.is_uniform(calibration):
        return Finding(
            Trust.DOUBTFUL, "The image looks the same everywhere, as noise and empty fields do."
        )
    if level is Trust.DOUBTFUL:
        return Finding(
            level, f"It may be {where}, or something like it: the answer is weaker than is usual."
        )
    return Finding(level, f"Found {where}: the highest patches answer as such a thing does.")


def _lowest_part_strengths(
    reference: NullReference,
    calibration: Calibration,
    phrases: Sequence[Phrase],
    levels: Sequence[Trust],
    tokens: NDArray[np.float32] | None,
) -> dict[int, tuple[float, bool]]:
    """Return per prompt that must be taken apart its weakest part, and if it has several parts.

    Of a part such as "green cell nuclei" the best of "green cell nuclei", "cell nuclei" and
    "nuclei" counts; of several names of one thing, the best.
    """
    parts = {
        number: [_parts(name) for name in names]
        for number, (names, level) in enumerate(zip(phrases, levels, strict=True))
        if any(len(name.split()) > 1 for name in names)
    }
    wanted = {
        number: names
        for number, names in parts.items()
        if levels[number] is Trust.NONE or all(len(name) > 1 for name in names)
    }
    texts = dict.fromkeys(
        text for names in wanted.values() for name in names for part in name for text in part
    )
    if not texts:
        return {}
    directions = reference.words.directions((text,) for text in texts)
    found = reference.tokens.strengths(directions, calibration, tokens)
    strength = dict(zip(texts, found.tolist(), strict=True))
    return {
        number: (
            max(min(max(strength[text] for text in part) for part in name) for name in names),
            all(len(name) > 1 for name in names),
        )
        for number, names in wanted.items()
    }


def _parts(name: str) -> list[list[str]]:
    """Return the things that a name lists, each with the ends of it that may name it alone."""
    if len(name.split()) > _LONGEST:
        return [[name]]
    parts = [part.split() for part in _SEVERAL.split(name) if part.strip()]
    return [[" ".join(words[first:]) for first in range(len(words))] for words in parts] or [[name]]


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
    varies = np.einsum("td,de,te->t", directions, reference.covariance, directions) > 0
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
