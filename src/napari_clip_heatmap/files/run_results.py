"""Images on disk to heatmaps on disk, one image after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_clip_heatmap.errors import ImageError, OutputError
from napari_clip_heatmap.files.overlays import overlay, write_picture
from napari_clip_heatmap.files.reading.image_file import read_image
from napari_clip_heatmap.files.reading.picture_choice import short_name
from napari_clip_heatmap.files.run_record import new_record, write_record
from napari_clip_heatmap.files.run_request import RunRequest, heatmap_file, overlay_file
from napari_clip_heatmap.files.seen_image import seen_colors
from napari_clip_heatmap.hashing import hash_file

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_clip_heatmap.clip.model import ClipModel
    from napari_clip_heatmap.imaging.view import ShownRange
    from napari_clip_heatmap.pipeline.encoding import Encoding
    from napari_clip_heatmap.pipeline.heatmaps import Heatmaps
    from napari_clip_heatmap.pipeline.scoring import Scoring
    from napari_clip_heatmap.pipeline.storage.cache import EncodingCache
    from napari_clip_heatmap.pipeline.verdicts import Assessment

__all__ = ["FailedImage", "ImageResult", "write_heatmaps"]


@dataclass(frozen=True, eq=False)
class ImageResult:
    """One image's results, written.

    Attributes
    ----------
    source : Path
        The image file.
    names : list of str
        Per prompt the beginning of its files' names; see `heatmap_file` and `overlay_file`.
    heatmaps : Heatmaps
        The values as computed.
    overlays : list of uint8 arrays (y, x, 3)
        Per prompt the heatmap over the image, RGB.
    assessment : Assessment
        How far each map depends on its words.
    ranges : tuple of ShownRange
        Per channel the values that the model saw as black and white.
    downsample : float
        Image pixels per pixel that the model saw.
    image_notes : tuple of str
        Sentences on how the model saw the image, which `heatmaps` has too.

    Examples
    --------
    >>> result.heatmaps.similarity.shape  # doctest: +SKIP
    (3,)
    """

    source: Path
    names: list[str]
    heatmaps: Heatmaps
    overlays: list[NDArray[np.uint8]]
    assessment: Assessment
    ranges: tuple[ShownRange, ...]
    downsample: float
    image_notes: tuple[str, ...]


@dataclass(frozen=True)
class FailedImage:
    """An image that has no results, and why.

    Attributes
    ----------
    source : Path
        The image file.
    reason : str
        One sentence that names the file.

    Examples
    --------
    >>> FailedImage(Path("a.tif"), "'a.tif' does not exist").source.name
    'a.tif'
    """

    source: Path
    reason: str


def write_heatmaps(
    model: ClipModel,
    request: RunRequest,
    progress: Callable[[int, int], None] | None = None,
    cache: EncodingCache | None = None,
) -> Iterator[ImageResult | FailedImage]:
    """Encode each image, score the prompts, and write a TIFF and an overlay for each.

    ``run.json`` is written after each image, so that a run that stops early leaves a true record
    of what it finished and of what failed.

    Parameters
    ----------
    model : ClipModel
        The model that `request` names, loaded.
    request : RunRequest
        What to do; its folder exists (see `claim_folder`).
    progress : callable(done_tiles, all_tiles), optional
        Called while an image is encoded.
    cache : EncodingCache, optional
        As `encode` takes it.

    Yields
    ------
    ImageResult or FailedImage
        After each image. One that cannot be read, holds several pictures of which none was
        chosen, or has no picture to look at, fails, and the next follows.

    Raises
    ------
    PromptError
        The prompts, the score and its baseline do not go together.
    OutputError
        The disk refuses a file.

    Examples
    --------
    >>> for done in write_heatmaps(model, request):  # doctest: +SKIP
    ...     print(done.source)
    """
    from napari_clip_heatmap.pipeline.scoring import build_scoring

    # A mistake in the words is told before the first image costs its time.
    scoring = build_scoring(
        model.text, request.prompts, request.score, request.baseline, request.templates
    )
    record = new_record(request.settings(), model.describe())
    for source, names in request.names().items():
        try:
            image, result, encoding = _compute(
                model, request, scoring, source, names, progress, cache
            )
        except (ImageError, MemoryError) as error:
            failed = FailedImage(source, _reason(source, error))
            record["failed"].append({"source": str(source.resolve()), "reason": failed.reason})
            if len(request.images) > 1:
                _write(request, record)
            yield failed
            continue
        record["images"].append(_entry(image, encoding, result))
        _write(request, record, result)
        yield result


def _compute(
    model: ClipModel,
    request: RunRequest,
    scoring: Scoring,
    source: Path,
    names: list[str],
    progress: Callable[[int, int], None] | None,
    cache: EncodingCache | None,
) -> tuple[NDArray[Any], ImageResult, Encoding]:
    from napari_clip_heatmap.api import encode
    from napari_clip_heatmap.pipeline.null_reference import make_null_reference
    from napari_clip_heatmap.pipeline.verdicts import assess_scoring

    image = read_image(source, **asdict(request.choice))
    encoding = encode(
        model,
        image,
        view=request.view,
        downsample=request.downsample,
        progress=progress,
        cache=cache,
    )
    maps = encoding.lazy_maps(scoring).eager(encoding)
    reference = make_null_reference(encoding, scoring.templates)
    rgb = seen_colors(image, request.view)
    overlays = [
        overlay(rgb, colors, np.isfinite(values))
        for values, colors in zip(maps.values, maps.jet(), strict=True)
    ]
    result = ImageResult(
        source=source,
        names=names,
        heatmaps=maps,
        overlays=overlays,
        assessment=assess_scoring(encoding, scoring, reference),
        ranges=encoding.ranges,
        downsample=encoding.downsample,
        image_notes=encoding.notes,
    )
    return image, result, encoding


def _reason(source: Path, error: ImageError | MemoryError) -> str:
    """Return one line that names the file."""
    name = short_name(source)
    if isinstance(error, MemoryError):
        return f"{name} needs more memory than there is; crop it, or use a larger --downsample"
    text = " ".join(str(error).split())
    return text if text.startswith(name) else f"{name}: {text}"


def _write(request: RunRequest, record: dict[str, Any], result: ImageResult | None = None) -> None:
    """Write an image's files, if it has some, and the record."""
    try:
        if result is not None:
            _write_pictures(request.output, result)
        write_record(request.output, record)
    except OSError as error:
        raise OutputError(
            f"results cannot be written to {short_name(request.output)} "
            f"({error.strerror or error}); make room or choose another --output"
        ) from error


def _write_pictures(folder: Path, result: ImageResult) -> None:
    """Write the values as float32 TIFF with named axes, and the overlays as PNG."""
    import tifffile

    maps = result.heatmaps
    for name, prompt, values, picture in zip(
        result.names, maps.prompts, maps.values, result.overlays, strict=True
    ):
        tifffile.imwrite(
            folder / heatmap_file(name),
            values,
            photometric="minisblack",
            metadata={"axes": "YX", "prompt": prompt, "score": maps.score, "unit": maps.unit},
        )
        write_picture(folder / overlay_file(name), picture)


def _entry(image: NDArray[Any], encoding: Encoding, result: ImageResult) -> dict[str, Any]:
    """Return the record of one image and its results."""
    seen = encoding.describe()
    del seen["model"]  # it is the same for all images
    maps, assessment = result.heatmaps, result.assessment
    return {
        "source": str(result.source.resolve()),
        "sha256": hash_file(result.source),
        "shape": list(image.shape),
        "dtype": str(image.dtype),
        "encoding": seen,
        "baseline": list(maps.baseline),
        "notes": [*maps.notes, *assessment.notes],
        "results": [
            {
                "prompt": prompt,
                "recipe": recipe,
                "heatmap": heatmap_file(name),
                "overlay": overlay_file(name),
                "similarity": float(similarity),
                "worth": check.describe(),
                "range": [float(np.nanmin(values)), float(np.nanmax(values))],
            }
            for name, prompt, recipe, similarity, values, check in zip(
                result.names,
                maps.prompts,
                maps.recipes,
                maps.similarity,
                maps.values,
                assessment.checks,
                strict=True,
            )
        ],
    }
