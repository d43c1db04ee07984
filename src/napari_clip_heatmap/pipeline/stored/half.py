"""The token map in half the bytes, where that costs no map more than a thousandth of its range."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["LOSS", "halved", "restored"]

LOSS = 1e-3
"""Largest error of a map, as a share of its range."""

_DIRECTIONS = 64
"""Maps that are compared, of random directions: a half that is right for some prompts only would
be none."""


def halved(tokens: NDArray[np.float32]) -> tuple[NDArray[np.float16], int] | None:
    """Return a token map in half precision and its exponent; None where too much would be lost.

    Shares of a cosine are small, and below 6e-5 half precision has no digits to spare: the largest
    is brought near 2**14 first, by a power of two, which costs nothing.

    Parameters
    ----------
    tokens : float32 (y, x, d_embed)

    Returns
    -------
    half : float16 (y, x, d_embed)
        Times ``2 ** -exponent``: the tokens.
    exponent : int
    """
    largest = float(np.abs(tokens).max(initial=0))
    exponent = 14 - int(np.frexp(largest)[1]) if largest else 0
    half = np.ldexp(tokens, exponent).astype(np.float16)
    return (half, exponent) if _loss(tokens, restored(half, exponent)) < LOSS else None


def restored(half: NDArray[Any], exponent: int) -> NDArray[np.float32]:
    """Return the token map, float32."""
    tokens: NDArray[np.float32] = np.ldexp(half.astype(np.float32), -exponent)
    return tokens


def _loss(tokens: NDArray[np.float32], stored: NDArray[np.float32]) -> float:
    """Return the largest error of any map, as a share of its own range."""
    generator = np.random.default_rng(0)
    directions = generator.standard_normal((tokens.shape[-1], _DIRECTIONS)).astype(np.float32)
    true, error = tokens @ directions, (tokens - stored) @ directions
    spread = np.ptp(true, axis=(0, 1))
    largest = np.abs(error).max(axis=(0, 1))
    if not spread.all():
        return 0.0 if not largest.any() else float("inf")
    return float((largest / spread).max())
