"""Lay a heatmap exactly on the plane of the layer it was made from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from napari.utils.transforms import Affine

if TYPE_CHECKING:
    from napari.layers import Image
    from numpy.typing import NDArray

__all__ = ["as_wide_as", "placement"]


def placement(layer: Image, index: tuple[int, ...] = ()) -> dict[str, Any]:
    """Return the settings that place a plane of a layer where that layer has it.

    Every part of the transform is copied as it is, so nothing is lost by taking a matrix apart.
    Only ``translate`` moves, by where the plane's first pixel lies:
    ``translate + rotate · shear · scale · (index, 0, 0)``.

    Parameters
    ----------
    layer : Image
        The source.
    index : tuple of int
        Of the plane, on the layer's leading axes, in data steps; see `as_wide_as`.

    Returns
    -------
    dict
        scale, translate, rotate, shear, affine, units, axis_labels: arguments of
        ``napari.layers.Image`` and attributes of a layer.
    """
    data_to_physical = Affine(
        scale=layer.scale, translate=layer.translate, rotate=layer.rotate, shear=layer.shear
    )
    first_pixel = (*index, 0, 0)
    return {
        "scale": layer.scale,
        "translate": data_to_physical(first_pixel) if any(index) else layer.translate,
        "rotate": layer.rotate,
        "shear": layer.shear,
        "affine": layer.affine.affine_matrix,
        "units": layer.units,
        "axis_labels": layer.axis_labels,
    }


def as_wide_as(values: NDArray[np.float32], index: tuple[int, ...]) -> NDArray[np.float32]:
    """Give a plane (y, x) a leading axis of length 1 for each of its layer's leading axes.

    So it has its source's axes, and shows on its own slice only.
    """
    return values.reshape((1,) * len(index) + values.shape)
