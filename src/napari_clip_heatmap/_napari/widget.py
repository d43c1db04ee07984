"""The dock widget: words in, heatmap layers out."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import napari
from magicgui.widgets import Container
from napari.qt.threading import create_worker
from napari.utils.notifications import show_error
from qtpy.QtCore import QTimer

from napari_clip_heatmap._napari import layers
from napari_clip_heatmap._napari.arrange import add_shortcut, arrange
from napari_clip_heatmap._napari.devices import ALWAYS, available_devices
from napari_clip_heatmap._napari.parts import make_parts
from napari_clip_heatmap._napari.runner import Listener, Runner
from napari_clip_heatmap._napari.session import Answer, Question, Refusal, Session, Step
from napari_clip_heatmap._napari.source import no_image, plane_of
from napari_clip_heatmap._napari.summary import summary
from napari_clip_heatmap.errors import ClipHeatmapError, PromptError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari.layers import Image

__all__ = ["HeatmapWidget"]


class HeatmapWidget(Container[Any]):
    """Ask an image layer a list of prompts; get a heatmap layer for each.

    Its parts, by name: image, prompts, model, device, score, baseline, run, cancel, progress,
    show_all, hide_all, remove_all, status, notes.

    Parameters
    ----------
    viewer : napari.viewer.Viewer, optional
        By default the current one.
    session : Session, optional
        What answers; by default one with the library behind it.
    """

    def __init__(
        self,
        viewer: napari.viewer.Viewer | None = None,
        session: Session | None = None,
    ) -> None:
        # napari hands plugins a proxy, and what is read through it are proxies too; layers are
        # compared and kept here, so they must be the viewer's own.
        self._viewer = getattr(viewer, "__wrapped__", viewer) or napari.current_viewer()
        self._runner = Runner(session or Session())
        self._asked: tuple[Image, tuple[int, ...]] | None = None
        self._showing: Iterator[None] | None = None
        self._devices: tuple[str, ...] = ALWAYS
        self._closed = False
        parts = make_parts(lambda: self._viewer, lambda _: self._devices)
        super().__init__(widgets=parts, labels=False)
        arrange(self)
        self._connect()
        self._list_devices()
        self._set_running(False)
        self._on_score()

    def start(self) -> None:
        """Ask what the controls say; the answer arrives as layers, an error as a notification."""
        if self._runner.running or self._showing is not None:
            return
        try:
            question = self._question()
        except ClipHeatmapError as error:
            self._say(f"Not run: {error}")
            show_error(str(error))
            return
        self._set_running(True)
        self._say("Starting")
        listener = Listener(self._on_step, self._on_answer, self._on_refusal, self._on_end)
        self._runner.start(question, listener)

    def stop(self) -> None:
        """Cancel the run; it ends within one batch of tiles."""
        if self._runner.running:
            self._say("Cancelling")
            self["cancel"].enabled = False
            self._runner.cancel()

    def _connect(self) -> None:
        self["run"].changed.connect(self.start)
        self["cancel"].changed.connect(self.stop)
        self["score"].changed.connect(self._on_score)
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
        if self._viewer is not None:
            self._viewer.layers.selection.events.active.disconnect(self._on_active)

    def _question(self) -> Question:
        image = self["image"].value
        if self._viewer is None or image is None:
            raise no_image(None if self._viewer is None else self._viewer.layers.selection.active)
        prompts = self["prompts"].value
        if not prompts:
            raise PromptError("there is no prompt: type at least one, one a line, such as nuclei")
        plane = plane_of(image, self._viewer.dims.point)
        self._asked = (image, plane.index)
        score = self["score"].value
        return Question(
            pixels=plane.pixels,
            prompts=tuple(prompts),
            model=self["model"].value,
            device=self["device"].value,
            score=score,
            baseline=tuple(self["baseline"].value) if score == "contrast" else (),
        )

    def _on_step(self, step: Step) -> None:
        self._say(step.text)
        self["progress"].max = step.total  # 0: a bar that only shows that something is being done
        self["progress"].value = step.done

    def _on_answer(self, answer: Answer) -> None:
        if self._asked is None or self._asked[0] not in self._viewer.layers:
            self._on_refusal(Refusal("the image layer was removed meanwhile; nothing was added"))
            return
        image, index = self._asked
        self["cancel"].enabled = False
        self._showing = layers.show_heatmaps(self._viewer, image, answer, index)
        self._say(summary(answer, image.scale[-2:], image.units[-2:]), answer.heatmaps.notes)
        self._show_next()

    def _show_next(self) -> None:
        """Show one layer, and the next when Qt has seen to everything else."""
        if self._closed or self._showing is None:
            return
        try:
            next(self._showing)
        except StopIteration:
            self._showing = None
            self._on_end(None)
        else:
            QTimer.singleShot(0, self._show_next)

    def _on_refusal(self, refusal: Refusal) -> None:
        self._say(f"Not done: {refusal.message}")
        show_error(refusal.message)

    def _on_end(self, outcome: str | None) -> None:
        if self._showing is not None:
            return  # the thread has ended; the last layer will say so again
        if outcome:
            self._say(outcome)
        self._asked = None
        self._set_running(False)

    def _on_active(self, event: Any) -> None:
        self["image"].follow(event.value)

    def _on_score(self) -> None:
        self["baseline"].visible = self["score"].value == "contrast"

    def _set_running(self, running: bool) -> None:
        self["run"].enabled = not running
        self["cancel"].enabled = running
        self["progress"].max = 1
        self["progress"].value = 0
        self["progress"].native.setTextVisible(running)  # idle, "0%" would say something is to come

    def _set_visible(self, visible: bool) -> None:
        if self._viewer is not None:
            layers.set_visible(self._viewer, visible=visible)

    def _remove_all(self) -> None:
        if self._viewer is not None:
            layers.remove_all(self._viewer)

    def _say(self, status: str, notes: tuple[str, ...] = ()) -> None:
        self["status"].value = status
        self["notes"].value = "\n".join(notes)

    def _list_devices(self) -> None:
        """Ask torch what there is: at once if it is imported, else in a thread meanwhile."""
        if "torch" in sys.modules:
            self._set_devices(available_devices())
        else:
            create_worker(
                available_devices, _connect={"returned": self._set_devices}, _ignore_errors=True
            )

    def _set_devices(self, devices: tuple[str, ...]) -> None:
        if not self._closed:
            self._devices = devices
            self["device"].reset_choices()
