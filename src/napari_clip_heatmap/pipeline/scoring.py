"""Scores are directions to take products with; only softmax does anything afterwards."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from napari_clip_heatmap.errors import PromptError
from napari_clip_heatmap.prompting.language import Phrase, Prompt, distinct, parse_phrase
from napari_clip_heatmap.prompting.templates import PLAIN, fill_template, parse_templates

if TYPE_CHECKING:
    from napari_clip_heatmap.clip.text import TextEncoder

__all__ = [
    "NEUTRAL_PROMPTS",
    "Score",
    "Scoring",
    "TextDirections",
    "build_scoring",
    "score_notes",
    "template_notes",
    "word_notes",
    "words_of",
]


Direction = NDArray[np.float64]


@dataclass(frozen=True)
class TextDirections:
    """How names become texts, and texts directions.

    Parameters
    ----------
    encoder : TextEncoder
    templates : tuple of str
        Each with ``{}`` where a name goes.
    """

    encoder: TextEncoder
    templates: tuple[str, ...] = PLAIN

    def texts(self, phrase: Phrase) -> tuple[str, ...]:
        """Return all that is encoded for names of one thing, each text once."""
        filled = (fill_template(template, name) for name in phrase for template in self.templates)
        return tuple(dict.fromkeys(filled))

    def directions(self, phrases: Iterable[Phrase]) -> Direction:
        """Return a unit direction for each thing, float64 (phrase, d_embed).

        The mean over its names of the unit mean over templates, brought to length 1. Double
        precision: directions may nearly cancel, and then their last digits are the map.
        """
        wanted = tuple(phrases)
        texts = tuple(dict.fromkeys(chain.from_iterable(map(self.texts, wanted))))
        encoded = self.encoder.encode(texts).double().numpy()
        by_text = dict(zip(texts, encoded, strict=True))
        return np.stack([self._direction(phrase, by_text) for phrase in wanted])

    def _direction(self, phrase: Phrase, by_text: dict[str, Direction]) -> Direction:
        names = [_unit_mean([by_text[text] for text in self.texts((name,))]) for name in phrase]
        return _unit_mean(names)


def words_of(prompts: Iterable[Prompt]) -> Iterator[str]:
    """Return every name that the prompts have, those they are contrasted with included."""
    for prompt in prompts:
        yield from chain(prompt.names, *prompt.minus)


def _unit_mean(directions: list[Direction]) -> Direction:
    if len(directions) == 1:
        return directions[0]  # to the last digit what the encoder gives
    # Sorted, so that the order of synonyms cannot change even the last digit.
    mean: Direction = np.sort(np.stack(directions), axis=0).mean(axis=0)
    length = float(np.linalg.norm(mean))
    return np.divide(mean, length) if length > 0 else mean


NEUTRAL_PROMPTS = (
    "an image",
    "a photo",
    "a picture",
    "a microscopy image",
    "background",
    "an empty field",
    "nothing",
)
"""Prompts that name no object: kinds of pictures, and the absence of things."""


Score = Literal["relative", "absolute", "contrast", "softmax"]
"""relative: minus the mean over the prompts; absolute: as it is; contrast: minus a baseline;
softmax: each patch's probability of each prompt."""


@dataclass(frozen=True, eq=False)
class Scoring:
    """Prompts turned into directions.

    Parameters
    ----------
    prompts : tuple of str
        Each prompt once, in the order asked, as the user wrote it.
    score : str
    baseline : tuple of str
        The prompts whose mean was taken off, or against which softmax was taken, where these are
        others than the prompts themselves.
    templates : tuple of str
        The sentences that names were put into.
    text : float32 (prompt, d_embed)
        Unit text directions: a unit image embedding times these is the cosine similarity.
    directions : float32 (prompt + rival, d_embed)
        The text directions minus what the score takes off; for softmax also those of the baseline.
    notes : tuple of str
        Plain sentences on how the maps are to be read.
    recipes : tuple of dict
        Per prompt the texts that were encoded, in values that JSON has.
    logit_scale : float
        The model's factor from cosine to logit; for softmax only, else 0.
    """

    prompts: tuple[str, ...]
    score: Score
    baseline: tuple[str, ...]
    templates: tuple[str, ...]
    text: NDArray[np.float32]
    directions: NDArray[np.float32]
    notes: tuple[str, ...]
    recipes: tuple[dict[str, list[str]], ...]
    logit_scale: float = 0.0

    @property
    def unit(self) -> str:
        """What the values of a map are: a share of the cosine, or a probability."""
        return "probability" if self.logit_scale else "cosine"

    def apply(self, shares: NDArray[np.float32], n_patches: int) -> NDArray[np.float32]:
        """Return maps from the products of the token map with the directions.

        Parameters
        ----------
        shares : float32 (prompt + rival, y, x)
        n_patches : int
            Of a tile. A patch's share times this is the cosine that a tile would have if all its
            patches were like this one; softmax is taken of that, times the logit scale.

        Returns
        -------
        float32 (prompt, y, x)
        """
        if not self.logit_scale:
            return shares
        logits = shares * np.float32(self.logit_scale * n_patches)
        logits -= logits.max(axis=0)
        odds = np.exp(logits)
        likely: NDArray[np.float32] = odds[: len(self.prompts)] / odds.sum(axis=0)
        return likely


def build_scoring(
    encoder: TextEncoder,
    prompts: Iterable[str],
    score: Score,
    baseline: Iterable[str] = (),
    templates: str | Iterable[str] = "plain",
) -> Scoring:
    """Turn prompts into directions.

    Parameters
    ----------
    encoder : TextEncoder
        Gives the unit direction of each text.
    prompts : iterable of str
        As `prompting.language` reads them. Repeated prompts count for nothing. One with a contrast
        of its own, ``nuclei - background``, is compared with that and takes no part in the others'
        comparison.
    score : {"relative", "absolute", "contrast", "softmax"}
        Where only one prompt is to be compared, "relative" takes off the mean over
        `NEUTRAL_PROMPTS`, and "softmax" is taken against these: alone, nothing would be left.
    baseline : iterable of str
        For "contrast" the prompts whose mean is taken off, for "softmax" those that compete but
        get no map.
    templates : str or iterable of str
        A set's name, or sentences with ``{}``; for prompts and baseline.

    Raises
    ------
    PromptError
        There is no prompt, one cannot be read, the score or the templates are unknown, or the
        baseline does not belong to the score.
    """
    asked = distinct(prompts)
    if not asked:
        raise PromptError("no prompts given; give at least one, such as 'nuclei'")
    given = tuple(dict.fromkeys(map(parse_phrase, _listed(baseline))))
    compared = [not prompt.minus for prompt in asked]
    against = _baseline(asked, score, given, sum(compared))
    neutral = against is _NEUTRAL
    wording = TextDirections(encoder, parse_templates(templates))
    rivals = TextDirections(encoder) if neutral else wording  # neutral prompts are whole sentences
    text = wording.directions(prompt.names for prompt in asked)
    off = rivals.directions(against) if against else np.zeros((0, text.shape[1]))
    directions = _less_own(wording, asked, text)
    if score == "softmax":
        directions = np.concatenate([directions, off])
    elif any(compared) and score != "absolute":
        directions[compared] -= off.mean(axis=0) if against else text[compared].mean(axis=0)
    named = (*words_of(asked), *(() if neutral else chain.from_iterable(against)))
    return Scoring(
        prompts=tuple(prompt.text for prompt in asked),
        score=score,
        baseline=tuple(" | ".join(phrase) for phrase in against),
        templates=wording.templates,
        text=text.astype(np.float32),
        directions=directions.astype(np.float32),
        notes=(
            *score_notes(asked, score, against, neutral=neutral),
            *word_notes(encoder, named),
            *template_notes(encoder, wording.templates),
        ),
        recipes=tuple(_recipe(wording, prompt) for prompt in asked),
        logit_scale=encoder.logit_scale if score == "softmax" else 0.0,
    )


_NEUTRAL: tuple[Phrase, ...] = tuple((prompt,) for prompt in NEUTRAL_PROMPTS)


def _listed(lines: Iterable[str]) -> Iterable[str]:
    return (lines,) if isinstance(lines, str) else lines


def _baseline(
    asked: tuple[Prompt, ...], score: Score, given: tuple[Phrase, ...], n_compared: int
) -> tuple[Phrase, ...]:
    """Return what to take off, where this is something else than the prompts themselves."""
    if score not in get_args(Score):
        raise PromptError(
            f"the score {score!r} is unknown; accepted: {', '.join(map(repr, get_args(Score)))}"
        )
    if score == "contrast" and n_compared and not given:
        raise PromptError(
            "score 'contrast' takes off a baseline, and none was given; "
            "name at least one baseline prompt, such as 'background', or use 'relative'"
        )
    if given and score not in ("contrast", "softmax"):
        raise PromptError(
            f"a baseline was given, and score {score!r} uses none; "
            "use score 'contrast' or 'softmax', or leave the baseline out"
        )
    alone = len(asked) == 1 if score == "softmax" else n_compared == 1 and score == "relative"
    return given or (_NEUTRAL if alone else ())


def _less_own(
    wording: TextDirections, asked: tuple[Prompt, ...], text: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the directions, minus each prompt's own baseline."""
    directions = text.copy()
    for number, prompt in enumerate(asked):
        if prompt.minus:
            directions[number] -= wording.directions(prompt.minus).mean(axis=0)
    return directions


def _recipe(wording: TextDirections, prompt: Prompt) -> dict[str, list[str]]:
    minus = [text for phrase in prompt.minus for text in wording.texts(phrase)]
    return {"texts": list(wording.texts(prompt.names)), "minus": minus}


def score_notes(
    asked: Sequence[Prompt], score: str, against: Sequence[Phrase], *, neutral: bool
) -> Iterator[str]:
    """Say what the score makes of these very prompts."""
    if score == "relative" and neutral:
        yield (
            "One prompt alone has no others to be relative to; "
            f"the mean over {len(against)} neutral prompts was taken off instead."
        )
    if score == "softmax" and neutral:
        yield (
            "One prompt alone is certain of itself; "
            f"the softmax was taken against {len(against)} neutral prompts."
        )
    if score == "relative" and sum(not prompt.minus for prompt in asked) == 2:
        yield (
            "With two prompts the relative maps are exact mirrors of one another; "
            "add a third prompt, or use the absolute or contrast score."
        )
    for prompt in asked:
        if (score == "contrast" and not prompt.minus and tuple(against) == (prompt.names,)) or (
            prompt.minus == (prompt.names,)
        ):
            yield f"{_short(prompt.text)} is contrasted with itself, so its map is zero."


def word_notes(encoder: TextEncoder, named: Iterable[str]) -> Iterator[str]:
    """Say which of the user's words the model did not see, or never learnt."""
    for prompt in dict.fromkeys(named):
        if unread := encoder.unread_words(prompt):
            yield (
                f"{_short(prompt)} is longer than the model reads; "
                f"it did not see: {_short(' '.join(unread))}."
            )
        if unknown := encoder.unknown_words(prompt):
            yield f"In {_short(prompt)} the model was never trained on: {_quoted(unknown)}."


def template_notes(encoder: TextEncoder, templates: Iterable[str]) -> Iterator[str]:
    """Say which words of the templates the model never learnt."""
    words = (encoder.unknown_words(each.replace("{}", " ")) for each in templates if each != "{}")
    if unknown := dict.fromkeys(word for each in words for word in each):
        yield (
            f"The templates have words that the model was never trained on: {_quoted(unknown)}; "
            "use plain, or others."
        )


def _quoted(words: Iterable[str]) -> str:
    return ", ".join(f"'{word}'" for word in words)


def _short(text: str, limit: int = 60) -> str:
    return f"'{text}'" if len(text) <= limit else f"'{text[:limit]}…'"
