"""A loaded CLIP model, as the rest of the package uses it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, cached_property
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Literal
from weakref import WeakMethod

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
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
from napari_clip_heatmap.errors import ImageError, shorten

if TYPE_CHECKING:
    from napari_clip_heatmap.core.head_vectors import HeadVectors

__all__ = ["ClipModel"]

ConventionName = Literal["reference", "centered", "centred"]

Reload = Callable[[torch.device, bool], PlacedModel]
"""Reads the weights again and puts them on a device, in half precision only if that is allowed."""

PIXEL_TOLERANCE = 1e-3
"""How far pixels may be outside 0..1: a quarter of an 8-bit step, more than resampling rounds."""


class ClipModel:
    """A CLIP model whose image tower can be decomposed.

    `napari_clip_heatmap.load_model` creates it. A model given to that function is never changed.

    Parameters
    ----------
    placed : PlacedModel
        The open_clip model on its device, and its adapted image tower.
    text : TextEncoder
    name : str
    normalization : Normalization
    weights_sha256 : str, optional
        Hash of the weights as they were loaded; by default computed from `placed`.
    reload : callable(device, allow_half) -> PlacedModel
        Loads the weights again, for when the device fails.
    outlier_factor : float, optional
        Leaves register-like tokens out of the maps; see `load_model`.
    mlp_by_token : bool
        Gives each patch its own MLPs; see `load_model`.

    Attributes
    ----------
    notices : Notices
        Requests that could not be met, and why.
    max_batch : int or None
        Images per pass that fit into the device's memory, once more have failed to.

    Examples
    --------
    >>> model = nch.load_model("demo", device="cpu")
    >>> model
    ClipModel('demo', device='cpu', dtype=torch.float32)
    >>> model.image_size, model.patch_size, model.grid
    ((96, 96), (8, 8), (12, 12))
    >>> model.encode_text(["nuclei", "filaments"]).shape
    torch.Size([2, 128])
    """

    def __init__(
        self,
        placed: PlacedModel,
        text: TextEncoder,
        *,
        name: str,
        normalization: Normalization,
        weights_sha256: str | None,
        reload: Reload,
        outlier_factor: float | None = None,
        mlp_by_token: bool = False,
    ) -> None:
        tower = placed.tower
        self.outlier_factor = outlier_factor
        self.mlp_by_token = mlp_by_token
        self.text = text
        self.name = name
        self.notices = Notices()
        self.max_batch: int | None = None
        self.mean, self.std = normalization.mean, normalization.std
        self.image_size, self.patch_size = tower.image_size, tower.patch_size
        self.grid = tower.grid
        self.n_layers, self.n_heads = tower.n_layers, tower.n_heads
        self.d_model, self.d_embed = tower.d_model, tower.d_embed
        self._weights_sha256 = weights_sha256
        self._reload = reload
        self._use(placed)
        # Weak, so that a text encoder which outlives the model does not keep its image tower.
        text.on_device_failure = WeakMethod(self.fall_back_to_cpu)

    def __repr__(self) -> str:
        return f"ClipModel({self.name!r}, device={str(self.device)!r}, dtype={self.dtype})"

    @property
    def device(self) -> torch.device:
        """Device of the weights."""
        return self._weight.device

    @property
    def dtype(self) -> torch.dtype:
        """Dtype of the image tower's weights."""
        return self._weight.dtype

    @property
    def tower(self) -> Tower:
        """The image tower as the decomposition sees it, where it runs now."""
        return self._placed.tower

    @property
    def module(self) -> Any:
        """The open_clip model that runs; read it, but do not change it."""
        return self._placed.module

    @property
    def _weight(self) -> Tensor:
        weight: Tensor = next(self.module.visual.parameters())
        return weight

    @property
    def logit_scale(self) -> float:
        """Factor from cosine similarity to logit."""
        return self.text.logit_scale

    @cached_property
    def weights_sha256(self) -> str:
        """SHA-256 of all weights, image and text, whatever precision they run in."""
        return self._weights_sha256 or hash_weights(self.module)

    def fall_back_to_cpu(self, reason: str) -> None:
        """Move the model, texts included, to the CPU for good, and add a notice.

        The weights are loaded again, because a device that fails does not return them.

        Parameters
        ----------
        reason : str
            What the device did, such as "ran out of memory".

        Raises
        ------
        ModelLoadError
            The weights are no longer where they were loaded from.
        DeviceError
            They were only on that device, which does not return them.
        """
        failed = self.device
        self._switch_to(self._reload(torch.device("cpu"), True))
        self.notices.add(
            "device",
            f"{failed} {reason}, so the CPU continued from there; no finished work was lost. To "
            f"try {failed} again, load the model again.",
        )

    def fall_back_to_full_precision(self) -> bool:
        """Load the weights in their own precision, if half precision was chosen by default.

        Returns
        -------
        bool
            Whether the precision changed.
        """
        if not self._placed.chose_half:
            return False
        half = self.dtype
        self._switch_to(self._reload(self.device, False))
        self.notices.add(
            "precision",
            f"Values in a part of the image exceeded the range of {_name(half)}, so the model "
            f"continued in {_name(self.dtype)}.",
        )
        return True

    def preprocess(self, tiles: NDArray[np.float32] | Tensor) -> Tensor:
        """Normalize pixels as in the model's training.

        Parameters
        ----------
        tiles : float32 (b, h, w, 3)
            In 0..1, of the model's image size.

        Returns
        -------
        Tensor (b, 3, h, w)
            On the model's device.

        Raises
        ------
        ImageError
            The shape is different, or a pixel is NaN or outside 0..1.

        Examples
        --------
        >>> import numpy as np
        >>> model.preprocess(np.zeros((1, 96, 96, 3), np.float32)).shape
        torch.Size([1, 3, 96, 96])
        """
        pixels = _require_unit_range(_as_array(tiles))
        batch = copy_to_device(pixels, self._weight.device).permute(0, 3, 1, 2)
        mean, std = (batch.new_tensor(rgb)[:, None, None] for rgb in (self.mean, self.std))
        return ((batch - mean) / std).contiguous()

    def token_map(self, batch: Tensor, *, convention: ConventionName = "reference") -> TokenMap:
        """Return `napari_clip_heatmap.token_map` with everything that belongs to no patch."""
        folded = self._fold(parse_convention(convention))
        with torch.no_grad():
            return token_map(
                self._placed.tower,
                self._require_batch(batch),
                folded,
                outlier_factor=self.outlier_factor,
                mlp_by_token=self.mlp_by_token,
            )

    def decompose(
        self,
        batch: Tensor,
        *,
        layers: Sequence[int | str] | None = None,
        heads: Sequence[int | str] | None = None,
        convention: ConventionName = "reference",
    ) -> Decomposition:
        """Do what `napari_clip_heatmap.decompose` says."""
        selection = select(layers, heads, n_layers=self.n_layers, n_heads=self.n_heads)
        parsed = parse_convention(convention)
        with torch.no_grad():
            return decompose(self._placed.tower, self._require_batch(batch), selection, parsed)

    def head_vectors(self, batch: Tensor) -> HeadVectors:
        """Return what every head took from every token, for sums of layers and heads."""
        # Here, because only explanations need it.
        from napari_clip_heatmap.core.head_vectors import run_heads

        with torch.no_grad():
            return run_heads(
                self._placed.tower,
                self._require_batch(batch),
                outlier_factor=self.outlier_factor,
                mlp_by_token=self.mlp_by_token,
            )

    def encode_text(self, prompts: Sequence[str]) -> Tensor:
        """Return the unit direction of each prompt, (prompt, d_embed), float32 on the CPU."""
        return self.text.encode(prompts)

    def describe(self) -> dict[str, object]:
        """Return the provenance of the model's results, ready for JSON."""
        return {
            "name": self.name,
            "family": self._placed.tower.family,
            "weights_sha256": self.weights_sha256,
            "device": str(self.device),
            "precision": _name(self.dtype),
            "image_size": list(self.image_size),
            "patch_size": list(self.patch_size),
            "mean": list(self.mean),
            "std": list(self.std),
            "outlier_factor": self.outlier_factor,
            "mlp_by_token": self.mlp_by_token,
            "versions": dict(_versions()),
        }

    def _switch_to(self, placed: PlacedModel) -> None:
        """Run from now on where and how the model was placed."""
        self._use(placed)
        self.max_batch = None
        self.text.replace_tower(text_tower(placed.module))
        release_memory()

    def _use(self, placed: PlacedModel) -> None:
        self._placed = placed
        self._folds: dict[Convention, Fold] = {}
        if placed.notice:
            self.notices.add("device", placed.notice)

    def _fold(self, convention: Convention) -> Fold:
        if convention not in self._folds:
            with torch.no_grad():
                self._folds[convention] = fold(self._placed.tower, convention)
        return self._folds[convention]

    def _require_batch(self, batch: Any) -> Tensor:
        height, width = self.image_size
        shape = tuple(getattr(batch, "shape", ()))
        if not isinstance(batch, Tensor) or not batch.is_floating_point():
            raise ImageError(
                f"The model takes a floating-point tensor (b, 3, {height}, {width}); got "
                f"{getattr(batch, 'dtype', type(batch).__name__)} {shorten(shape)}. "
                "`model.preprocess` makes one from tiles."
            )
        if len(shape) != 4 or shape[1:] != (3, height, width):
            raise ImageError(
                f"The model takes a batch of preprocessed images (b, 3, {height}, {width}); got "
                f"shape {shorten(shape)}. `model.preprocess` makes one from tiles."
            )
        if not len(batch):
            raise ImageError("The batch holds no image.")
        fitting: Tensor = batch.to(self._weight)
        return fitting


def _as_array(tiles: ArrayLike | Tensor) -> NDArray[np.float32]:
    """Return tiles as an array; NumPy has no bfloat16, so tensors are widened first."""
    if isinstance(tiles, Tensor):
        tiles = tiles.detach().float().cpu().numpy()
    try:
        array = np.ascontiguousarray(tiles, dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise ImageError(
            f"Tiles are numbers (b, h, w, 3) in 0..1; got a {type(tiles).__name__} that is not: "
            f"{shorten(error)}."
        ) from error
    if array.ndim != 4 or array.shape[-1] != 3:
        raise ImageError(f"Tiles are (b, h, w, 3) in 0..1; got shape {shorten(array.shape)}.")
    return array


def _require_unit_range(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    if not pixels.size:
        return pixels
    lowest, highest = float(pixels.min()), float(pixels.max())  # NaN if any pixel is
    if not (lowest >= -PIXEL_TOLERANCE and highest <= 1 + PIXEL_TOLERANCE):
        raise ImageError(
            f"Pixels of tiles are in 0..1; got values from {lowest:.6g} to {highest:.6g}. Divide "
            "8-bit values by 255, or call `encode(model, image)`, which takes pixels of any type."
        )
    return pixels


@cache
def _versions() -> dict[str, str]:
    """Return the versions that decide what a model answers; it takes milliseconds to find them."""
    return {
        name: version(name) for name in ("napari-clip-heatmap", "open_clip_torch", "torch", "numpy")
    }


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
