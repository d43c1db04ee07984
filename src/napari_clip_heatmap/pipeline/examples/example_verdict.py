"""How far to trust the map of an example: what `judge_prompts` says of words, for places."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_clip_heatmap.pipeline.presence import least_trust, top_mean
from napari_clip_heatmap.pipeline.trust import Finding, Trust
from napari_clip_heatmap.pipeline.verdicts import PromptVerdict
from napari_clip_heatmap.prompting.example import Example

if TYPE_CHECKING:
    from napari_clip_heatmap.pipeline.null_reference import NullReference

__all__ = ["ExampleVerdict", "example_presence", "judge_examples", "judge_places"]

RANDOM_PLACES = "random places"
"""What an example is compared with, as words are with nonsense."""

_ALIKE, _APART = 0.5, 1.0
"""Distance from random places, in units of their distance from one another: below the first, random
places gave nearly this direction; from the second on, none comes nearer than they do one another.
Not calibrated on images with known content, unlike the limits for words."""

_ABSENT, _PRESENT = 0.5, 0.8
"""Where the highest patches of an image lie between the mean of the image that the example was made
from, 0, and its positive places, 1: below the first the thing is not there."""


@dataclass(frozen=True)
class ExampleVerdict(PromptVerdict):
    """How far to trust the map of an example.

    Parameters
    ----------
    prompt : str
        Name of the example; the other fields of `PromptVerdict` follow. ``text`` says whether the
        places differ from random ones, ``dependence`` by how much, and ``strength`` where the
        highest patches lie between the image that the example was made from and its places.
    leave_one_out : float or None
        AUROC of the places, each judged by an example made from the others.
    """

    leave_one_out: float | None = None

    @property
    def figures(self) -> str:
        """The figures in one line."""
        parts = [f"similarity {self.similarity:.3f}"]
        if self.leave_one_out is not None:
            parts.append(f"AUROC {self.leave_one_out:.2f} of each place by the others")
        if not self.nothing_to_see:
            parts.append(
                f"{self.dependence:.2f} times as far from random places as those from one another"
            )
            if self.strength is not None:
                parts.append(f"strength {self.strength:.2f}")
        return "; ".join(parts)


def judge_examples(
    examples: Mapping[str, Example],
    verdicts: Iterable[PromptVerdict],
    reference: NullReference,
    tokens: NDArray[np.float32] | None,
) -> tuple[PromptVerdict, ...]:
    """Return the verdicts, with those of examples replaced.

    Parameters
    ----------
    examples : mapping of str to Example
        By prompt.
    verdicts : iterable of PromptVerdict
        As if all prompts were words.
    reference : NullReference
    tokens : float32 (patch, d_embed), optional
        Of a place in the image, scaled as `ImageTokens.tokens` are; by default of all of it.
    """
    return tuple(
        _judged(examples[each.prompt], each, reference, tokens) if each.prompt in examples else each
        for each in verdicts
    )


def _judged(
    example: Example,
    verdict: PromptVerdict,
    reference: NullReference,
    tokens: NDArray[np.float32] | None,
) -> ExampleVerdict:
    asked = reference.tokens.tokens if tokens is None else tokens
    found = [judge_places(example)]
    strength = None
    if verdict.nothing_to_see:
        found.append(Finding(Trust.NONE, verdict.reasons[1]))
    else:
        strength = _strength(example, asked)
        found.append(_presence(strength, "in this image" if tokens is None else "here"))
    values = {each.name: getattr(verdict, each.name) for each in fields(PromptVerdict)}
    changed = {
        "trust": least_trust(each.trust for each in found),
        "text": found[0].trust,
        "presence": found[1].trust,
        "reasons": tuple(each.reason for each in found),
        "strength": strength,
        "dependence": example.dependence,
        "nearest": RANDOM_PLACES,
        "leave_one_out": example.leave_one_out,
    }
    return ExampleVerdict(**{**values, **changed})


def judge_places(example: Example) -> Finding:
    """Return whether the places of an example differ from random places of their image."""
    if example.words and example.weight == 0:
        return Finding(Trust.DOUBTFUL, "Its places have the weight 0: it is its words alone.")
    if example.dependence < _ALIKE:
        return Finding(
            Trust.NONE,
            "Random places of its image give directions like it: mark more places that look "
            "alike, and places where the map is wrong.",
        )
    if example.dependence < _APART:
        return Finding(
            Trust.DOUBTFUL, "Its direction differs only a little from that of random places."
        )
    return Finding(Trust.GOOD, "The map depends on the places.")


def example_presence(example: Example, top: float) -> Trust:
    """Return whether the thing is where the highest values of its map have this mean.

    Parameters
    ----------
    example : Example
    top : float
        In the unit of `Example.foreground`: contribution times the patches of a tile.
    """
    return _presence(_standing(example, top), "").trust


def _strength(example: Example, tokens: NDArray[np.float32]) -> float | None:
    if not len(tokens):
        return None
    return _standing(example, float(top_mean(tokens @ example.direction)))


def _standing(example: Example, top: float) -> float:
    height = example.foreground - example.background
    return (top - example.background) / height if height > 0 else float("nan")


def _presence(strength: float | None, where: str) -> Finding:
    if strength is None or np.isnan(strength):
        return Finding(Trust.UNKNOWN, "The model has seen nothing here.")
    if strength < _ABSENT:
        return Finding(Trust.NONE, f"Not found {where}: no patch answers as its places did.")
    if strength < _PRESENT:
        return Finding(
            Trust.DOUBTFUL, f"It may be {where}: the highest patches answer less than its places."
        )
    return Finding(Trust.GOOD, f"Found {where}: the highest patches answer as its places did.")
