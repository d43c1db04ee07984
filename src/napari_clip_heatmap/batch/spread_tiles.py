"""Images that are too large for one process: their tiles in chunks, for any process to compute."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from napari_clip_heatmap.batch.image_outcome import ImageOutcome, WorkState, reason_of
from napari_clip_heatmap.batch.image_worker import ImageWorker
from napari_clip_heatmap.batch.inputs.source_content import content_of_source
from napari_clip_heatmap.errors import ImageError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_clip_heatmap.batch.inputs.batch_image import PlaneIndex
    from napari_clip_heatmap.batch.job_folder import JobImage

__all__ = ["TileChunk", "bytes_of", "chunks_left", "compute_chunk", "run_part"]

_CHUNK = 32
"""Tiles that one process computes in one go, at most; an image with no more left is not spread."""

_EACH = 4
"""Chunks for each process, at least: so none is long the last one at work."""

_FEWEST = 4
"""Tiles that are worth the way to a process and back."""

_SMALL = 64 * 2**20
"""Bytes of a file below which an image is left to one part, without a look into it."""


@dataclass(frozen=True)
class TileChunk:
    """Some tiles of one plane.

    Parameters
    ----------
    plane : tuple of int
        Index of the plane in its image.
    tiles : tuple of (row, column)
    number : int
        Its place among all chunks of the image, done or not.

    Examples
    --------
    >>> TileChunk((3,), ((0, 0), (0, 1))).tiles
    ((0, 0), (0, 1))
    """

    plane: PlaneIndex
    tiles: tuple[tuple[int, int], ...]
    number: int = 0


def chunks_left(worker: ImageWorker, image: JobImage, n_processes: int = 1) -> list[TileChunk]:
    """Return the tiles of an image that are not done, in chunks; none where it is small or done.

    Parameters
    ----------
    worker : ImageWorker
    image : JobImage
    n_processes : int
        Which share the chunks.

    Raises
    ------
    ImageError
        The image cannot be opened.

    Examples
    --------
    >>> len(chunks_left(worker, image, 8))  # doctest: +SKIP
    170
    """
    record = worker.job.record(image.name)
    source = Path(image.entry.source)
    known = (record or {}).get("content")
    if source.exists() and worker.is_done(record, content_of_source(source, known)):
        return []
    target = worker.open_target(image)
    chunks: list[TileChunk] = []
    numbers = count()
    for index in target.opened.planes:
        plane = worker.open_plane(target, index)
        done = worker.journal(target, index).index()
        size = min(_CHUNK, max(_FEWEST, len(plane.tiles) // (_EACH * n_processes)))
        # Of all tiles, so that each process comes to the same chunks at any time.
        for tiles, number in zip(plane.in_chunks(plane.tiles, size), numbers, strict=False):
            if left := tuple(tile for tile in tiles if tile not in done):
                chunks.append(TileChunk(index, left, number))
    return chunks if sum(len(chunk.tiles) for chunk in chunks) > _CHUNK else []


def compute_chunk(worker: ImageWorker, image: JobImage, chunk: TileChunk) -> int:
    """Compute the tiles of a chunk that are not done, and keep each; return their number.

    Raises
    ------
    ImageError
        A part of the image cannot be read.
    OutputError
        The disk is full or fails.
    Cancelled
        What is done is kept.

    Examples
    --------
    >>> compute_chunk(worker, image, chunks[0])  # doctest: +SKIP
    32
    """
    from napari_clip_heatmap.batch.whole_output import disk_errors

    plane, journal = worker.kept_plane(image, chunk.plane)
    done = journal.index()
    left = [tile for tile in chunk.tiles if tile not in done]
    for each in plane.compute(left, worker.cancelled):
        with disk_errors(worker.job.folder):
            journal.append(each)
    return len(left)


def bytes_of(image: JobImage) -> float:
    """Return the bytes of an image's file; infinite where it is a folder, or gone.

    Examples
    --------
    >>> bytes_of(image)  # doctest: +SKIP
    27800
    """
    source = Path(image.entry.source)
    return source.stat().st_size if source.is_file() else math.inf


def run_part(
    worker: ImageWorker, images: Sequence[JobImage], part: int, n_parts: int
) -> Iterator[ImageOutcome]:
    """Do one of several parts of a job, without a scheduler: whole small images, chunks of others.

    Parameters
    ----------
    worker : ImageWorker
    images : sequence of JobImage
        Of the whole job, in the same order in each part.
    part : int
        From 0.
    n_parts : int

    Yields
    ------
    ImageOutcome
        Of each image that this part had to do with. An image of which other parts have tiles left
        is finished by the part that comes last, or by `gather`.

    Examples
    --------
    >>> outcomes = list(run_part(worker, job.images, 0, 8))  # doctest: +SKIP
    """
    small = {image for image in images if bytes_of(image) < _SMALL}
    yield from worker.work_together(each for each in images[part::n_parts] if each in small)
    for place, image in enumerate(images):
        if image in small:
            continue
        mine = place % n_parts == part
        try:
            chunks = chunks_left(worker, image, n_parts)
            for chunk in chunks:
                if (place + chunk.number) % n_parts == part:
                    compute_chunk(worker, image, chunk)
            left = chunks_left(worker, image, n_parts) if chunks else []
        except (ImageError, SettingsError, MemoryError) as error:
            if mine:
                yield ImageOutcome(image, WorkState.FAILED, reason_of(image, error))
            continue
        if chunks and left:
            yield ImageOutcome(image, WorkState.TILES_LEFT)
        elif mine or chunks:
            yield worker.work(image)
