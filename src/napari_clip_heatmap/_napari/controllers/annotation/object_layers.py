"""Layers of objects: made, updated where they are ours, never where the user has painted."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Labels, Points, Shapes

from napari_clip_heatmap._napari.annotation_state import ReplaceAnswer
from napari_clip_heatmap._napari.controllers.annotation.layer_content import (
    annotation_content,
    color_classes,
    fill,
    with_other_planes,
)

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image, Layer

    from napari_clip_heatmap._napari.annotation_state import AnnotationState
    from napari_clip_heatmap._napari.controllers.annotation.layer_content import LayerContent

__all__ = ["OBJECTS_KEY", "Ask", "LayerDraft", "ObjectLayers", "is_untouched"]

OBJECTS_KEY = "clip_heatmap_objects"
"""Where the ``metadata`` of a layer of objects say what it was made from."""


@dataclass(frozen=True, eq=False)
class LayerDraft:
    """A layer to be.

    Parameters
    ----------
    kind : type
        Labels, Points or Shapes.
    role : str
        What it is for; with `kind` and the image it identifies the layer.
    name : str
    data : object
        As the kind of layer takes it.
    options : dict
        Further arguments of the layer.
    record : dict
        Where it comes from, in values that JSON has.
    planes : tuple of tuple of int
        Of a stack: those that were looked at; what a layer has in others stays.
    fixed_name : bool
        Whether another plugin finds the layer by its name, so that no second one may be made.
    """

    kind: type[Labels] | type[Points] | type[Shapes]
    role: str
    name: str
    data: Any
    options: dict[str, Any]
    record: dict[str, Any]
    planes: tuple[tuple[int, ...], ...] = ()
    fixed_name: bool = False

    def layer(self) -> Layer:
        """Return a new layer."""
        return self.kind(self.data, name=self.name, **self.options)


def _digest(layer: Layer) -> int:
    """Return a number that differs once the data of a layer have been changed."""
    if isinstance(layer, Labels):
        return zlib.crc32(np.ascontiguousarray(layer.data).data)
    total = 0
    parts = layer.data if isinstance(layer, Shapes) else [layer.data]
    for part in parts:
        total = zlib.crc32(np.ascontiguousarray(part, np.float64).tobytes(), total)
    return total


def _note(layer: Layer) -> dict[str, Any]:
    note = layer.metadata.get(OBJECTS_KEY)
    # napari copies metadata into a duplicate, which is the user's.
    ours = isinstance(note, dict) and note.get("layer_id") == str(layer.unique_id)
    return note if ours and isinstance(note, dict) else {}


def is_untouched(layer: Layer) -> bool:
    """Tell whether a layer is ours, with the data that we gave it."""
    note = _note(layer)
    return bool(note) and note["digest"] == _digest(layer)


def _is_empty(layer: Layer) -> bool:
    """Tell whether a layer of points or shapes holds none, as another plugin makes it."""
    return not isinstance(layer, Labels) and len(layer.data) == 0


Ask = Callable[[str, bool, Callable[[ReplaceAnswer], None]], None]
"""Asks the user about a layer, by name, that was changed by hand; the flag says whether a new layer
can be made as well. The answer comes later."""


@dataclass(frozen=True, eq=False)
class _Step:
    """What became of a layer: `before` is what it held, None where it was added."""

    layer: Layer
    before: dict[str, Any] | None


class ObjectLayers:
    """Puts layers of objects into the viewer, and takes them back.

    Parameters
    ----------
    viewer : ViewerModel
    annotation : AnnotationState
    ask : Ask
    """

    def __init__(self, viewer: ViewerModel, annotation: AnnotationState, ask: Ask) -> None:
        self._viewer, self._annotation, self._ask = viewer, annotation, ask
        self._history: list[tuple[str, list[_Step]]] = []

    def find(self, image: Image, kind: type[Layer], role: str) -> Layer | None:
        """Return our layer of a role on an image, if there is one."""
        for layer in self._viewer.layers:
            note = _note(layer)
            if isinstance(layer, kind) and (note.get("role"), note.get("source_id")) == (
                role,
                str(image.unique_id),
            ):
                return layer
        return None

    def put(
        self,
        image: Image,
        drafts: Iterable[LayerDraft],
        what: str,
        done: Callable[[list[Layer]], None],
    ) -> None:
        """Show drafts; layers of ours that have the same role are updated.

        Parameters
        ----------
        image : Image
            What they lie on.
        drafts : iterable of LayerDraft
        what : str
            Names the step for undo.
        done : callable(list of Layer)
            Gets the layers that were made or updated, once the user has answered what is asked
            about those that were changed by hand; she may have declined some.
        """

        def finish(steps: list[_Step]) -> None:
            if steps:
                self._history.append((what, steps))
                self._announce()
            done([step.layer for step in steps])

        self._put_next(image, list(drafts), [], finish)

    def undo(self) -> None:
        """Take back the last step; layers that were changed by hand since are asked about."""
        while self._history:
            _, steps = self._history.pop()
            there = [step for step in steps if step.layer in self._viewer.layers]
            if there:
                self._take_back_last(there)
                break
        self._announce()

    def _announce(self) -> None:
        self._annotation.undoable = self._history[-1][0] if self._history else ""

    def _put_next(
        self,
        image: Image,
        drafts: list[LayerDraft],
        steps: list[_Step],
        finish: Callable[[list[_Step]], None],
    ) -> None:
        """Put the first of some drafts, and those after it once its question is answered."""
        if not drafts:
            finish(steps)
            return
        draft, *rest = drafts
        old = self._old(image, draft)

        def answered(answer: ReplaceAnswer) -> None:
            if image not in self._viewer.layers:
                finish(steps)
                return
            step = self._put(image, draft, old, answer)
            self._put_next(image, rest, steps if step is None else [*steps, step], finish)

        if old is None or is_untouched(old) or _is_empty(old):
            answered(ReplaceAnswer.REPLACE)
        else:
            self._ask(old.name, not draft.fixed_name, answered)

    def _old(self, image: Image, draft: LayerDraft) -> Layer | None:
        """Return the layer that a draft is to update, if there is one."""
        old = self.find(image, draft.kind, draft.role)
        if old is None and draft.fixed_name:
            same = [layer for layer in self._viewer.layers if layer.name == draft.name]
            old = next((layer for layer in same if isinstance(layer, draft.kind)), None)
        return old

    def _put(
        self, image: Image, draft: LayerDraft, old: Layer | None, answer: ReplaceAnswer
    ) -> _Step | None:
        if answer is ReplaceAnswer.CANCEL:
            return None
        if old is None or old not in self._viewer.layers:  # it may have gone since it was asked
            return self._add(image, draft)
        if answer is ReplaceAnswer.NEW:
            old.metadata.pop(OBJECTS_KEY, None)  # the user's from now on
            return self._add(image, draft)
        return self._update(image, old, draft)

    def _add(self, image: Image, draft: LayerDraft) -> _Step:
        layer = draft.layer()
        self._viewer.add_layer(layer)
        _mark(layer, image, draft)
        return _Step(layer, None)

    def _update(self, image: Image, layer: Layer, draft: LayerDraft) -> _Step:
        before = annotation_content(layer)
        new = draft.layer()
        fill(layer, _with_others(draft, annotation_content(new), layer))
        for name in ("scale", "translate", "rotate", "shear", "affine", "units"):
            setattr(layer, name, getattr(new, name))
        _mark(layer, image, draft)
        return _Step(layer, before)

    def _take_back_last(self, steps: list[_Step]) -> None:
        """Take back the last of some steps, and those before it once its question is answered."""
        if not steps:
            return
        *rest, step = steps

        def answered(answer: ReplaceAnswer) -> None:
            if answer is not ReplaceAnswer.CANCEL and step.layer in self._viewer.layers:
                self._take_back(step)
            self._take_back_last(rest)

        if is_untouched(step.layer):
            answered(ReplaceAnswer.REPLACE)
        else:
            self._ask(step.layer.name, False, answered)

    def _take_back(self, step: _Step) -> None:
        layer = step.layer
        if step.before is None:
            self._viewer.layers.remove(layer)
        else:
            fill(layer, step.before)
            note = layer.metadata.get(OBJECTS_KEY)
            if note:
                note["digest"] = _digest(layer)


def _with_others(draft: LayerDraft, new: LayerContent, old: Layer) -> LayerContent:
    """Return what a layer is to hold: the draft's, and its own of other planes."""
    content = with_other_planes(new, old, draft.planes)
    if draft.kind is Labels and "colormap" in draft.options and content is not new:
        return color_classes(content, draft.record["prompts"])
    return content


def _mark(layer: Layer, image: Image, draft: LayerDraft) -> None:
    layer.metadata[OBJECTS_KEY] = {
        **draft.record,
        "role": draft.role,
        "source": image.name,
        "source_id": str(image.unique_id),
        "layer_id": str(layer.unique_id),
        "digest": _digest(layer),
    }
