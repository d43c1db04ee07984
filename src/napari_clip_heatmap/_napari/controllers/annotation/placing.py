"""Where layers of objects lie on their image, and what their features are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from napari.utils.colormaps import DirectLabelColormap

from napari_clip_heatmap._napari.inputs.layer_planes import placement
from napari_clip_heatmap.annotation.palette import distinct_color

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from napari.layers import Image
    from numpy.typing import NDArray

__all__ = [
    "FADED",
    "class_colormap",
    "color_of",
    "label_features",
    "labels_placement",
    "merge_features",
]

SPARSE = 4
"""Labels with more than this many numbers per object have a row only for those that exist."""

FADED = 0.25
"""Opacity of objects that do not pass a gate."""


def labels_placement(image: Image, factor: int) -> dict[str, Any]:
    """Return what places labels whose pixels are `factor` image pixels wide on their image.

    Parameters
    ----------
    image : Image
    factor : int

    Returns
    -------
    dict
        Arguments of ``napari.layers.Labels``.
    """
    place = placement(image)
    if factor == 1:
        return place
    # The center of the first coarse pixel lies between image pixels.
    offset = np.zeros(image.ndim)
    offset[-2:] = (factor - 1) / 2
    world = np.subtract(image.data_to_world(offset), image.data_to_world(np.zeros(image.ndim)))
    inner = np.linalg.solve(image.affine.linear_matrix, world)
    scale = np.array(image.scale, float)
    scale[-2:] *= factor
    return {**place, "scale": scale, "translate": np.asarray(image.translate) + inner}


def label_features(columns: Mapping[str, Any], roi: str) -> pd.DataFrame:
    """Return the features of a Labels layer.

    As napari counts them, row k is label k, and row 0 the background; a label without an object has
    a row of missing values. Where most numbers have no object, only objects have rows, and a column
    ``index`` says of which label, which napari reads too.

    Parameters
    ----------
    columns : mapping of str to array (object,)
        With ``label``.
    roi : str
        Name of the image, for the column ``roi_id``.
    """
    frame = pd.DataFrame(dict(columns))
    frame.insert(1, "roi_id", roi)
    top = int(frame["label"].max()) if len(frame) else 0
    if top > SPARSE * len(frame) + 1000:
        frame.insert(2, "index", frame["label"])
        return frame
    rows = frame.set_index("label").reindex(np.arange(top + 1))
    rows["roi_id"] = roi
    return rows.rename_axis("label").reset_index()


def merge_features(
    old: pd.DataFrame, kept: NDArray[Any], new: pd.DataFrame, shift: int
) -> pd.DataFrame:
    """Return features of some labels of a layer, and those of new ones that are numbered on.

    Parameters
    ----------
    old : DataFrame
        As `label_features` returns it.
    kept : integer (label,)
        Labels that stay.
    new : DataFrame
        As `label_features` returns it.
    shift : int
        Added to the new labels.
    """
    added = new[new["label"] > 0].assign(label=lambda frame: frame["label"] + shift)
    parts = [old[old["label"].isin(kept)], added]
    frame = pd.concat([part for part in parts if len(part)] or [added], ignore_index=True)
    roi = str(new["roi_id"].iloc[0])
    columns = frame.drop(columns=["roi_id", "index"], errors="ignore")
    return label_features({name: columns[name].to_numpy() for name in columns}, roi)


def color_of(number: int) -> NDArray[np.float64]:
    """Return the color of a class, RGBA in 0..1."""
    return np.array([*distinct_color(number), 255]) / 255


def class_colormap(
    labels: Sequence[int], classes: Sequence[int], opacities: Sequence[float] | None = None
) -> DirectLabelColormap:
    """Return a colormap that gives each label the color of its class.

    Parameters
    ----------
    labels, classes : sequence of int
    opacities : sequence of float, optional
        Of each object, 0..1; by default 1.
    """
    known = {number: color_of(number) for number in {*map(int, classes)}}
    alphas = [1.0] * len(labels) if opacities is None else opacities
    # One array for all objects that look the same: there may be thousands.
    looks = {
        (n, a): known[n] * [1, 1, 1, a] for n, a in zip(map(int, classes), alphas, strict=True)
    }
    colors: dict[int | None, Any] = {
        int(label): looks[int(each), alpha]
        for label, each, alpha in zip(labels, classes, alphas, strict=True)
    }
    return DirectLabelColormap(color_dict={**colors, 0: np.zeros(4), None: np.zeros(4)})
