"""What the user chose last, kept where napari keeps the settings of plugins."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from napari_clip_heatmap._napari.views.controls import CONTROLS

if TYPE_CHECKING:
    from magicgui.widgets import Container

    from napari_clip_heatmap._napari.state import DockState
    from napari_clip_heatmap._napari.views.dock_layout import SectionTabs

__all__ = ["PERSISTED", "keep", "keep_recent", "keep_tab", "saved_under_former_names", "section"]

log = logging.getLogger(__name__)

PLUGIN = "napari-clip-heatmap"
SECTION = "widget"

BETWEEN = "\n\n"
"""Between the prompts of two runs in the settings."""

PERSISTED = tuple(spec for spec in CONTROLS if spec.persisted)
"""Controls whose value is there again at the next start; the manifest declares each of them."""


def section() -> Any:
    """Return napari's settings for this plugin, or None.

    napari has settings of plugins since 0.9, and only where the plugin's manifest is known, which
    it need not be in a script.
    """
    plugin = _plugin_settings()
    return getattr(plugin, SECTION, None)


def keep(parts: Container[Any]) -> None:
    """Give controls the values that they had last, and save those that they get from now on."""
    saved = section()
    if saved is None:
        return
    former = saved_under_former_names()
    for spec in PERSISTED:
        part, name = parts[spec.name], spec.name
        try:
            value = former.get(name, getattr(saved, name))
            if value != "":  # no prompts: those to begin with
                part.value = value
        except ValueError:  # a choice that this version does not have
            log.info("The saved value of '%s' is no choice any more; not used", name)
        if _stored(part.value) != getattr(saved, name):
            setattr(saved, name, _stored(part.value))
        part.changed.connect(lambda value, name=name: setattr(saved, name, _stored(value)))


def keep_tab(tabs: SectionTabs) -> None:
    """Open the section that was open last, and remember which one is."""
    saved = section()
    if saved is not None:
        tabs.open(saved.tab)
        tabs.currentChanged.connect(lambda _number: setattr(saved, "tab", tabs.title))


def keep_recent(state: DockState) -> None:
    """Bring back the prompts of the last runs, and remember those of each run."""
    saved = section()
    if saved is None:
        return
    groups = (group.splitlines() for group in saved.recent.split(BETWEEN) if group)
    state.recent = tuple(map(tuple, groups))

    def save(recent: tuple[tuple[str, ...], ...]) -> None:
        saved.recent = BETWEEN.join("\n".join(each) for each in recent)

    state.events.recent.connect(save)


def _stored(value: Any) -> Any:
    """Return a value as the settings hold it: a list as lines."""
    return "\n".join(value) if isinstance(value, list) else value


def saved_under_former_names() -> Mapping[str, Any]:
    """Return values that an earlier version saved under another name, by the name of today.

    napari reads only what the manifest declares, and leaves the rest of the file as it is until
    the first change.
    """
    path = getattr(_plugin_settings(), "config_path", None)
    if not isinstance(path, str | Path):
        return {}
    try:
        written = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):  # not there yet; or napari says what is wrong
        return {}
    values = written.get(SECTION) if isinstance(written, dict) else None
    if not isinstance(values, dict):
        return {}
    return {
        spec.name: values[spec.former_name]
        for spec in PERSISTED
        if spec.former_name in values and spec.name not in values
    }


def _plugin_settings() -> Any:
    """Return napari's settings of this plugin, or None where there are none."""
    try:
        from napari.settings import get_plugin_settings
    except ImportError:
        return None
    try:
        return get_plugin_settings(PLUGIN)
    except KeyError:
        return None
