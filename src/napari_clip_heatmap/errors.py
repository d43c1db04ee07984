"""The exceptions that this package raises.

Each one also derives from the built-in exception that a caller would expect, so
``except ValueError`` keeps working. A message says what was requested, what was found, what is
accepted and what to do next.
"""

from __future__ import annotations

__all__ = [
    "MESSAGE_LIMIT",
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

MESSAGE_LIMIT = 500
"""Characters of the longest message."""

_ELLIPSIS = " ... "


def shorten(value: object, limit: int = 100) -> str:
    """Return a value's text for a message, with its middle left out where it is too long.

    Parameters
    ----------
    value : object
        A name, a path, a prompt, another error; for a quoted text, pass ``repr(text)``.
    limit : int
        Largest number of characters.

    Examples
    --------
    >>> shorten("visual.transformer.resblocks.11.attn.in_proj_weight", 25)
    'visual.tra ... roj_weight'
    """
    text = str(value)
    if len(text) <= limit:
        return text
    kept = max(limit - len(_ELLIPSIS), 0)
    return text[: kept - kept // 2] + _ELLIPSIS + text[len(text) - kept // 2 :]


def shown_value(value: object, limit: int = 80) -> str:
    """Return a short text of any value, for messages."""
    try:
        text = repr(value)
    except Exception as error:  # noqa: BLE001 - someone else's repr must not hide our message
        text = f"<{type(value).__name__} whose repr raises {type(error).__name__}>"
    return shorten(" ".join(text.split()), limit)


class ClipHeatmapError(Exception):
    """Base class of all errors raised by this package; its message has at most 500 characters."""

    def __init__(self, *args: object) -> None:
        if len(args) == 1 and isinstance(args[0], str):
            args = (shorten(args[0], MESSAGE_LIMIT),)
        super().__init__(*args)


class UnsupportedModelError(ClipHeatmapError, ValueError):
    """No exact decomposition is known for a part of the model's image tower."""


class DecompositionError(ClipHeatmapError, RuntimeError):
    """The parts of the image embedding do not sum to it, or a request for parts is invalid."""


class ModelLoadError(ClipHeatmapError, RuntimeError):
    """A model, its weights or its tokenizer cannot be read."""


class DeviceError(ClipHeatmapError, RuntimeError):
    """The requested device does not exist here, or cannot be used."""


class ImageError(ClipHeatmapError, ValueError):
    """The image has a shape, type or content that cannot be used."""


class OutputError(ClipHeatmapError, OSError):
    """Results cannot be written to the requested place, or would replace other results."""

    def __reduce__(self) -> tuple[type[OutputError], tuple[object, ...], dict[str, object]]:
        """Keep the number of the disk's error, which pickle drops together with the cause."""
        return type(self), self.args, {"errno": getattr(self.__cause__, "errno", self.errno)}


class EncodingFileError(ClipHeatmapError, OSError):
    """A saved encoding is missing or damaged, or the file is not one."""


class PromptError(ClipHeatmapError, ValueError):
    """The prompts are missing, blank or contradictory."""


class SceneError(ClipHeatmapError, ValueError):
    """A drawn scene was requested with settings that cannot be satisfied."""


class SettingsError(ClipHeatmapError, ValueError):
    """A setting is outside the accepted range."""


class Cancelled(ClipHeatmapError, RuntimeError):  # noqa: N818 - a request, not an error
    """The caller cancelled the work; nothing was changed."""
