"""How a family says what it lacks."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from torch import nn

from napari_clip_heatmap.clip.families._head import is_linearizable
from napari_clip_heatmap.errors import UnsupportedModelError

__all__ = ["raise_if_missing", "unsupported_norms"]


def raise_if_missing(what: str, missing: Iterable[str]) -> None:
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


def unsupported_norms(module: nn.Module, names: Iterable[str]) -> Iterable[str]:
    """Name the norms among a module's parts that are no LayerNorm."""
    for name in names:
        norm: Any = getattr(module, name, None)
        if not is_linearizable(norm):
            yield f"a norm of type {type(norm).__name__} ({name})"
