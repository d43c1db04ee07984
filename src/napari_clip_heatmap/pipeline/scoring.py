"""From words and a score to the directions that a token map is multiplied with."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_clip_heatmap.errors import PromptError, shorten
from napari_clip_heatmap.pipeline.calibration import TextLimits
from napari_clip_heatmap.pipeline.score_registry import (
    Comparison,
    Score,
    ScoreMethod,
    score_method,
)
from napari_clip_heatmap.prompting.example import Example
from napari_clip_heatmap.prompting.language import (
    PLAIN,
    Phrase,
    Prompt,
    distinct,
    fill_template,
    listed,
    parse_phrase,
    parse_templates,
)

if TYPE_CHECKING:
    from napari_clip_heatmap.clip.text import TextEncoder

__all__ = [
    "NEUTRAL_PROMPTS",
    "Directions",
    "Scoring",
    "TextDirections",
    "build_scoring",
    "unit_directions",
]

Directions = NDArray[np.float64]
"""Directions, float64 (phrase, d_embed) or (d_embed,)."""

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


@dataclass(frozen=True)
class TextDirections:
    """How names become texts, and texts become directions.

    Parameters
    ----------
    encoder : TextEncoder
    templates : tuple of str
        Each with ``{}`` where a name goes.
    """

    encoder: TextEncoder
    templates: tuple[str, ...] = PLAIN

    def texts(self, phrase: Phrase) -> tuple[str, ...]:
        """Return all texts that are encoded for the names of one thing, each text once."""
        filled = (fill_template(template, name) for name in phrase for template in self.templates)
        return tuple(dict.fromkeys(filled))

    def directions(self, phrases: Iterable[Phrase]) -> Directions:
        """Return a unit direction for each thing, float64 (phrase, d_embed).

        The mean over its names of the unit mean over templates, scaled to length 1. Double
        precision: directions may nearly cancel, and then the map is in their last digits.
        """
        wanted = tuple(phrases)
        texts = tuple(dict.fromkeys(chain.from_iterable(map(self.texts, wanted))))
        encoded = self.encoder.encode(texts).double().numpy()
        by_text = dict(zip(texts, encoded, strict=True))
        return np.stack([self._direction(phrase, by_text) for phrase in wanted])

    def _direction(self, phrase: Phrase, by_text: dict[str, Directions]) -> Directions:
        names = [_unit_mean([by_text[text] for text in self.texts((name,))]) for name in phrase]
        return _unit_mean(names)


def _unit_mean(directions: list[Directions]) -> Directions:
    """Return the mean of unit directions, scaled to length 1; zero if they cancel."""
    if len(directions) == 1:
        return directions[0]  # to the last digit what the encoder gives
    # Sorted, so that the order of synonyms cannot change even the last digit.
    mean: Directions = np.sort(np.stack(directions), axis=0).mean(axis=0)
    length = float(np.linalg.norm(mean))
    return np.divide(mean, length) if length > 0 else mean


@dataclass(frozen=True, eq=False)
class Scoring:
    """Prompts turned into directions.

    Parameters
    ----------
    prompts : tuple of str
        Each prompt once, in the order given, as the user wrote it.
    score : str
        A name in `SCORES`.
    baseline : tuple of str
        The prompts that were subtracted or competed, where these are not the prompts themselves.
    templates : tuple of str
        The sentences that names were put into.
    text : float32 (prompt, d_embed)
        Unit text directions: a unit image embedding times these is the cosine similarity.
    directions : float32 (prompt + competing prompt, d_embed)
        The directions that the score multiplies the token map with.
    notes : tuple of str
        Plain sentences on how to read the maps.
    recipes : tuple of dict
        Per prompt the texts that were encoded, as JSON-able values.
    logit_scale : float
        The model's factor from cosine to logit.
    phrases : tuple of tuple of str
        Per prompt the names of the thing; of an example none.
    examples : mapping of str to Example
        By name, those of the prompts that are examples.
    """

    prompts: tuple[str, ...]
    score: Score
    baseline: tuple[str, ...]
    templates: tuple[str, ...]
    text: NDArray[np.float32]
    directions: NDArray[np.float32]
    notes: tuple[str, ...]
    recipes: tuple[dict[str, list[str]], ...]
    logit_scale: float = 1.0
    phrases: tuple[Phrase, ...] = ()
    examples: Mapping[str, Example] = field(default_factory=dict)

    def require_model(self, model: Mapping[str, object]) -> None:
        """Raise a `PromptError` if an example was made with weights other than this model's."""
        for example in self.examples.values():
            example.require_model(model.get("name"), model.get("weights_sha256"))

    @property
    def method(self) -> ScoreMethod:
        """What the score computes."""
        return score_method(self.score)

    @property
    def unit(self) -> str:
        """Unit of the maps: "cosine" (a contribution to the cosine) or "probability"."""
        return self.method.unit

    def apply(self, contributions: NDArray[np.float32], n_patches: int) -> NDArray[np.float32]:
        """Return maps from the token map times the directions.

        Parameters
        ----------
        contributions : float32 (prompt + competing prompt, y, x)
        n_patches : int
            Patches per tile.

        Returns
        -------
        float32 (prompt, y, x)
        """
        scale = self.logit_scale * n_patches
        maps: NDArray[np.float32] = self.method.maps(contributions, len(self.prompts), scale)
        return maps


def build_scoring(
    encoder: TextEncoder,
    prompts: Iterable[str | Example],
    score: Score,
    baseline: Iterable[str] = (),
    templates: str | Iterable[str] = "plain",
) -> Scoring:
    """Turn prompts into directions.

    Parameters
    ----------
    encoder : TextEncoder
        Gives the unit direction of each text.
    prompts : iterable of str or Example
        As `prompting.language` reads them; repeated prompts count once. A prompt with a contrast of
        its own, ``nuclei - background``, is compared with that and not with the other prompts, and
        neither is an example.
    score : {"relative", "balanced", "absolute", "contrast", "softmax"}
        See `SCORES`.
    baseline : iterable of str
        For scores that take one.
    templates : str or iterable of str
        A set's name, or sentences with ``{}``; for prompts and baseline.

    Raises
    ------
    PromptError
        There is no prompt, one cannot be read, the score or the templates are unknown, or the
        baseline does not fit the score.
    """
    method = score_method(score)
    parsed = distinct(prompts)
    if not parsed:
        raise PromptError("no prompts given; give at least one, such as 'nuclei'")
    given = tuple(dict.fromkeys(map(parse_phrase, listed(baseline, "baseline prompts"))))
    compared = [prompt.compared for prompt in parsed]
    against = _baseline(method, given, compared)
    neutral = against is _NEUTRAL
    words = TextDirections(encoder, parse_templates(templates))
    # Neutral prompts are whole sentences already.
    others = TextDirections(encoder) if neutral else words
    text = _own_directions(words, parsed)
    subtracted = others.directions(against) if against else np.zeros((0, text.shape[1]))
    own = _minus_own_contrast(words, parsed, text)

    def meanings() -> tuple[NDArray[np.bool_], float]:
        # Here, because that module imports this one.
        from napari_clip_heatmap.pipeline.null_reference import NonsenseScale

        scale = NonsenseScale.of(words)
        found, _, _ = scale.judge([prompt.names for prompt in parsed], text)
        return found < TextLimits().none, scale.apart

    comparison = Comparison(
        text,
        own,
        compared,
        subtracted,
        meanings,
        lambda: TextDirections(encoder).directions(_NEUTRAL),
    )
    directions = method.directions(comparison)
    named = (*_names(parsed), *(() if neutral else chain.from_iterable(against)))
    return Scoring(
        prompts=tuple(prompt.text for prompt in parsed),
        score=method.name,
        baseline=tuple(" | ".join(phrase) for phrase in against),
        templates=words.templates,
        text=text.astype(np.float32),
        directions=directions.astype(np.float32),
        notes=(
            *_score_notes(method, parsed, against, neutral=neutral),
            *_same_notes(parsed, text),
            *_word_notes(encoder, named),
            *_template_notes(encoder, words.templates),
        ),
        recipes=tuple(_recipe(words, prompt) for prompt in parsed),
        logit_scale=encoder.logit_scale,
        phrases=tuple(prompt.names for prompt in parsed),
        examples={each.text: each.example for each in parsed if each.example is not None},
    )


def unit_directions(directions: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return directions of length 1, float64; zero where they were."""
    wide = directions.astype(np.float64)
    lengths = np.linalg.norm(wide, axis=1, keepdims=True)
    unit: NDArray[np.float64] = np.divide(wide, lengths, out=np.zeros_like(wide), where=lengths > 0)
    return unit


_NEUTRAL: tuple[Phrase, ...] = tuple((prompt,) for prompt in NEUTRAL_PROMPTS)


def _baseline(
    method: ScoreMethod, given: tuple[Phrase, ...], compared: list[bool]
) -> tuple[Phrase, ...]:
    """Return what the prompts are compared with, where this is not the prompts themselves."""
    if method.requires_baseline and any(compared) and not given:
        raise PromptError(
            f"the score '{method.name}' subtracts a baseline, and none was given; "
            "name at least one baseline prompt, such as 'background', or use 'relative'"
        )
    if given and not method.takes_baseline:
        raise PromptError(
            f"a baseline was given, and the score '{method.name}' uses none; "
            "use the score 'contrast' or 'softmax', or leave the baseline out"
        )
    return given or (_NEUTRAL if method.needs_neutral(compared) else ())


def _own_directions(words: TextDirections, parsed: tuple[Prompt, ...]) -> Directions:
    """Return the unit direction of each prompt: of its words, or of its example."""
    worded = [prompt for prompt in parsed if prompt.example is None]
    of_words = iter(words.directions(prompt.names for prompt in worded) if worded else ())
    rows = []
    for prompt in parsed:
        example = prompt.example
        rows.append(next(of_words) if example is None else example.direction.astype(np.float64))
        if example is not None and len(example.direction) != words.encoder.d_embed:
            raise PromptError(
                f"the example '{shorten(example.name, 60)}' was made with the model "
                f"'{shorten(example.model, 60)}', whose directions have {len(example.direction)} "
                f"numbers; this model's have {words.encoder.d_embed}. Use the model it was made "
                "with, or make the example again with Encoding.example"
            )
    return np.stack(rows)


def _minus_own_contrast(
    words: TextDirections, parsed: tuple[Prompt, ...], text: Directions
) -> Directions:
    """Return the directions, each minus the mean over the prompt's own contrast."""
    directions = text.copy()
    for number, prompt in enumerate(parsed):
        if prompt.minus:
            directions[number] -= words.directions(prompt.minus).mean(axis=0)
    return directions


def _recipe(words: TextDirections, prompt: Prompt) -> dict[str, list[str]]:
    if prompt.example is not None:
        example = prompt.example
        made = f"{example.positive} positive and {example.negative} negative places"
        said = [example.words] if example.words else []
        return {"texts": said, "minus": [], "example": [made, example.recipe]}
    minus = [text for phrase in prompt.minus for text in words.texts(phrase)]
    return {"texts": list(words.texts(prompt.names)), "minus": minus}


def _names(prompts: Iterable[Prompt]) -> Iterator[str]:
    """Return every name in the prompts, those of contrasts and in the words of examples too."""
    for prompt in prompts:
        yield from chain(prompt.names, *prompt.minus)
        if prompt.example is not None and prompt.example.words:
            yield from _names(distinct([prompt.example.words]))


def _score_notes(
    method: ScoreMethod, parsed: Sequence[Prompt], against: Sequence[Phrase], *, neutral: bool
) -> Iterator[str]:
    """Say what the score does with these particular prompts."""
    if neutral:
        yield method.neutral_note.format(count=len(against))
    if note := method.note(sum(prompt.compared for prompt in parsed)):
        yield note
    if method.unit == "probability" and any(prompt.example for prompt in parsed):
        yield (
            "The directions of examples are not on the scale of words, so the softmax over both "
            "is no more than a ranking; use the score balanced, relative or absolute."
        )
    for prompt in parsed:
        subtracted = method.requires_baseline and prompt.compared
        if (subtracted and tuple(against) == (prompt.names,)) or prompt.minus == (prompt.names,):
            yield f"{_short(prompt.text)} is contrasted with itself, so its map is zero."


def _same_notes(parsed: Sequence[Prompt], text: Directions) -> Iterator[str]:
    """Say which prompts are the same to the model, such as "nuclei" and "Nuclei"."""
    plain = [number for number, prompt in enumerate(parsed) if prompt.compared]
    listed_already: set[int] = set()
    for place, number in enumerate(plain):
        same = [n for n in plain[place:] if np.array_equal(text[n], text[number])]
        if len(same) > 1 and number not in listed_already:
            listed_already.update(same)
            names = ", ".join(_short(parsed[n].text) for n in same[:6])
            yield f"To this model {names} are the same text, so their maps are the same."


def _word_notes(encoder: TextEncoder, named: Iterable[str]) -> Iterator[str]:
    """Say which of the user's words the model did not read, or never learned."""
    for prompt in dict.fromkeys(named):
        if unread := encoder.unread_words(prompt):
            yield (
                f"{_short(prompt)} is longer than the model reads; "
                f"it did not see: {_short(' '.join(unread))}."
            )
        if unknown := encoder.unknown_words(prompt):
            yield f"In {_short(prompt)} the model was never trained on: {_quoted(unknown)}."


def _template_notes(encoder: TextEncoder, templates: Iterable[str]) -> Iterator[str]:
    """Say which words of the templates the model never learned."""
    words = (encoder.unknown_words(each.replace("{}", " ")) for each in templates if each != "{}")
    if unknown := dict.fromkeys(word for each in words for word in each):
        yield (
            f"The templates have words that the model was never trained on: {_quoted(unknown)}; "
            "use plain, or other templates."
        )


def _quoted(words: Iterable[str]) -> str:
    first = [f"'{shorten(word, 30)}'" for word in words]
    more = f" and {len(first) - 8} more" if len(first) > 8 else ""
    return ", ".join(first[:8]) + more


def _short(text: str) -> str:
    return f"'{shorten(text)}'"
