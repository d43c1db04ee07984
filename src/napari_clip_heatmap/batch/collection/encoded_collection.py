"""A folder of encodings as a set: what each is of, how it looks, how similar it is to words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from napari_clip_heatmap.batch.encoded_images import EncodedModel, find_encodings
from napari_clip_heatmap.batch.inputs.batch_image import ImageEntry
from napari_clip_heatmap.batch.job_folder import ENCODING_SUFFIX, JobFolder
from napari_clip_heatmap.errors import ImageError, OutputError

if TYPE_CHECKING:
    from napari_clip_heatmap.annotation.geometry import PixelSize
    from napari_clip_heatmap.imaging.channel import Channel
    from napari_clip_heatmap.pipeline.encoding import Encoding
    from napari_clip_heatmap.pipeline.scoring import Scoring

__all__ = [
    "CollectionItem",
    "EncodedCollection",
    "ItemImage",
    "image_of_item",
    "read_collection",
]


@dataclass(frozen=True, eq=False)
class CollectionItem:
    """One encoding.

    Parameters
    ----------
    path : Path
    name : str
        Of the image, with its plane if it has several.
    embedding : float32 (d_embed,)
        Of the image.
    thumbnail : Path, optional
        A small picture of the image, where its job kept one.
    record : dict, optional
        What the job knows of the image: its source, and how it was opened.

    Examples
    --------
    >>> collection.items[0].name  # doctest: +SKIP
    'cells'
    """

    path: Path
    name: str
    embedding: NDArray[np.float32]
    thumbnail: Path | None = None
    record: dict[str, Any] | None = None


@dataclass(eq=False)
class EncodedCollection:
    """Encodings of one model.

    Parameters
    ----------
    model : EncodedModel
    items : list of CollectionItem
    problems : list of str
        Why others in the folder are left out.

    Examples
    --------
    >>> for collection in read_collection(Path("encodings")):  # doctest: +SKIP
    ...     pass
    >>> order = np.argsort(-collection.similarity("a cell in mitosis"))  # doctest: +SKIP
    """

    model: EncodedModel
    items: list[CollectionItem] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def scoring(self, words: str) -> Scoring:
        """Return a prompt as a direction.

        Raises
        ------
        PromptError
            The words cannot be read.
        ModelLoadError
            The text tower of the model is not here.
        """
        from napari_clip_heatmap.pipeline.scoring import build_scoring

        text: Any = self.model.text
        return build_scoring(text, [words], "relative")

    def similarity(self, words: str) -> NDArray[np.float32]:
        """Return the cosine similarity of each image to words, as `search_encodings` does.

        Raises
        ------
        PromptError, ModelLoadError
            As `scoring` raises them.
        """
        directions = self.scoring(words).text
        found: NDArray[np.float32] = directions[0] @ np.stack(
            [item.embedding for item in self.items], axis=1
        )
        return found

    def open(self, item: CollectionItem) -> Encoding:
        """Open the encoding of an image.

        Raises
        ------
        ImageError
            It is no longer there, or damaged.
        """
        return self.model.open(item.path)


def read_collection(folder: Path) -> Iterator[EncodedCollection]:
    """Read the encodings in a folder and in those within it, one after another.

    Those that cannot be read, or were made by another model than the first, are left out and named
    in `problems`.

    Yields
    ------
    EncodedCollection
        The same one each time, after each encoding that was read.

    Raises
    ------
    ImageError
        There is no encoding, or none can be read.

    Examples
    --------
    >>> (*_, collection) = read_collection(Path("encodings"))  # doctest: +SKIP
    >>> len(collection.items)  # doctest: +SKIP
    500
    """
    from napari_clip_heatmap.api import open_encoding
    from napari_clip_heatmap.errors import EncodingFileError

    collection: EncodedCollection | None = None
    problems: list[str] = []
    known: dict[Path, dict[str, tuple[str, dict[str, Any]]]] = {}
    for path in find_encodings([str(folder)]):
        try:
            if collection is None:
                collection = EncodedCollection(EncodedModel(open_encoding(path)), [], problems)
            encoding = collection.model.open(path)
        except (ImageError, EncodingFileError) as error:
            problems.append(str(error))
            continue
        about = known.setdefault(path.parent, _records_by_file(path.parent))
        collection.items.append(_item(path, encoding, about.get(path.name)))
        yield collection
    if collection is None or not collection.items:
        raise ImageError(problems[0])


class ItemImage(NamedTuple):
    """The image that an encoding was made of: its pixels, and what one measures if it says so."""

    channels: Sequence[Channel]
    pixel_size: PixelSize | None


def image_of_item(item: CollectionItem) -> ItemImage:
    """Open the image that an encoding was made of.

    Raises
    ------
    ImageError
        It is not known which image, or it is no longer where it was.

    Examples
    --------
    >>> image_of_item(collection.items[0]).channels[0].shape  # doctest: +SKIP
    (512, 512)
    """
    from napari_clip_heatmap.batch.gather_job import settings_of_job
    from napari_clip_heatmap.batch.inputs.image_list import open_image
    from napari_clip_heatmap.batch.outputs.image_output import plane_suffix

    if item.record is None:
        raise ImageError(
            f"'{item.path.name}' lies in no folder of `clip-heatmap encode`, so its image is not "
            "known"
        )
    record = item.record
    if not Path(record["source"]).exists():
        raise ImageError(f"the image '{record['source']:.200}' is not on this machine")
    entry = ImageEntry(record["source"], record["part"], record["reader"])
    settings = settings_of_job(item.path.parent)
    opened = open_image(entry, settings.choice, settings.colors)
    for index in opened.planes:
        if item.name.endswith(plane_suffix(opened, index)):
            return ItemImage(opened.channels(index), opened.pixel_size)
    raise ImageError(
        f"the image '{record['source']:.200}' has other planes than when it was encoded"
    )


def _records_by_file(folder: Path) -> dict[str, tuple[str, dict[str, Any]]]:
    """Return name of encoding -> name of image and record, of the job in a folder."""
    try:
        records = JobFolder(folder).records()
    except OutputError:  # a damaged record: the encodings are there all the same
        return {}
    return {file: (name, each) for name, each in records.items() for file in each["files"]}


def _item(
    path: Path, encoding: Encoding, known: tuple[str, dict[str, Any]] | None
) -> CollectionItem:
    name = path.name.removesuffix(ENCODING_SUFFIX).removesuffix(".zarr.zip")
    embedding = np.asarray(encoding.embedding, np.float32)
    if known is None:
        return CollectionItem(path, name, embedding)
    thumbnail = JobFolder(path.parent).thumbnails(known[0])  # the first is the image
    return CollectionItem(
        path, name, embedding, thumbnail if thumbnail.exists() else None, known[1]
    )
