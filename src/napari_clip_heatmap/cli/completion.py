"""What the shell offers after a half-typed value; nothing heavy is imported for it."""

from __future__ import annotations

import json
from collections.abc import Iterator

__all__ = [
    "complete_devices",
    "complete_models",
    "complete_sets",
    "complete_templates",
    "complete_views",
]


def complete_models(incomplete: str) -> Iterator[str]:
    """Yield models: the bundled one, known ones of the hub, and open_clip's architectures.

    Examples
    --------
    >>> list(complete_models("dem"))
    ['demo']
    """
    from importlib.resources import files

    from napari_clip_heatmap.clip.provenance import BUNDLED, HUB_MODELS

    table = files("napari_clip_heatmap.clip") / "architectures.json"
    architectures = json.loads(table.read_text(encoding="utf-8"))
    hub = [model.name for model in HUB_MODELS]
    others = (f"{name}/" for name in architectures if name not in BUNDLED)
    names = [*BUNDLED, *hub, "local-dir:", *others]
    yield from (name for name in names if name.startswith(incomplete))


def complete_devices(incomplete: str) -> Iterator[str]:
    """Yield kinds of devices.

    Examples
    --------
    >>> list(complete_devices("c"))
    ['cpu', 'cuda']
    """
    yield from (name for name in ("auto", "cpu", "cuda", "mps") if name.startswith(incomplete))


def complete_sets(incomplete: str) -> Iterator[str]:
    """Yield the names of prompt sets that come with the program.

    Examples
    --------
    >>> list(complete_sets("blood"))
    ['blood smear']
    """
    from napari_clip_heatmap.prompting.prompt_set import shipped_sets

    yield from (name for name in shipped_sets() if name.startswith(incomplete))


def complete_templates(incomplete: str) -> Iterator[str]:
    """Yield the names of sets of templates.

    Examples
    --------
    >>> list(complete_templates("pl"))
    ['plain']
    """
    from napari_clip_heatmap.prompting.language import TEMPLATES

    yield from (name for name in TEMPLATES if name.startswith(incomplete))


def complete_views(incomplete: str) -> Iterator[str]:
    """Yield the modes of ``--view``.

    Examples
    --------
    >>> list(complete_views("m"))
    ['min-max']
    """
    from napari_clip_heatmap.imaging.view import MODES

    yield from (name for name in MODES if name.startswith(incomplete))
