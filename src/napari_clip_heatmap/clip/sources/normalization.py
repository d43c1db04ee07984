"""What a way of loading hands over: a model and all that belongs to its weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from torch import nn

from napari_clip_heatmap.clip.text import Tokenizer
from napari_clip_heatmap.errors import ModelLoadError, SettingsError

__all__ = [
    "OPENAI",
    "PREPROCESSINGS",
    "LoadedModel",
    "Normalization",
    "Preprocess",
    "has_normalization",
    "normalization_of",
    "parse_preprocess",
    "resolve_normalization",
]


@dataclass(frozen=True)
class Normalization:
    """Mean and deviation of each colour that the model's training subtracted and divided by.

    They belong to the weights: another pair degrades every answer silently.
    """

    mean: tuple[float, float, float]
    std: tuple[float, float, float]


OPENAI = Normalization(
    mean=(0.48145466, 0.4578275, 0.40821073), std=(0.26862954, 0.26130258, 0.27577711)
)
"""What open_clip takes where a configuration says nothing."""


@dataclass(frozen=True)
class LoadedModel:
    """A model as loaded, before it is adapted.

    Parameters
    ----------
    name : str
        As the user asked for it.
    module : nn.Module
    tokenizer : callable
        Makes the tokenizer; called at the first prompt, so that a missing one stops no image.
    normalisation : Normalization
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
    normalisation: Normalization
    vocabulary: frozenset[str] = frozenset()
    owned: bool = True
    notices: tuple[str, ...] = ()


def normalization_of(config: Mapping[str, Any]) -> Normalization:
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
    return Normalization(mean, std)


def _three(numbers: Sequence[float] | float, key: str) -> tuple[float, float, float]:
    values = [numbers] * 3 if isinstance(numbers, (int, float)) else list(numbers)
    if len(values) != 3 or not all(isinstance(value, (int, float)) for value in values):
        raise ModelLoadError(f"Preprocessing {key!r} must be three numbers; got {numbers!r}.")
    first, second, third = (float(value) for value in values)
    return first, second, third


Preprocess = str | Sequence[Sequence[float]] | None
"""A name of `PREPROCESSINGS`, or (mean, std) of the three colours, or None: as the files say."""

PREPROCESSINGS: Mapping[str, Normalization] = MappingProxyType(
    {
        "openai": OPENAI,
        "imagenet": Normalization((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
        "half": Normalization((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
        "none": Normalization((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
    }
)
"""The pairs in use: CLIP's own, ImageNet's, from -1 to 1, and pixels as they are in 0..1."""


def parse_preprocess(asked: Preprocess) -> Normalization | None:
    """Return the normalisation that was asked for; None where nothing was.

    Parameters
    ----------
    asked : str or (mean, std) or None
        "openai", "imagenet", "half", "none", six numbers "r,g,b/r,g,b", or two triples.

    Raises
    ------
    SettingsError
        It is none of these.
    """
    if asked is None:
        return None
    if isinstance(asked, str) and asked in PREPROCESSINGS:
        return PREPROCESSINGS[asked]
    try:
        mean, std = _pair(asked)
        normalisation = normalization_of({"mean": mean, "std": std})
        if not all(value > 0 for value in normalisation.std):
            raise ValueError
    except (ValueError, TypeError, RuntimeError):  # ModelLoadError is a RuntimeError
        raise SettingsError(
            f"The preprocessing {asked!r} is none of {', '.join(PREPROCESSINGS)}, nor a mean and a "
            "deviation above 0 for red, green and blue, such as '0.5,0.5,0.5/0.25,0.25,0.25'."
        ) from None
    return normalisation


def resolve_normalization(
    asked: Normalization | None, config: Mapping[str, Any], *, origin: str
) -> Normalization:
    """Return what was asked for, else what the model's own files say.

    Raises
    ------
    ModelLoadError
        Neither says anything: nothing is guessed, because a wrong pair degrades every answer
        silently.
    """
    if asked is not None:
        return asked
    if not has_normalization(config):
        raise ModelLoadError(
            f"{origin} does not say which mean and deviation of the colours the model was trained "
            f"with. Say it: load_model(..., preprocess=...), --preprocess, or Preprocess in the "
            f"widget, under 'How the model is loaded', takes "
            f"{', '.join(PREPROCESSINGS)} or 'r,g,b/r,g,b'. CLIP models are mostly 'openai'."
        )
    return normalization_of(config)


def has_normalization(config: Mapping[str, Any]) -> bool:
    """Tell whether a configuration has mean and deviation."""
    return config.get("mean") is not None and config.get("std") is not None


def _pair(asked: str | Sequence[Sequence[float]]) -> tuple[list[float], list[float]]:
    parts = [part.split(",") for part in asked.split("/")] if isinstance(asked, str) else asked
    mean, std = ([float(number) for number in part] for part in parts)
    return mean, std
