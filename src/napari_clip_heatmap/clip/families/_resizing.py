"""The same tower for images of another size: positions interpolated, all other weights shared.

The tower given is never changed: modules that would be are copied, and the copies hold the very
same weights.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = [
    "copy_sharing_weights",
    "interpolate_positions",
    "resize_any_size",
    "resize_trunk",
    "shallow_copy",
]


def shallow_copy(module: Any) -> Any:
    """Return a copy of a module that holds the same weights and parts, to be given others."""
    twin = copy.copy(module)
    for kind in ("_parameters", "_buffers", "_modules"):
        twin.__dict__[kind] = dict(module.__dict__[kind])
    return twin


def copy_sharing_weights(module: Any) -> Any:
    """Return a copy of a module and all its parts that holds the same weights; buffers are its own.

    For modules that change themselves, deep inside, when they are given another size.
    """
    return copy.deepcopy(module, {id(weight): weight for weight in module.parameters()})


def interpolate_positions(
    positions: Tensor, old: tuple[int, int], new: tuple[int, int]
) -> nn.Parameter:
    """Return position embeddings for another grid, bicubic as open_clip and timm do it.

    Parameters
    ----------
    positions : Tensor [token, d_model]
        Those of the grid last; what stands before them is kept.
    old, new : (int, int)
        Rows and columns of patches.
    """
    n_patches = old[0] * old[1]
    prefix, patches = positions[:-n_patches], positions[-n_patches:]
    grid = rearrange(patches.detach().float(), "(y x) d -> 1 d y x", y=old[0])
    grid = F.interpolate(grid, size=new, mode="bicubic", align_corners=False, antialias=True)
    patches = rearrange(grid, "1 d y x -> (y x) d").to(positions.dtype)
    together = torch.cat([prefix.detach(), patches])
    return nn.Parameter(together, requires_grad=positions.requires_grad)


def resize_any_size(visual: Any, image_size: tuple[int, int]) -> Any:
    """Return open_clip's wrapper of a trunk that takes images of any size, for another one."""
    visual = shallow_copy(visual)
    visual.image_size = image_size
    return visual


def resize_trunk(visual: Any, image_size: tuple[int, int]) -> Any:
    """Return open_clip's wrapper of a timm transformer for another size of image."""
    visual, trunk = shallow_copy(visual), shallow_copy(visual.trunk)
    trunk.patch_embed = shallow_copy(trunk.patch_embed)
    if getattr(trunk, "rope", None) is not None:
        trunk.rope = copy.deepcopy(trunk.rope)  # it writes into its own buffers
    with torch.device(next(trunk.parameters()).device):
        trunk.set_input_size(image_size)
    visual.trunk, visual.image_size = trunk, image_size
    return visual
