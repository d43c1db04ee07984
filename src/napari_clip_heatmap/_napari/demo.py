"""The demo in a real viewer: the sample, the widget filled in, and the run begun."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_clip_heatmap._napari.display import why_no_display
from napari_clip_heatmap.scenes import SAMPLE_PROMPTS

if TYPE_CHECKING:
    import napari

    from napari_clip_heatmap._napari.widget import HeatmapWidget

__all__ = ["begin_demo", "open_demo", "why_no_display"]

PLUGIN = "napari-clip-heatmap"


def open_demo() -> None:
    """Open napari with the demo; returns when its window is closed."""
    import napari  # deferred: asking for a display must not cost the seconds that this takes

    begin_demo(napari.Viewer())
    napari.run()


def begin_demo(viewer: napari.Viewer) -> HeatmapWidget:
    """Open the sample and the dock widget as a user would, and press run.

    Parameters
    ----------
    viewer : napari.Viewer
        An empty one.

    Returns
    -------
    HeatmapWidget
        At work.
    """
    from qtpy.QtCore import QTimer  # as above

    viewer.open_sample(PLUGIN, "drawn_scene")
    widget: HeatmapWidget = viewer.window.add_plugin_dock_widget(PLUGIN, "CLIP Heatmap")[1]
    widget["prompts"].value = list(SAMPLE_PROMPTS)
    widget.start()
    QTimer.singleShot(0, viewer.reset_view)  # the dock has taken its room from the canvas
    return widget
