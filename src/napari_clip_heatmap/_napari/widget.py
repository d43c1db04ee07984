"""The dock widget: words in, heatmap layers out. It builds view, state and controllers."""

from __future__ import annotations

import atexit
from collections.abc import Iterator, Mapping
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import napari
from magicgui.widgets import Container
from napari.layers import Shapes
from napari.settings import get_settings
from napari.utils.theme import get_theme
from qtpy.compat import isalive
from qtpy.QtCore import QTimer
from qtpy.QtOpenGLWidgets import QOpenGLWidget
from qtpy.QtWidgets import QApplication

from napari_clip_heatmap._napari.controllers import layers
from napari_clip_heatmap._napari.controllers.annotation.annotation_section import AnnotationSection
from napari_clip_heatmap._napari.controllers.binding import ControlBinding
from napari_clip_heatmap._napari.controllers.click_ranking import ClickRanking
from napari_clip_heatmap._napari.controllers.cursor import CursorReadout
from napari_clip_heatmap._napari.controllers.export import ExportController
from napari_clip_heatmap._napari.controllers.help.first_steps import FirstPrompts
from napari_clip_heatmap._napari.controllers.layer_sync import StyleController
from napari_clip_heatmap._napari.controllers.live_update import (
    LiveUpdater,
    VerdictController,
    VerdictText,
)
from napari_clip_heatmap._napari.controllers.model_chooser import DeviceLister, ModelChooser
from napari_clip_heatmap._napari.controllers.preview import PreviewController
from napari_clip_heatmap._napari.controllers.prompts import LayerVisibility, PromptController
from napari_clip_heatmap._napari.controllers.run_control import RunController, SliceFollower
from napari_clip_heatmap._napari.controllers.why.why_section import WhySection
from napari_clip_heatmap._napari.job.session import Session
from napari_clip_heatmap._napari.settings import keep, keep_recent, keep_tab
from napari_clip_heatmap._napari.state import DockState
from napari_clip_heatmap._napari.views.annotation.questions import ask_replace
from napari_clip_heatmap._napari.views.control_spec import ControlSection, ControlSources
from napari_clip_heatmap._napari.views.controls import make_controls
from napari_clip_heatmap._napari.views.dock_layout import add_shortcut, lay_out, show_row
from napari_clip_heatmap._napari.views.export_menu import ExportMenu
from napari_clip_heatmap._napari.views.file_choice import choose_file
from napari_clip_heatmap._napari.views.help.help_menu import HelpMenu

if TYPE_CHECKING:
    from napari_clip_heatmap._napari.controllers.canvas.best_prompt import BestPromptView
    from napari_clip_heatmap._napari.controllers.canvas.compare import CompareView
    from napari_clip_heatmap._napari.controllers.canvas.outside_region import OutsideView
    from napari_clip_heatmap._napari.controllers.examples.example_section import ExampleSection
    from napari_clip_heatmap._napari.job.model_download import ModelCatalog
    from napari_clip_heatmap.pipeline.storage.cache import EncodingCache

__all__ = ["HeatmapWidget"]


RIGHT_BUTTON = 2

DARK = 3 * 128
"""Sum of red, green and blue up to which a background is dark."""


class HeatmapWidget(Container[Any]):
    """Heatmap layers of an image layer, one for each prompt.

    Its controls are found by name, such as ``widget["prompts"]``: image, prompts, model, device,
    score, run and others; `views.controls` has the whole list.

    Parameters
    ----------
    viewer : napari.viewer.Viewer, optional
        The viewer of the dock, which napari passes; by default the current one.
    session : Session, optional
        Runs the requests; by default one with the library behind it.
    catalog : ModelCatalog, optional
        Models to choose from; by default the library's.
    """

    def __init__(
        self,
        # napari passes its own viewer only where the annotation is exactly this one.
        viewer: napari.viewer.Viewer = None,
        session: Session | None = None,
        catalog: ModelCatalog | None = None,
    ) -> None:
        # napari passes a proxy to plugins, and what is read through it are proxies too; layers are
        # compared and kept here, so they must be the viewer's own.
        found = getattr(viewer, "__wrapped__", viewer) or napari.current_viewer()
        if found is None:
            raise RuntimeError(
                "there is no napari viewer for the CLIP Heatmap dock; make one first, or pass it: "
                "HeatmapWidget(viewer)"
            )
        self._viewer: napari.viewer.Viewer = found
        self.state = DockState()
        self._session = session or Session()
        super().__init__(widgets=make_controls(self._sources()), labels=False)
        self.tabs = lay_out(self)
        keep(self)
        keep_tab(self.tabs)
        self["image"].follow(self._viewer.layers.selection.active)
        self._binding = ControlBinding(self.state, self)
        keep_recent(self.state)
        self._late: list[ExampleSection] = []
        self._make_controllers(catalog)
        self._connect()
        self.closed = False

    def start(self) -> None:
        """Run what the controls request; the heatmaps arrive as layers."""
        self.run_controller.start()

    def stop(self) -> None:
        """Cancel the run; it ends within one tile, and what is done stays."""
        self.run_controller.cancel()

    @property
    def cache(self) -> EncodingCache:
        """The encodings on disk."""
        return self._session.cache

    @property
    def controls(self) -> Mapping[str, Any]:
        """The controls, by name."""
        return {control.name: control for control in self}

    @cached_property
    def examples(self) -> ExampleSection:
        """Prompts made by clicking; made when it is first used."""
        from napari_clip_heatmap._napari.controllers.examples.example_section import ExampleSection

        section = ExampleSection(self.state, self._viewer, self)
        self._late.append(section)
        return section

    def show_row(self, name: str, *, shown: bool) -> None:
        """Show or hide a control with its label."""
        show_row(self, name, shown=shown)

    def leave(self, name: str) -> None:
        """Hand the keyboard from a control that is about to be disabled to the table.

        Qt would hand it to the next button, and Space, pressed again, would do something else.
        """
        if self[name].native.hasFocus():
            self["prompts"].view.setFocus()

    def open_section(self, section: ControlSection) -> None:
        """Show a section."""
        self.tabs.open(section.value)
        self.tabs.reveal()

    def _sources(self) -> ControlSources:
        state = self.state
        return ControlSources(
            lambda: self._viewer,
            lambda: state.image,
            lambda: state.devices,
            lambda: state.style_of(state.image),
        )

    def _make_controllers(self, catalog: ModelCatalog | None) -> None:
        state, viewer, rows = self.state, self._viewer, self["prompts"].model
        style = StyleController(state, viewer)
        self.run_controller = RunController(state, viewer, self._session)
        self.live_updater = LiveUpdater(state, viewer, style)
        self.chooser = ModelChooser(self.native, state, self._on_model_chosen, catalog)
        self.visibility = LayerVisibility(state, viewer, rows, self["prompts"].view)
        self.preview_controller = PreviewController(
            state, viewer, self["preview"], self["resolution_info"]
        )
        self.export_menu = ExportMenu(self["more"].native)
        self.help_menu = HelpMenu(self["help"].native, {part.name: part.native for part in self})
        self.export = ExportController(
            state,
            viewer,
            self.cache,
            self.export_menu,
            self.live_updater.show,
            lambda text: QApplication.clipboard().setText(text),
        )
        self.annotation = AnnotationSection(
            state, viewer, self, partial(ask_replace, self.native), self._open_features
        )
        self._controllers = (
            self.annotation,
            self.run_controller,
            self.live_updater,
            self.chooser,
            self.visibility,
            self.preview_controller,
            self.export,
            style,
            VerdictController(state),
            PromptController(state, viewer, rows),
            CursorReadout(state, viewer, rows),
            ClickRanking(state, viewer, self["ranked"]),
            WhySection(state, viewer, self["why_grid"].view, self._session),
            DeviceLister(state),
            VerdictText(state, viewer),
            SliceFollower(state, viewer, self.start),
            FirstPrompts(state, partial(setattr, self["prompts"], "value")),
        )

    def _connect(self) -> None:
        self["run"].changed.connect(self.start)
        self["cancel"].changed.connect(self.stop)
        self["choose"].changed.connect(lambda: self.chooser.open(self["model"].value))
        self["show_all"].changed.connect(lambda: self._show_all(visible=True))
        self["hide_all"].changed.connect(lambda: self._show_all(visible=False))
        self["remove_all"].changed.connect(self._remove_all)
        self.tabs.currentChanged.connect(self.preview_controller.update)
        for name in ("make_objects", "class_table", "why_grid"):
            self.tabs.currentChanged.connect(self[name].view.update_seen)
        self._views: tuple[CompareView | BestPromptView, ...] = ()
        self._outside: tuple[OutsideView, ...] = ()
        self["draw"].changed.connect(self._draw_region)
        self["where"].changed.connect(self._on_where)
        for name in ("compare", "best"):
            self[name].changed.connect(self._make_views)
        self["new_example"].changed.connect(lambda: self.examples.begin())
        self["example_from_layer"].changed.connect(lambda: self.examples.take_layer())
        self["example_search"].changed.connect(self._search_example)
        self._viewer.mouse_drag_callbacks.append(self._offer_place)
        for keys in ("Ctrl+Return", "Ctrl+Enter"):
            add_shortcut(self, keys, self.start)
        add_shortcut(self, "Escape", self.stop)
        self._viewer.layers.selection.events.active.connect(self._on_active)
        self._viewer.layers.events.removing.connect(self._on_removing)
        self.state.events.results.connect(self._on_results)
        self._fitting = QTimer(self.native)
        self._fitting.setSingleShot(True)
        self._fitting.timeout.connect(self.tabs.fit)
        self._viewer.events.theme.connect(self._on_appearance)
        get_settings().appearance.events.font_size.connect(self._on_appearance)
        self._on_appearance()
        self.native.destroyed.connect(self._close)
        atexit.register(self._close)  # a script may end with its window open: not after the canvas

    def _show_all(self, *, visible: bool) -> None:
        layers.set_visible(layers.own_heatmaps(self._viewer), visible=visible)

    def _on_appearance(self, *_: Any) -> None:
        """Let the table follow napari's font and theme, whose style sheet leaves it out."""
        background = get_theme(self._viewer.theme).background.as_rgb_tuple()
        dark = sum(background[:3]) < DARK
        self["prompts"].set_appearance(get_settings().appearance.font_size, dark=dark)
        self["class_table"].view.set_dark(dark)
        self._fitting.start()  # once the style sheet is applied

    def _draw_region(self) -> None:
        """Let the user draw a rectangle, and use its inside."""
        from napari_clip_heatmap._napari.controllers.canvas.region_drawing import add_region_layer

        if self.state.image is not None:
            layer = add_region_layer(self._viewer, self.state.image)
            self["where"].reset_choices()
            self["where"].value = layer

    def _search_example(self) -> None:
        choose_file(self.native, "A folder of encodings", self.examples.find_in, folder=True)

    def _offer_place(self, viewer: Any, event: Any) -> Iterator[None]:
        """Offer what can be done with a place, where the right button is pressed and not moved."""
        if event.button != RIGHT_BUTTON or self.state.image is None:
            return
        from napari_clip_heatmap._napari.controllers.examples.more_like_this import offer_place

        yield from offer_place(self.state, viewer, self.examples, event, self.native)

    def _on_where(self, where: object) -> None:
        """Let the fill of outlines not dye the maps that are made inside of them."""
        if isinstance(where, Shapes):
            from napari_clip_heatmap._napari.controllers.canvas.region_drawing import clear_fill

            clear_fill(where)

    def _make_views(self) -> None:
        """Make the views that are not always wanted, the first time that one is."""
        wanted = self["compare"].value or self["best"].value
        if wanted and not self._views:
            from napari_clip_heatmap._napari.controllers.canvas.best_prompt import BestPromptView
            from napari_clip_heatmap._napari.controllers.canvas.compare import CompareView

            self._views = (
                CompareView(self.state, self._viewer),
                BestPromptView(self.state, self._viewer, self["prompts"].model),
            )
            for view in self._views:
                view.update()

    def _close(self) -> None:
        """Let go of the viewer; Qt's side of the widget is gone, or Python ends."""
        if self.closed:
            return
        self.closed = True
        atexit.unregister(self._close)
        for controller in (*self._controllers, *self._late, *self._views, *self._outside):
            controller.close()
        self._viewer.mouse_drag_callbacks.remove(self._offer_place)
        self._viewer.layers.selection.events.active.disconnect(self._on_active)
        self._viewer.layers.events.removing.disconnect(self._on_removing)
        self._viewer.events.theme.disconnect(self._on_appearance)
        get_settings().appearance.events.font_size.disconnect(self._on_appearance)
        # psygnal holds the signals of every state, and so what listens to them: this dock and its
        # encodings would stay in memory as long as napari is open.
        for events in (self.state.events, self.state.annotation.events):
            events.disconnect()

    def _on_active(self, event: Any) -> None:
        layer = event.value
        if layers.is_changing():
            return  # a map that was made, and perhaps not of the image that is chosen by now
        if layer is not None and layers.is_own(layer):  # a map of another image: choose that one
            source = layers.source_id_of(layer)
            found = (each for each in self._viewer.layers if str(each.unique_id) == source)
            layer = next(found, None)
        self["image"].follow(layer)

    def _on_removing(self, *_: Any) -> None:
        """Make the canvas's OpenGL context the current one before a layer goes.

        napari then deletes what it drew of the layer at once, in whichever context is current, and
        that is mostly the one in which Qt draws the rest of the window. Mesa's software renderer
        (22.3, with napari 0.9.2) crashes when it draws the next layer after that.
        """
        window = getattr(getattr(self._viewer, "window", None), "_qt_window", None)
        if window is not None and isalive(window):
            for canvas in window.findChildren(QOpenGLWidget):
                canvas.makeCurrent()

    def _on_model_chosen(self, name: str) -> None:
        self["model"].value = name

    def _open_features(self) -> None:
        """Open napari's own table of features."""
        window = getattr(self._viewer, "window", None)
        if window is not None:
            window.add_plugin_dock_widget("napari", "Features table widget")

    def _remove_all(self) -> None:
        """Remove all heatmap layers; or bring back what was removed last."""
        state = self.state
        if state.taken_away:
            results, state.taken_away = state.taken_away, ()
            state.removed_rows = state.removed_before
            for result in (each for each in results if each.image in self._viewer.layers):
                state.keep_result(result)
            if state.result is not None:
                self.live_updater.show(state.result)
            return
        taken_away, state.removed_before = tuple(state.results.values()), state.removed_rows
        layers.remove_all(self._viewer)
        state.results, state.notes, state.message = {}, (), ""
        state.taken_away = taken_away

    def _on_results(self) -> None:
        if self.state.results:
            self.state.taken_away = ()
        result = self.state.result
        if result is not None and result.request.region is not None and not self._outside:
            from napari_clip_heatmap._napari.controllers.canvas.outside_region import OutsideView

            self._outside = (OutsideView(self.state, self._viewer),)
            self._outside[0].update()
