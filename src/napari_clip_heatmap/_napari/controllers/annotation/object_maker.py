"""What the buttons of the section Annotate do: layers and files of objects, made off the window."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from napari_clip_heatmap._napari.annotation_state import ObjectRule, SliceFigures
from napari_clip_heatmap._napari.controllers.annotation import drafts
from napari_clip_heatmap._napari.controllers.annotation.threshold import request_objects
from napari_clip_heatmap._napari.controllers.background import Job
from napari_clip_heatmap._napari.controllers.status import report_failure
from napari_clip_heatmap._napari.inputs.layer_planes import shown_index
from napari_clip_heatmap._napari.job.object_stack import (
    ObjectStack,
    in_one_stack,
    slice_figures,
    stack_objects,
    write_slice_figures,
)
from napari_clip_heatmap.errors import ClipHeatmapError
from napari_clip_heatmap.files.object_formats import write_objects

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image, Layer

    from napari_clip_heatmap._napari.controllers.annotation.object_layers import (
        LayerDraft,
        ObjectLayers,
    )
    from napari_clip_heatmap._napari.controllers.annotation.threshold import ThresholdController
    from napari_clip_heatmap._napari.job.object_work import ObjectRequest
    from napari_clip_heatmap._napari.state import DockState
    from napari_clip_heatmap._napari.views.annotation.make_buttons import MakeButtons
    from napari_clip_heatmap._napari.views.annotation.slice_plot import SlicePlot

__all__ = ["ObjectMaker"]

Made = tuple["Image", str, list["LayerDraft"], tuple[SliceFigures, ...]]


class ObjectMaker:
    """Makes layers of the objects that the settings give, and writes them to files.

    Parameters
    ----------
    state : DockState
    viewer : ViewerModel
    threshold : ThresholdController
        Knows which objects are wanted.
    layers : ObjectLayers
    buttons : MakeButtons
    plot : SlicePlot
    """

    def __init__(
        self,
        state: DockState,
        viewer: ViewerModel,
        threshold: ThresholdController,
        layers: ObjectLayers,
        buttons: MakeButtons,
        plot: SlicePlot,
    ) -> None:
        self._state, self._viewer = state, viewer
        self._threshold, self._layers = threshold, layers
        self._buttons, self._plot = buttons, plot
        self._making = Job(self._on_made, self._on_error)
        self._writing = Job(self._on_written, self._on_error)
        buttons.layer_requested.connect(self.make)
        buttons.export_requested.connect(self.export)
        buttons.undo_requested.connect(layers.undo)
        plot.save_requested.connect(self.save_figures)
        state.annotation.events.undoable.connect(buttons.show_undo)
        state.annotation.events.slices.connect(plot.show_figures)

    def make(self, what: str) -> None:
        """Make layers: "labels", "labels_all", "points", "point_prompts", or one of `SHAPES`."""
        request = self._request()
        if request is None:
            return
        self._state.message = "Making objects"
        self._making.submit(lambda: partial(self._make, request, what))

    def export(self, path: str) -> None:
        """Write the objects to a file, in the format that its name ends with."""
        request = self._request()
        if request is None:
            return
        image, axes = self._image(), self._axes()
        shape = request.result.stack.lattice.image_shape

        def write(stopped: Callable[[], bool]) -> str:
            stack = in_one_stack(request, request.find(stopped), axes).at_image_pixels(shape)
            write_objects(path, _for_file(stack), source=image.name, overwrite=True)
            return f"{len(stack.table)} objects written to {path}"

        self._state.message = "Writing objects"
        self._writing.submit(lambda: write)

    def save_figures(self, path: str) -> None:
        """Write count and area per slice as CSV."""
        try:
            write_slice_figures(path, self._state.annotation.slices)
        except ClipHeatmapError as error:
            report_failure(self._state, error)
        else:
            self._state.message = f"Count and area per slice written to {path}"

    def close(self) -> None:
        """Stop what is at work."""
        self._making.close()
        self._writing.close()
        self._state.annotation.events.undoable.disconnect(self._buttons.show_undo)
        self._state.annotation.events.slices.disconnect(self._plot.show_figures)

    def _request(self) -> ObjectRequest | None:
        """Return what is wanted; say why there is nothing."""
        shown, image = self._state.result, self._state.image
        if shown is None or image is None or image not in self._viewer.layers:
            report_failure(self._state, "there are no heatmaps of this image yet: run first")
            return None
        settings = self._threshold.settings
        here = shown_index(image, self._viewer.dims.point)
        planes = tuple(sorted(shown.result.planes)) if settings.all_slices else (here,)
        return request_objects(shown, settings, self._threshold.keys, planes)

    def _image(self) -> Image:
        image = self._state.image
        if image is None:
            raise RuntimeError("there is no image")
        return image

    def _axes(self) -> tuple[str, ...]:
        image = self._image()
        return tuple(image.axis_labels[: image.ndim - 2])

    def _make(self, request: ObjectRequest, what: str, stopped: Callable[[], bool]) -> Made:
        """Return the layers to be; in the thread that works."""
        image, axes = self._image(), self._axes()
        prompts = request.result.scoring.prompts
        if what == "points":
            return image, "points", [drafts.points_draft(image, request, axes)], ()
        if what == "point_prompts":
            return image, "seeds", [drafts.seed_points_draft(image, request)], ()
        found = request.find(stopped)
        figures = tuple(slice_figures(request, found, axes))
        one = what in ("labels_all", "box_prompts") or request.settings.rule is ObjectRule.WINNER
        stacks = (
            [in_one_stack(request, found, axes)]
            if one
            else [stack_objects(request, found, key, axes) for key in request.keys]
        )
        if what in drafts.SHAPES:
            made = [drafts.shapes_draft(image, each, what, prompts) for each in stacks]
        else:
            made = [drafts.labels_draft(image, each, prompts) for each in stacks]
        return image, what.replace("_", " "), made, figures

    def _on_made(self, made: Made) -> None:
        image, what, layers, figures = made
        if image not in self._viewer.layers:
            report_failure(self._state, "the image was removed while objects were made")
            return

        def done(put: list[Layer]) -> None:
            self._state.annotation.slices = figures
            self._state.message = _summary(put, layers)

        self._layers.put(image, layers, what, done)

    def _on_written(self, message: str) -> None:
        self._state.message = message

    def _on_error(self, error: Exception) -> None:
        report_failure(self._state, error)


def _for_file(stack: ObjectStack) -> ObjectStack:
    """Return objects of one plane of a stack as objects of a plane, which every format holds."""
    if len(stack.planes) != 1:
        return stack
    return ObjectStack(**{**vars(stack), "labels": stack.labels[stack.planes[0]]})


def _summary(put: list[Any], wanted: list[LayerDraft]) -> str:
    if not put:
        return "Nothing was changed"
    parts = []
    for layer in put:
        count = len(layer.features) if not hasattr(layer, "selected_label") else _n_objects(layer)
        parts.append(f"{count} in '{layer.name}'")
    kept = len(wanted) - len(put)
    return ", ".join(parts) + (f"; {kept} left as they were" if kept else "")


def _n_objects(layer: Any) -> int:
    features = layer.features
    return int(features["prompt"].notna().sum()) if "prompt" in features else len(features)
