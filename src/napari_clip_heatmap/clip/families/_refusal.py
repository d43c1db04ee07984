"""How a family says what it lacks."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from torch import nn

from napari_clip_heatmap.clip.families._norms import is_plain
from napari_clip_heatmap.errors import UnsupportedModelError

__all__ = ["other_norms", "refuse"]


def refuse(what: str, missing: Iterable[str]) -> None:
    """Raise if anything is missing.

    Parameters
    ----------
    what : str
        The tower, such as "vision transformer".
    missing : iterable of str
        Parts for which no exact decomposition is known here.

    Raises
    ------
    UnsupportedModelError
        With all that is missing.
    """
    lacks = list(dict.fromkeys(missing))
    if lacks:
        raise UnsupportedModelError(
            f"This {what} has parts for which no exact decomposition is known here: "
            f"{'; '.join(lacks)}. docs/families.md lists what is supported."
        )


def other_norms(module: nn.Module, names: Iterable[str]) -> Iterable[str]:
    """Name the norms among a module's parts that are no LayerNorm."""
    for name in names:
        norm: Any = getattr(module, name, None)
        if not is_plain(norm):
            yield f"a norm of type {type(norm).__name__} ({name})"
