"""What the families read of a norm: its effect, and its linear part."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from napari_clip_heatmap.core.attention import layer_norm
from napari_clip_heatmap.core.tower import accumulation_dtype

__all__ = ["gained", "is_plain", "normed", "present", "wide"]


def wide(tensor: Tensor) -> Tensor:
    """Return the tensor in single precision or wider."""
    return tensor.to(accumulation_dtype(tensor.dtype))


def present(norm: Any) -> bool:
    """Tell whether there is a norm that does anything."""
    return norm is not None and not isinstance(norm, nn.Identity)


def is_plain(norm: Any) -> bool:
    """Tell whether a norm is none, or a LayerNorm: what the algebra knows how to linearise."""
    return not present(norm) or isinstance(norm, nn.LayerNorm)


def normed(norm: Any, stream: Tensor) -> Tensor:
    """Normalise the last axis as the module does, in single precision or wider."""
    if not present(norm):
        return wide(stream)
    return layer_norm(stream, norm.weight, norm.bias, norm.eps)


def gained(norm: Any, tensor: Tensor, dim: int) -> Tensor:
    """Multiply one axis by the norm's gain, if it has one."""
    if norm.weight is None:
        return tensor
    shape = [1] * tensor.ndim
    shape[dim] = -1
    gain: Tensor = norm.weight
    return tensor * gain.reshape(shape)
