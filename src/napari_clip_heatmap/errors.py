"""Everything this package raises on purpose.

Each error is also the builtin a caller would expect, so ``except ValueError`` keeps working, and
each message says what was asked, what was got, what is accepted and what to do next.
"""

from __future__ import annotations

__all__ = [
    "Cancelled",
    "ClipHeatmapError",
    "DecompositionError",
    "DeviceError",
    "EncodingFileError",
    "ImageError",
    "ModelLoadError",
    "OutputError",
    "PromptError",
    "SceneError",
    "SettingsError",
    "UnsupportedModelError",
]


class ClipHeatmapError(Exception):
    """Base of every error raised by this package."""


class UnsupportedModelError(ClipHeatmapError, ValueError):
    """The model's image tower has a part for which no exact decomposition is known here."""


class DecompositionError(ClipHeatmapError, RuntimeError):
    """The parts of the image embedding do not sum to it, or were asked for in an impossible way."""


class ModelLoadError(ClipHeatmapError, RuntimeError):
    """A model, its weights or its tokenizer could not be read."""


class DeviceError(ClipHeatmapError, RuntimeError):
    """The requested device is not there, or cannot be used."""


class ImageError(ClipHeatmapError, ValueError):
    """The image has a shape, type or content that cannot be looked at."""


class OutputError(ClipHeatmapError, OSError):
    """Results cannot be written where they were asked for, or would replace other results."""


class EncodingFileError(ClipHeatmapError, OSError):
    """A saved encoding is not there, is damaged, or is none."""


class PromptError(ClipHeatmapError, ValueError):
    """The prompts are missing, blank or contradictory."""


class SceneError(ClipHeatmapError, ValueError):
    """A drawn scene was asked for with settings that cannot be met."""


class SettingsError(ClipHeatmapError, ValueError):
    """A setting lies outside what is accepted."""


class Cancelled(ClipHeatmapError, RuntimeError):  # noqa: N818 - no error: it was asked for
    """The caller asked for the work to stop; nothing was changed."""
