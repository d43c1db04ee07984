"""Class names to directions, as the published tables make them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_clip_heatmap.pipeline.scoring import TextDirections
from napari_clip_heatmap.prompting.language import parse_templates

if TYPE_CHECKING:
    from napari_clip_heatmap.clip.model import ClipModel

__all__ = ["class_directions", "imagenet_names", "openai_templates"]


def class_directions(
    model: ClipModel, phrases: Sequence[Sequence[str]], templates: Sequence[str] | None
) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Return a unit direction for each name, and the class that it is a name of.

    Parameters
    ----------
    model : ClipModel
    phrases : sequence of sequence of str
        The names of each class.
    templates : sequence of str or None
        Sentences with ``{}``; None: the 80 of CLIP's authors.

    Returns
    -------
    directions : float64 (name, d_embed)
        Of each name, the mean over templates, brought to length 1.
    owners : int (name,)
        Number of its class.
    """
    sentences = openai_templates() if templates is None else parse_templates(templates)
    names = [(name,) for phrase in phrases for name in phrase]
    owners = np.repeat(np.arange(len(phrases)), [len(phrase) for phrase in phrases])
    return TextDirections(model.text, sentences).directions(names), owners


def openai_templates() -> tuple[str, ...]:
    """Return the 80 sentences of CLIP's authors for ImageNet, with ``{}``; open_clip has them."""
    from open_clip.zero_shot_metadata import OPENAI_IMAGENET_TEMPLATES

    return tuple(str(fill("{}")) for fill in OPENAI_IMAGENET_TEMPLATES)


def imagenet_names() -> tuple[str, ...]:
    """Return the 1000 class names of ImageNet, as open_clip has them."""
    from open_clip.zero_shot_metadata import IMAGENET_CLASSNAMES

    return tuple(map(str, IMAGENET_CLASSNAMES))
