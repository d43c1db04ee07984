"""Prompts made by clicking: the places of each example, and the row that follows them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from napari.layers import Points
from qtpy.QtCore import QTimer

from napari_clip_heatmap._napari.controllers.background import Job
from napari_clip_heatmap._napari.controllers.examples.example_layer import (
    ClickedPlaces,
    clicked_places,
    make_points,
    mark_signs,
    row_of,
    set_sign,
)
from napari_clip_heatmap._napari.controllers.examples.example_search import ExampleSearch
from napari_clip_heatmap._napari.controllers.examples.example_sources import (
    ExampleQuestion,
    ExampleSource,
    marked_by_layer,
    require_image,
)
from napari_clip_heatmap._napari.controllers.layers import is_changing
from napari_clip_heatmap._napari.job.session import error_message
from napari_clip_heatmap._napari.state import PromptRow
from napari_clip_heatmap._napari.views.examples.example_controls import POSITIVE
from napari_clip_heatmap.errors import ClipHeatmapError

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from napari_clip_heatmap._napari.controllers.background import Work
    from napari_clip_heatmap._napari.state import DockState, LayerResult, PlanePosition
    from napari_clip_heatmap._napari.view_protocols import DockView
    from napari_clip_heatmap.prompting.example import Example

__all__ = ["ExampleSection"]

TOGETHER_SECONDS = 0.1
"""A click waits for its example at most this long: drawn together with it, the map comes a whole
repaint earlier."""

RUN_FIRST = "Press Run: an example is made of what the model sees of the image."


class ExampleSection:
    """Makes examples of places, and lets them follow each click.

    Parameters
    ----------
    state : DockState
    viewer : ViewerModel
    view : DockView
    """

    def __init__(self, state: DockState, viewer: ViewerModel, view: DockView) -> None:
        self._state, self._viewer, self._controls = state, viewer, view.controls
        self._rows = view.controls["prompts"].model
        self._sources: dict[str, ExampleSource] = {}
        self._made: dict[str, Example] = {}
        self._waiting: dict[str, None] = {}
        self._current = ""
        self._clicked: Points | None = None
        self._begun: ExampleQuestion | None = None
        self._answered: dict[str, ExampleQuestion] = {}
        self._job = Job(self._on_made, self._on_error, together_seconds=TOGETHER_SECONDS)
        self._search = ExampleSearch(self._say)
        self._controls["example_sign"].changed.connect(self._on_sign)
        for name in ("example_words", "example_weight"):
            self._controls[name].changed.connect(self._on_mix)
        viewer.layers.selection.events.active.connect(self._on_active)
        state.events.results.connect(self._on_results)
        state.events.prompts.connect(self._on_rows)
        state.events.current.connect(self._on_current)

    @property
    def sources(self) -> tuple[ExampleSource, ...]:
        """What each example is made from, in the order in which they were begun."""
        return tuple(self._sources.values())

    def close(self) -> None:
        """Let go of the viewer."""
        self._job.close()
        self._search.close()
        self._viewer.layers.selection.events.active.disconnect(self._on_active)
        self._state.events.results.disconnect(self._on_results)
        self._state.events.prompts.disconnect(self._on_rows)
        self._state.events.current.disconnect(self._on_current)
        for layer in self._viewer.layers:
            if row_of(layer):
                layer.events.data.disconnect(self._on_points)
                layer.events.features.disconnect(self._on_points)

    def begin(self) -> Points | None:
        """Add a layer for the clicks of a new example; None where there is no image."""
        try:
            image = require_image(self._state.image, self._viewer.layers.selection.active)
        except ClipHeatmapError as error:
            self._say(str(error))
            return None
        key, name = uuid4().hex, self._free_name()
        layer = make_points(image, key, name)
        self._sources[key] = ExampleSource(
            key, name, image, lambda: clicked_places(layer, image, self._viewer.dims.point)
        )
        self._viewer.add_layer(layer)
        layer.events.data.connect(self._on_points)
        layer.events.features.connect(self._on_points)
        self._controls["example_sign"].value = POSITIVE
        self._viewer.layers.selection.active = layer
        layer.mode = "add"
        self._show(key)
        self._say(
            f"Click on places of '{image.name}' that show what you look for."
            if self._result_of(self._sources[key])
            else RUN_FIRST
        )
        return layer

    def take_layer(self, label: int | None = None) -> None:
        """Make an example of what the selected layer marks, or of one of its labels."""
        layer = self._viewer.layers.selection.active
        try:
            image = require_image(self._state.image, layer)
            places = marked_by_layer(layer, image, self._viewer.dims.point, label)
        except ClipHeatmapError as error:
            self._say(str(error))
            return
        key, about = uuid4().hex, "" if label is None else f" {label}"
        name = self._free_name(f"{layer.name}{about}".replace("|", " ").replace(" - ", " "))
        self._sources[key] = ExampleSource(key, name, image, lambda: places)
        self._show(key)
        self._want(key)

    def find_in(self, folder: str) -> None:
        """Rank the encodings of a folder by the current example."""
        example = self._made.get(self._current) or self._example_of_row()
        if example is None:
            self._say("There is no example yet: make one, or choose its row in the table.")
            return
        self._search.start(example, folder)

    def add_place(self, position: PlanePosition, sign: str = POSITIVE, *, new: bool = True) -> None:
        """Add a place of the chosen image to a new example, or to the current one."""
        layer = None if new else self._layer_of(self._current)
        layer = layer or self.begin()
        if layer is None:
            return
        index, y, x = position
        set_sign(layer, sign)
        layer.add([(*index, y - 0.5, x - 0.5)])
        set_sign(layer, self._controls["example_sign"].value)
        layer.mode = "add"

    @property
    def current(self) -> str:
        """The name of the example that clicks are added to; empty if there is none."""
        source = self._sources.get(self._current)
        return "" if source is None or self._layer_of(self._current) is None else source.name

    # What the user does.

    def _on_points(self, event: Any) -> None:
        layer = event.source
        if str(getattr(event, "action", "")) in ("adding", "removing", "changing"):
            return  # before it happens
        self._clicked = layer
        if len(layer.features) == len(layer.data):
            if event.type == "features":
                mark_signs(layer)
            self._want(row_of(layer))

    def _on_sign(self, sign: str) -> None:
        layer = self._layer_of(self._current)
        if layer is not None:
            set_sign(layer, sign)

    def _on_mix(self, *_: Any) -> None:
        source = self._sources.get(self._current)
        if source is None:
            return
        words, weight = (self._controls[f"example_{name}"].value for name in ("words", "weight"))
        if (words, weight) != (source.words, source.weight):
            self._sources[source.key] = replace(source, words=words, weight=weight)
            self._want(source.key)

    def _on_active(self, event: Any) -> None:
        if key := row_of(event.value):
            self._show(key)
        elif is_changing():  # a map that was made or shown: clicks go on where they were
            QTimer.singleShot(0, self._return_to_clicks)

    def _on_current(self, key: str) -> None:
        if key in self._sources:
            self._show(key)
        if self._clicked is not None and row_of(self._clicked) != key:
            self._clicked = None  # the user went on to another row

    def _return_to_clicks(self) -> None:
        """Let the layer that is clicked on be the active one, above the maps."""
        layer, layers = self._clicked, self._viewer.layers
        if layer is None or layer not in layers:
            return
        here = layers.index(layer)
        if here != len(layers) - 1:
            layers.move(here, len(layers))
        layers.selection.active = layer

    def _on_rows(self) -> None:
        """Follow new names, and put back what an undone edit of the table took away."""
        for row in self._state.prompts:
            source, made = self._sources.get(row.key), self._made.get(row.key)
            if source is None:
                continue
            if row.prompt and row.prompt != source.name:
                self._sources[row.key] = replace(source, name=row.prompt)
            if made is not None and row.example is not made:
                self._rows.put_example(replace(row, example=made))
                return  # called again with the rows as they are then

    def _on_results(self) -> None:
        """Make the examples again that another model, or another look at the image, outdates."""
        for key, source in self._sources.items():
            result, made = self._result_of(source), self._made.get(key)
            if result is not None and (made is None or not _fits(made, result)):
                self._want(key)

    # From places to the row.

    def _want(self, key: str) -> None:
        if not self._waiting and self._begun is not None:
            source = self._sources.get(key)
            if source is not None and self._begun.same(self._question(source)):
                return  # napari says more than once that a place was added
        self._waiting[key] = None
        self._job.submit(self._prepare)

    def _prepare(self) -> Work | None:
        self._begun = None
        while self._waiting:
            key = next(iter(self._waiting))
            del self._waiting[key]
            source = self._sources.get(key)
            work = None if source is None else self._work(source)
            if work is not None:
                return work
        return None

    def _question(self, source: ExampleSource) -> ExampleQuestion | None:
        result = self._result_of(source)
        if result is None:
            return None
        encoding = result.result.encodings[result.index]
        return ExampleQuestion(
            source, source.places(), encoding, encoding.complete, result.request.templates
        )

    def _work(self, source: ExampleSource) -> Work | None:
        question = self._question(source)
        if question is None:
            self._say(RUN_FIRST)
            return None
        places = question.places
        if not places.positive.any() and not len(places.positive):
            self._forget(source.key)
            return None
        if source.key in self._made and question.same(self._answered.get(source.key)):
            return None
        self._begun = question
        return lambda _stopped: (question, question.answer())

    def _on_made(self, found: tuple[ExampleQuestion, Example]) -> None:
        question, example = found
        self._begun = None
        key = question.source.key
        self._answered[key] = question
        self._made[key] = example
        rows = {row.key: row for row in self._rows.rows}
        row = rows.get(key, PromptRow(self._sources[key].name, key=key))
        self._rows.put_example(replace(row, example=example))
        self._state.current = key
        self._say(_info(example, question.places))
        if self._waiting:
            self._job.submit(self._prepare)

    def _on_error(self, error: Exception) -> None:
        self._begun = None
        self._say(error_message(error))
        if self._waiting:
            self._job.submit(self._prepare)

    def _forget(self, key: str) -> None:
        """Take the row away: no place is left that shows the thing."""
        self._made.pop(key, None)
        numbers = [number for number, row in enumerate(self._rows.rows) if row.key == key]
        if numbers:
            self._rows.remove(numbers)
        self._say("No place is left that shows it: click on one.")

    # What is shown.

    def _show(self, key: str) -> None:
        """Let the controls be about an example."""
        self._current = key
        source = self._sources.get(key)
        if source is None:
            return
        for name, value in (("example_words", source.words), ("example_weight", source.weight)):
            if self._controls[name].value != value:
                with self._controls[name].changed.blocked():
                    self._controls[name].value = value
        if key in self._made:
            self._say(_info(self._made[key]))

    def _say(self, text: str) -> None:
        self._controls["example_info"].value = text

    def _free_name(self, wanted: str = "example") -> str:
        taken = {row.prompt for row in self._rows.rows}
        taken |= {source.name for source in self._sources.values()}
        if wanted != "example" and wanted not in taken:
            return wanted
        number = 1
        while f"{wanted} {number}" in taken:
            number += 1
        return f"{wanted} {number}"

    def _example_of_row(self) -> Example | None:
        """Return the example of the current row of the table, such as one of a set."""
        rows = (row.example for row in self._state.prompts if row.key == self._state.current)
        return next(rows, None)

    def _layer_of(self, key: str) -> Points | None:
        return next((each for each in self._viewer.layers if key and row_of(each) == key), None)

    def _result_of(self, source: ExampleSource) -> LayerResult | None:
        """Return the result of an example's image that shows the slice in view."""
        result = self._state.results.get(str(source.image.unique_id))
        if result is None or not result.result.encodings:
            return None
        return None if result.encoding is None else result


def _fits(example: Example, result: LayerResult) -> bool:
    encoding = next(iter(result.result.encodings.values()))
    return example.weights_sha256 == encoding.model.get("weights_sha256")


def _info(example: Example, places: ClickedPlaces | None = None) -> str:
    """Return a sentence or two on how well the places agree."""
    lines = [f"{example.name}: {example.positive} + {example.negative} places."]
    if example.leave_one_out is not None:
        lines.append(f"Each judged by the others: AUROC {example.leave_one_out:.2f}.")
    elif not example.negative:
        lines.append("Click \N{MINUS SIGN} where the map is high and should not be.")
    if places is not None and places.elsewhere:
        lines.append(f"{places.elsewhere} places on other slices do not count.")
    return " ".join(lines)
