"""LayerNorms as the families need them: applied, or taken apart into what is linear."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from napari_clip_heatmap.core.attention import layer_norm
from napari_clip_heatmap.core.tower import accumulation_dtype

__all__ = ["is_active", "is_linearizable", "normalize", "scale_by_gain", "widen"]


def widen(tensor: Tensor) -> Tensor:
    """Return the tensor in single precision or wider."""
    return tensor.to(accumulation_dtype(tensor.dtype))


def is_active(module: Any) -> bool:
    """Tell whether there is a module, and one that does something."""
    return module is not None and not isinstance(module, nn.Identity)


def is_linearizable(norm: Any) -> bool:
    """Tell whether a norm is none, or a LayerNorm: which is linear once its deviation is held."""
    return not is_active(norm) or isinstance(norm, nn.LayerNorm)


def normalize(norm: Any, stream: Tensor) -> Tensor:
    """Normalize the last axis as the module does, in single precision or wider."""
    if not is_active(norm):
        return widen(stream)
    return layer_norm(stream, norm.weight, norm.bias, norm.eps)


def scale_by_gain(norm: Any, tensor: Tensor, dim: int) -> Tensor:
    """Multiply one axis by the norm's gain, if it has one."""
    if norm.weight is None:
        return tensor
    shape = [1] * tensor.ndim
    shape[dim] = -1
    gain: Tensor = norm.weight
    return tensor * gain.reshape(shape)
