"""What the user chose last, kept where napari keeps the settings of plugins."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from magicgui.widgets import Container

__all__ = ["KEPT", "keep", "section"]

PLUGIN = "napari-clip-heatmap"

KEPT = (
    "model",
    "score",
    "templates",
    "view",
    "colormap",
    "scale",
    "transparent_low",
    "color_bar",
    "ranking_list",
)
"""Parts whose value is there again next time; each is declared in the manifest."""


def section() -> Any:
    """Return napari's settings for this plugin, or None.

    napari has had settings of plugins since 0.9; and a widget may be made where the plugin's
    manifest is not known, as in a script.
    """
    try:
        from napari.settings import get_plugin_settings
    except ImportError:
        return None
    try:
        return get_plugin_settings(PLUGIN).widget
    except (KeyError, AttributeError):
        return None


def keep(parts: Container[Any]) -> None:
    """Give parts the values that they had last, and keep those that they are given from now on."""
    kept = section()
    if kept is None:
        return
    for name in KEPT:
        part = parts[name]
        try:
            part.value = getattr(kept, name)
        except ValueError:
            setattr(kept, name, part.value)  # of another version: what it was is no choice now
        part.changed.connect(lambda value, name=name: setattr(kept, name, value))
