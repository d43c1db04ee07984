"""The text tower of a saved encoding's model: loaded at the first prompt, and proven to be it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from napari_clip_heatmap.errors import ModelLoadError

if TYPE_CHECKING:
    from napari_clip_heatmap.clip.text import TextEncoder

__all__ = ["LateText", "require_same"]


class LateText:
    """Stands for a `TextEncoder` until something is asked of it.

    Parameters
    ----------
    name : str
        As `api.load_model` takes it.
    encoded : mapping
        What the model that encoded said of itself.
    d_embed : int
        Size of the joint space.
    """

    def __init__(self, name: str, encoded: Mapping[str, Any], d_embed: int) -> None:
        self._name, self._encoded = name, encoded
        self.d_embed = d_embed

    def __getattr__(self, name: str) -> Any:
        """Look up what is public at the text encoder itself; Python's own protocols are ours."""
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._loaded, name)

    @cached_property
    def _loaded(self) -> TextEncoder:
        from napari_clip_heatmap.clip.loading import load_text
        from napari_clip_heatmap.clip.sources.normalization import normalisation_of

        if self._name == "custom":
            raise ModelLoadError(
                "this encoding was made by a ready model, which has no name to load it by; give "
                "the model: open_encoding(path, model=load_model(...))"
            )
        height, width = self._encoded["image_size"]
        text, weights = load_text(
            self._name,
            image_size=(height, width),
            normalisation=normalisation_of(self._encoded),
            d_embed=self.d_embed,
        )
        require_same(self._encoded, self._name, weights)
        return text


def require_same(encoded: Mapping[str, Any], name: str, weights: str) -> None:
    """Raise unless these are the weights that encoded.

    Raises
    ------
    ModelLoadError
        They are others: their text directions mean something else.
    """
    if encoded["weights_sha256"] != weights:
        raise ModelLoadError(
            f"the encoding was made by the model '{encoded['name']}' with weights "
            f"{encoded['weights_sha256'][:12]}..., and '{name}' has {weights[:12]}...: another "
            "model's words mean nothing to it. Give the one that encoded, as "
            "open_encoding(path, model=...), or encode the image anew"
        )
