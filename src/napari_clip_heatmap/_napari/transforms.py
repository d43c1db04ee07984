"""Lay heatmaps exactly on the layer they were made from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari.layers import Image

__all__ = ["placement"]


def placement(layer: Image) -> dict[str, Any]:
    """Return the settings that place a layer of the same shape where another lies.

    Every part of the transform is copied as it is, so nothing is lost by taking a matrix apart.

    Parameters
    ----------
    layer : Image
        The source.

    Returns
    -------
    dict
        scale, translate, rotate, shear, affine, units, axis_labels: arguments of
        ``napari.layers.Image`` and attributes of a layer.
    """
    return {
        "scale": layer.scale,
        "translate": layer.translate,
        "rotate": layer.rotate,
        "shear": layer.shear,
        "affine": layer.affine.affine_matrix,
        "units": layer.units,
        "axis_labels": layer.axis_labels,
    }
