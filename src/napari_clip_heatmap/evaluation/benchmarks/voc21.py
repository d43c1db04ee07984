"""PASCAL VOC 2012 with background (VOC-21), from MMSegmentation's folders.

``ROOT`` is ``VOCdevkit/VOC2012``, or a folder that holds it, with ``JPEGImages/NAME.jpg``,
``SegmentationClass/NAME.png`` (palette pictures: class 0 to 20, 255 does not count) and
``ImageSets/Segmentation/val.txt``.

Protocol of the open-vocabulary literature: the short side is 336 pixels at a window of 224, windows
overlap by half, no post-processing. For a model of another input size both keep their ratio.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from napari_clip_heatmap.errors import ImageError, SettingsError
from napari_clip_heatmap.evaluation.benchmarks.benchmark_report import BenchmarkReport
from napari_clip_heatmap.evaluation.benchmarks.class_directions import class_directions
from napari_clip_heatmap.evaluation.benchmarks.segmentation_metrics import Confusion
from napari_clip_heatmap.evaluation.benchmarks.segmentation_pairs import read_pair
from napari_clip_heatmap.evaluation.image_maps import check_token_methods, image_maps

if TYPE_CHECKING:
    from napari_clip_heatmap.clip.model import ClipModel

__all__ = ["VOC21_BARE_NAMES", "VOC21_OFFICIAL_NAMES", "run_voc21"]

VOC21_BARE_NAMES: tuple[tuple[str, ...], ...] = tuple(
    (name,)
    for name in (
        "background", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat",
        "chair", "cow", "dining table", "dog", "horse", "motorbike", "person", "potted plant",
        "sheep", "sofa", "train", "tv monitor",
    )
)  # fmt: skip
"""The data set's own class names."""

VOC21_OFFICIAL_NAMES: tuple[tuple[str, ...], ...] = (
    (
        "sky", "wall", "tree", "wood", "grass", "road", "sea", "river", "mountain", "sands",
        "desk", "bed", "building", "cloud", "lamp", "door", "window", "wardrobe", "ceiling",
        "shelf", "curtain", "stair", "floor", "hill", "rail", "fence",
    ),
    ("aeroplane",), ("bicycle",), ("bird",), ("ship",), ("bottle",), ("bus",), ("car",),
    ("cat",), ("chair",), ("cow",), ("table",), ("dog",), ("horse",), ("motorbike",),
    (
        "person", "person in shirt", "person in jeans", "person in dress", "person in sweater",
        "person in skirt", "person in jacket",
    ),
    ("pottedplant",), ("sheep",), ("sofa",), ("train",),
    ("television monitor", "tv monitor", "monitor", "television", "screen"),
)  # fmt: skip
"""What the published comparisons since SCLIP write for each class (``cls_voc21.txt``)."""

_SIDE_IN_TILES = 336 / 224

_PUBLISHED = {
    "published: MaskCLIP, ViT-B-16": {"mIoU": 0.383},
    "published: NACLIP, ViT-B-16": {"mIoU": 0.589},
    "published: CLIP as it is, ViT-B-16": {"mIoU": 0.138},
}


def run_voc21(
    model: ClipModel,
    root: Path,
    *,
    names: Literal["official", "bare"] = "official",
    templates: Sequence[str] | None = None,
    methods: Sequence[str] = ("exact",),
    limit: int | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> BenchmarkReport:
    """Segment each validation image by the class whose map is highest, and compare with the truth.

    A class with several names takes the highest of their maps.

    Parameters
    ----------
    model : ClipModel
    root : Path
        ``VOCdevkit/VOC2012``, or a folder that holds it.
    names : {"official", "bare"}
        What is asked for: the names of the published comparisons, or the data set's own.
    templates : sequence of str, optional
        By default the 80 of CLIP's authors.
    methods : sequence of str
        Names out of `IMAGE_METHODS`.
    limit : int, optional
        Only so many images, from the first.
    progress : callable(done, total)
        Called after each image.

    Raises
    ------
    ImageError
        The folder has another form, or a picture and its truth differ in size.
    SettingsError
        A setting is unknown.
    """
    phrases = _names(names)
    check_token_methods(methods)
    folder, stems = _validation(root)
    stems = stems[:limit]
    directions, owners = class_directions(model, phrases, templates)
    counts = {method: Confusion(len(phrases)) for method in methods}
    for done, stem in enumerate(stems, start=1):
        image, truth = read_pair(
            folder / "JPEGImages" / f"{stem}.jpg",
            folder / "SegmentationClass" / f"{stem}.png",
            range(len(phrases)),
        )
        maps = image_maps(
            model, image, directions, methods, downsample=_downsample(model, image.shape[:2])
        )
        for method, values in maps.items():
            counts[method].add(truth, owners[values.argmax(axis=0)])
        progress(done, len(stems))
    return BenchmarkReport(
        title="PASCAL VOC-21",
        model=model.describe(),
        n_images=len(stems),
        rows={
            f"{method}, {names} names": {
                "mIoU": each.mean_intersection_over_union,
                "pixel accuracy": each.pixel_accuracy,
            }
            for method, each in counts.items()
        },
        published=_PUBLISHED,
        notes=(_protocol(names, 80 if templates is None else len(templates)),),
    )


def _protocol(names: str, n_templates: int) -> str:
    return (
        "Short side 1.5 windows, windows overlap by half, no post-processing, "
        f"{n_templates} templates, {names} class names."
    )


def _names(names: str) -> tuple[tuple[str, ...], ...]:
    known = {"official": VOC21_OFFICIAL_NAMES, "bare": VOC21_BARE_NAMES}
    if names not in known:
        raise SettingsError(
            f"the class names {names!r} are unknown; accepted: {', '.join(map(repr, known))}"
        )
    return known[names]


def _validation(root: Path) -> tuple[Path, list[str]]:
    """Return the folder that holds the pictures, and the names of those to be measured."""
    for folder in (root, root / "VOC2012", root / "VOCdevkit" / "VOC2012"):
        listing = folder / "ImageSets" / "Segmentation" / "val.txt"
        if listing.is_file():
            stems = listing.read_text(encoding="utf-8").split()
            if stems:
                return folder, stems
    raise ImageError(
        f"'{root}' is no copy of PASCAL VOC 2012: no 'ImageSets/Segmentation/val.txt' with names "
        "in it, nor in 'VOC2012' or 'VOCdevkit/VOC2012' below it; give the folder 'VOC2012'"
    )


def _downsample(model: ClipModel, shape: tuple[int, int]) -> float:
    """Return image pixels a working pixel, so that the short side spans 1.5 tiles."""
    return min(shape) / (_SIDE_IN_TILES * min(model.image_size))
