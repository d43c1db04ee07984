"""The work on one image: open it, encode its planes, write its results, keep a record.

One process does image after image with it; so does each worker of a cluster.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_clip_heatmap.batch.image_record import begun_record, done_record, plane_results
from napari_clip_heatmap.batch.inputs.image_list import open_image
from napari_clip_heatmap.batch.inputs.inside import image_region
from napari_clip_heatmap.batch.inputs.source_content import content_of_source, is_same_content
from napari_clip_heatmap.batch.outputs import output_files, outputs_of
from napari_clip_heatmap.batch.outputs.image_output import OutputTarget
from napari_clip_heatmap.batch.outputs.plane_result import PlaneResult
from napari_clip_heatmap.batch.plane_tiles import PlaneTiles, open_plane
from napari_clip_heatmap.batch.tile_journal import TileJournal
from napari_clip_heatmap.batch.whole_output import disk_errors
from napari_clip_heatmap.errors import ClipHeatmapError, ImageError, SettingsError
from napari_clip_heatmap.files.reading.picture_choice import short_name
from napari_clip_heatmap.imaging.resolution import unit_symbol
from napari_clip_heatmap.pipeline.batches import read_now

if TYPE_CHECKING:
    from napari_clip_heatmap.batch.inputs.batch_image import BatchImage, PlaneIndex
    from napari_clip_heatmap.batch.job_folder import JobFolder, JobImage
    from napari_clip_heatmap.batch.run_settings import RunSettings
    from napari_clip_heatmap.clip.model import ClipModel
    from napari_clip_heatmap.pipeline.encoding import Encoding
    from napari_clip_heatmap.pipeline.storage.cache import EncodingCache

__all__ = ["ImageOutcome", "ImageWorker", "WorkState"]

_MICROMETERS = {"µm": 1.0, "nm": 1e-3, "mm": 1e3, "cm": 1e4}

_KEPT_IN_MEMORY = 8
"""Tiles up to which a plane is so quickly done that none is kept on disk before its results."""


class WorkState(Enum):
    """How the work on an image ended."""

    DONE = "done"
    DONE_BEFORE = "done before"
    BUSY = "another process works on it"
    FAILED = "failed"
    TILES_LEFT = "tiles are left to other workers"


@dataclass(frozen=True)
class ImageOutcome:
    """How the work on an image ended, and what there is to say of it.

    Parameters
    ----------
    image : JobImage
    state : WorkState
    reason : str
        One sentence that names the file, where it failed.
    record : dict, optional
        Of the job folder, where it is done.

    Examples
    --------
    >>> ImageOutcome(image, WorkState.FAILED, "'a.tif' does not exist").reason  # doctest: +SKIP
    "'a.tif' does not exist"
    """

    image: JobImage
    state: WorkState
    reason: str = ""
    record: dict[str, Any] | None = None


@dataclass(eq=False)
class ImageWorker:
    """Does images of a job, one after another, with one model.

    Parameters
    ----------
    model : ClipModel
    settings : RunSettings
    job : JobFolder
    cache : EncodingCache, optional
        Encodings on disk that other jobs and the viewer use too.
    overwrite : bool
        Whether results of other settings, and files of others, are replaced.
    cancelled : callable() -> bool
        Asked between tiles.
    progress : callable(done_tiles, all_tiles)

    Raises
    ------
    PromptError
        The prompts, the score and its baseline do not go together.

    Examples
    --------
    >>> worker = ImageWorker(model, settings, JobFolder(settings.output))  # doctest: +SKIP
    >>> worker.work(image).state  # doctest: +SKIP
    <WorkState.DONE: 'done'>
    """

    model: ClipModel
    settings: RunSettings
    job: JobFolder
    cache: EncodingCache | None = None
    overwrite: bool = False
    cancelled: Callable[[], bool] = lambda: False
    progress: Callable[[int, int], None] = lambda done, total: None

    def __post_init__(self) -> None:
        self._kept: tuple[tuple[JobImage, PlaneIndex], PlaneTiles, TileJournal] | None = None
        from napari_clip_heatmap.pipeline.scoring import build_scoring

        words = self.settings
        self.scoring = (
            build_scoring(self.model.text, words.rows, words.score, words.baseline, words.templates)
            if words.prompts
            else None
        )

    def work(self, image: JobImage) -> ImageOutcome:
        """Do an image, unless it is done, or another process is at work on it.

        Raises
        ------
        OutputError
            The disk is full or fails.
        Cancelled
            What is done is kept.
        """
        with self.job.lock(image.name) as mine:
            if not mine:
                return ImageOutcome(image, WorkState.BUSY)
            try:
                return self._work(image)
            except (ImageError, SettingsError, MemoryError) as error:
                reason = reason_of(image, error)
                before = self.job.record(image.name)
                failed = begun_record(
                    image, self.settings, before=before, state="failed", reason=reason
                )
                self.job.keep(image.name, failed)
                return ImageOutcome(image, WorkState.FAILED, reason)

    def _work(self, image: JobImage) -> ImageOutcome:
        record = self.job.record(image.name)
        content = self._content(image, record)
        if self.is_done(record, content):
            return ImageOutcome(image, WorkState.DONE_BEFORE, record=record)
        target = self.open_target(image, record)
        files = output_files(target, target.settings.write)
        if not self.overwrite:
            self.job.require_free(image, files)
        begun = begun_record(image, target.settings, content=content, files=files, before=record)
        self.job.keep(image.name, begun)
        results, about = self._write(target)
        done = done_record(begun, target, self.model, about, results)
        self.job.keep(image.name, done)
        for plane in target.opened.planes:
            self.journal(target, plane).remove()
        return ImageOutcome(image, WorkState.DONE, record=done)

    def is_done(self, record: dict[str, Any] | None, content: dict[str, Any]) -> bool:
        """Return whether nothing is left to do of an image."""
        return (
            self.job.is_done(record, self.settings)
            and record is not None
            and is_same_content(record["content"], content)
            and record["weights_sha256"] == self.model.weights_sha256
        )

    def open_target(self, image: JobImage, record: dict[str, Any] | None = None) -> OutputTarget:
        """Open an image, and say where its results go: those of an earlier run stay among them."""
        opened = open_image(image.entry, self.settings.choice)
        same = record is not None and record["settings"] == self.settings.identity()
        before = record["kinds"] if record is not None and same else ()
        kinds = tuple(dict.fromkeys([*before, *self.settings.write]))
        return OutputTarget(self.job.folder, image, opened, replace(self.settings, write=kinds))

    def journal(self, target: OutputTarget, index: PlaneIndex) -> TileJournal:
        """Return where the finished tiles of a plane are kept."""
        folder = self.job.tiles_folder(target.image.name, target.opened.number(index))
        return TileJournal(folder, target.opened.shape)

    def open_plane(self, target: OutputTarget, index: PlaneIndex) -> PlaneTiles:
        """Open a plane of an image, and plan its tiles."""
        channels = tuple(target.opened.channels(index))
        settings = self.settings
        region = image_region(settings.inside, channels, settings.view)
        downsample = self._downsample(target.opened)
        return open_plane(self.model, channels, settings.view, region, downsample, settings.quality)

    def planes(self, image: JobImage) -> list[PlaneIndex]:
        """Return the planes of an image."""
        return self.open_target(image).opened.planes

    def has_all_tiles(self, image: JobImage, index: PlaneIndex) -> bool:
        """Return whether all tiles of a plane are kept on disk."""
        plane, journal = self.kept_plane(image, index)
        return set(plane.tiles) <= set(journal.index())

    def kept_plane(self, image: JobImage, index: PlaneIndex) -> tuple[PlaneTiles, TileJournal]:
        """Return a plane and its journal; that of the last call is still open."""
        if self._kept is None or self._kept[0] != (image, index):
            target = self.open_target(image)
            plane = self.open_plane(target, index)
            self._kept = (image, index), plane, self.journal(target, index)
        return self._kept[1:]

    def encode(self, target: OutputTarget, plane: PlaneTiles, index: PlaneIndex) -> Encoding:
        """Return the encoding of a plane, computing only the tiles that are not done."""
        key = self._cache_key(plane)
        known = self.cache.get(key, self.model) if key and self.cache is not None else None
        if known is not None:
            found = replace(known, region=plane.region)
            if found.complete:
                self.progress(len(plane.tiles), len(plane.tiles))
                return found
        journal = self.journal(target, index)
        done = journal.index()
        left = [tile for tile in plane.tiles if tile not in done]
        if not done and len(left) <= _KEPT_IN_MEMORY:
            finished = sorted(self._computed(plane, left), key=lambda each: each.tile)
            encoding = plane.assemble(finished)
        else:
            for each in self._computed(plane, left):
                journal.append(each)
            done = journal.index()
            encoding = plane.assemble(journal.read({tile: done[tile] for tile in plane.tiles}))
        if key and self.cache is not None:
            self.cache.put(key, encoding)
        return encoding

    def _computed(self, plane: PlaneTiles, tiles: list[tuple[int, int]]) -> Any:
        total = len(plane.tiles)
        self.progress(total - len(tiles), total)
        for number, each in enumerate(plane.compute(tiles, self.cancelled), start=1):
            yield each
            self.progress(total - len(tiles) + number, total)

    def _write(self, target: OutputTarget) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        """Write all outputs, plane by plane; they appear together when the last is done."""
        outputs = outputs_of(target, target.settings.write)
        results: list[dict[str, Any]] = []
        about: dict[str, Any] = {}
        with contextlib.ExitStack() as ending, disk_errors(self.job.folder):
            for output in outputs:
                ending.callback(output.discard)
                ending.callback(output.close)
            for number, index in enumerate(target.opened.planes):
                result = self.result(target, index)
                for output in outputs:
                    output.add(result)
                results += plane_results(result)
                about = about or _about(result)
                if number == target.opened.n_planes // 2:
                    self._keep_thumbnails(target, result)
            for output in outputs:
                output.close()
            for output in outputs:
                output.commit()
        return results, about

    def result(self, target: OutputTarget, index: PlaneIndex) -> PlaneResult:
        """Return what is known of a plane, encoding what is not yet encoded."""
        plane = self.open_plane(target, index)
        encoding = self.encode(target, plane, index)
        return PlaneResult(target, index, tuple(plane.channels), encoding, self.scoring)

    def _keep_thumbnails(self, target: OutputTarget, result: PlaneResult) -> None:
        from napari_clip_heatmap.batch.thumbnails import keep_thumbnails

        keep_thumbnails(self.job, target.image.name, result)

    def _content(self, image: JobImage, record: dict[str, Any] | None) -> dict[str, Any]:
        source = Path(image.entry.source)
        if not source.exists():
            open_image(image.entry, self.settings.choice)  # says what is wrong
        return content_of_source(source, (record or {}).get("content"))

    def _cache_key(self, plane: PlaneTiles) -> str | None:
        if self.cache is None:
            return None
        from napari_clip_heatmap.pipeline.storage.cache import key_of, pixels_of

        pixels = read_now(pixels_of, plane.channels)
        if pixels is None:
            return None
        return key_of(pixels, self.model, plane.channels, plane.view, plane.lattice)

    def _downsample(self, opened: BatchImage) -> float | str:
        if self.settings.mpp is None:
            return self.settings.downsample
        size = opened.pixel_size
        if size is None or (unit := unit_symbol(size.unit)) not in _MICROMETERS:
            raise ImageError(
                "it does not say what its pixels measure, so --mpp cannot be met; give "
                "--downsample instead"
            )
        return self.settings.mpp / (size.y * _MICROMETERS[unit])


def reason_of(image: JobImage, error: ClipHeatmapError | MemoryError) -> str:
    """Return one line that names the file.

    Examples
    --------
    >>> reason_of(image, ImageError("it is empty"))  # doctest: +SKIP
    "'a.tif': it is empty"
    """
    name = short_name(image.entry.label)
    if isinstance(error, MemoryError):
        return f"{name} needs more memory than there is; crop it, or use a larger --downsample"
    text = " ".join(str(error).split())
    source = short_name(image.entry.source)
    return text if text.startswith((name, source)) else f"{name}: {text}"


def _about(result: PlaneResult) -> dict[str, Any]:
    """Return what is recorded of how the first plane was seen."""
    encoding = result.encoding
    seen = encoding.describe()
    del seen["model"]  # it is the same for all images
    about = {"encoding": seen, "baseline": [], "notes": [], "image_notes": list(encoding.notes)}
    if result.scoring is None:
        return about
    maps = result.maps
    notes = [*maps.notes, *result.assessment.notes]
    return {**about, "baseline": list(maps.baseline), "notes": notes}
