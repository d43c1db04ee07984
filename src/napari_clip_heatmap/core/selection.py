"""Which layers and heads a request means: by number, or by label such as ``"L22H5"``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from operator import index

from napari_clip_heatmap.errors import DecompositionError

__all__ = ["Selection", "select"]

_LABEL = re.compile(r"L(?P<layer>\d+)(?:H(?P<head>\d+))?|H(?P<only>\d+)", re.IGNORECASE)


@dataclass(frozen=True)
class Selection:
    """Layers and heads, each in the order asked for, none twice."""

    layers: tuple[int, ...]
    heads: tuple[int, ...]

    @property
    def labels(self) -> tuple[tuple[str, ...], ...]:
        """Labels by layer, then head: ``labels[0][1]`` is like ``"L22H5"``."""
        return tuple(tuple(f"L{layer}H{head}" for head in self.heads) for layer in self.layers)


def select(
    layers: Sequence[int | str] | int | str | None,
    heads: Sequence[int | str] | int | str | None,
    *,
    n_layers: int,
    n_heads: int,
) -> Selection:
    """Return the layers and heads asked for; all of them where nothing is said.

    Parameters
    ----------
    layers, heads : sequence of int or str, or one of them, or None
        Numbers count from 0, or from the end where negative. ``"L22H5"`` may stand in either and
        names both; the layers and heads so named must form a full grid.

    Raises
    ------
    DecompositionError
        A label cannot be read, is out of range, or the labels do not form a grid.
    """
    entries = [*_read(layers, "layer"), *_read(heads, "head")]
    placed = [
        (_in_range(layer, n_layers, "layer"), _in_range(head, n_heads, "head"))
        for layer, head in entries
    ]
    named_layers = tuple(dict.fromkeys(layer for layer, _ in placed if layer is not None))
    named_heads = tuple(dict.fromkeys(head for _, head in placed if head is not None))
    chosen = Selection(
        layers=tuple(range(n_layers)) if layers is None and not named_layers else named_layers,
        heads=tuple(range(n_heads)) if heads is None and not named_heads else named_heads,
    )
    pairs = {pair for pair in placed if None not in pair}
    if pairs and pairs != set(product(chosen.layers, chosen.heads)):
        raise DecompositionError(
            f"layers={layers!r} with heads={heads!r} do not form a grid of layers and heads, and "
            "the answer is one array: ask for each layer that wants other heads by itself."
        )
    return chosen


def _read(
    entries: Sequence[int | str] | int | str | None, kind: str
) -> list[tuple[int | None, int | None]]:
    """Return (layer, head) of each entry, None for the one that it does not name."""
    if entries is None:
        return []
    if isinstance(entries, (int, str)):
        entries = [entries]
    return [_parse(entry, kind) for entry in entries]


def _parse(entry: int | str, kind: str) -> tuple[int | None, int | None]:
    if isinstance(entry, str):
        match = _LABEL.fullmatch(entry.strip())
        if match is None:
            raise DecompositionError(
                f"Cannot read {entry!r} as a layer or head; write a number, 'L22', 'H5' or 'L22H5'."
            )
        layer, head, only = match["layer"], match["head"], match["only"]
        number = head if head is not None else only
        return (
            None if layer is None else int(layer),
            None if number is None else int(number),
        )
    try:
        number = index(entry)
    except TypeError:
        raise DecompositionError(
            f"A {kind} is a whole number or a label such as 'L22H5'; got {entry!r}."
        ) from None
    return (number, None) if kind == "layer" else (None, number)


def _in_range(number: int | None, size: int, kind: str) -> int | None:
    if number is None:
        return None
    if not -size <= number < size:
        raise DecompositionError(
            f"There is no {kind} {number}: this model has {size}, counted from 0 to {size - 1}."
        )
    return number % size
