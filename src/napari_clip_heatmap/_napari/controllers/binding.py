"""The controls and the dock's state, kept in agreement both ways."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from napari_clip_heatmap._napari.colormaps import LayerStyle
from napari_clip_heatmap._napari.controllers.read_controls import WITH_BASELINE, read_templates
from napari_clip_heatmap._napari.inputs.layer_planes import axis_choices
from napari_clip_heatmap._napari.state import RunStatus
from napari_clip_heatmap._napari.views.controls import CONTROLS
from napari_clip_heatmap._napari.views.form_controls import REMOVE, RESTORE, RUN, RUN_SLICE

if TYPE_CHECKING:
    from napari.layers import Image

    from napari_clip_heatmap._napari.state import DockState
    from napari_clip_heatmap._napari.view_protocols import DockView
    from napari_clip_heatmap.prompting.prompt_set import PromptSet

__all__ = ["VALUE_CONTROLS", "ControlBinding"]

STYLE_CONTROLS = ("colormap", "scale", "transparent_low", "opacity")

ADDITIVE = "additive"

GIVES_WAY = {"scale": "contrast_limits", "opacity": "opacity"}
"""What set by hand on layers gives way to a control of the dock, when that is changed."""

ONE_OF = {"compare": "best", "best": "compare"}
"""Views that cannot be shown together: ticking one unticks the other."""

VALUE_CONTROLS = tuple(spec.name for spec in CONTROLS if spec.has_value)
"""Controls whose value is in `DockState.controls`; image, channels and prompts have fields."""


class ControlBinding:
    """Writes what the user sets into the state, and shows what the state says.

    Parameters
    ----------
    state : DockState
    view : DockView
    """

    def __init__(self, state: DockState, view: DockView) -> None:
        self._state, self._view = state, view
        self._controls = view.controls
        self._read_all()
        self._connect_view()
        events = state.events
        events.image.connect(self._on_image)
        events.controls.connect(self._on_controls)
        for emitter in (events.style, events.by_hand):
            emitter.connect(self._on_style)
        events.status.connect(self._on_status)
        events.missing_slice.connect(self._on_missing_slice)
        events.step.connect(self._on_step)
        events.taken_away.connect(self._on_taken_away)
        events.recent.connect(partial(setattr, self._controls["prompts"], "recent"))
        events.message.connect(partial(self._show_text, "status"))
        events.notes.connect(lambda notes: self._show_text("notes", "\n".join(notes)))
        events.devices.connect(lambda _devices: self._controls["device"].reset_choices())
        self._on_image()
        self._on_controls()
        self._on_status()

    def _read_all(self) -> None:
        controls, state = self._controls, self._state
        state.controls = {name: controls[name].value for name in VALUE_CONTROLS}
        state.image = controls["image"].value
        self._read_channels()
        self._read_prompts()
        self._read_style()

    def _connect_view(self) -> None:
        controls = self._controls
        for name in VALUE_CONTROLS:
            controls[name].changed.connect(partial(self._read, name))
        controls["image"].changed.connect(self._read_image)
        controls["channels"].changed.connect(self._read_channels)
        controls["channels"].offered.connect(
            lambda any_: self._view.show_row("channels", shown=any_)
        )
        prompts = controls["prompts"]
        prompts.changed.connect(self._read_prompts)
        prompts.model.colored.connect(self._on_colored)
        prompts.loaded.connect(self._on_set_loaded)

    def _read(self, name: str, *_: Any) -> None:
        value = self._controls[name].value
        if name in ONE_OF and value:
            self._controls[ONE_OF[name]].value = False
        changed = self._state.controls[name] != value  # read again with all choices, it may not be
        self._state.set_control(name, value)
        if changed and name in GIVES_WAY:
            self._state.forget_by_hand(GIVES_WAY[name])
        if name in STYLE_CONTROLS:
            self._read_style()

    def _on_colored(self, key: str) -> None:
        self._state.forget_by_hand("colormap", key)
        self._read_style()

    def _read_image(self, *_: Any) -> None:
        self._state.image = self._controls["image"].value

    def _read_channels(self, *_: Any) -> None:
        """Read the ticked channels, and remember which siblings the user unticked."""
        state, channels = self._state, self._controls["channels"]
        chosen = tuple(channels.value or ())
        ticked = {str(layer.unique_id) for layer in chosen}
        before = {str(layer.unique_id) for layer in state.channels if layer in channels.choices}
        state.channel_declined = (state.channel_declined - ticked) | (before - ticked)
        state.channels = chosen

    def _offer_channels(self) -> None:
        """Tick the visible additive channels of the image."""
        channels, state = self._controls["channels"], self._state
        with channels.changed.blocked():
            channels.reset_choices()
            channels.value = [
                layer
                for layer in channels.choices
                if str(layer.unique_id) not in state.channel_declined
                and (layer in state.channels or self._belongs(layer))
            ]
        state.channels = tuple(channels.value or ())

    def _belongs(self, layer: Image) -> bool:
        """Tell whether the viewer adds a layer to the image; the lowest of them is not additive."""
        image, lowest = self._state.image, self._controls["channels"].choices[0]
        adds = layer.blending == ADDITIVE
        under = layer is lowest and image is not None and image.blending == ADDITIVE
        return bool(layer.visible and (adds or under))

    def _read_prompts(self, *_: Any) -> None:
        self._state.prompts = self._controls["prompts"].rows
        self._read_style()

    def _read_style(self, *_: Any) -> None:
        values = self._state.controls
        rows = self._controls["prompts"].model.rows
        self._state.style = LayerStyle(
            default=values["colormap"],
            own={row.key: row.colormap for row in rows if row.colormap},
            scale=values["scale"],
            transparent_low=values["transparent_low"],
            opacity=float(values["opacity"]),
        )

    def _on_set_loaded(self, chosen: PromptSet) -> None:
        """Take over the templates of a set of prompts."""
        templates = chosen.templates
        self._controls["templates"].value = (
            templates if isinstance(templates, str) else "; ".join(templates)
        )

    def _on_image(self, *_: Any) -> None:
        self._offer_channels()
        self._controls["along"].reset_choices()
        # It may have chosen something else, without a signal where nothing was left to choose.
        self._read("along")
        self._show_slice_rows()

    def _on_controls(self, *_: Any) -> None:
        self._controls["baseline"].visible = self._state.controls["score"] in WITH_BASELINE
        self._controls["prompts"].templates = read_templates(self._state)
        self._show_slice_rows()

    def _show_slice_rows(self) -> None:
        stack = bool(axis_choices(self._state.image))
        slices = self._state.controls["slices"]
        self._view.show_row("slices", shown=stack)
        self._view.show_row("follow", shown=stack)
        self._view.show_row("along", shown=stack and slices != "current")
        for name in ("first", "last"):
            self._view.show_row(name, shown=stack and slices == "range")

    def _on_style(self, *_: Any) -> None:
        self._controls["prompts"].repaint()

    def _on_status(self, *_: Any) -> None:
        status, controls = self._state.status, self._controls
        for name, when in (("run", RunStatus.IDLE), ("cancel", RunStatus.RUNNING)):
            if status is not when:
                self._view.leave(name)
            controls[name].enabled = status is when
        if status in (RunStatus.IDLE, RunStatus.RUNNING):
            self._show_progress(0, 1)

    def _on_missing_slice(self, missing: object) -> None:
        offered = missing is not None and self._state.controls["slices"] == "current"
        self._controls["run"].text = RUN_SLICE if offered else RUN

    def _on_taken_away(self, taken_away: tuple[object, ...]) -> None:
        self._controls["remove_all"].text = RESTORE if taken_away else REMOVE

    def _on_step(self, *_: Any) -> None:
        step = self._state.step
        if step is not None:
            self._show_progress(step.done, step.total)  # of 0: a bar that only says "busy"

    def _show_progress(self, done: int, total: int) -> None:
        """Set the bar, to be painted with all else: Qt would paint the window at each call."""
        bar = self._controls["progress"]
        bar.native.setUpdatesEnabled(False)
        bar.max = total
        bar.value = done
        bar.native.setTextVisible(self._state.busy)  # an idle "0 %" would promise something
        bar.native.setUpdatesEnabled(True)

    def _show_text(self, name: str, text: str) -> None:
        self._controls[name].value = text
