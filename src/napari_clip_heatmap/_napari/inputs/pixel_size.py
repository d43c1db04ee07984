"""The pixel size at which the model sees an image: read from the user's text, and formatted."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pint

from napari_clip_heatmap.clip.provenance import BUNDLED
from napari_clip_heatmap.errors import SettingsError

__all__ = ["AUTO", "ModelSizes", "pixel_length", "read_resolution", "sizes_of_model", "unit_factor"]


AUTO: Literal["auto"] = "auto"

ACCEPTED = (
    "accepted: auto, a number of image pixels per model pixel (such as 2), "
    "or a pixel size with its unit (such as 0.65 um)"
)


def read_resolution(
    text: str, scale: Sequence[float], units: Sequence[Any]
) -> float | Literal["auto"]:
    """Return the number of image pixels per model pixel.

    Parameters
    ----------
    text : str
        "auto", a factor ("2" or "2x"), or a pixel size with its unit ("0.65 um").
    scale : (y, x)
        Size of an image pixel, in `units`.
    units : (y, x) of pint units
        As `layer.units` has them.

    Raises
    ------
    SettingsError
        It is none of these, or a length for an image that has no unit of length.
    """
    words = text.strip().lower()
    if words in ("", AUTO):
        return AUTO
    number = words.rstrip("x").strip()
    if _is_number(number):
        return _positive(float(number), text)
    try:
        length: Any = pint.Quantity(text.strip())
        pixels = [length.to(unit).magnitude for unit in units]
    except pint.DimensionalityError as error:
        raise SettingsError(
            f"the resolution {text!r} cannot be converted into the image's unit, {units[-1]}: "
            f"give a factor, or set the layer's scale and unit; {ACCEPTED}"
        ) from error
    except (pint.PintError, ValueError, TypeError, AttributeError) as error:
        raise SettingsError(f"the resolution is {text!r}; {ACCEPTED}") from error
    # One factor for both axes: for anisotropic pixels, the geometric mean.
    factors = np.asarray(pixels) / np.abs(np.asarray(scale, dtype=float))
    return _positive(float(np.exp(np.log(factors).mean())) if (factors > 0).all() else -1, text)


def unit_factor(unit: Any, other: Any) -> float | None:
    """Return how many of another unit a pint unit is; None where they measure different things.

    Examples
    --------
    >>> import pint
    >>> round(unit_factor(pint.Unit("um"), pint.Unit("nm")), 6)
    1000.0
    """
    try:
        return float(pint.Quantity(1, str(unit)).to(str(other)).magnitude)
    except pint.DimensionalityError:
        return None


def pixel_length(scale: float, unit: Any) -> float:
    """Return the size of an image pixel in a layer's unit.

    A layer without a unit has the unit "pixel", and then its scale is no size of a pixel.
    """
    return 1.0 if str(unit) == "pixel" else abs(float(scale))


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _positive(factor: float, text: str) -> float:
    if not 0 < factor < math.inf:
        raise SettingsError(f"the resolution is {text!r}; {ACCEPTED}")
    return factor


CONFIG = "open_clip_config.json"


@dataclass(frozen=True)
class ModelSizes:
    """Sizes of a model, in pixels of its input.

    Parameters
    ----------
    tile : (y, x)
        The model's input.
    patch : (y, x)
    """

    tile: tuple[int, int]
    patch: tuple[int, int]


def sizes_of_model(name: str) -> ModelSizes | None:
    """Return a model's sizes from its configuration, or None if it has to be loaded for that.

    This may import open_clip, which takes seconds: do not call it in the GUI thread.

    Parameters
    ----------
    name : str
        As `api.load_model` takes it.
    """
    if name in BUNDLED:
        return _read(files("napari_clip_heatmap").joinpath(name, CONFIG))
    if name.startswith("local-dir:"):
        return _read(Path(name.removeprefix("local-dir:")).expanduser() / CONFIG)
    if ":" in name:
        return None
    import open_clip

    config = open_clip.get_model_config(name.partition("/")[0])
    return None if config is None else _sizes(config)


def _read(path: Any) -> ModelSizes | None:
    try:
        return _sizes(json.loads(path.read_text(encoding="utf-8"))["model_cfg"])
    except (OSError, ValueError, KeyError):
        return None  # loading the model reports what is wrong


def _sizes(config: dict[str, Any]) -> ModelSizes | None:
    tower = config.get("vision_cfg") or {}
    tile, patch = _pair(tower.get("image_size")), _pair(tower.get("patch_size"))
    return ModelSizes(tile, patch) if tile and patch else None


def _pair(size: Any) -> tuple[int, int] | None:
    if isinstance(size, int):
        return size, size
    if isinstance(size, list | tuple) and len(size) == 2:
        return int(size[0]), int(size[1])
    return None
