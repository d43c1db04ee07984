"""Entries of napari's menus that open the dock at the sections about objects."""

from __future__ import annotations

import napari

from napari_clip_heatmap._napari.views.control_spec import ControlSection

__all__ = ["open_annotate", "open_classify"]

_PLUGIN, _WIDGET = "napari-clip-heatmap", "CLIP Heatmap"


def open_annotate(viewer: napari.viewer.Viewer) -> None:
    """Open the dock where heatmaps become objects."""
    _open(viewer, ControlSection.ANNOTATE)


def open_classify(viewer: napari.viewer.Viewer) -> None:
    """Open the dock where objects get names."""
    _open(viewer, ControlSection.CLASSIFY)


def _open(viewer: napari.viewer.Viewer, section: ControlSection) -> None:
    _, widget = viewer.window.add_plugin_dock_widget(_PLUGIN, _WIDGET)
    widget.open_section(section)
