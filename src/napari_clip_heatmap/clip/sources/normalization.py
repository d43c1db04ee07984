"""What a way of loading hands over: a model and all that belongs to its weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn

from napari_clip_heatmap.clip.text import Tokenizer
from napari_clip_heatmap.errors import ModelLoadError

__all__ = ["OPENAI", "Normalisation", "Source", "normalisation_of"]


@dataclass(frozen=True)
class Normalisation:
    """Mean and deviation of each colour that the model's training subtracted and divided by.

    They belong to the weights: another pair degrades every answer silently.
    """

    mean: tuple[float, float, float]
    std: tuple[float, float, float]


OPENAI = Normalisation(
    mean=(0.48145466, 0.4578275, 0.40821073), std=(0.26862954, 0.26130258, 0.27577711)
)
"""What open_clip takes where a configuration says nothing."""


@dataclass(frozen=True)
class Source:
    """A model as loaded, before it is adapted.

    Parameters
    ----------
    name : str
        As the user asked for it.
    module : nn.Module
    tokenizer : callable
        Makes the tokenizer; called at the first prompt, so that a missing one stops no image.
    normalisation : Normalisation
    vocabulary : frozenset of str
        Words of the training captions, where known.
    owned : bool
        Whether the module may be moved and cast; one that the user holds may not.
    notices : tuple of str
        What the user should know of how it was read.
    """

    name: str
    module: nn.Module
    tokenizer: Callable[[], Tokenizer]
    normalisation: Normalisation
    vocabulary: frozenset[str] = frozenset()
    owned: bool = True
    notices: tuple[str, ...] = ()


def normalisation_of(config: Mapping[str, Any]) -> Normalisation:
    """Return mean and std of a preprocessing configuration; open_clip's default where absent.

    Raises
    ------
    ModelLoadError
        They are no three numbers each.
    """
    mean, std = (
        _three(config.get(key) or default, key)
        for key, default in (("mean", OPENAI.mean), ("std", OPENAI.std))
    )
    return Normalisation(mean, std)


def _three(numbers: Sequence[float] | float, key: str) -> tuple[float, float, float]:
    values = [numbers] * 3 if isinstance(numbers, (int, float)) else list(numbers)
    if len(values) != 3 or not all(isinstance(value, (int, float)) for value in values):
        raise ModelLoadError(f"Preprocessing {key!r} must be three numbers; got {numbers!r}.")
    first, second, third = (float(value) for value in values)
    return first, second, third
