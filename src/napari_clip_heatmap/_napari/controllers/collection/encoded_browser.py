"""Look through encoded images: read a folder, sort by words, open one in the viewer."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_clip_heatmap._napari.controllers.background import Job
from napari_clip_heatmap._napari.controllers.collection.opened_image import OpenedImage, read_item
from napari_clip_heatmap._napari.job.session import error_message
from napari_clip_heatmap.batch.collection.encoded_collection import (
    CollectionItem,
    EncodedCollection,
    read_collection,
)

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Layer

    from napari_clip_heatmap._napari.views.collection.encoded_images_view import EncodedImagesView

__all__ = ["EncodedImagesController"]

TYPING_MS = 150
"""Milliseconds without another letter before images are sorted."""


class EncodedImagesController:
    """What the window of encoded images does.

    Parameters
    ----------
    viewer : ViewerModel
    view : EncodedImagesView
    """

    def __init__(self, viewer: ViewerModel, view: EncodedImagesView) -> None:
        self._viewer, self._view = viewer, view
        self.collection: EncodedCollection | None = None
        self._similarity: np.ndarray | None = None
        self._layers: list[Layer] = []
        self._reading = Job(self._on_read, self._on_error, on_step=self._on_item)
        self._sorting = Job(self._on_sorted, self._on_error, debounce_ms=TYPING_MS)
        self._opening = Job(self._on_opened, self._on_error)
        view.choose.clicked.connect(lambda: view.ask_for_folder(self.open_folder))
        view.words_changed.connect(lambda _: self._sorting.submit(self._sort))
        view.opened.connect(self.open_image)

    def open_folder(self, folder: Path) -> None:
        """Read the encodings in a folder; they appear one by one."""
        self.collection = self._similarity = None
        self._view.clear()
        self._view.folder.setText(str(folder))
        self._view.status.setText("Reading")
        self._reading.cancel()
        self._reading.submit(lambda: partial(_read, folder))

    def open_image(self, number: int) -> None:
        """Show an image of the set and its map in the viewer, in place of the last one."""
        if self.collection is None:
            return
        item, words = self.collection.items[number], self._words
        self._view.status.setText(f"Opening {item.name}")
        collection = self.collection
        self._opening.submit(lambda: lambda _stopped: read_item(collection, item, words))

    def close(self) -> None:
        """Stop all work."""
        for job in (self._reading, self._sorting, self._opening):
            job.close()

    @property
    def _words(self) -> str:
        words: str = self._view.words.text().strip()
        return words

    def _on_item(self, step: tuple[CollectionItem, int]) -> None:
        item, count = step
        self._view.add(item.name, item.thumbnail)
        self._view.status.setText(f"Reading: {count} images")

    def _on_read(self, collection: EncodedCollection | None) -> None:
        if collection is None:  # another folder was chosen
            return
        self.collection = collection
        left_out = len(collection.problems)
        problems = f"; {left_out} left out: {collection.problems[0]}" if left_out else ""
        self._view.status.setText(f"{len(collection.items)} images{problems}")
        self._sorting.submit(self._sort)

    def _sort(self) -> Callable[[Callable[[], bool]], Any] | None:
        collection, words = self.collection, self._words
        if collection is None or not words:
            if collection is not None:
                names = [item.name for item in collection.items]
                self._view.show_order(range(len(names)), names)
            return None
        return lambda _stopped: (words, collection.similarity(words))

    def _on_sorted(self, result: tuple[str, np.ndarray]) -> None:
        words, similarity = result
        if self.collection is None or len(similarity) != len(self.collection.items):
            return
        items = self.collection.items
        texts = [f"{item.name}\n{value:.3f}" for item, value in zip(items, similarity, strict=True)]
        order: Sequence[int] = np.argsort(-similarity, kind="stable").tolist()
        self._view.show_order(order, texts)
        best = items[order[0]].name
        self._view.status.setText(f"{len(items)} images by similarity to '{words}': {best} first")

    def _on_opened(self, opened: OpenedImage) -> None:
        for layer in self._layers:
            if layer in self._viewer.layers:
                self._viewer.layers.remove(layer)
        self._layers = [self._viewer.add_image(**each) for each in opened.layers]
        self._viewer.reset_view()
        self._view.status.setText(opened.message)

    def _on_error(self, error: Exception) -> None:
        self._view.status.setText(error_message(error))


def _read(
    folder: Path, stopped: Callable[[], bool]
) -> Generator[tuple[CollectionItem, int], None, EncodedCollection | None]:
    collection = None
    for collection in read_collection(folder):
        if stopped():
            return None
        yield collection.items[-1], len(collection.items)
    return collection
