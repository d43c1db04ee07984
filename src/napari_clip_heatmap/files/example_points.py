"""Marked places as a table: the points of an example, in CSV."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_clip_heatmap.errors import PromptError, shorten, shown_value

__all__ = ["read_example_points"]

_COORDINATES = (("y", "x"), ("axis-0", "axis-1"))
"""Columns of the positions; the second pair is what napari writes."""

_SIGNS = ("sign", "label")

_POSITIVE = frozenset(("", "+", "+1", "1", "1.0", "positive", "true", "yes"))
_NEGATIVE = frozenset(("-", "-1", "-1.0", "0", "0.0", "negative", "false", "no"))

_HOW = (
    "accepted: CSV whose first line names the columns y and x (or axis-0 and axis-1, as napari "
    "writes them), in pixels, and if there are negative places a column sign with + and -"
)


def read_example_points(path: Path) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Read the positive and the negative points of an example.

    Parameters
    ----------
    path : Path
        CSV with the columns ``y`` and ``x`` (or ``axis-0`` and ``axis-1``) in pixels, and
        optionally ``sign`` or ``label``: "+", "1" and "positive", or "-", "0", "-1" and
        "negative". Other columns are ignored.

    Returns
    -------
    positive, negative : float64 (point, 2)
        y and x in pixels.

    Raises
    ------
    PromptError
        The file cannot be read, or a line is no point.

    Examples
    --------
    >>> positive, negative = read_example_points(Path("points.csv"))  # doctest: +SKIP
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            rows = csv.DictReader(stream, strict=True)
            rows.fieldnames = [(each or "").strip().lower() for each in rows.fieldnames or ()]
            y, x, sign = _columns(path, rows.fieldnames)
            found = [_point(path, row, y, x, sign, rows.line_num) for row in rows]
    except OSError as error:
        raise PromptError(f"{_name(path)} cannot be read ({error.strerror or error})") from error
    except (UnicodeDecodeError, csv.Error) as error:
        reason = shorten(error, 100)
        raise PromptError(f"{_name(path)} is no table of points ({reason}); {_HOW}") from error
    positive = [point for point, is_positive in found if is_positive]
    negative = [point for point, is_positive in found if not is_positive]
    return np.reshape(positive, (-1, 2)), np.reshape(negative, (-1, 2))


def _columns(path: Path, names: list[str]) -> tuple[str, str, str]:
    pair = next((each for each in _COORDINATES if set(each) <= set(names)), None)
    if pair is None:
        raise PromptError(
            f"{_name(path)} has the columns {shorten(', '.join(names), 80)}, and none for the "
            f"positions of points; {_HOW}"
        )
    signs = [each for each in _SIGNS if each in names]
    if len(signs) > 1:
        raise PromptError(
            f"{_name(path)} has the columns sign and label, and only one can say which points are "
            "negative; remove the other"
        )
    return (*pair, signs[0] if signs else "")


def _point(
    path: Path, row: dict[str, str | None], y: str, x: str, sign: str, line: int
) -> tuple[tuple[float, float], bool]:
    try:
        position = float(row[y] or ""), float(row[x] or "")
    except ValueError as error:
        raise PromptError(
            f"line {line} of {_name(path)} has the position {shown_value((row[y], row[x]))}, "
            f"which is no pair of numbers; {_HOW}"
        ) from error
    given = (row[sign] or "").strip().lower() if sign else ""
    if given not in _POSITIVE | _NEGATIVE:
        raise PromptError(
            f"line {line} of {_name(path)} has the {sign} {shown_value(given)}; accepted: + or 1 "
            "for places that show the thing, - or 0 for places that do not"
        )
    return position, given in _POSITIVE


def _name(path: Path) -> str:
    return f"'{shorten(str(path), 120)}'"
