"""Layers and heads of a request: by number, or by label such as ``"L22H5"``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import product
from operator import index

from napari_clip_heatmap.errors import DecompositionError, shorten

__all__ = ["Selection", "select", "select_pairs"]

_LABEL = re.compile(r"L(?P<layer>\d{1,9})(?:H(?P<head>\d{1,9}))?|H(?P<only>\d{1,9})", re.IGNORECASE)


@dataclass(frozen=True)
class Selection:
    """Layers and heads, each in the requested order, without duplicates."""

    layers: tuple[int, ...]
    heads: tuple[int, ...]

    @property
    def labels(self) -> tuple[tuple[str, ...], ...]:
        """Labels by layer, then head: ``labels[0][1]`` is, for example, ``"L22H5"``."""
        return tuple(tuple(f"L{layer}H{head}" for head in self.heads) for layer in self.layers)


def select(
    layers: Sequence[int | str] | int | str | None,
    heads: Sequence[int | str] | int | str | None,
    *,
    n_layers: int,
    n_heads: int,
) -> Selection:
    """Return the requested layers and heads; None means all of them.

    Parameters
    ----------
    layers, heads : int or str, sequence of them, or None
        Numbers count from 0, or from the end if negative. ``"L22H5"`` names a layer and a head, and
        is accepted in either argument; the pairs named this way must form a full grid.

    Raises
    ------
    DecompositionError
        A label cannot be read, is out of range, or the labels do not form a grid.
    """
    pairs = [*_parse_all(layers, "layer"), *_parse_all(heads, "head")]
    checked = [
        (_in_range(layer, n_layers, "layer"), _in_range(head, n_heads, "head"))
        for layer, head in pairs
    ]
    named_layers = tuple(dict.fromkeys(layer for layer, _ in checked if layer is not None))
    named_heads = tuple(dict.fromkeys(head for _, head in checked if head is not None))
    chosen = Selection(
        layers=tuple(range(n_layers)) if layers is None and not named_layers else named_layers,
        heads=tuple(range(n_heads)) if heads is None and not named_heads else named_heads,
    )
    named_pairs = {pair for pair in checked if None not in pair}
    if named_pairs and named_pairs != set(product(chosen.layers, chosen.heads)):
        raise DecompositionError(
            f"layers={shorten(repr(layers))} with heads={shorten(repr(heads))} do not form a grid "
            "of layers and heads, but the result is one array. Make one call for each layer that "
            "needs other heads."
        )
    return chosen


def select_pairs(
    layers: Sequence[int | str] | int | str | None,
    heads: Sequence[int | str] | int | str | None,
    *,
    n_layers: int,
    n_heads: int,
) -> frozenset[tuple[int, int]]:
    """Return (layer, head) of a request for a sum, which need form no grid.

    Parameters
    ----------
    layers, heads : int or str, sequence of them, or None
        ``"L4H2"`` names one head of one layer. A layer alone means all its heads, a head alone that
        head of all layers, and both together those heads of those layers. None names nothing; the
        request as a whole must name something.

    Raises
    ------
    DecompositionError
        A label cannot be read or is out of range, nothing is named, or named pairs contradict what
        else is named.
    """
    entries = [*_parse_all(layers, "layer"), *_parse_all(heads, "head")]
    if not entries:
        raise DecompositionError(
            "No layer and no head is named; give layers=['L4'], heads=['L4H2'], or both."
        )
    checked = [
        (_in_range(layer, n_layers, "layer"), _in_range(head, n_heads, "head"))
        for layer, head in entries
    ]
    pairs = {(layer, head) for layer, head in checked if layer is not None and head is not None}
    alone = [pair for pair in checked if None in pair]
    named_layers = {layer for layer, _ in alone if layer is not None}
    named_heads = {head for _, head in alone if head is not None}
    if not pairs:
        return frozenset(product(named_layers or range(n_layers), named_heads or range(n_heads)))
    if named_heads or not {layer for layer, _ in pairs} == (
        named_layers or {layer for layer, _ in pairs}
    ):
        raise DecompositionError(
            f"layers={shorten(repr(layers))} with heads={shorten(repr(heads))} can be read in two "
            "ways: heads named with their layer ('L4H2') stand for themselves. Name every head "
            "with its layer, or name layers and heads apart."
        )
    return frozenset(pairs)


def _parse_all(
    entries: Sequence[int | str] | int | str | None, kind: str
) -> list[tuple[int | None, int | None]]:
    """Return (layer, head) of each entry, with None for the one that it does not name."""
    if entries is None:
        return []
    if isinstance(entries, str) or not isinstance(entries, Iterable):
        entries = [entries]
    return [_parse(entry, kind) for entry in entries]


def _parse(entry: int | str, kind: str) -> tuple[int | None, int | None]:
    if isinstance(entry, str):
        match = _LABEL.fullmatch(entry.strip())
        if match is None:
            raise DecompositionError(
                f"Cannot read {shorten(repr(entry))} as a layer or head; write a number, 'L22', "
                "'H5' or 'L22H5'."
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
            f"A {kind} is a whole number or a label such as 'L22H5'; got {shorten(repr(entry))}."
        ) from None
    return (number, None) if kind == "layer" else (None, number)


def _in_range(number: int | None, size: int, kind: str) -> int | None:
    if number is None:
        return None
    if not -size <= number < size:
        raise DecompositionError(
            f"There is no {kind} {shorten(number)}: this model has {size}, counted from 0 to "
            f"{size - 1}."
        )
    return number % size
