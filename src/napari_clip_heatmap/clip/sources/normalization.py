"""The normalization that belongs to a model's weights, and the record of a loaded model."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from torch import nn

from napari_clip_heatmap.clip.text import Tokenizer
from napari_clip_heatmap.errors import ModelLoadError, SettingsError, shorten

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
    """Mean and standard deviation of red, green and blue in the model's training.

    They belong to the weights: with other values every result is silently worse.
    """

    mean: tuple[float, float, float]
    std: tuple[float, float, float]


OPENAI = Normalization(
    mean=(0.48145466, 0.4578275, 0.40821073), std=(0.26862954, 0.26130258, 0.27577711)
)
"""open_clip's default, for configurations without mean and deviation."""


@dataclass(frozen=True)
class LoadedModel:
    """A model as it was loaded, before its image tower is adapted.

    Parameters
    ----------
    name : str
        As the user gave it.
    module : nn.Module
    tokenizer : callable
        Creates the tokenizer. It is called at the first prompt, so that images can be encoded
        without one.
    normalization : Normalization
    vocabulary : frozenset of str
        Words of the training captions, if known.
    owned : bool
        Whether the module may be moved and cast; False for a model that the user built.
    notices : tuple of str
        Messages for the user about how it was loaded.
    """

    name: str
    module: nn.Module
    tokenizer: Callable[[], Tokenizer]
    normalization: Normalization
    vocabulary: frozenset[str] = frozenset()
    owned: bool = True
    notices: tuple[str, ...] = ()


def normalization_of(config: Mapping[str, Any]) -> Normalization:
    """Return mean and std of a preprocessing configuration; open_clip's defaults if missing.

    Raises
    ------
    ModelLoadError
        One of them is not three finite numbers, or std is not above 0.
    """
    if not isinstance(config, Mapping):
        raise ModelLoadError(
            f"The preprocessing is {shorten(repr(config))}; it must be an object with 'mean' and "
            "'std'."
        )
    mean, std = config.get("mean"), config.get("std")
    return Normalization(
        OPENAI.mean if mean is None else _parse_rgb(mean, "mean"),
        OPENAI.std if std is None else _parse_rgb(std, "std", above=0),
    )


def _parse_rgb(value: Any, key: str, above: float = -math.inf) -> tuple[float, float, float]:
    numbers = value if isinstance(value, (list, tuple)) else [value] * 3
    if len(numbers) != 3 or not all(_is_finite(each) and each > above for each in numbers):
        positive = " above 0" if above == 0 else ""
        raise ModelLoadError(
            f"Preprocessing {key!r} must be three numbers{positive}; got {shorten(repr(value))}."
        )
    red, green, blue = (float(number) for number in numbers)
    return red, green, blue


def _is_finite(value: object) -> bool:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return is_number and -1e6 < value < 1e6  # type: ignore[operator]


Preprocess = str | Sequence[Sequence[float]] | None
"""A name in `PREPROCESSINGS`, or (mean, std) of red, green and blue; None: as in the files."""

PREPROCESSINGS: Mapping[str, Normalization] = MappingProxyType(
    {
        "openai": OPENAI,
        "imagenet": Normalization((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
        "half": Normalization((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
        "none": Normalization((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
    }
)
"""Common normalizations: CLIP's own, ImageNet's, to -1..1, and pixels unchanged in 0..1."""


def parse_preprocess(preprocess: Preprocess) -> Normalization | None:
    """Return the requested normalization; None if none was requested.

    Parameters
    ----------
    preprocess : str or (mean, std) or None
        "openai", "imagenet", "half", "none", six numbers "r,g,b/r,g,b", or two triples.

    Raises
    ------
    SettingsError
        It has another form, or a number is out of range.
    """
    if preprocess is None:
        return None
    if isinstance(preprocess, str) and preprocess in PREPROCESSINGS:
        return PREPROCESSINGS[preprocess]
    try:
        mean, std = _parse_pair(preprocess)
        return normalization_of({"mean": mean, "std": std})
    except (ValueError, TypeError, ModelLoadError):
        raise SettingsError(
            f"The preprocessing {shorten(repr(preprocess))} is not valid. Accepted are "
            f"{', '.join(PREPROCESSINGS)}, or a mean and a deviation above 0 for red, green and "
            "blue, such as '0.5,0.5,0.5/0.25,0.25,0.25'."
        ) from None


def resolve_normalization(
    requested: Normalization | None, config: Mapping[str, Any], *, origin: str
) -> Normalization:
    """Return the requested normalization, else the one in the model's files.

    Raises
    ------
    ModelLoadError
        There is neither. It is not guessed, because with a wrong one every result is silently
        worse.
    """
    if requested is not None:
        return requested
    if not has_normalization(config):
        raise ModelLoadError(
            f"{shorten(origin)} does not contain the mean and deviation of the colors that the "
            f"model was trained with. Set them with load_model(..., preprocess=...), --preprocess, "
            f"or Preprocess in the widget, under 'How the model is loaded': "
            f"{', '.join(PREPROCESSINGS)} or 'r,g,b/r,g,b'. Most CLIP models use 'openai'."
        )
    return normalization_of(config)


def has_normalization(config: Mapping[str, Any]) -> bool:
    """Return whether a configuration has both mean and deviation."""
    return config.get("mean") is not None and config.get("std") is not None


def _parse_pair(pair: str | Sequence[Sequence[float]]) -> tuple[list[float], list[float]]:
    parts = [part.split(",") for part in pair.split("/")] if isinstance(pair, str) else pair
    mean, std = ([float(number) for number in part] for part in parts)
    return mean, std
