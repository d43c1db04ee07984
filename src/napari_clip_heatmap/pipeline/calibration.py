"""What a model answers where a thing is and where it is not: one record per set of weights."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from napari_clip_heatmap.errors import SettingsError, shorten
from napari_clip_heatmap.user_folders import data_root

__all__ = ["Calibration", "ExampleLimits", "TextLimits", "find_calibration", "read_calibration"]


_TEXTS = ("weights_sha256", "model", "source")


@dataclass(frozen=True)
class TextLimits:
    """Distances from nonsense, in units of what separates nonsense from itself.

    Parameters
    ----------
    none : float
        Below, a prompt is like nonsense.
    good : float
        From here on, its words shape the map.
    """

    none: float = 0.95
    good: float = 1.15


@dataclass(frozen=True)
class ExampleLimits:
    """Likenesses of the patches of an image and the places of an example; 1 for the same token.

    Parameters
    ----------
    far : float
        Below, the thing is not there.
    near : float
        From here on, it is.
    """

    far: float
    near: float


@dataclass(frozen=True)
class Calibration:
    """Limits that tell what is in an image from what is not, for one set of weights.

    Parameters
    ----------
    weights_sha256 : str
    model : str
        Name of the model.
    source : str
        The images that the limits were set on.
    top, above_null, offset : float
        The strength of a prompt on an image is ``top * t + above_null * (t - n) + offset``: ``t``
        is the mean of its highest values and ``n`` the mean of those of nonsense.
    low, high : float
        Below `low` nothing of the prompt is in the image; from `high` on it is.
    flat_tiles, flat_tokens, uniform_tiles : float
        Deviations of embeddings over tiles, and of tokens over patches, below which an image is
        flat, or looks the same everywhere.
    text : TextLimits
    figures : mapping of str to float
        Rates on images that the limits were not set on.
    examples : ExampleLimits or None
        None in records of earlier versions.
    """

    weights_sha256: str
    model: str
    source: str
    top: float
    above_null: float
    offset: float
    low: float
    high: float
    flat_tiles: float
    flat_tokens: float
    uniform_tiles: float
    text: TextLimits = TextLimits()
    figures: Mapping[str, float] = field(default_factory=dict)
    examples: ExampleLimits | None = None

    def write(self, folder: Path | None = None) -> Path:
        """Write the record, by default where `find_calibration` looks for it.

        Examples
        --------
        >>> path = calibration.write()
        """
        folder = folder or _user_folder()
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{self.weights_sha256}.json"
        partial = path.with_suffix(".partial")
        partial.write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")
        partial.replace(path)
        find_calibration.cache_clear()
        return path


@cache
def find_calibration(weights_sha256: str) -> Calibration | None:
    """Return the record of a model's weights: the user's own, or the bundled one; None if neither.

    Read once in a process.

    Raises
    ------
    SettingsError
        The user's record is damaged.

    Examples
    --------
    >>> find_calibration(model.weights_sha256).high > 0
    True
    """
    name = f"{weights_sha256}.json"
    own = _user_folder() / name
    if own.is_file():
        return read_calibration(own)
    entry = files("napari_clip_heatmap").joinpath("pipeline", "calibrations", name)
    return _parse(entry.read_text("utf-8"), name) if entry.is_file() else None


def read_calibration(path: Path) -> Calibration:
    """Read one record.

    Raises
    ------
    SettingsError
        The file is damaged, or is no record.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"the calibration {path} cannot be read: {shorten(error, 120)}"
        ) from error
    return _parse(text, str(path))


def _parse(text: str, name: str) -> Calibration:
    try:
        values = json.loads(text)
        limits = TextLimits(**{key: _finite(value) for key, value in values.pop("text").items()})
        likeness = values.pop("examples", None)
        figures = {str(key): float(value) for key, value in values.pop("figures").items()}
        record: dict[str, Any] = {
            key: str(value) if key in _TEXTS else _finite(value) for key, value in values.items()
        }
        if likeness is not None:
            record["examples"] = ExampleLimits(**{k: _finite(v) for k, v in likeness.items()})
        return Calibration(text=limits, figures=figures, **record)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        wanted = ", ".join(each.name for each in fields(Calibration))
        raise SettingsError(
            f"{shorten(name, 120)} is no calibration ({shorten(error, 80)}); expected JSON with "
            f"{wanted}. Make it again with 'clip-heatmap calibrate', or delete it"
        ) from error


def _finite(value: Any) -> float:
    if isinstance(value, bool) or not math.isfinite(value):
        raise ValueError(f"{value} is no finite number")
    return float(value)


def _user_folder() -> Path:
    return data_root() / "calibrations"
