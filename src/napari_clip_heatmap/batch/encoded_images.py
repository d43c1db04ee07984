"""Encodings instead of images: further prompts, and a search, without images and image towers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_clip_heatmap.batch.image_worker import ImageWorker
from napari_clip_heatmap.batch.inputs.batch_image import BatchImage, ImageEntry
from napari_clip_heatmap.batch.job_folder import ENCODING_SUFFIX, JobFolder
from napari_clip_heatmap.batch.outputs.image_output import OutputTarget
from napari_clip_heatmap.batch.outputs.plane_result import PlaneResult
from napari_clip_heatmap.batch.run_job import ImageJob
from napari_clip_heatmap.errors import EncodingFileError, ImageError, ModelLoadError, shorten

if TYPE_CHECKING:
    from napari_clip_heatmap.batch.inputs.batch_image import PlaneIndex
    from napari_clip_heatmap.batch.job_folder import JobImage
    from napari_clip_heatmap.batch.run_settings import RunSettings
    from napari_clip_heatmap.pipeline.encoding import Encoding
    from napari_clip_heatmap.prompting.example import Example

__all__ = [
    "EncodedModel",
    "FoundImage",
    "PromptWorker",
    "find_encodings",
    "plan_prompts",
    "search_encodings",
]


class EncodedModel:
    """What an encoding tells of the model that made it, and its text tower, loaded when used.

    Parameters
    ----------
    first : Encoding
        Other encodings must be of the same weights.
    name : str, optional
        Where the model lies on this machine, if not under the name that is recorded.

    Examples
    --------
    >>> EncodedModel(nch.open_encoding("cells_encoding.zarr.zip")).name  # doctest: +SKIP
    'demo'
    """

    def __init__(self, first: Encoding, name: str | None = None) -> None:
        from napari_clip_heatmap.pipeline.storage.records import DeferredText

        self._described: dict[str, Any] = dict(first.model)
        self.name = str(self._described["name"])
        self.weights_sha256 = str(self._described["weights_sha256"])
        self.d_embed = first.token_map.shape[-1]
        self.text = DeferredText(name or self.name, self._described, self.d_embed)

    def describe(self) -> dict[str, Any]:
        """Return the description that is recorded."""
        return self._described

    def open(self, path: Path) -> Encoding:
        """Open an encoding of this model.

        Raises
        ------
        ImageError
            It cannot be read, or another model made it.
        """
        from napari_clip_heatmap.pipeline.storage.records import open_saved_encoding

        try:
            same: Any = self
            return open_saved_encoding(path, model=same)
        except (EncodingFileError, ModelLoadError) as error:
            raise ImageError(str(error)) from error


def find_encodings(inputs: Iterable[str]) -> list[Path]:
    """Return the encodings that were named, and those that lie in folders.

    Raises
    ------
    ImageError
        There is none.

    Examples
    --------
    >>> find_encodings(["results"])  # doctest: +SKIP
    [PosixPath('results/cells_encoding.zarr.zip')]
    """
    found: dict[Path, None] = {}
    for text in inputs:
        path = Path(text)
        inside = sorted(path.rglob(f"*{ENCODING_SUFFIX}")) if path.is_dir() else []
        is_encoding = path.is_file() or path.name.endswith((".zarr", ".zarr.zip"))
        for each in inside or ([path] if is_encoding else []):
            found.setdefault(each.absolute())
    if not found:
        first = next(iter(inputs), "")
        raise ImageError(
            f"'{shorten(first)}' holds no encoding (*{ENCODING_SUFFIX}); make some with "
            "`clip-heatmap encode`, or with run --write encodings"
        )
    return list(found)


def plan_prompts(settings: RunSettings, *, overwrite: bool = False) -> ImageJob:
    """Plan a job over encodings, as `plan_job` does over images.

    Raises
    ------
    ImageError
        There is no encoding.
    OutputError
        The folder cannot be made, or holds results of other settings.

    Examples
    --------
    >>> len(plan_prompts(settings).images)  # doctest: +SKIP
    500
    """
    entries = [ImageEntry(str(path), "", "encoding") for path in find_encodings(settings.inputs)]
    folder = JobFolder(settings.output)
    if not overwrite:
        folder.require_same_settings(settings)
    images = folder.name_images(entries)
    folder.make()
    return ImageJob(settings, folder, tuple(images))


class PromptWorker(ImageWorker):
    """Does encodings as `ImageWorker` does images: it opens them instead of encoding.

    Examples
    --------
    >>> PromptWorker(EncodedModel(first), settings, job.folder).work(image)  # doctest: +SKIP
    """

    def open_target(self, image: JobImage, record: dict[str, Any] | None = None) -> OutputTarget:
        """Open the encoding of an image."""
        encoding = self._open(image.entry.source)
        opened = BatchImage(
            axes=(),
            lengths=(),
            shape=encoding.image_shape,
            dtype="",
            stored_shape=encoding.image_shape,
            channels=lambda index: (),
        )
        return OutputTarget(self.job.folder, image, opened, self.settings)

    def result(self, target: OutputTarget, index: PlaneIndex) -> PlaneResult:
        """Return what the encoding says to the prompts."""
        encoding = self._open(target.image.entry.source)
        return PlaneResult(target, index, (), encoding, self.scoring, self.scale)

    def _opened(self, begun: Any) -> Any:
        """Return what was begun as it is: there are no tiles to be read."""
        return begun

    def _open(self, source: str) -> Encoding:
        model: Any = self.model
        encoding: Encoding = model.open(Path(source))
        return encoding


@dataclass(frozen=True)
class FoundImage:
    """How well an image suits words, and where in it most.

    Parameters
    ----------
    path : Path
        Of the encoding.
    similarity : float
        Mean over tiles of the cosine with the words.
    rank : float
        Fraction of neutral and nonsense prompts that are less similar to the image, 0 to 1.
    trust : str
        "good", "doubtful" or "none".
    y, x : float
        The place with the highest value of the map, in image pixels.
    value : float
        There, relative to other words.

    Examples
    --------
    >>> FoundImage(Path("a_encoding.zarr.zip"), 0.2, 0.9, "good", 10.5, 20.5, 0.01).similarity
    0.2
    """

    path: Path
    similarity: float
    rank: float
    trust: str
    y: float
    x: float
    value: float


def search_encodings(
    words: str | Example, paths: Iterable[Path], model: str | None = None
) -> Iterator[FoundImage]:
    """Yield how well each encoded image suits words, in the order of the paths.

    Parameters
    ----------
    words : str or Example
        A prompt, or an example of the model that encoded.
    paths : iterable of Path
    model : str, optional
        Where the model lies, if not under its recorded name.

    Raises
    ------
    ImageError
        An encoding cannot be read, or another model made it.
    PromptError
        The words cannot be read.

    Examples
    --------
    >>> found = search_encodings("mitosis", find_encodings(["results"]))  # doctest: +SKIP
    >>> sorted(found, key=lambda each: -each.similarity)[0].path  # doctest: +SKIP
    PosixPath('results/cells_encoding.zarr.zip')
    """
    from napari_clip_heatmap.api import open_encoding
    from napari_clip_heatmap.pipeline.null_reference import make_null_reference
    from napari_clip_heatmap.pipeline.scoring import build_scoring
    from napari_clip_heatmap.pipeline.verdicts import assess_scoring

    known: EncodedModel | None = None
    for path in paths:
        if known is None:
            known = EncodedModel(open_encoding(path), model)
            text: Any = known.text
            scoring = build_scoring(text, [words], "relative")
        encoding = known.open(path)
        maps = encoding.lazy_maps(scoring)
        (check,) = assess_scoring(
            encoding, scoring, make_null_reference(encoding, scoring.templates)
        ).checks
        values = np.where(np.isfinite(maps.lattice_values[0]), maps.lattice_values[0], -np.inf)
        row, column = np.unravel_index(int(values.argmax()), values.shape)
        lattice = encoding.lattice
        yield FoundImage(
            path,
            float(maps.similarity[0]),
            float(check.rank),
            str(check.trust),
            float(lattice.y.cell_centers(slice(row, row + 1))[0]),
            float(lattice.x.cell_centers(slice(column, column + 1))[0]),
            float(values[row, column]),
        )
