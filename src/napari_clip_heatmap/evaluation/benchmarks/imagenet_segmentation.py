"""ImageNet-Segmentation: objects of ImageNet pictures against their background.

The user's copy is the authors' ``gtsegs_ijcv.mat`` (Guillaumin et al., IJCV 2014; 4,276 pictures),
or a folder in MMSegmentation's form: ``images/NAME.jpg|png`` and ``annotations/NAME.png``, where
0 is background, 1 the object and 255 does not count.

The protocol is that of arXiv 2310.05916, but for one thing: there the picture is cropped to its
center and the mask squeezed as a whole, so that they do not lie on one another. Here the mask goes
through the same crop. A second row covers whole pictures in overlapping tiles.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from napari_clip_heatmap.errors import ImageError
from napari_clip_heatmap.evaluation.benchmarks.benchmark_report import BenchmarkReport
from napari_clip_heatmap.evaluation.benchmarks.class_directions import (
    class_directions,
    imagenet_names,
)
from napari_clip_heatmap.evaluation.benchmarks.segmentation_metrics import (
    IGNORED,
    Confusion,
    average_precision,
)
from napari_clip_heatmap.evaluation.benchmarks.segmentation_pairs import (
    count_mat,
    list_pairs,
    read_mat,
    read_pair,
)
from napari_clip_heatmap.evaluation.image_maps import check_token_methods, image_maps

if TYPE_CHECKING:
    from napari_clip_heatmap.clip.model import ClipModel

__all__ = ["center_crop", "foreground_scores", "run_imagenet_segmentation"]

_PUBLISHED = {
    "published: decomposition, ViT-H-14, mask not aligned": {
        "pixel accuracy": 0.7521,
        "mIoU": 0.5450,
        "mAP": 0.8161,
    },
    "published: raw attention": {"pixel accuracy": 0.6784, "mIoU": 0.4637, "mAP": 0.8024},
}

_Pair = tuple["NDArray[np.uint8]", "NDArray[np.uint8]"]


class _Figures:
    """What is summed up over pictures, for one setting."""

    def __init__(self) -> None:
        self.confusion = Confusion(2)
        self.precisions: list[float] = []

    def add(self, truth: NDArray[np.uint8], values: NDArray[np.float32]) -> None:
        """Compare a map with the truth, both (y, x)."""
        scores = foreground_scores(values)
        self.confusion.add(truth, (scores > scores.mean()).astype(np.intp))
        known = truth != IGNORED
        inside = truth[known] == 1
        self.precisions.append(
            average_precision(
                np.concatenate([~inside, inside]),
                np.concatenate([1 - scores[known], scores[known]]),
            )
        )

    @property
    def row(self) -> dict[str, float]:
        return {
            "pixel accuracy": self.confusion.pixel_accuracy,
            "mIoU": self.confusion.mean_intersection_over_union,
            "mAP": float(np.mean(self.precisions)),
        }


def run_imagenet_segmentation(
    model: ClipModel,
    root: Path,
    *,
    class_names: Sequence[str] | None = None,
    templates: Sequence[str] | None = None,
    methods: Sequence[str] = ("exact",),
    limit: int | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> BenchmarkReport:
    """Separate each picture's object from its background by the map of the class it is taken for.

    The map is relative to all classes; what is above its mean, after negative values became 0, is
    the object.

    Parameters
    ----------
    model : ClipModel
    root : Path
        ``gtsegs_ijcv.mat``, a folder that holds it, or one with ``images`` and ``annotations``.
    class_names : sequence of str, optional
        By default ImageNet's 1000.
    templates : sequence of str, optional
        By default the 80 of CLIP's authors: 80,000 texts.
    methods : sequence of str
        Names out of `IMAGE_METHODS`.
    limit : int, optional
        Only so many pictures, from the first.
    progress : callable(done, total)
        Called after each picture.

    Raises
    ------
    ImageError
        The copy has another form, or a picture and its mask differ in size.
    SettingsError
        A method is unknown.
    """
    check_token_methods(methods)
    total, pairs = _open(root)
    total = total if limit is None else min(limit, total)
    names = imagenet_names() if class_names is None else tuple(class_names)
    texts, _ = class_directions(model, [(name,) for name in names], templates)
    relative = texts - texts.mean(axis=0)
    figures = {f"{each}, {crop}": _Figures() for each in methods for crop in _CROPS}
    for done, (image, truth) in enumerate(islice(pairs, total), start=1):
        cropped, cropped_truth = center_crop(image, truth, model.image_size)
        chosen = int((texts @ _embedding(model, cropped)).argmax())
        views = (
            (cropped, cropped_truth, 1.0),
            (image, truth, min(image.shape[:2]) / min(model.image_size)),
        )
        for crop, (seen, its_truth, downsample) in zip(_CROPS, views, strict=True):
            maps = image_maps(model, seen, relative[[chosen]], methods, downsample=downsample)
            for method, values in maps.items():
                figures[f"{method}, {crop}"].add(its_truth, values[0])
        progress(done, total)
    return BenchmarkReport(
        title="ImageNet-Segmentation",
        model=model.describe(),
        n_images=total,
        rows={name: each.row for name, each in figures.items()},
        published=_PUBLISHED,
        notes=(_protocol(len(names), 80 if templates is None else len(templates)),),
    )


_CROPS = ("center crop", "whole picture")


def _protocol(n_classes: int, n_templates: int) -> str:
    return (
        f"Class: the likeliest of {n_classes} for the center crop, {n_templates} templates. The "
        "mask goes through the picture's crop; in the published protocol it does not."
    )


def foreground_scores(values: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return a map with negative values 0, stretched to 0..1; all 0 where it is flat."""
    positive = np.clip(values.astype(np.float64), 0, None)
    low, high = positive.min(), positive.max()
    scores: NDArray[np.float64] = (
        (positive - low) / (high - low) if high > low else np.zeros_like(positive)
    )
    return scores


def center_crop(image: NDArray[np.uint8], truth: NDArray[np.uint8], size: tuple[int, int]) -> _Pair:
    """Resize the short side to the model's input and cut the middle, the mask along with it.

    Parameters
    ----------
    image : uint8 (y, x, 3)
    truth : uint8 (y, x)
    size : (y, x)
        Of the result, in pixels.
    """
    factor = max(size[0] / image.shape[0], size[1] / image.shape[1])
    height, width = (max(round(n * factor), s) for n, s in zip(truth.shape, size, strict=True))
    top, left = (height - size[0]) // 2, (width - size[1]) // 2
    window = np.s_[top : top + size[0], left : left + size[1]]
    bicubic, nearest = Image.Resampling.BICUBIC, Image.Resampling.NEAREST
    small = np.asarray(Image.fromarray(image).resize((width, height), bicubic))
    small_truth = np.asarray(Image.fromarray(truth).resize((width, height), nearest))
    return small[window], small_truth[window]


def _embedding(model: ClipModel, tile: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return the embedding of one tile, (d_embed,)."""
    batch = model.preprocess(np.divide(tile[np.newaxis], 255, dtype=np.float32))
    whole: NDArray[np.float64] = model.token_map(batch).representation[0].double().cpu().numpy()
    return whole


def _open(root: Path) -> tuple[int, Iterator[_Pair]]:
    """Return how many pictures there are, and an iterator over them with their masks."""
    mat = root if root.suffix == ".mat" else root / "gtsegs_ijcv.mat"
    if mat.is_file():
        return count_mat(mat), read_mat(mat)
    if not root.is_dir():
        raise ImageError(
            f"'{root}' is neither 'gtsegs_ijcv.mat' nor a folder with it, nor one with 'images' "
            "and 'annotations'; give the path of your copy"
        )
    pairs = list_pairs(root)
    return len(pairs), (read_pair(image, truth, {0, 1}) for image, truth in pairs)
