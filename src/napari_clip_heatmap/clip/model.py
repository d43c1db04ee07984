"""A loaded CLIP model, as everything downstream knows it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from importlib.metadata import version
from typing import Any, Literal
from weakref import WeakMethod

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_clip_heatmap.clip.devices import copy_to_device, release_memory
from napari_clip_heatmap.clip.placement import PlacedModel
from napari_clip_heatmap.clip.sources.normalization import Normalization
from napari_clip_heatmap.clip.text import TextEncoder, text_tower
from napari_clip_heatmap.clip.weights import Notices, hash_weights
from napari_clip_heatmap.core.convention import Convention, parse_convention
from napari_clip_heatmap.core.decomposition import Decomposition, decompose
from napari_clip_heatmap.core.selection import select
from napari_clip_heatmap.core.token_map import Fold, TokenMap, fold, token_map
from napari_clip_heatmap.core.tower import Tower
from napari_clip_heatmap.errors import ImageError

__all__ = ["ClipModel"]

SettleAgain = Callable[[torch.device, bool], PlacedModel]
"""Reads the weights anew and puts them on a device; in half precision only where that is said."""


class ClipModel:
    """A CLIP model whose image tower can be decomposed.

    Made by `napari_clip_heatmap.load_model`. The model given is read, never changed.

    Parameters
    ----------
    placed : PlacedModel
        The open_clip model where it runs, and its image tower, adapted.
    text : TextEncoder
    name : str
    normalisation : Normalization
    weights_sha256 : str, optional
        Of the weights as they were given; by default of those placed.
    settle_again : callable(device, half) -> PlacedModel
        How to go on elsewhere when the device fails.
    outlier_factor : float, optional
        Leaves register-like tokens out of the maps; see `load_model`.

    Attributes
    ----------
    notices : Notices
        What could not be done as asked.
    max_batch : int or None
        Images that the device had room for at once, where it had none for more.
    """

    def __init__(
        self,
        placed: PlacedModel,
        text: TextEncoder,
        *,
        name: str,
        normalisation: Normalization,
        weights_sha256: str | None,
        settle_again: SettleAgain,
        outlier_factor: float | None = None,
    ) -> None:
        tower = placed.tower
        self.outlier_factor = outlier_factor
        self.text = text
        self.name = name
        self.notices = Notices()
        self.max_batch: int | None = None
        self.mean, self.std = normalisation.mean, normalisation.std
        self.image_size, self.patch_size = tower.image_size, tower.patch_size
        self.grid = tower.grid
        self.n_layers, self.n_heads = tower.n_layers, tower.n_heads
        self.d_model, self.d_embed = tower.d_model, tower.d_embed
        self._weights_sha256 = weights_sha256
        self._settle_again = settle_again
        self._take(placed)
        text.on_device_failure = WeakMethod(
            self.fall_back_to_cpu
        )  # a text tower keeps no image tower alive

    def __repr__(self) -> str:
        return f"ClipModel({self.name!r}, device={str(self.device)!r}, dtype={self.dtype})"

    @property
    def device(self) -> torch.device:
        """Where the weights lie."""
        return self._weight.device

    @property
    def dtype(self) -> torch.dtype:
        """Type of the weights."""
        return self._weight.dtype

    @property
    def tower(self) -> Tower:
        """The image tower as the decomposition sees it, where it runs now."""
        return self._tower

    @property
    def _weight(self) -> Tensor:
        weight: Tensor = next(self._module.visual.parameters())
        return weight

    @property
    def logit_scale(self) -> float:
        """Factor from cosine to logit."""
        return self.text.logit_scale

    @cached_property
    def weights_sha256(self) -> str:
        """Content hash of all weights, image and text, whatever precision they run in."""
        return self._weights_sha256 or hash_weights(self._module)

    def fall_back_to_cpu(self, reason: str) -> None:
        """Take the weights to the CPU for good, and tell why; texts are encoded there too.

        They are read anew: a device that is lost or full gives none back.

        Parameters
        ----------
        reason : str
            What the device did.

        Raises
        ------
        ModelLoadError
            The weights are no longer where they were read from.
        DeviceError
            They were only on that device, and it gives them back no more.
        """
        left = self.device
        self._go_on_with(self._settle_again(torch.device("cpu"), True))
        self.notices.tell(
            "device",
            f"{left} {reason}, so the CPU went on from there; nothing that was done is lost. To "
            f"try {left} again, load the model again.",
        )

    def fall_back_to_full_precision(self) -> bool:
        """Take up the weights in their own precision, if half was chosen for them by default.

        Returns
        -------
        bool
            Whether that changed anything.
        """
        if not self._placed.narrowed:
            return False
        narrow = self.dtype
        self._go_on_with(self._settle_again(self.device, False))
        self.notices.tell(
            "precision",
            f"A part of the image was too much for {_short(narrow)}, so the model went on in "
            f"{_short(self.dtype)}.",
        )
        return True

    def preprocess(self, tiles: NDArray[np.float32]) -> Tensor:
        """Normalise pixels as the model's training did.

        Parameters
        ----------
        tiles : float32 (b, h, w, 3)
            In 0..1, of the model's image size.

        Returns
        -------
        Tensor (b, 3, h, w)
            On the model's device.
        """
        tiles = np.ascontiguousarray(tiles, dtype=np.float32)
        if tiles.ndim != 4 or tiles.shape[-1] != 3:
            raise ImageError(f"Tiles are (b, h, w, 3) in 0..1; got shape {tiles.shape}.")
        pixels = copy_to_device(tiles, self._weight.device).permute(0, 3, 1, 2)
        mean, std = (pixels.new_tensor(each)[:, None, None] for each in (self.mean, self.std))
        return ((pixels - mean) / std).contiguous()

    def token_map(
        self, batch: Tensor, *, convention: Literal["reference", "centred"] = "reference"
    ) -> TokenMap:
        """Return every patch's share of the unit image embedding, at the cost of a forward pass.

        Parameters
        ----------
        batch : Tensor (b, 3, h, w)
            As `preprocess` returns it.
        convention : {"reference", "centred"}
            How the parts that belong to no token are shared out.

        Returns
        -------
        TokenMap
            ``tokens`` (b, grid_y, grid_x, d_embed), in single precision or wider; dotted with a
            unit text direction: shares of the cosine similarity.
        """
        with torch.no_grad():
            folded = self._fold(parse_convention(convention))
            return self._map(batch, folded)

    def fold_prompts(
        self,
        directions: Tensor,
        *,
        convention: Literal["reference", "centred"] = "reference",
    ) -> Fold:
        """Fold unit text directions [prompt, d_embed] into the weights, for `prompt_map`."""
        with torch.no_grad():
            texts = directions.to(self._weight.device)
            return fold(self._tower, parse_convention(convention), texts)

    def prompt_map(self, batch: Tensor, folded: Fold) -> TokenMap:
        """Return every patch's share of the cosine with prompts known beforehand.

        The same numbers as `token_map` dotted with the directions, for less work.

        Parameters
        ----------
        batch : Tensor (b, 3, h, w)
            As `preprocess` returns it.
        folded : Fold
            From `fold_prompts`.

        Returns
        -------
        TokenMap
            ``tokens`` (b, grid_y, grid_x, prompt), cosine.
        """
        with torch.no_grad():
            return self._map(batch, folded)

    def decompose(
        self,
        batch: Tensor,
        *,
        layers: Sequence[int | str] | None = None,
        heads: Sequence[int | str] | None = None,
        convention: Literal["reference", "centred"] = "reference",
    ) -> Decomposition:
        """Return the share of layers, tokens and heads in the unit image embedding.

        Parameters
        ----------
        batch : Tensor (b, 3, h, w)
            As `preprocess` returns it.
        layers, heads : sequence of int or str, optional
            Only these, by number or label (``"L22"``, ``"L22H5"``); the rest is not built.
        convention : {"reference", "centred"}
            How the parts that belong to no token are shared out.

        Returns
        -------
        Decomposition

        Raises
        ------
        DecompositionError
            There is no such layer, head or convention.
        ImageError
            The batch does not fit the model.
        """
        chosen = select(layers, heads, n_layers=self.n_layers, n_heads=self.n_heads)
        named = parse_convention(convention)
        with torch.no_grad():
            return decompose(self._tower, self._checked(batch), chosen, named)

    def encode_text(self, prompts: Sequence[str]) -> Tensor:
        """Return the unit direction of each prompt, (prompt, d_embed), float32 on the CPU."""
        return self.text.encode(prompts)

    def describe(self) -> dict[str, object]:
        """Return what is needed to say where numbers came from, ready for JSON."""
        return {
            "name": self.name,
            "family": self._tower.family,
            "weights_sha256": self.weights_sha256,
            "device": str(self.device),
            "precision": _short(self.dtype),
            "image_size": list(self.image_size),
            "patch_size": list(self.patch_size),
            "mean": list(self.mean),
            "std": list(self.std),
            "outlier_factor": self.outlier_factor,
            "versions": {
                name: version(name)
                for name in ("napari-clip-heatmap", "open_clip_torch", "torch", "numpy")
            },
        }

    def _map(self, batch: Tensor, folded: Fold) -> TokenMap:
        return token_map(
            self._tower, self._checked(batch), folded, outlier_factor=self.outlier_factor
        )

    def _go_on_with(self, placed: PlacedModel) -> None:
        """Run there from now on."""
        self._take(placed)
        self.max_batch = None
        self.text.go_on_with(text_tower(placed.module))
        release_memory()

    def _take(self, placed: PlacedModel) -> None:
        self._placed = placed
        self._module: Any = placed.module
        self._tower: Tower = placed.tower
        self._folds: dict[Convention, Fold] = {}
        if placed.notice:
            self.notices.tell("device", placed.notice)

    def _fold(self, convention: Convention) -> Fold:
        if convention not in self._folds:
            self._folds[convention] = fold(self._tower, convention)
        return self._folds[convention]

    def _checked(self, batch: Tensor) -> Tensor:
        expected = (3, *self.image_size)
        shape = tuple(getattr(batch, "shape", ()))
        if len(shape) != 4 or shape[1:] != expected:
            raise ImageError(
                f"The model takes a batch of preprocessed images (b, 3, {expected[1]}, "
                f"{expected[2]}); got shape {shape}. `model.preprocess` makes one from tiles."
            )
        if not len(batch):
            raise ImageError("The batch holds no image.")
        return batch.to(self._weight.device)


def _short(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
