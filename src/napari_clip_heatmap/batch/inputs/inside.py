"""Where in an image tiles are encoded: where tissue is, or where another file has labels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_clip_heatmap.errors import ImageError, SettingsError
from napari_clip_heatmap.imaging.channel import Channel
from napari_clip_heatmap.imaging.masks import LabeledRegion
from napari_clip_heatmap.imaging.region import Region
from napari_clip_heatmap.imaging.source import ImageSource
from napari_clip_heatmap.imaging.view import View

__all__ = ["TISSUE", "check_inside", "image_region", "tissue_mask"]

TISSUE = "tissue"
_LABELS = "labels:"

_SIDE = 1024
"""Longest side of the picture in which tissue is looked for."""

_SPECK = 2e-4
"""Part of the picture below which a piece of tissue is dust, and a gap in tissue is closed."""

_LEAST = 0.05
"""Distance between glass and tissue, in colors of 0..1, below which all of the image is kept."""


def check_inside(inside: str | None) -> None:
    """Raise unless a text names a part of images: nothing, "tissue", or "labels:FILE".

    Raises
    ------
    SettingsError

    Examples
    --------
    >>> check_inside("tissue")
    """
    if inside is None or inside == TISSUE:
        return
    path = inside.removeprefix(_LABELS)
    if not inside.startswith(_LABELS) or not path:
        raise SettingsError(
            f"--inside is '{inside:.60}'; accepted: tissue, or labels:FILE with the file of labels"
        )
    if not Path(path).is_file():
        raise SettingsError(f"--inside names the file '{path:.200}', which is not there")


def image_region(inside: str | None, channels: Sequence[Channel], view: View) -> Region:
    """Return the part of an image in which tiles are encoded.

    Raises
    ------
    ImageError
        There is no tissue, or the labels have another shape than the image, at any scale.

    Examples
    --------
    >>> image_region(None, channels, View()).is_whole  # doctest: +SKIP
    True
    """
    if inside is None:
        return Region()
    shape = channels[0].shape
    if inside == TISSUE:
        mask = tissue_mask(_small_picture(channels, view))
        if not mask.any():
            raise ImageError("there is no tissue in it; leave out --inside to encode all of it")
    else:
        mask = _labels(Path(inside.removeprefix(_LABELS)), shape)
    if mask.all():
        return Region()
    scale = np.diag([mask.shape[0] / shape[0], mask.shape[1] / shape[1], 1.0])
    return Region(mask=LabeledRegion(mask.astype(np.uint8), scale))


def tissue_mask(picture: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Return where a picture shows more than its background: glass, or the dark around cells.

    The background is the most frequent color; what lies farther from it than Otsu's threshold is
    tissue. Dust is left out, small gaps are closed, and a margin of one pixel is added.

    Parameters
    ----------
    picture : float32 (y, x, 3)
        In 0..1.

    Returns
    -------
    bool (y, x)

    Examples
    --------
    >>> picture = np.full((64, 64, 3), 0.95, np.float32)
    >>> picture[20:40, 20:40] = (0.7, 0.3, 0.6)
    >>> bool(tissue_mask(picture)[30, 30]), bool(tissue_mask(picture)[5, 5])
    (True, False)
    """
    from scipy import ndimage
    from skimage.filters import threshold_otsu
    from skimage.morphology import remove_small_holes, remove_small_objects

    smooth = np.stack([ndimage.gaussian_filter(picture[..., n], 1.0) for n in range(3)], axis=-1)
    levels = np.round(smooth.reshape(-1, 3) * 31).astype(np.int64) @ np.array([1024, 32, 1])
    values, counts = np.unique(levels, return_counts=True)
    common = values[counts.argmax()]
    background = smooth.reshape(-1, 3)[levels == common].mean(axis=0)
    distance = np.abs(smooth - background).max(axis=-1)
    if distance.max() < _LEAST:
        return np.zeros(distance.shape, bool)
    mask: NDArray[np.bool_] = distance > min(float(threshold_otsu(distance)), 0.25)
    speck = max(2, int(_SPECK * mask.size))
    mask = remove_small_holes(remove_small_objects(mask, max_size=speck), max_size=speck)
    grown: NDArray[np.bool_] = ndimage.binary_dilation(mask)
    return grown


def _small_picture(channels: Sequence[Channel], view: View) -> NDArray[np.float32]:
    height, width = channels[0].shape
    factor = max(1.0, max(height, width) / _SIDE)
    small = max(1, round(height / factor)), max(1, round(width / factor))
    source = ImageSource(channels, view.appearance(channels), small)
    return source.read(slice(0, small[0]), slice(0, small[1]))


def _labels(path: Path, shape: tuple[int, int]) -> NDArray[Any]:
    from napari_clip_heatmap.files.reading.image_file import read_image

    labels = read_image(path)
    if labels.ndim != 2 or labels.dtype.kind not in "biu":
        raise ImageError(
            f"the labels '{path}' are {labels.shape} of {labels.dtype}; accepted: a plane (y, x) "
            "of whole numbers"
        )
    ratio = [full / small for full, small in zip(shape, labels.shape, strict=True)]
    if abs(ratio[0] / ratio[1] - 1) > 0.02:
        raise ImageError(
            f"the labels '{path}' are {labels.shape[0]} x {labels.shape[1]}, and the image "
            f"{shape[0]} x {shape[1]}; accepted: its shape, or the same field with fewer pixels"
        )
    mask: NDArray[np.bool_] = labels != 0
    return mask
