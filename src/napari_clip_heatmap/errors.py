"""Everything this package raises on purpose.

Each error is also the builtin a caller would expect, so ``except ValueError`` keeps working, and
each message says what was given, what is accepted and what to do next.
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
    "shorten",
    "shown_value",
]

LONGEST_MESSAGE = 500
"""Characters of an error message; longer ones are shortened in the middle."""


def shorten(text: str, limit: int = 60) -> str:
    """Return a text of at most `limit` characters, with its middle left out where it is longer.

    Examples
    --------
    >>> shorten("nuclei of dividing cells", 13)
    'nuclei… cells'
    """
    if len(text) <= limit:
        return text
    tail = (limit - 1) // 2
    return f"{text[: limit - 1 - tail]}…{text[len(text) - tail :]}"


def shown_value(value: object, limit: int = 80) -> str:
    """Return a short text of any value, for messages."""
    try:
        text = repr(value)
    except Exception as error:  # noqa: BLE001 - someone else's repr must not hide our message
        text = f"<{type(value).__name__} whose repr raises {type(error).__name__}>"
    return shorten(" ".join(text.split()), limit)


class ClipHeatmapError(Exception):
    """Base of every error raised by this package; no message is longer than 500 characters."""

    def __init__(self, *args: object) -> None:
        super().__init__(
            *(shorten(arg, LONGEST_MESSAGE) if isinstance(arg, str) else arg for arg in args)
        )


class UnsupportedModelError(ClipHeatmapError, ValueError):
    """The model's image tower has a part for which no exact decomposition is known here."""


class DecompositionError(ClipHeatmapError, RuntimeError):
    """The parts of the image embedding do not sum to it, or cannot be selected like this."""


class ModelLoadError(ClipHeatmapError, RuntimeError):
    """A model, its weights or its tokenizer could not be read."""


class DeviceError(ClipHeatmapError, RuntimeError):
    """The requested device does not exist or cannot be used."""


class ImageError(ClipHeatmapError, ValueError):
    """The image has a shape, type or content that this package cannot use."""


class OutputError(ClipHeatmapError, OSError):
    """Results cannot be written to this place, or would replace other results."""


class EncodingFileError(ClipHeatmapError, OSError):
    """A saved encoding does not exist, is damaged, or is another kind of file."""


class PromptError(ClipHeatmapError, ValueError):
    """The prompts are missing, blank or contradictory."""


class SceneError(ClipHeatmapError, ValueError):
    """A scene cannot be drawn with these settings."""


class SettingsError(ClipHeatmapError, ValueError):
    """A setting has a wrong type or is outside the accepted range."""


class Cancelled(ClipHeatmapError, RuntimeError):  # noqa: N818 - the caller asked for it
    """The caller asked for the work to stop; nothing was changed."""
