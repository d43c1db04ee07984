"""Choices of a Labels layer, and of a prompt."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from magicgui.widgets import ComboBox
from napari.layers import Labels

from napari_clip_heatmap._napari.views.choices import KeptChoice

if TYPE_CHECKING:
    from napari.components import ViewerModel

__all__ = ["LabelsChoice", "PromptChoice"]


class PromptChoice(ComboBox):
    """A choice of one of the prompts that have heatmaps; its value is the key of the row.

    napari lets every control read its choices again when a layer comes or goes; these stay.
    """

    def __init__(self, **options: Any) -> None:
        self._offered: tuple[tuple[str, str], ...] = ()
        super().__init__(choices=lambda _: self._offered, nullable=True, **options)

    @property
    def offered(self) -> tuple[tuple[str, str], ...]:
        """Prompts, each with the key of its row."""
        return self._offered

    def offer(self, choices: Sequence[tuple[str, str]]) -> None:
        """Offer prompts, each with the key of its row."""
        self._offered = tuple(choices)
        self.reset_choices()


class LabelsChoice(KeptChoice):
    """The viewer's Labels layers, the top one first.

    Parameters
    ----------
    viewer : callable
        Returns the viewer, or None while there is none.
    **options
        As magicgui's widgets take them.
    """

    def __init__(self, viewer: Callable[[], ViewerModel | None], **options: Any) -> None:
        self._viewer = viewer
        super().__init__(choices=lambda _: self._layers(), nullable=True, **options)

    def reset_choices(self, *_: Any) -> None:
        """Read the layers again; where none is chosen, the top one is."""
        super().reset_choices()
        if self.value is None:
            self.value = next(iter(self._layers()), None)

    def _layers(self) -> list[Labels]:
        viewer = self._viewer()
        layers = () if viewer is None else viewer.layers
        return [layer for layer in reversed(layers) if isinstance(layer, Labels)]
