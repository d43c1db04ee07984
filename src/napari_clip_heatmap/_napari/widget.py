"""The dock widget: words in, heatmap layers out."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Any

import napari
from magicgui.widgets import Container
from napari.qt.threading import create_worker
from napari.utils.notifications import show_error

from napari_clip_heatmap._napari.controllers import layers
from napari_clip_heatmap._napari.controllers.background import Listener, Runner
from napari_clip_heatmap._napari.controllers.export import ExportMenu
from napari_clip_heatmap._napari.controllers.layer_sync import LayerUpdater, LayerWatcher
from napari_clip_heatmap._napari.controllers.model_chooser import ModelChooser
from napari_clip_heatmap._napari.controllers.preview import PreviewController
from napari_clip_heatmap._napari.controllers.prompts import PromptController, layer_style_of
from napari_clip_heatmap._napari.controllers.read_controls import (
    WITH_BASELINE,
    input_layers,
    read_request,
)
from napari_clip_heatmap._napari.controllers.status import ActivityBar, summary, time_left
from napari_clip_heatmap._napari.inputs.layer_planes import axis_choices
from napari_clip_heatmap._napari.job.request import CANCELLED, HeatmapResult, RunError, RunStep
from napari_clip_heatmap._napari.job.session import Session
from napari_clip_heatmap._napari.settings import keep
from napari_clip_heatmap._napari.startup import (
    ALWAYS,
    available_devices,
    import_torch_and_open_clip,
    no_full_collection,
)
from napari_clip_heatmap._napari.views.control_spec import ControlSources
from napari_clip_heatmap._napari.views.controls import make_controls
from napari_clip_heatmap._napari.views.dock_layout import add_shortcut, lay_out, show_row
from napari_clip_heatmap.errors import ClipHeatmapError

if TYPE_CHECKING:
    from napari.layers import Image

    from napari_clip_heatmap._napari.colormaps import LayerStyle
    from napari_clip_heatmap._napari.controllers.live_update import LayerResult
    from napari_clip_heatmap._napari.job.model_download import ModelCatalog
    from napari_clip_heatmap._napari.job.request import HeatmapRequest
    from napari_clip_heatmap.pipeline.verdicts import Assessment

__all__ = ["HeatmapWidget"]


class HeatmapWidget(Container[Any]):
    """Ask an image layer a list of prompts; get a heatmap layer for each.

    Its parts are those of `CONTROLS`, by name.

    Parameters
    ----------
    viewer : napari.viewer.Viewer, optional
        By default the current one.
    session : Session, optional
        What answers; by default one with the library behind it.
    catalogue : ModelCatalog, optional
        Where the chooser's models come from; by default the library's.
    """

    def __init__(
        self,
        viewer: napari.viewer.Viewer | None = None,
        session: Session | None = None,
        catalogue: ModelCatalog | None = None,
    ) -> None:
        # napari hands plugins a proxy, and what is read through it are proxies too; layers are
        # compared and kept here, so they must be the viewer's own.
        self._viewer = getattr(viewer, "__wrapped__", viewer) or napari.current_viewer()
        self._runner = Runner(session or Session())
        self._showing: LayerUpdater | None = None
        self._panel: PromptController | None = None
        self._more: ExportMenu | None = None
        self._watch: LayerWatcher | None = None
        self._lost = ""
        self._quiet = ExitStack()  # what holds from the start of a run to its last repaint
        self._activity = ActivityBar(self.stop)
        self._devices: tuple[str, ...] = ALWAYS
        self._closed = False
        known = ControlSources(lambda: self._viewer, self._image, lambda: self._devices, self._look)
        super().__init__(widgets=make_controls(known), labels=False)
        self.sections = lay_out(self)
        self._chooser = ModelChooser(self.native, self._on_chosen, catalogue)
        self._connect()
        self._preview = PreviewController(self, self._viewer)
        if self._viewer is not None:
            self._panel = PromptController(
                self,
                self._viewer,
                lambda: self._busy,
                self._on_followed,
                self._on_judged,
                self._say,
            )
            panel, cache = self._panel, self._runner.cache
            self._more = ExportMenu(self, self._viewer, cache, panel.last, panel.show, self._say)
        for section in self.sections.values():
            section.toggled.connect(self._preview.update)
        self._list_devices()
        self._set_running(False)
        keep(self)
        self._on_image()
        self._on_score()

    def start(self) -> None:
        """Ask what the controls say; the answer arrives as layers, an error as a notification."""
        if self._busy:
            return
        try:
            question = read_request(self, self._viewer)
            asked = input_layers(self, self._viewer)
        except ClipHeatmapError as error:
            self._say(f"Not run: {error}")
            show_error(str(error))
            return
        self._set_running(True)
        self._quiet.enter_context(no_full_collection())
        self._say("Starting")
        self._lost = ""
        if self._panel is not None:
            self._panel.begin(asked[0], question)
        shown = partial(self._on_shown, asked[0], question)
        self._showing = LayerUpdater(
            self._viewer, asked[0], question, shown, self._look, hold=self._runner.hold
        )
        self._watch = LayerWatcher(self._viewer, asked, self._on_lost, self._showing.align)
        listener = Listener(self._on_step, self._on_answer, self._on_refusal, self._on_end)
        self._runner.start(question, listener)

    @property
    def _busy(self) -> bool:
        return self._runner.running or self._showing is not None

    def stop(self) -> None:
        """Cancel the run; it ends within one tile, and what is done stays."""
        if self._runner.running and not self._closed:
            self._say("Cancelling")
            self["cancel"].enabled = False
            self._runner.cancel()

    def _connect(self) -> None:
        self["run"].changed.connect(self.start)
        self["cancel"].changed.connect(self.stop)
        self["choose"].changed.connect(lambda: self._chooser.open(self["model"].value))
        self["score"].changed.connect(self._on_score)
        self["image"].changed.connect(self._on_image)
        self["slices"].changed.connect(self._on_slices)
        self["show_all"].changed.connect(lambda: self._set_visible(True))
        self["hide_all"].changed.connect(lambda: self._set_visible(False))
        self["remove_all"].changed.connect(self._remove_all)
        for keys in ("Ctrl+Return", "Ctrl+Enter"):
            add_shortcut(self, keys, self.start)
        add_shortcut(self, "Escape", self.stop)
        self.native.destroyed.connect(self._close)
        if self._viewer is not None:
            self._viewer.layers.selection.events.active.connect(self._on_active)
            self["image"].follow(self._viewer.layers.selection.active)

    def _close(self) -> None:
        """Let go of the viewer; Qt's side of the widget is gone."""
        self._closed = True
        self._runner.detach()
        self._preview.close()
        self._chooser.close()
        if self._panel is not None:
            self._panel.close()
        if self._more is not None:
            self._more.close()
        self._let_go()
        if self._viewer is not None:
            self._viewer.layers.selection.events.active.disconnect(self._on_active)

    def _let_go(self) -> None:
        """End what a run holds, apart from its thread."""
        self._quiet.close()
        self._activity.close()
        if self._watch is not None:
            self._watch.stop()
            self._watch = None
        if self._showing is not None:
            self._showing.close()
            self._showing = None

    def _on_step(self, step: RunStep) -> None:
        self._say(f"{step.text}{time_left(step.seconds_left)}")
        self["progress"].max = step.total  # 0: a bar that only shows that something is being done
        self["progress"].value = step.done
        if step.answer is not None and self._showing is not None:
            self._showing.update(step.answer)
        # Last: napari's bar lets Qt see to other events meanwhile.
        self._activity.show("CLIP Heatmap" if step.total else step.text, step.done, step.total)

    def _on_answer(self, answer: HeatmapResult) -> None:
        self["cancel"].enabled = False
        if self._showing is not None:
            self._showing.update(answer)

    def _on_shown(self, image: Image, question: HeatmapRequest, answer: HeatmapResult) -> None:
        """Say what was done, now that all of it is on screen."""
        told = summary(answer, image.scale[-2:], image.units[-2:])
        reason = self._lost or answer.reason
        if reason == CANCELLED:
            told = f"Cancelled; Run goes on from here. Done: {told}"
        elif reason:
            told = f"Stopped: {reason}. Done, and kept: {told}"
            show_error(reason)
        self._say(told, answer.notes)
        self._showing = None
        self._on_end(None)
        if self._panel is not None and image in self._viewer.layers:
            self._panel.keep(image, question, answer)

    def _on_followed(self, answered: LayerResult) -> None:
        """Say that the maps have followed the prompts."""
        image, answer = answered.image, answered.answer
        told = summary(answer, image.scale[-2:], image.units[-2:])
        self._say(told, answer.notes)

    def _on_judged(self, answered: LayerResult, honesty: Assessment) -> None:
        """Say what holds for all maps together; what holds for one is in its row."""
        said = answered.answer.notes
        mirrored = any("mirrors" in note for note in said)  # of two prompts the score says it
        notes = [*said, *(n for n in honesty.notes if not (mirrored and "mirrors" in n))]
        self["notes"].value = "\n".join(notes)

    def _on_refusal(self, refusal: RunError) -> None:
        reason = self._lost or refusal.message
        self._say(f"Not done: {reason}")
        show_error(reason)
        self._forget()

    def _on_end(self, outcome: str | None) -> None:
        """Free the controls once the thread has ended and its last answer is shown."""
        if outcome and self._lost:
            self._on_refusal(RunError(self._lost))
        elif outcome:
            self._say(outcome)
            self._forget()
        if self._busy:
            return
        self._let_go()
        self._set_running(False)

    def _on_lost(self, reason: str) -> None:
        """Do no more, as the image is no longer what was asked about; keep what is done."""
        self._lost = f"{reason}; the maps made so far are of what it was"
        self.stop()

    def _forget(self) -> None:
        if self._showing is not None:
            self._showing.close()
            self._showing = None

    def _on_chosen(self, name: str) -> None:
        self["model"].value = name

    def _on_active(self, event: Any) -> None:
        self["image"].follow(event.value)

    def _image(self) -> Image | None:
        # Asked while the parts are being made, when there are none yet.
        return self["image"].value if "image" in {part.name for part in self} else None

    def _on_image(self) -> None:
        self["channels"].reset_choices()
        self["along"].reset_choices()
        stack = bool(axis_choices(self["image"].value))
        for name in ("slices", "along"):
            show_row(self, name, shown=stack)
        self._on_slices()

    def _on_slices(self) -> None:
        stack = bool(axis_choices(self["image"].value))
        show_row(self, "along", shown=stack and self["slices"].value != "current")
        for name in ("first", "last"):
            show_row(self, name, shown=stack and self["slices"].value == "range")

    def _on_score(self) -> None:
        self["baseline"].visible = self["score"].value in WITH_BASELINE

    def _set_running(self, running: bool) -> None:
        self["run"].enabled = not running
        self["cancel"].enabled = running
        self["progress"].max = 1
        self["progress"].value = 0
        self["progress"].native.setTextVisible(running)  # idle, "0%" would say something is to come

    def _look(self) -> LayerStyle:
        return layer_style_of(self)

    def _set_visible(self, visible: bool) -> None:
        if self._viewer is not None:
            layers.set_visible(self._viewer, visible=visible)

    def _remove_all(self) -> None:
        if self._viewer is not None:
            layers.remove_all(self._viewer)
            self["prompts"].model.set_figures({})
            self["prompts"].model.set_here({})
            self._say("")

    def _say(self, status: str, notes: tuple[str, ...] = ()) -> None:
        self["status"].value = status
        self["notes"].value = "\n".join(notes)

    def _list_devices(self) -> None:
        """Import what takes seconds, in a thread, while the user types; then ask what there is."""
        if "open_clip" in sys.modules:
            self._set_devices(available_devices())
        else:
            create_worker(
                _import_and_list, _connect={"returned": self._set_devices}, _ignore_errors=True
            )

    def _set_devices(self, devices: tuple[str, ...]) -> None:
        if not self._closed:
            self._devices = devices
            self["device"].reset_choices()


def _import_and_list() -> tuple[str, ...]:
    try:
        import_torch_and_open_clip()
    except (ImportError, OSError):  # OSError: a DLL that Windows cannot load once Qt is there
        return ALWAYS  # loading a model will say why
    return available_devices()
