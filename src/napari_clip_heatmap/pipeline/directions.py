"""Prompts to directions: an average over synonyms and templates, in embedding space."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_clip_heatmap.prompting.language import Phrase, Prompt
from napari_clip_heatmap.prompting.templates import PLAIN, fill

if TYPE_CHECKING:
    from napari_clip_heatmap.clip.text import TextEncoder

__all__ = ["Wording", "words_of"]

Direction = NDArray[np.float64]


@dataclass(frozen=True)
class Wording:
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
        filled = (fill(template, name) for name in phrase for template in self.templates)
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
