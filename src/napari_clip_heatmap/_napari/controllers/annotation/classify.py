"""Names for the objects of a Labels layer: features, colors, a table, and a gate."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Labels

from napari_clip_heatmap._napari.annotation_state import ClassifiedLayer
from napari_clip_heatmap._napari.controllers.annotation.drafts import labels_of_passing
from napari_clip_heatmap._napari.controllers.annotation.placing import (
    FADED,
    class_colormap,
    label_features,
)
from napari_clip_heatmap._napari.controllers.annotation.threshold import known_pixel_size
from napari_clip_heatmap._napari.controllers.background import Job
from napari_clip_heatmap._napari.controllers.status import report_failure
from napari_clip_heatmap._napari.inputs.layer_planes import finest, leading_shape, shown_index
from napari_clip_heatmap._napari.job.naming import NamingRequest
from napari_clip_heatmap._napari.state import FAINTNESS
from napari_clip_heatmap.files.object_formats import write_objects

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Layer

    from napari_clip_heatmap._napari.controllers.annotation.object_layers import ObjectLayers
    from napari_clip_heatmap._napari.state import DockState
    from napari_clip_heatmap.pipeline.objects.object_scores import ObjectScores

__all__ = ["ObjectClassifier", "class_features"]

NOTHING_NAMED = "no objects are named yet: choose a Labels layer, and name its objects"


def class_features(scores: ObjectScores, gates: Mapping[str, float]) -> dict[str, Any]:
    """Return the columns that a Labels layer gets: one entry per object.

    ``score`` and ``score PROMPT`` are 0 at the mean of the prompt's map over the image, and 1 at
    its maximum; ``passes`` says whether the object's score for its own prompt is above the gate.
    """
    table = scores.table
    best = np.array([scores.prompts.index(name) for name in scores.best], np.intp)
    rows = np.arange(len(best))
    columns: dict[str, Any] = {
        "label": np.asarray(table["label"]),
        "prompt": np.asarray(table["prompt"]),
        "score": scores.standing[rows, best],
        "margin": scores.margin,
        "trust": np.asarray(table["trust"]),
        "passes": passing(scores, gates),
    }
    for number, prompt in enumerate(scores.prompts):
        columns[f"score {prompt}"] = scores.standing[:, number]
    rest = {name: table[name] for name in table.names if name not in columns}
    return {**columns, **rest}


def passing(scores: ObjectScores, gates: Mapping[str, float]) -> Any:
    """Return which objects reach the gate of every prompt that has one and is theirs."""
    passed = np.ones(len(scores), bool)
    for number, prompt in enumerate(scores.prompts):
        if prompt in gates:
            own = np.array([best == prompt for best in scores.best])
            passed &= ~own | (scores.standing[:, number] >= gates[prompt])
    return passed


class ObjectClassifier:
    """Gives the objects of a Labels layer names, and shows them.

    Parameters
    ----------
    state : DockState
    viewer : ViewerModel
    controls : mapping of str to control
    layers : ObjectLayers
    open_table : callable()
        Opens napari's own table of features.
    """

    def __init__(
        self,
        state: DockState,
        viewer: ViewerModel,
        controls: Mapping[str, Any],
        layers: ObjectLayers,
        open_table: Callable[[], None],
    ) -> None:
        self._state, self._viewer, self._layers = state, viewer, layers
        self._choice = controls["classified_layer"]
        self._table, self._gate = controls["class_table"].view, controls["gate_plot"].view
        self._naming = Job(self._on_named, self._on_error)
        self._writing = Job(self._on_written, self._on_error)
        self._watched: Labels | None = None
        controls["classify"].changed.connect(self.classify)
        self._table.selected.connect(self.select)
        self._table.centered.connect(self.center)
        self._table.table_requested.connect(open_table)
        self._table.gated_requested.connect(self.make_gated)
        self._table.export_requested.connect(self.export)
        self._gate.gated.connect(self.set_gate)
        self._in_use = False
        self._table.seen.connect(self.use)
        state.annotation.events.classified.connect(self._show)

    def close(self) -> None:
        """Let go of the viewer and stop what is at work."""
        self.use(False)
        self._state.annotation.events.classified.disconnect(self._show)
        self._watch(None)
        self._naming.close()
        self._writing.close()

    def use(self, in_use: bool) -> None:
        """Follow the viewer's layers while the section is on screen."""
        events = self._viewer.layers.events
        if in_use != self._in_use:
            self._in_use = in_use
            for emitter in (events.inserted, events.removed, events.renamed):
                if in_use:
                    emitter.connect(self._on_layers)
                else:
                    emitter.disconnect(self._on_layers)
        if in_use:
            self._on_layers()

    def classify(self, *_: Any) -> None:
        """Name the objects of the chosen layer."""
        layer = self._choice.value
        if not isinstance(layer, Labels):
            report_failure(
                self._state,
                "there is no Labels layer to name the objects of: open a segmentation, or make one "
                "with To Labels; one that was opened as an image becomes Labels by a right click "
                "on it in the layer list, Convert to Labels",
            )
            return
        request = self._request(layer)
        if request is None:
            return
        self._state.message = f"Naming the objects of '{layer.name}'"
        self._naming.submit(lambda: lambda _stopped: ClassifiedLayer(layer, request.score()))

    def select(self, label: int) -> None:
        """Select an object in the viewer; of a stack, go to its slice."""
        shown = self._state.annotation.classified
        if shown is None or shown.layer not in self._viewer.layers:
            return
        self._viewer.layers.selection.active = shown.layer
        shown.layer.selected_label = label
        self._go_to_slice(shown, label)

    def center(self, label: int) -> None:
        """Move the view to an object."""
        shown = self._state.annotation.classified
        if shown is None or shown.layer not in self._viewer.layers:
            return
        row = int(np.flatnonzero(shown.scores.label == label)[0])
        point = np.zeros(shown.layer.ndim)
        point[-2:] = [shown.scores.geometry[name][row] for name in ("centroid_y", "centroid_x")]
        world = shown.layer.data_to_world(point)
        camera = getattr(self._viewer, "scene", self._viewer).camera
        camera.center = (*camera.center[:-2], *world[-2:])

    def set_gate(self, prompt: str, gate: float) -> None:
        """Let objects of a prompt pass from a score on; the others become faint."""
        annotation = self._state.annotation
        annotation.gates = {**annotation.gates, prompt: gate}
        if annotation.classified is not None:
            self._paint(annotation.classified)

    def make_gated(self) -> None:
        """Make a Labels layer of the objects that pass."""
        shown = self._state.annotation.classified
        if shown is None or shown.layer not in self._viewer.layers:
            report_failure(self._state, NOTHING_NAMED)
            return
        keep = shown.scores.label[passing(shown.scores, self._state.annotation.gates)]
        draft = labels_of_passing(shown.layer, keep)

        def done(put: list[Layer]) -> None:
            self._state.message = (
                f"{len(keep)} objects in '{put[0].name}'" if put else "Nothing was changed"
            )

        self._layers.put(shown.layer, [draft], "passing objects", done)

    def export(self, path: str) -> None:
        """Write the named objects to a file."""
        shown = self._state.annotation.classified
        if shown is None:
            report_failure(self._state, NOTHING_NAMED)
            return
        source = "" if self._state.image is None else self._state.image.name

        def write(_stopped: Callable[[], bool]) -> str:
            write_objects(path, shown.scores, source=source, overwrite=True)
            return f"{len(shown.scores)} objects written to {path}"

        self._writing.submit(lambda: write)

    def _request(self, layer: Labels) -> NamingRequest | None:
        shown, image = self._state.result, self._state.image
        if shown is None or image is None:
            report_failure(self._state, "there is no encoding of this image yet: run first")
            return None
        size, unit = known_pixel_size(image)
        return NamingRequest(
            labels=finest(layer),
            encodings=shown.result.encodings,
            request=shown.request,
            leading=leading_shape(image),
            index=shown_index(image, self._viewer.dims.point),
            all_slices=self._state.controls["object_slices"] == "all",
            pixel_size=size,
            unit=unit,
        )

    def _on_named(self, found: ClassifiedLayer) -> None:
        if found.layer not in self._viewer.layers:
            report_failure(self._state, "the Labels layer was removed while its objects were named")
            return
        self._state.annotation.gates = {}
        self._state.annotation.classified = found
        counts = {name: found.scores.best.count(name) for name in found.scores.prompts}
        named = ", ".join(f"{n} {name}" for name, n in counts.items() if n)
        notes = " ".join(found.scores.notes)
        self._state.message = f"{len(found.scores)} objects named: {named}. {notes}".strip()

    def _show(self, *_: Any) -> None:
        shown = self._state.annotation.classified
        self._watch(None if shown is None else shown.layer)
        if shown is None:
            self._table.show_objects((), np.zeros(0, np.intp))
            self._gate.show_scores({}, {})
            return
        scores = shown.scores
        features = class_features(scores, self._state.annotation.gates)
        columns = [features[name] for name in ("label", "prompt", "score", "margin", "trust")]
        self._table.show_objects(columns, _classes(scores))
        by_prompt = {name: scores.standing[:, n] for n, name in enumerate(scores.prompts)}
        self._gate.show_scores(by_prompt, self._state.annotation.gates)
        self._paint(shown)

    def _paint(self, shown: ClassifiedLayer) -> None:
        """Give the layer its features, and the colors of the classes."""
        gates, scores = self._state.annotation.gates, shown.scores
        image = self._state.image
        roi = shown.layer.name if image is None else image.name
        shown.layer.features = label_features(class_features(scores, gates), roi)
        shown.layer.colormap = class_colormap(
            scores.label.tolist(), _classes(scores).tolist(), _opacities(scores, gates)
        )

    def _go_to_slice(self, shown: ClassifiedLayer, label: int) -> None:
        geometry = shown.scores.geometry
        leading = shown.layer.ndim - 2
        if leading != 1 or "plane_first" not in geometry:
            return
        row = int(np.flatnonzero(shown.scores.label == label)[0])
        first, stop = int(geometry["plane_first"][row]), int(geometry["plane_stop"][row])
        (here,) = shown_index(shown.layer, self._viewer.dims.point)
        if not first <= here < stop:
            axis = self._viewer.dims.ndim - shown.layer.ndim
            world = shown.layer.data_to_world((first, 0, 0))[0]
            self._viewer.dims.set_point(axis, world)

    def _watch(self, layer: Labels | None) -> None:
        """Follow the label that is selected in a layer, and clicks on its objects."""
        if self._watched is not None:
            self._watched.events.selected_label.disconnect(self._on_selected)
            if self._on_click in self._watched.mouse_drag_callbacks:
                self._watched.mouse_drag_callbacks.remove(self._on_click)
        self._watched = layer
        if layer is not None:
            layer.events.selected_label.connect(self._on_selected)
            layer.mouse_drag_callbacks.append(self._on_click)

    def _on_selected(self, _: Any = None) -> None:
        if self._watched is not None:
            self._table.select(int(self._watched.selected_label))

    def _on_click(self, layer: Any, event: Any) -> Any:
        """Select the object that was clicked, unless the mouse moves or a tool is in use."""
        yield
        if event.type != "mouse_release" or layer.mode != "pan_zoom":
            return
        value = layer.get_value(
            event.position, view_direction=event.view_direction,
            dims_displayed=event.dims_displayed, world=True,
        )  # fmt: skip
        label = value[1] if isinstance(value, tuple) else value
        if label:
            layer.selected_label = int(label)

    def _on_layers(self, *_: Any) -> None:
        self._choice.reset_choices()
        shown = self._state.annotation.classified
        if shown is not None and shown.layer not in self._viewer.layers:
            self._state.annotation.classified = None

    def _on_written(self, message: str) -> None:
        self._state.message = message

    def _on_error(self, error: Exception) -> None:
        report_failure(self._state, error)


def _opacities(scores: ObjectScores, gates: Mapping[str, float]) -> list[float]:
    """Return how strongly each object is drawn: faint below its gate, or where trust is low."""
    return [
        FADED if not passed else FAINTNESS.get(trust, 1.0)
        for passed, trust in zip(passing(scores, gates), scores.trust, strict=True)
    ]


def _classes(scores: ObjectScores) -> Any:
    return np.array([scores.prompts.index(name) for name in scores.best], np.intp)
