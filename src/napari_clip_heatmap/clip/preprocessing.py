"""Which mean and deviation a model's training used, where its files do not say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from napari_clip_heatmap.clip.sources.normalization import OPENAI, Normalisation, normalisation_of
from napari_clip_heatmap.errors import ModelLoadError, SettingsError

__all__ = [
    "PREPROCESSINGS",
    "Preprocess",
    "parse_preprocess",
    "says_normalisation",
    "settle_normalisation",
]

Preprocess = str | Sequence[Sequence[float]] | None
"""A name of `PREPROCESSINGS`, or (mean, std) of the three colours, or None: as the files say."""

PREPROCESSINGS: Mapping[str, Normalisation] = MappingProxyType(
    {
        "openai": OPENAI,
        "imagenet": Normalisation((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
        "half": Normalisation((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
        "none": Normalisation((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
    }
)
"""The pairs in use: CLIP's own, ImageNet's, from -1 to 1, and pixels as they are in 0..1."""


def parse_preprocess(asked: Preprocess) -> Normalisation | None:
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
        normalisation = normalisation_of({"mean": mean, "std": std})
        if not all(value > 0 for value in normalisation.std):
            raise ValueError
    except (ValueError, TypeError, RuntimeError):  # ModelLoadError is a RuntimeError
        raise SettingsError(
            f"The preprocessing {asked!r} is none of {', '.join(PREPROCESSINGS)}, nor a mean and a "
            "deviation above 0 for red, green and blue, such as '0.5,0.5,0.5/0.25,0.25,0.25'."
        ) from None
    return normalisation


def settle_normalisation(
    asked: Normalisation | None, config: Mapping[str, Any], *, origin: str
) -> Normalisation:
    """Return what was asked for, else what the model's own files say.

    Raises
    ------
    ModelLoadError
        Neither says anything: nothing is guessed, because a wrong pair degrades every answer
        silently.
    """
    if asked is not None:
        return asked
    if not says_normalisation(config):
        raise ModelLoadError(
            f"{origin} does not say which mean and deviation of the colours the model was trained "
            f"with. Say it: load_model(..., preprocess=...), --preprocess, or Preprocess in the "
            f"widget, under 'How the model is loaded', takes "
            f"{', '.join(PREPROCESSINGS)} or 'r,g,b/r,g,b'. CLIP models are mostly 'openai'."
        )
    return normalisation_of(config)


def says_normalisation(config: Mapping[str, Any]) -> bool:
    """Tell whether a configuration has mean and deviation."""
    return config.get("mean") is not None and config.get("std") is not None


def _pair(asked: str | Sequence[Sequence[float]]) -> tuple[list[float], list[float]]:
    parts = [part.split(",") for part in asked.split("/")] if isinstance(asked, str) else asked
    mean, std = ([float(number) for number in part] for part in parts)
    return mean, std
