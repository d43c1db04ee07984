"""Scores are linear in the token map, so a score is a set of directions to take products with."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from napari_clip_heatmap.errors import PromptError
from napari_clip_heatmap.pipeline.neutral import NEUTRAL_PROMPTS

if TYPE_CHECKING:
    from napari_clip_heatmap.clip.text import TextEncoder

__all__ = ["Score", "Scoring", "plan_scoring"]

Score = Literal["relative", "absolute", "contrast"]
"""relative: minus the mean over the prompts; absolute: as it is; contrast: minus a baseline."""


@dataclass(frozen=True, eq=False)
class Scoring:
    """Prompts turned into directions.

    Parameters
    ----------
    prompts : tuple of str
        Each prompt once, in the order asked.
    score : str
    baseline : tuple of str
        The prompts whose mean was taken off, where that is not the prompts' own mean.
    text : float32 (prompt, d_embed)
        Unit text directions: a unit image embedding times these is the cosine similarity.
    directions : float32 (prompt, d_embed)
        The text directions minus what the score takes off.
    notes : tuple of str
        Plain sentences on how the maps are to be read.
    """

    prompts: tuple[str, ...]
    score: Score
    baseline: tuple[str, ...]
    text: NDArray[np.float32]
    directions: NDArray[np.float32]
    notes: tuple[str, ...]


def plan_scoring(
    encoder: TextEncoder, prompts: Iterable[str], score: Score, baseline: Iterable[str] = ()
) -> Scoring:
    """Turn prompts into directions.

    Parameters
    ----------
    encoder : TextEncoder
        Gives the unit direction of each prompt.
    prompts : iterable of str
        Spaces around a prompt and repeated prompts count for nothing.
    score : {"relative", "absolute", "contrast"}
        With one prompt "relative" takes off the mean over `NEUTRAL_PROMPTS`: its own mean would
        leave nothing.
    baseline : iterable of str
        For "contrast" only: the prompts whose mean is taken off.

    Raises
    ------
    PromptError
        There is no prompt, one is blank, the score is unknown, or the baseline does not belong to
        the score.
    """
    words = _distinct(prompts, "prompts")
    if not words:
        raise PromptError("no prompts given; give at least one, such as 'nuclei'")
    against = _baseline(words, score, _distinct(baseline, "baseline prompts"))
    named = () if against is NEUTRAL_PROMPTS else against
    text = _directions(encoder, words)
    if against:
        directions = text - _directions(encoder, against).mean(axis=0)
    elif score == "relative":
        directions = text - text.mean(axis=0)
    else:
        directions = text
    return Scoring(
        prompts=words,
        score=score,
        baseline=against,
        text=text.astype(np.float32),
        directions=directions.astype(np.float32),
        notes=(*_on_score(words, score, against), *_on_words(encoder, (*words, *named))),
    )


def _distinct(prompts: Iterable[object], what: str) -> tuple[str, ...]:
    """Return each prompt once, in order, without the spaces around it."""
    distinct: dict[str, None] = {}
    for prompt in (prompts,) if isinstance(prompts, str) else prompts:
        if not isinstance(prompt, str) or not prompt.strip():
            raise PromptError(
                f"one of the {what} is {prompt!r}; each must be text with at least one word: "
                "fill it in or remove it"
            )
        distinct[prompt.strip()] = None
    return tuple(distinct)


def _baseline(words: tuple[str, ...], score: Score, given: tuple[str, ...]) -> tuple[str, ...]:
    """Return the prompts to take off, where these are others than the prompts themselves."""
    if score not in get_args(Score):
        raise PromptError(
            f"the score {score!r} is unknown; accepted: {', '.join(map(repr, get_args(Score)))}"
        )
    if score == "contrast":
        if not given:
            raise PromptError(
                "score 'contrast' takes off a baseline, and none was given; "
                "name at least one baseline prompt, such as 'background', or use 'relative'"
            )
        return given
    if given:
        raise PromptError(
            f"a baseline was given, and score {score!r} uses none; "
            "use score 'contrast' or leave the baseline out"
        )
    return NEUTRAL_PROMPTS if score == "relative" and len(words) == 1 else ()


def _directions(encoder: TextEncoder, prompts: tuple[str, ...]) -> NDArray[np.float64]:
    # Double precision: directions may nearly cancel, and then their last digits are the map.
    directions: NDArray[np.float64] = encoder.encode(prompts).double().numpy()
    return directions


def _on_score(words: tuple[str, ...], score: Score, against: tuple[str, ...]) -> Iterator[str]:
    """Say what the score makes of these very prompts."""
    if score == "relative" and against:
        yield (
            "One prompt alone has no others to be relative to; "
            f"the mean over {len(against)} neutral prompts was taken off instead."
        )
    if score == "relative" and len(words) == 2:
        yield (
            "With two prompts the relative maps are exact mirrors of one another; "
            "add a third prompt, or use the absolute or contrast score."
        )
    if score == "contrast" and len(against) == 1 and against[0] in words:
        yield f"{_short(against[0])} is contrasted with itself, so its map is zero."


def _on_words(encoder: TextEncoder, named: Iterable[str]) -> Iterator[str]:
    """Say which of the user's words the model did not see, or never learnt."""
    for prompt in dict.fromkeys(named):
        if unread := encoder.unread_words(prompt):
            yield (
                f"{_short(prompt)} is longer than the model reads; "
                f"it did not see: {_short(' '.join(unread))}."
            )
        if unknown := encoder.unknown_words(prompt):
            listed = ", ".join(f"'{word}'" for word in unknown)
            yield f"In {_short(prompt)} the model was never trained on: {listed}."


def _short(text: str, limit: int = 60) -> str:
    return f"'{text}'" if len(text) <= limit else f"'{text[:limit]}…'"
