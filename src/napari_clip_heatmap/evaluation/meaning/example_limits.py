"""How alike patches must look for the thing of an example to be there: limits for one model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_clip_heatmap.pipeline.calibration import ExampleLimits
from napari_clip_heatmap.pipeline.examples.example_verdict import likeness

if TYPE_CHECKING:
    from napari_clip_heatmap.evaluation.meaning.known_images import KnownImage
    from napari_clip_heatmap.pipeline.encoding import Encoding
    from napari_clip_heatmap.prompting.example import Example

__all__ = ["MarkedImage", "find_example_limits", "mark_places"]

_PLACES = 3
"""Of either kind, in each example."""

_LEAST_AREA = 0.005
"""Part of an image that a thing must cover to be marked in it."""

_PRESENT_BELOW, _ABSENT_ABOVE = 0.01, 0.02
"""Of each kind of image, the part of what is present that may fall below the lower limit, and the
part of what is absent that may reach the upper one."""

_FEWEST = 20
"""Pairs of an example and an image of a kind, below which their quantiles say nothing."""


@dataclass(frozen=True, eq=False)
class MarkedImage:
    """What is in an image, what the model saw of it, and an example of each thing that it shows.

    Parameters
    ----------
    image : KnownImage
    tokens : float32 (patch, d_embed)
        As `ImageTokens.tokens`.
    examples : tuple of Example
        Each has the name of a class.
    """

    image: KnownImage
    tokens: NDArray[np.float32]
    examples: tuple[Example, ...]


def mark_places(
    image: KnownImage, encoding: Encoding, tokens: NDArray[np.float32], seed: int
) -> MarkedImage:
    """Make an example of each thing from random places inside of it and outside of it."""
    rng = np.random.default_rng(seed)
    examples = []
    for name, mask in image.masks.items():
        if _LEAST_AREA <= mask.mean() < 1:
            inside, outside = np.argwhere(mask), np.argwhere(~mask)
            examples.append(
                encoding.example(
                    inside[rng.integers(0, len(inside), _PLACES)],
                    outside[rng.integers(0, len(outside), _PLACES)],
                    name=name,
                )
            )
    return MarkedImage(image, tokens, tuple(examples))


def find_example_limits(marked: Sequence[MarkedImage]) -> ExampleLimits | None:
    """Return the limits, from each example on all other images; None from too few of them.

    What is present counts on images of the example's own kind, as things of other kinds may look
    otherwise; what is absent counts on all.
    """
    present: dict[str, list[float]] = {}
    absent: dict[str, list[float]] = {}
    for source, other in permutations(marked, 2):
        kind = other.image.kind
        for example in source.examples:
            found = likeness(example, other.tokens)
            if found is None:
                continue
            if example.name in other.image.absent:
                absent.setdefault(kind, []).append(found)
            elif example.name in other.image.classes and kind == source.image.kind:
                present.setdefault(kind, []).append(found)
    low = [np.quantile(each, _PRESENT_BELOW) for each in present.values() if len(each) >= _FEWEST]
    high = [
        np.quantile(each, 1 - _ABSENT_ABOVE) for each in absent.values() if len(each) >= _FEWEST
    ]
    if not low or not high:
        return None
    return ExampleLimits(far=float(min(*low, max(high))), near=float(max(high)))
