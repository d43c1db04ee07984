"""How large a model's patches and tiles are, told before the model is loaded."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

__all__ = ["Sizes", "sizes_of"]

CONFIG = "open_clip_config.json"


@dataclass(frozen=True)
class Sizes:
    """Of a model, in the pixels it looks at.

    Parameters
    ----------
    tile : (y, x)
        The model's input.
    patch : (y, x)
    """

    tile: tuple[int, int]
    patch: tuple[int, int]


def sizes_of(name: str) -> Sizes | None:
    """Return a model's sizes from its configuration, or None where only loading it would tell.

    It may import open_clip, which takes seconds: call it away from the GUI thread.

    Parameters
    ----------
    name : str
        As `api.load_model` takes it.
    """
    if name == "demo":
        return _read(files("napari_clip_heatmap").joinpath("demo", CONFIG))
    if name.startswith("local-dir:"):
        return _read(Path(name.removeprefix("local-dir:")).expanduser() / CONFIG)
    if ":" in name:
        return None
    import open_clip

    config = open_clip.get_model_config(name.partition("/")[0])
    return None if config is None else _sizes(config)


def _read(path: Any) -> Sizes | None:
    try:
        return _sizes(json.loads(path.read_text(encoding="utf-8"))["model_cfg"])
    except (OSError, ValueError, KeyError):
        return None  # running will say what is wrong with it


def _sizes(config: dict[str, Any]) -> Sizes | None:
    tower = config.get("vision_cfg") or {}
    tile, patch = _pair(tower.get("image_size")), _pair(tower.get("patch_size"))
    return Sizes(tile, patch) if tile and patch else None


def _pair(size: Any) -> tuple[int, int] | None:
    if isinstance(size, int):
        return size, size
    if isinstance(size, list | tuple) and len(size) == 2:
        return int(size[0]), int(size[1])
    return None
