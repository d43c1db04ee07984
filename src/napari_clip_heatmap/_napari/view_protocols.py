"""What controllers need of views; tests put mocks of these in their place."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["ControlView", "DockView", "PictureView", "Signal", "TextView"]


class Signal(Protocol):
    """A signal of magicgui, psygnal or Qt."""

    def connect(self, slot: Callable[..., Any]) -> Any:
        """Call a function when it is emitted."""


class TextView(Protocol):
    """A place for a text."""

    value: str


class PictureView(Protocol):
    """A place for a small picture."""

    @property
    def seen(self) -> bool:
        """Whether it is on screen."""

    def show_picture(self, rgb: NDArray[np.float32]) -> None:
        """Show colors in 0..1, float32 (y, x, 3)."""

    def show_words(self, words: str) -> None:
        """Show words instead."""


class ControlView(Protocol):
    """A control that the user sets."""

    value: Any
    enabled: bool
    changed: Any

    def reset_choices(self) -> None:
        """Read the choices again."""


class DockView(Protocol):
    """All controls of the dock, by name."""

    @property
    def controls(self) -> Mapping[str, Any]:
        """Controls by name."""

    def show_row(self, name: str, *, shown: bool) -> None:
        """Show or hide a control with its label."""

    def leave(self, name: str) -> None:
        """Take the keyboard away from a control that is about to be disabled."""
