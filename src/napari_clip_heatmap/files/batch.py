"""Images on disk to heatmaps on disk, one image after the other."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from napari_clip_heatmap.errors import ImageError, OutputError
from napari_clip_heatmap.files.naming import unique_slugs
from napari_clip_heatmap.files.pictures import overlay, write_picture
from napari_clip_heatmap.files.reading import read_image
from napari_clip_heatmap.files.record import (
    RECORD_NAME,
    new_record,
    read_record,
    sha256_of,
    write_record,
)
from napari_clip_heatmap.prompting.templates import PLAIN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_clip_heatmap.clip.model import ClipModel
    from napari_clip_heatmap.pipeline.encoding import Encoding
    from napari_clip_heatmap.pipeline.heatmaps import Heatmaps
    from napari_clip_heatmap.pipeline.honesty import Honesty
    from napari_clip_heatmap.pipeline.scores import Score
    from napari_clip_heatmap.pipeline.stored.cache import EncodingCache

__all__ = ["Done", "Request", "claim_folder", "write_heatmaps"]


@dataclass(frozen=True)
class Request:
    """What a run was asked for.

    Attributes
    ----------
    images : tuple of Path
        The image files, in order.
    prompts : tuple of str
        The user's words, each once.
    output : Path
        The folder for the results.
    model, device, precision : str
        As the user named them.
    score : str
        "relative", "absolute", "contrast" or "softmax".
    baseline : tuple of str
        The prompts that "contrast" takes off, or "softmax" lets compete.
    templates : tuple of str
        Sentences that names are put into.
    downsample : float or "auto"
        Image pixels per pixel that the model sees.
    image_size : int, optional
        Side of what the model looks at in one pass; by default as it was trained.
    preprocess : str or None
        What pixels are brought to, where the model's own files do not say.
    """

    images: tuple[Path, ...]
    prompts: tuple[str, ...]
    output: Path
    model: str = "demo"
    device: str = "auto"
    precision: str = "auto"
    score: Score = "relative"
    baseline: tuple[str, ...] = ()
    templates: tuple[str, ...] = PLAIN
    downsample: float | Literal["auto"] = "auto"
    image_size: int | None = None
    preprocess: str | None = None

    def settings(self) -> dict[str, Any]:
        """Tell the request in values that JSON has, with absolute paths."""
        paths = {"images": [str(path.resolve()) for path in self.images]}
        return asdict(self) | paths | {"output": str(self.output.resolve())}

    def names(self) -> dict[Path, list[str]]:
        """Name the results: for each image one ``stem_prompt`` per prompt, all different."""
        stems = unique_slugs([path.stem for path in self.images], fallback="image")
        prompts = unique_slugs(list(self.prompts), fallback="prompt")
        return {
            image: [f"{stem}_{prompt}" for prompt in prompts]
            for image, stem in zip(self.images, stems, strict=True)
        }


@dataclass(frozen=True)
class Done:
    """One image's results, written.

    Attributes
    ----------
    source : Path
        The image file.
    names : list of str
        Per prompt the files' common beginning, see `heatmap_path` and `overlay_path`.
    heatmaps : Heatmaps
        The values as computed.
    overlays : list of uint8 arrays (y, x, 3)
        Per prompt the heatmap over the image, RGB.
    worth : Honesty
        What the maps are worth.
    """

    source: Path
    names: list[str]
    heatmaps: Heatmaps
    overlays: list[NDArray[np.uint8]]
    worth: Honesty


def claim_folder(request: Request, *, overwrite: bool, extra: tuple[str, ...] = ()) -> None:
    """Make the output folder, unless results of something else would be lost in it.

    The same images and prompts may be run again into the same folder.

    Parameters
    ----------
    request : Request
        The run to come.
    overwrite : bool
        Replace whatever is there.
    extra : tuple of str
        Names of further files that will be written.

    Raises
    ------
    OutputError
        If the folder cannot be made, or holds files that this run would replace.
    """
    folder = request.output
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"the output folder '{folder}' cannot be made ({error.strerror}); "
            "choose another --output"
        ) from error
    if overwrite or _is_repeated(request):
        return
    names = [name for group in request.names().values() for name in group]
    planned = [RECORD_NAME, *extra, *(f for n in names for f in (_heatmap(n), _overlay(n)))]
    standing = [name for name in planned if (folder / name).exists()]
    if standing:
        raise OutputError(
            f"'{folder}' holds '{standing[0]}' of another run; "
            "choose another --output, or add --overwrite"
        )


def write_heatmaps(
    model: ClipModel,
    request: Request,
    progress: Callable[[int, int], None] | None = None,
    cache: EncodingCache | None = None,
) -> Iterator[Done]:
    """Encode each image, score the prompts, and write a TIFF and an overlay for each.

    Parameters
    ----------
    model : ClipModel
        The model that `request` names, loaded.
    request : Request
        What to do; its folder exists (see `claim_folder`).
    progress : callable(done_tiles, all_tiles), optional
        Called while an image is encoded.
    cache : EncodingCache, optional
        As `encode` takes it.

    Yields
    ------
    Done
        After each image. ``run.json`` then tells of it, so that a run that stops early leaves a
        true record of what it finished.

    Raises
    ------
    ImageError
        If an image cannot be read or has no shape that can be looked at; the message names it.
    PromptError
        If the prompts, the score and its baseline do not go together.
    OutputError
        If the disk refuses a file.
    """
    from napari_clip_heatmap.api import encode
    from napari_clip_heatmap.pipeline.honesty import judge
    from napari_clip_heatmap.pipeline.scores import plan_scoring
    from napari_clip_heatmap.pipeline.yardstick import make_yardstick

    # A mistake in the words is told before the first image costs its time.
    scoring = plan_scoring(
        model.text, request.prompts, request.score, request.baseline, request.templates
    )
    record = new_record(request.settings(), model.describe())
    for source, names in request.names().items():
        image = read_image(source)
        try:
            encoding = encode(
                model, image, downsample=request.downsample, progress=progress, cache=cache
            )
        except ImageError as error:
            raise ImageError(f"'{source}': {error}") from error
        maps = encoding.maps(scoring).eager(encoding)
        worth = judge(encoding, scoring, make_yardstick(encoding, scoring.templates))
        overlays = _overlays(image, maps)
        try:
            _write_images(request.output, names, maps, overlays)
            record["images"].append(_entry(source, image, encoding, names, maps, worth))
            write_record(request.output, record)
        except OSError as error:
            raise OutputError(
                f"results cannot be written to '{request.output}' ({error.strerror or error}); "
                "make room or choose another --output"
            ) from error
        yield Done(source, names, maps, overlays, worth)


def _is_repeated(request: Request) -> bool:
    """Tell whether the folder's record is of the same images and prompts."""
    previous = read_record(request.output)
    asked = request.settings()
    if previous is None or not isinstance(previous.get("settings"), dict):
        return False
    return all(previous["settings"].get(key) == list(asked[key]) for key in ("images", "prompts"))


def _heatmap(name: str) -> str:
    return f"{name}_heatmap.tif"


def _overlay(name: str) -> str:
    return f"{name}_overlay.png"


def _overlays(image: NDArray[Any], maps: Heatmaps) -> list[NDArray[np.uint8]]:
    """Blend each prompt's JET picture onto the image."""
    from napari_clip_heatmap.imaging.pixels import as_rgb

    rgb = as_rgb(image).rgb
    return [
        overlay(rgb, colours, np.isfinite(values))
        for values, colours in zip(maps.values, maps.jet(), strict=True)
    ]


def _write_images(
    folder: Path, names: list[str], maps: Heatmaps, overlays: list[NDArray[np.uint8]]
) -> None:
    """Write the values as float32 TIFF with named axes, and the pictures as PNG."""
    import tifffile

    for name, prompt, values, picture in zip(
        names, maps.prompts, maps.values, overlays, strict=True
    ):
        tifffile.imwrite(
            folder / _heatmap(name),
            values,
            photometric="minisblack",
            metadata={"axes": "YX", "prompt": prompt, "score": maps.score, "unit": maps.unit},
        )
        write_picture(folder / _overlay(name), picture)


def _entry(
    source: Path,
    image: NDArray[Any],
    encoding: Encoding,
    names: list[str],
    maps: Heatmaps,
    worth: Honesty,
) -> dict[str, Any]:
    """Record one image and its results."""
    seen = encoding.describe()
    del seen["model"]  # told once for all images
    return {
        "source": str(source.resolve()),
        "sha256": sha256_of(source),
        "shape": list(image.shape),
        "dtype": str(image.dtype),
        "encoding": seen,
        "baseline": list(maps.baseline),
        "notes": [*maps.notes, *worth.notes],
        "results": [
            {
                "prompt": prompt,
                "recipe": recipe,
                "heatmap": _heatmap(name),
                "overlay": _overlay(name),
                "similarity": float(similarity),
                "worth": asdict(check),
                "range": [float(np.nanmin(values)), float(np.nanmax(values))],
            }
            for name, prompt, recipe, similarity, values, check in zip(
                names,
                maps.prompts,
                maps.recipes,
                maps.similarity,
                maps.values,
                worth.checks,
                strict=True,
            )
        ],
    }
