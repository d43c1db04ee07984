"""What a single prompt is compared with."""

from __future__ import annotations

__all__ = ["NEUTRAL_PROMPTS"]

NEUTRAL_PROMPTS = (
    "an image",
    "a photo",
    "a picture",
    "a microscopy image",
    "background",
    "an empty field",
    "nothing",
)
"""Prompts that name no object: kinds of pictures, and the absence of things."""
