"""From words to directions in the joint embedding space."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_clip_heatmap.prompting.language import Phrase
from napari_clip_heatmap.prompting.templates import PLAIN, fill_template

if TYPE_CHECKING:
    from napari_clip_heatmap.clip.text import TextEncoder

__all__ = ["NEUTRAL_PROMPTS", "Directions", "TextDirections"]

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
