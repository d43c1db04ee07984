"""Make an example: read the places, compute the direction, and measure how far to trust it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from napari_clip_heatmap.errors import PromptError, shorten
from napari_clip_heatmap.hashing import hash_arrays
from napari_clip_heatmap.pipeline.examples.places import Places, read_places
from napari_clip_heatmap.pipeline.examples.recipe import (
    RECIPE,
    Recipe,
    TokenStatistics,
    mix_directions,
)
from napari_clip_heatmap.pipeline.presence import known_tokens, spread_windows
from napari_clip_heatmap.pipeline.scoring import NEUTRAL_PROMPTS, TextDirections
from napari_clip_heatmap.prompting.example import Example, checked_example_name
from napari_clip_heatmap.prompting.language import parse_prompt, parse_templates
from napari_clip_heatmap.validation import number

if TYPE_CHECKING:
    from napari_clip_heatmap.pipeline.encoding import Encoding

__all__ = ["PlaceDirections", "make_example", "measure_image"]

_DRAWS = 64
"""Choices of random places."""

_PARTS = 20
"""Parts in which the patches of a mask are left out one after another; points one by one."""

_UNUSUAL = 0.95
"""Quantile over random choices of how far their places stand out: the unit."""

_WINDOWS, _SIDE = 8, 12
"""Of a lattice larger than 96 x 96 patches, so many windows an axis, each so wide, are read."""

_measured: WeakKeyDictionary[Encoding, tuple[NDArray[np.float32], TokenStatistics]] = (
    WeakKeyDictionary()
)
"""Of complete encodings, so that each further click costs no covariance."""


@dataclass(frozen=True, eq=False)
class PlaceDirections:
    """Directions of places in one image, all by one recipe and with the same words.

    Parameters
    ----------
    image : TokenStatistics
    recipe : Recipe
    words : float64 (d_embed,), optional
        Direction of the words, minus that of what they are contrasted with; None where no words are
        mixed in.
    weight : float
        Of the places against the words.
    """

    image: TokenStatistics
    recipe: Recipe = RECIPE
    words: NDArray[np.float64] | None = None
    weight: float = 1.0

    def of_places(self, good: Marked, bad: Marked) -> NDArray[np.float64]:
        """Return the unit direction of places alone."""
        return self.recipe.direction(good.mean, bad.mean if len(bad) else None, self.image)

    def mixed(self, good: Marked, bad: Marked) -> NDArray[np.float64]:
        """Return the unit direction of places and words."""
        places = self.of_places(good, bad)
        if self.words is None:
            return places
        return mix_directions(places, self.words, self.weight, self.image)


@dataclass(frozen=True, eq=False)
class Marked:
    """Tokens of places, with their weights.

    Parameters
    ----------
    tokens : float64 (place, d_embed)
    weights : float64 (place,)
    """

    tokens: NDArray[np.float64]
    weights: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.tokens)

    @classmethod
    def at(cls, places: Places, token_map: NDArray[np.float32]) -> Marked:
        """Read the tokens of places."""
        return cls(places.tokens(token_map), places.weights)

    @property
    def mean(self) -> NDArray[np.float64]:
        """The weighted mean, float64 (d_embed,)."""
        mean: NDArray[np.float64] = self.weights @ self.tokens / self.weights.sum()
        return mean

    def without(self, part: NDArray[np.intp]) -> Marked:
        """Return all places but some."""
        return Marked(np.delete(self.tokens, part, axis=0), np.delete(self.weights, part))


def make_example(
    encoding: Encoding,
    positive: Any,
    negative: Any,
    *,
    name: str,
    words: str,
    weight: float,
    templates: str | Iterable[str],
) -> Example:
    """Make an example as `Encoding.example` says."""
    title = checked_example_name(name)
    weight = number("weight", weight, 0, 1)
    good = Marked.at(read_places(encoding, positive, "positive"), encoding.token_map)
    bad = Marked.at(read_places(encoding, negative, "negative"), encoding.token_map)
    if not len(good):
        raise PromptError(
            f"the example '{shorten(title)}' has no positive place; mark at least one that shows "
            "what you look for"
        )
    tokens, image = measure_image(encoding)
    said, of_words = _read_words(encoding, words, templates)
    directions = PlaceDirections(image, RECIPE, of_words, weight)
    direction = directions.mixed(good, bad)
    if not direction.any():
        raise PromptError(
            f"nothing separates the places of the example '{shorten(title)}' from the rest of the "
            "image: to the model they are the same. Mark other places, or remove negative ones "
            "that lie on the same patch"
        )
    n_patches = encoding.lattice.y.cells_per_tile * encoding.lattice.x.cells_per_tile
    return Example(
        name=title,
        direction=direction.astype(np.float32),
        model=str(encoding.model.get("name")),
        weights_sha256=str(encoding.model.get("weights_sha256")),
        image=hash_arrays([encoding.embedding]),
        positive=len(good),
        negative=len(bad),
        words=said,
        weight=weight if said else 1.0,
        recipe=str(RECIPE),
        dependence=_dependence(directions, good, bad, tokens),
        leave_one_out=_leave_one_out(directions, good, bad),
        background=float(directions.image.mean @ direction) * n_patches,
        foreground=float(good.mean @ direction) * n_patches,
        token=(good.mean * n_patches).astype(np.float32),
        spread=float(np.sqrt(np.trace(image.covariance))) * n_patches,
    )


def measure_image(encoding: Encoding) -> tuple[NDArray[np.float32], TokenStatistics]:
    """Return the tokens (patch, d_embed) of the known and valid patches, and their statistics.

    Of a large lattice, windows on a regular grid are read.
    """
    if encoding in _measured:
        return _measured[encoding]
    windows = spread_windows(encoding, _WINDOWS, _SIDE)
    tokens = np.concatenate([known_tokens(encoding, cells) for cells in windows])
    found = tokens, TokenStatistics.of(tokens)
    if encoding.complete:
        _measured[encoding] = found
    return found


def _read_words(
    encoding: Encoding, words: str, templates: str | Iterable[str]
) -> tuple[str, NDArray[np.float64] | None]:
    """Return the words, and their direction minus that of their contrast or of neutral prompts."""
    sentences = TextDirections(encoding.text, parse_templates(templates))
    if not str(words).strip():
        return "", None
    prompt = parse_prompt(words, "words of examples")
    own = sentences.directions([prompt.names])[0]
    if prompt.minus:
        against = sentences.directions(prompt.minus)
    else:  # neutral prompts are whole sentences already
        against = TextDirections(encoding.text).directions((text,) for text in NEUTRAL_PROMPTS)
    direction = own - against.mean(axis=0)
    if not direction.any():
        raise PromptError(
            f"the words of an example are '{shorten(prompt.canonical)}': contrasted with "
            "themselves they say nothing. Contrast them with other things, or leave them out"
        )
    return prompt.canonical, direction


def _dependence(
    directions: PlaceDirections, good: Marked, bad: Marked, tokens: NDArray[np.float32]
) -> float:
    """Return how far the places stand out in their map, over how far random ones mostly do."""
    rng = np.random.default_rng(0)  # the same places give the same figure

    def draw(count: int) -> Marked:
        chosen = tokens[rng.integers(0, len(tokens), count)].astype(np.float64)
        return Marked(chosen, np.ones(count))

    def height(inside: Marked, outside: Marked) -> float:
        direction = directions.of_places(inside, outside)
        return float(_standing(directions, direction, inside.mean[np.newaxis])[0])

    usual = np.quantile([height(draw(len(good)), draw(len(bad))) for _ in range(_DRAWS)], _UNUSUAL)
    return height(good, bad) / float(usual) if usual > 0 else 0.0


def _leave_one_out(directions: PlaceDirections, good: Marked, bad: Marked) -> float | None:
    """Return the AUROC of the places, each judged by an example made from the others."""
    if len(good) < 2 or not len(bad):
        return None
    inside = [
        _standing(directions, directions.mixed(good.without(part), bad), good.tokens[part])
        for part in _parts(len(good))
    ]
    outside = [
        _standing(directions, directions.mixed(good, bad.without(part)), bad.tokens[part])
        for part in _parts(len(bad))
    ]
    high, low = np.concatenate(inside), np.concatenate(outside)
    above, equal = high[:, np.newaxis] > low, high[:, np.newaxis] == low
    return float(above.mean() + equal.mean() / 2)


def _parts(count: int) -> Iterator[NDArray[np.intp]]:
    """Yield the numbers of the places to leave out together."""
    yield from np.array_split(np.arange(count), min(count, _PARTS))


def _standing(
    directions: PlaceDirections, direction: NDArray[np.float64], tokens: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return how far tokens are above the image's mean, in units of the map's deviation."""
    deviation = directions.image.deviation(direction)
    height: NDArray[np.float64] = (tokens - directions.image.mean) @ direction
    return height / deviation if deviation > 0 else height
