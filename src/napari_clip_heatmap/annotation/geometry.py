"""Columns that say where an object lies: in image pixels, and in the image's own unit."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_clip_heatmap.errors import SettingsError
from napari_clip_heatmap.imaging.resolution import unit_symbol

__all__ = ["PixelSize", "geometry_columns", "read_pixel_size"]


@dataclass(frozen=True)
class PixelSize:
    """What an image pixel measures.

    Parameters
    ----------
    y, x : float
        In `unit`.
    unit : str
        As it was given, such as "micrometer".
    """

    y: float
    x: float
    unit: str

    @property
    def suffix(self) -> str:
        """What column names in this unit end with, in ASCII: "um"."""
        return unit_symbol(self.unit).replace("µ", "u").replace("μ", "u")


def read_pixel_size(pixel_size: Any, unit: Any) -> PixelSize | None:
    """Return the size of a pixel, or None where it is not known.

    Parameters
    ----------
    pixel_size : (float, float) or float, optional
        Height and width of an image pixel.
    unit : str, optional
        Such as "micrometer".

    Raises
    ------
    SettingsError
        It is not two positive numbers with a unit, or there is a unit alone.
    """
    if pixel_size is None and unit is None:
        return None
    try:
        y, x = (float(size) for size in np.broadcast_to(pixel_size, 2))
    except (TypeError, ValueError):
        y = x = math.nan
    if not (0 < y < math.inf and 0 < x < math.inf and isinstance(unit, str) and unit.strip()):
        raise SettingsError(
            f"pixel_size is {pixel_size!r} and unit {unit!r}; accepted: the height and width of a "
            "pixel, two positive numbers, together with their unit, such as (0.5, 0.5) and "
            "'micrometer'; or neither"
        )
    return PixelSize(y, x, unit.strip())


def geometry_columns(
    area: NDArray[np.int64],
    centroid: NDArray[np.float64],
    bbox: NDArray[np.int64],
    pixel_size: PixelSize | None,
) -> Mapping[str, NDArray[Any]]:
    """Return the columns area, centroid_y, centroid_x and bbox_y0, bbox_x0, bbox_y1, bbox_x1.

    Parameters
    ----------
    area : int64 (object,)
        Image pixels.
    centroid : float64 (object, 2)
        y and x, whole numbers at pixel centers.
    bbox : int64 (object, 4)
        First row and column, and the row and column after the last.
    pixel_size : PixelSize, optional
        Where it is known, area and centroid are also given in its unit: area_um2, centroid_y_um
        (from the center of the first pixel), centroid_x_um.
    """
    corners = ("bbox_y0", "bbox_x0", "bbox_y1", "bbox_x1")
    columns: dict[str, NDArray[Any]] = {
        "area": area,
        "centroid_y": centroid[:, 0],
        "centroid_x": centroid[:, 1],
        **dict(zip(corners, bbox.T, strict=True)),
    }
    if pixel_size is not None:
        end = pixel_size.suffix
        columns[f"area_{end}2"] = area * (pixel_size.y * pixel_size.x)
        columns[f"centroid_y_{end}"] = centroid[:, 0] * pixel_size.y
        columns[f"centroid_x_{end}"] = centroid[:, 1] * pixel_size.x
    return columns
