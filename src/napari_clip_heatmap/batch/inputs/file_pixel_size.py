"""What a pixel of a file measures, as far as the file says so."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from napari_clip_heatmap.annotation.geometry import PixelSize

if TYPE_CHECKING:
    from tifffile import TiffFile, TiffPage

__all__ = ["tiff_pixel_size"]

_PER_UNIT = {2: 25400.0, 3: 10000.0}
"""TIFF's ResolutionUnit -> micrometers."""

_SCREEN = frozenset((72.0, 96.0, 150.0, 200.0, 300.0, 600.0, 1200.0))
"""Dots per inch that programs write for screens and printers, and that no microscope means."""


def tiff_pixel_size(tiff: TiffFile, page: TiffPage, series: int = 0) -> PixelSize | None:
    """Return what a pixel measures by OME-XML, ImageJ, a slide's description, or tags.

    Parameters
    ----------
    tiff : TiffFile
    page : TiffPage
        Of the picture.
    series : int
        Number of the picture, for OME-XML.

    Returns
    -------
    PixelSize or None
        None where nothing is said, or only how to print it.

    Examples
    --------
    >>> import numpy as np, tifffile
    >>> tifffile.imwrite("a.tif", np.zeros((2, 3), np.uint8), resolution=(4e4, 4e4),
    ...                  resolutionunit="CENTIMETER")
    >>> with tifffile.TiffFile("a.tif") as tiff:
    ...     tiff_pixel_size(tiff, tiff.pages[0])
    PixelSize(y=0.25, x=0.25, unit='micrometer')
    """
    if tiff.is_ome:
        return _of_ome(tiff.ome_metadata or "", series)
    if tiff.is_imagej:
        return _of_imagej(tiff, page)
    if tiff.is_svs:
        return _of_svs(page)
    return _of_tags(page)


def _of_ome(xml: str, series: int) -> PixelSize | None:
    try:
        found = ElementTree.fromstring(xml.encode()).findall(".//{*}Pixels")
    except ElementTree.ParseError:
        return None
    if series >= len(found):
        return None
    said = found[series].attrib
    y, x = (_number(said.get(f"PhysicalSize{axis}")) for axis in "YX")
    units = {said.get(f"PhysicalSize{axis}Unit", "µm") for axis in "YX"}
    return PixelSize(y, x, units.pop()) if y and x and len(units) == 1 else None


def _of_imagej(tiff: TiffFile, page: TiffPage) -> PixelSize | None:
    unit = str((tiff.imagej_metadata or {}).get("unit", "")).replace("\\u00B5", "µ")
    y, x = (_per_pixel(page, tag) for tag in ("YResolution", "XResolution"))
    if not unit or unit in ("pixel", "pixels", "inch") or not (y and x):
        return None
    return PixelSize(1 / y, 1 / x, {"micron": "micrometer", "um": "micrometer"}.get(unit, unit))


def _of_svs(page: TiffPage) -> PixelSize | None:
    for part in page.description.split("|"):
        name, _, value = part.partition("=")
        if name.strip() == "MPP" and (size := _number(value)):
            return PixelSize(size, size, "micrometer")
    return None


def _of_tags(page: TiffPage) -> PixelSize | None:
    unit = int(page.tags.valueof("ResolutionUnit", 2))
    y, x = (_per_pixel(page, tag) for tag in ("YResolution", "XResolution"))
    if unit not in _PER_UNIT or not (y and x):
        return None
    per_inch = x * 25400.0 / _PER_UNIT[unit]
    if x <= 1 or any(math.isclose(per_inch, dots, rel_tol=1e-3) for dots in _SCREEN):
        return None
    return PixelSize(_PER_UNIT[unit] / y, _PER_UNIT[unit] / x, "micrometer")


def _per_pixel(page: TiffPage, tag: str) -> float | None:
    """Return pixels per unit."""
    value: Any = page.tags.valueof(tag)
    if not value or not value[1]:
        return None
    return _number(value[0] / value[1])


def _number(text: object) -> float | None:
    try:
        value = float(str(text))
    except ValueError:
        return None
    return value if math.isfinite(value) and value > 0 else None
