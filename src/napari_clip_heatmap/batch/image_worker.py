"""The work on images: open them, encode their planes, write their results, keep a record of each.

One process does image after image with it; so does each worker of a cluster. Small images share
batches of the model.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from napari_clip_heatmap.batch.image_outcome import ImageOutcome, WorkState, reason_of
from napari_clip_heatmap.batch.image_record import (
    begun_record,
    done_record,
    figure_steps,
    how_seen,
    plane_results,
)
from napari_clip_heatmap.batch.inputs.image_list import open_image
from napari_clip_heatmap.batch.inputs.inside import image_region
from napari_clip_heatmap.batch.inputs.source_content import content_of_source, is_same_content
from napari_clip_heatmap.batch.outputs import output_files, outputs_of
from napari_clip_heatmap.batch.outputs.image_output import OutputTarget, write_plane
from napari_clip_heatmap.batch.outputs.plane_result import PlaneResult
from napari_clip_heatmap.batch.tiles.plane_tiles import PlaneTiles, ReadTiles, open_plane
from napari_clip_heatmap.batch.tiles.shared_batches import compute_together, shared_batch_size
from napari_clip_heatmap.batch.tiles.tile_journal import TileJournal
from napari_clip_heatmap.batch.whole_output import disk_errors
from napari_clip_heatmap.errors import ImageError, SettingsError
from napari_clip_heatmap.imaging.resolution import unit_symbol
from napari_clip_heatmap.pipeline.batches import at_once

if TYPE_CHECKING:
    from napari_clip_heatmap.batch.inputs.batch_image import BatchImage, PlaneIndex
    from napari_clip_heatmap.batch.job_folder import JobFolder, JobImage
    from napari_clip_heatmap.batch.run_settings import RunSettings
    from napari_clip_heatmap.clip.model import ClipModel
    from napari_clip_heatmap.pipeline.encoding import Encoding
    from napari_clip_heatmap.pipeline.null_reference import NonsenseScale
    from napari_clip_heatmap.pipeline.storage.cache import EncodingCache

__all__ = ["ImageWorker"]

_MICROMETERS = {"µm": 1.0, "nm": 1e-3, "mm": 1e3, "cm": 1e4}

_FEW = 8
"""Tiles up to which a plane is so quickly done that none is kept on disk before its results."""


Result = TypeVar("Result")


@dataclass(eq=False)
class _BegunImage:
    """An image whose results are about to be written."""

    target: OutputTarget
    record: dict[str, Any]
    plane: PlaneTiles | None = None  # where it has only one
    tiles: ReadTiles | None = None  # where they are few
    encoding: Encoding | None = None
    is_recorded: bool = False


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
        (outcome,) = self.work_together([image])
        return outcome

    def work_together(self, images: Iterable[JobImage]) -> Iterator[ImageOutcome]:
        """Do images, those of few tiles in shared batches; yield each, nearly in order.

        Raises
        ------
        OutputError, Cancelled
            As `work` does.
        """
        waiting: list[_BegunImage] = []
        with contextlib.ExitStack() as locks:
            for image in images:
                with contextlib.ExitStack() as lock:
                    mine = lock.enter_context(self.job.lock(image.name))
                    begun: _BegunImage | ImageOutcome = ImageOutcome(image, WorkState.BUSY)
                    if mine:
                        begun = self._tried(image, partial(self._begin, image))
                    if isinstance(begun, ImageOutcome):
                        yield begun
                        continue
                    locks.push(lock.pop_all())
                waiting.append(begun)
                tiles = [each.tiles for each in waiting if each.tiles is not None]
                if begun.tiles is None or sum(map(len, tiles)) >= self._batch_size:
                    yield from self._finish_together(waiting)
                    waiting.clear()
                    locks.close()
            yield from self._finish_together(waiting)

    @cached_property
    def scale(self) -> NonsenseScale | None:
        """Distances from nonsense, which verdicts on all images are measured in."""
        from napari_clip_heatmap.pipeline.null_reference import NonsenseScale
        from napari_clip_heatmap.pipeline.scoring import TextDirections

        if self.scoring is None:
            return None
        return NonsenseScale.of(TextDirections(self.model.text, self.scoring.templates))

    @cached_property
    def _batch_size(self) -> int:
        return shared_batch_size(self.model) * at_once(self.model)

    def _tried(self, image: JobImage, step: Callable[[], Result]) -> Result | ImageOutcome:
        """Do a step; what is wrong with the image is recorded, and returned."""
        try:
            return step()
        except (ImageError, SettingsError, MemoryError) as error:
            reason = reason_of(image, error)
            before = self.job.record(image.name)
            failed = begun_record(
                image, self.settings, before=before, state="failed", reason=reason
            )
            self.job.keep(image.name, failed)
            return ImageOutcome(image, WorkState.FAILED, reason)

    def _begin(self, image: JobImage) -> _BegunImage | ImageOutcome:
        record = self.job.record(image.name)
        content = self._content(image, record)
        if self.is_done(record, content):
            return ImageOutcome(image, WorkState.DONE_BEFORE, record=record)
        target = self.open_target(image, record)
        files = output_files(target, target.settings.write)
        if not self.overwrite:
            self.job.require_free(files, record)
        begun = begun_record(image, target.settings, content=content, files=files, before=record)
        opened = self._opened(_BegunImage(target, begun))
        if record is not None or (opened.tiles is None and opened.encoding is None):
            # What was there before counts no more, from now on; a large image takes long.
            self.job.keep(image.name, begun)
            opened.is_recorded = True
        return opened

    def _opened(self, begun: _BegunImage) -> _BegunImage:
        """Open the plane of an image that has only one, and read its tiles if they are few."""
        target = begun.target
        if target.opened.n_planes > 1:
            return begun
        (index,) = target.opened.planes
        begun.plane = self.open_plane(target, index)
        few = len(begun.plane.tiles) <= _FEW and not self.journal(target, index).index()
        if few:
            begun.encoding = self._known(begun.plane)
        if few and begun.encoding is None:
            begun.tiles = begun.plane.read()
        return begun

    def _finish_together(self, images: Sequence[_BegunImage]) -> Iterator[ImageOutcome]:
        """Encode the tiles that were read, and write the results of each image."""
        shared = [(each, each.tiles) for each in images if each.tiles is not None]
        done = compute_together(self.model, [tiles for _, tiles in shared], self.cancelled)
        for (each, tiles), finished in zip(shared, done, strict=True):
            each.encoding = self._remember(tiles.plane, tiles.plane.assemble(finished))
            each.tiles = None
        new = {each.target.image.name: each.record for each in images if not each.is_recorded}
        with self.job.begin_together(new):
            for begun in images:
                yield self._tried(begun.target.image, partial(self._finish, begun))

    def _finish(self, begun: _BegunImage) -> ImageOutcome:
        target = begun.target
        results, about = self._write(begun)
        record = done_record(begun.record, target, self.model, about, results)
        done = self.job.keep(target.image.name, record)
        for plane in target.opened.planes:
            self.journal(target, plane).remove()
        return ImageOutcome(target.image, WorkState.DONE, record=done)

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
        opened = self._open_source(image)
        same = record is not None and record["settings"] == self.settings.identity()
        before = record["kinds"] if record is not None and same else ()
        kinds = tuple(dict.fromkeys([*before, *self.settings.write]))
        settings = self.settings
        if kinds != settings.write:
            settings = replace(settings, write=kinds)
        return OutputTarget(self.job.folder, image, opened, settings)

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
        known = self._known(plane)
        if known is not None:
            return known
        journal = self.journal(target, index)
        done = journal.index()
        left = [tile for tile in plane.tiles if tile not in done]
        if not done and len(left) <= _FEW:
            finished = sorted(self._computed(plane, left), key=lambda each: each.tile)
            return self._remember(plane, plane.assemble(finished))
        for each in self._computed(plane, left):
            journal.append(each)
        done = journal.index()
        tiles = journal.read({tile: done[tile] for tile in plane.tiles})
        return self._remember(plane, plane.assemble(tiles))

    def _known(self, plane: PlaneTiles) -> Encoding | None:
        """Return the encoding of a plane if the cache has it, and all of it."""
        known = None
        if self.cache is not None and plane.cache_key is not None:
            known = self.cache.get(plane.cache_key, self.model)
        found = None if known is None else replace(known, region=plane.region)
        if found is None or not found.complete:
            return None
        self.progress(len(plane.tiles), len(plane.tiles))
        return found

    def _remember(self, plane: PlaneTiles, encoding: Encoding) -> Encoding:
        """Put an encoding into the cache, and return it."""
        if self.cache is not None and plane.cache_key is not None:
            self.cache.put(plane.cache_key, encoding)
        return encoding

    def _computed(self, plane: PlaneTiles, tiles: list[tuple[int, int]]) -> Any:
        total = len(plane.tiles)
        self.progress(total - len(tiles), total)
        for number, each in enumerate(plane.compute(tiles, self.cancelled), start=1):
            yield each
            self.progress(total - len(tiles) + number, total)

    def _write(self, begun: _BegunImage) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        """Write all outputs, plane by plane; they appear together when the last is done."""
        target = begun.target
        outputs = outputs_of(target, target.settings.write)
        results: list[dict[str, Any]] = []
        about: dict[str, Any] = {}
        with contextlib.ExitStack() as ending, disk_errors(self.job.folder):
            for output in outputs:
                ending.callback(output.discard)
                ending.callback(output.close)
            for number, index in enumerate(target.opened.planes):
                result = self._result(begun, index)
                write_plane(outputs, result, figure_steps(result))
                results += plane_results(result)
                about = about or how_seen(result)
                if number == target.opened.n_planes // 2:
                    self._keep_thumbnails(target, result)
            for output in outputs:
                output.close()
            for output in outputs:
                output.commit()
        return results, about

    def result(self, target: OutputTarget, index: PlaneIndex) -> PlaneResult:
        """Return what is known of a plane, encoding what is not yet encoded."""
        return self._encoded(target, index, self.open_plane(target, index))

    def _result(self, begun: _BegunImage, index: PlaneIndex) -> PlaneResult:
        if begun.plane is None:
            return self.result(begun.target, index)
        return self._encoded(begun.target, index, begun.plane, begun.encoding)

    def _encoded(
        self,
        target: OutputTarget,
        index: PlaneIndex,
        plane: PlaneTiles,
        encoding: Encoding | None = None,
    ) -> PlaneResult:
        encoding = encoding or self.encode(target, plane, index)
        channels = tuple(plane.channels)
        return PlaneResult(target, index, channels, encoding, self.scoring, self.scale)

    def _keep_thumbnails(self, target: OutputTarget, result: PlaneResult) -> None:
        from napari_clip_heatmap.batch.thumbnails import keep_thumbnails

        keep_thumbnails(self.job, target.image.name, result)

    def _content(self, image: JobImage, record: dict[str, Any] | None) -> dict[str, Any]:
        source = Path(image.entry.source)
        if not source.exists():
            self._open_source(image)  # says what is wrong
        return content_of_source(source, (record or {}).get("content"))

    def _open_source(self, image: JobImage) -> BatchImage:
        return open_image(image.entry, self.settings.choice, self.settings.colors)

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
