"""Going on from a model that was trained before: its image tower, and directions near its own."""

from __future__ import annotations

import math
import string
from collections.abc import Callable
from pathlib import Path

import torch
from einops import rearrange
from open_clip.transformer import VisionTransformer
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional as F

import napari_clip_heatmap as nch

__all__ = ["adopt_image_tower", "text_anchor"]


def text_anchor(folder: Path) -> Callable[[list[str]], Tensor]:
    """Return a function from texts to the directions of the model in ``folder``.

    A text with a word outside the model's vocabulary gets NaN.
    """
    model = nch.load_model(f"local-dir:{folder}", device="cpu", precision="fp32")
    known = set((folder / "vocabulary.txt").read_text(encoding="utf-8").split())

    def directions(texts: list[str]) -> Tensor:
        found = model.encode_text(texts).clone()
        for row, text in enumerate(texts):
            words = (word.strip(string.punctuation) for word in text.replace("-", " ").split())
            if not {word for word in words if word} <= known:
                found[row] = math.nan
        return found

    return directions


@torch.no_grad()
def adopt_image_tower(tower: VisionTransformer, folder: Path) -> None:
    """Give ``tower`` the weights of the image tower in ``folder``, in place.

    Positions are interpolated where the number of patches differs.

    Raises
    ------
    ValueError
        The towers differ in more than the number of patches.
    """
    prefix = "visual."
    state = {
        name.removeprefix(prefix): value.float()
        for name, value in load_file(folder / "open_clip_model.safetensors").items()
        if name.startswith(prefix)
    }
    positions = state["positional_embedding"]
    state["positional_embedding"] = _fit_positions(positions, tower.grid_size)
    own = tower.state_dict()
    differing = [name for name in own if name not in state or state[name].shape != own[name].shape]
    if differing or len(state) != len(own):
        msg = (
            f"The model in '{folder}' has another image tower: {', '.join(differing) or 'more'} "
            "differ. Start from a model of the same width, layers and patch size, or without one."
        )
        raise ValueError(msg)
    tower.load_state_dict(state)


def _fit_positions(positions: Tensor, grid: tuple[int, int]) -> Tensor:
    side = math.isqrt(len(positions) - 1)
    if (side, side) == tuple(grid):
        return positions
    squares = rearrange(positions[1:], "(y x) d -> 1 d y x", y=side)
    fitted = F.interpolate(squares, size=grid, mode="bicubic", align_corners=False)
    return torch.cat([positions[:1], rearrange(fitted, "1 d y x -> (y x) d")])
