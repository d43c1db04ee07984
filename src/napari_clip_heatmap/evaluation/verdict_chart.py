"""The distribution of dependence for each group of prompts, as one picture."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from napari_clip_heatmap.evaluation.meaning.asked_prompts import ABSENT, PRESENT
from napari_clip_heatmap.evaluation.verdict_trial import JudgedPrompt
from napari_clip_heatmap.pipeline.calibration import TextLimits

__all__ = ["draw_distribution"]

_WIDTH, _LEFT, _RIGHT, _ROW, _TOP, _FOOT = 1000, 190, 20, 74, 40, 44
_MOST, _BIN = 3.5, 0.025
"""End of the axis and width of a bar, in units of dependence."""
_COLORS = {PRESENT: (24, 130, 60), ABSENT: (200, 120, 20)}
_GIBBERISH = (110, 110, 120)
_LINE = (190, 30, 40)


def draw_distribution(judged: Sequence[JudgedPrompt], limits: TextLimits) -> NDArray[np.uint8]:
    """Draw a histogram per group, with the limits of the text, uint8 RGB (y, x, 3).

    Heights are logarithmic, so that a single prompt on a single image can be seen.
    """
    groups = tuple(dict.fromkeys(each.group for each in judged))
    picture = Image.new("RGB", (_WIDTH, _TOP + _ROW * len(groups) + _FOOT), "white")
    pen = ImageDraw.Draw(picture)
    font = ImageFont.load_default(size=14)
    floor = _TOP + _ROW * len(groups)
    for limit, side, name in (
        (limits.none, "ra", f"like nonsense < {limits.none:.2f}"),
        (limits.good, "la", f"{limits.good:.2f} <= depends on the words"),
    ):
        pen.line([(_at(limit), 28), (_at(limit), floor)], fill=_LINE, width=1)
        pen.text((_at(limit), 8), name, fill=_LINE, font=font, anchor=side)
    for number, group in enumerate(groups):
        values = np.array([each.dependence for each in judged if each.group == group])
        base = _TOP + _ROW * (number + 1) - 8
        _bars(pen, values, base, _COLORS.get(group, _GIBBERISH))
        pen.text((8, base - 42), group, fill="black", font=font)
        pen.text(
            (8, base - 22), f"{values.min():.2f} to {values.max():.2f}", fill="gray", font=font
        )
    for tick in np.arange(0, _MOST + 0.1, 0.5):
        pen.text((_at(tick), floor + 2), f"{tick:.1f}", fill="black", font=font, anchor="ma")
    axis = "dependence: distance from the nearest nonsense / distance of nonsense from itself"
    pen.text((_at(0), floor + 22), axis, fill="black", font=font)
    return np.asarray(picture)


def _at(dependence: float) -> float:
    return _LEFT + dependence / _MOST * (_WIDTH - _LEFT - _RIGHT)


def _bars(
    pen: ImageDraw.ImageDraw, values: NDArray[np.float64], base: int, color: tuple[int, int, int]
) -> None:
    edges = np.arange(0, _MOST + _BIN / 2, _BIN)
    counts, _ = np.histogram(values.clip(0, _MOST), edges)
    heights = np.log1p(counts) / np.log1p(counts.max()) * (_ROW - 20)
    pen.line([(_LEFT, base), (_WIDTH - _RIGHT, base)], fill=(210, 210, 210))
    for left, right, height in zip(edges[:-1], edges[1:], heights, strict=True):
        if height:
            pen.rectangle([_at(left), base - height, _at(right) - 1, base], fill=color)
