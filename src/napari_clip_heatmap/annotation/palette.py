"""Colors that stay apart, however many are asked for."""

from __future__ import annotations

import colorsys

__all__ = ["distinct_color"]

_GOLDEN = 0.618033988749895
"""Turns of the color circle from one color to the next: none comes back to an earlier one."""


def distinct_color(number: int) -> tuple[int, int, int]:
    """Return red, green and blue, 0 to 255, of one number; neighbors differ clearly."""
    hue = (number * _GOLDEN) % 1
    red, green, blue = colorsys.hsv_to_rgb(hue, 0.75, (1.0, 0.8)[number % 2])
    return round(255 * red), round(255 * green), round(255 * blue)
