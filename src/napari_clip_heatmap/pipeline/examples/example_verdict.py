"""How far to trust the map of an example: what `judge_prompts` says of words, for places."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_clip_heatmap.hashing import hash_arrays
from napari_clip_heatmap.pipeline.presence import least_trust, top_mean
from napari_clip_heatmap.pipeline.trust import Finding, Trust
from napari_clip_heatmap.pipeline.verdicts import PromptVerdict
from napari_clip_heatmap.prompting.example import Example

if TYPE_CHECKING:
    from napari_clip_heatmap.pipeline.calibration import Calibration
    from napari_clip_heatmap.pipeline.encoding import Encoding
    from napari_clip_heatmap.pipeline.null_reference import NullReference

__all__ = ["ExampleVerdict", "judge_examples", "judge_places", "likeness", "object_presence"]

RANDOM_PLACES = "random places"
"""What an example is compared with, as words are with nonsense."""

_ALIKE, _APART = 0.5, 1.0
"""Limits of `Example.dependence`: below the first, random places stand out as much; from the second
on, one choice of random places in twenty does."""

_FEWEST = 2
"""Places from which on an example can tell that its thing is not there."""

_LOW = 0.3
"""Where an object's highest patch lies between the mean of the image that the example was made
from, 0, and its positive places, 1: below this it is none of them."""


@dataclass(frozen=True)
class ExampleVerdict(PromptVerdict):
    """How far to trust the map of an example.

    Parameters
    ----------
    prompt : str
        Name of the example; the other fields of `PromptVerdict` follow. ``text`` says whether the
        places differ from random ones, ``dependence`` by how much, and ``strength`` how like the
        places the nearest patches are: 1 for the same token, 0 for a token as far away as those of
        an image are from their mean.
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
            parts.append(f"its places stand out {self.dependence:.2f} times as far as random ones")
            if self.strength is not None:
                parts.append(f"likeness {self.strength:.2f}")
        return "; ".join(parts)


def judge_examples(
    encoding: Encoding,
    examples: Mapping[str, Example],
    verdicts: Iterable[PromptVerdict],
    reference: NullReference,
    tokens: NDArray[np.float32] | None,
) -> tuple[PromptVerdict, ...]:
    """Return the verdicts, with those of examples replaced.

    Parameters
    ----------
    encoding : Encoding
    examples : mapping of str to Example
        By prompt.
    verdicts : iterable of PromptVerdict
        As if all prompts were words.
    reference : NullReference
    tokens : float32 (patch, d_embed), optional
        Of a place in the image, scaled as `ImageTokens.tokens` are; by default of all of it.
    """
    image = hash_arrays([encoding.embedding])
    return tuple(
        _judged(examples[each.prompt], each, reference, tokens, image)
        if each.prompt in examples
        else each
        for each in verdicts
    )


def _judged(
    example: Example,
    verdict: PromptVerdict,
    reference: NullReference,
    tokens: NDArray[np.float32] | None,
    image: str,
) -> ExampleVerdict:
    found = [judge_places(example)]
    strength = None
    if verdict.nothing_to_see:
        found.append(Finding(Trust.NONE, verdict.reasons[1]))
    else:
        image_tokens = reference.tokens
        strength = (
            likeness(example, image_tokens.tokens, image_tokens.squares)
            if tokens is None
            else likeness(example, tokens)
        )
        if tokens is None and example.image == image:
            found.append(Finding(Trust.GOOD, "Its places are in this image."))
        else:
            where = "in this image" if tokens is None else "here"
            found.append(_presence(example, strength, reference.calibration, where))
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
            "Random places of its image stand out as much: mark more places that look alike, and "
            "places where the map is wrong.",
        )
    if example.dependence < _APART:
        return Finding(
            Trust.DOUBTFUL, "Its places stand out little more than random places of their image."
        )
    return Finding(Trust.GOOD, "The map depends on the places.")


def likeness(
    example: Example, tokens: NDArray[np.float32], squares: NDArray[np.float32] | None = None
) -> float | None:
    """Return how like the places of an example the nearest hundredth of some patches is.

    Parameters
    ----------
    example : Example
    tokens : float32 (patch, d_embed)
        Scaled as `ImageTokens.tokens` are.
    squares : float32 (patch,), optional
        Squared lengths of the tokens, where they are known: that halves the time.
    """
    if not len(tokens) or not example.spread > 0:
        return None
    if squares is None:
        squares = np.einsum("pd,pd->p", tokens, tokens)
    apart = squares - 2 * (tokens @ example.token) + example.token @ example.token
    distance = np.sqrt(np.maximum(apart, 0))
    return 1 + float(top_mean(-distance)) / example.spread


def _presence(
    example: Example, strength: float | None, calibration: Calibration | None, where: str
) -> Finding:
    if strength is None:
        return Finding(Trust.UNKNOWN, "The model has seen nothing here.")
    if calibration is None or calibration.examples is None:
        return Finding(
            Trust.UNKNOWN,
            f"Whether it is {where} is not known: this model is not calibrated for examples "
            "('clip-heatmap calibrate' does it).",
        )
    limits = calibration.examples
    if strength < limits.far and example.positive < _FEWEST:
        return Finding(
            Trust.DOUBTFUL, f"No patch {where} looks as its only place did; mark more places."
        )
    if strength < limits.far:
        return Finding(Trust.NONE, f"Not found {where}: no patch looks as its places did.")
    if strength < limits.near:
        return Finding(
            Trust.DOUBTFUL, f"It may be {where}: the nearest patches look only a little alike."
        )
    return Finding(Trust.GOOD, f"Found {where}: the nearest patches look as its places did.")


def object_presence(example: Example, top: float) -> Trust:
    """Return whether an object is of an example's kind, by its highest value alone.

    That alone is no proof: it is doubtful at most.

    Parameters
    ----------
    example : Example
    top : float
        In the unit of `Example.foreground`: contribution times the patches of a tile.
    """
    height = example.foreground - example.background
    if np.isnan(top) or height <= 0:
        return Trust.UNKNOWN
    return Trust.NONE if top < example.background + _LOW * height else Trust.DOUBTFUL
