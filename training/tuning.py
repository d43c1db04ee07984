"""The last stage: the image tower goes on without the teacher, from captions of bags of views.

What the teacher could not find, the image tower may: it sees whole views. So that places are
learned where captions cannot tell them, the relative maps of the drawn classes come near to those
of the bundled model `demo`, on views of what that model knows.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from open_clip.transformer import VisionTransformer
from torch import Tensor
from torch.nn import functional as F

from training.earlier import EarlierModel, relative_maps
from training.network import embed
from training.objective import (
    Heads,
    contrastive,
    mean_of_bags,
    of_bags,
    patch_evidence,
    preprocess,
    yes_or_no,
)
from training.views import Batch

__all__ = ["tuning_losses"]

_MATCH, _FIND, _KEEP = 0.15, 0.05, 1.0
"""Weights of the losses: captions of bags, patches of bags, places on familiar views."""
_SCALE = 0.7
"""Standard deviation of the student's maps over that of `demo`'s, as both were trained."""


def tuning_losses(
    tower: VisionTransformer,
    heads: Heads,
    texts_of: Callable[[Batch], Tensor],
    drawn: Tensor,
    dtype: torch.dtype = torch.bfloat16,
) -> Callable[[Batch], dict[str, Tensor]]:
    """Return the losses of the stage, as a function of a batch.

    Parameters
    ----------
    tower : VisionTransformer
        It learns.
    heads : Heads
    texts_of : callable(Batch) -> Tensor (caption, d_embed)
        Unit directions of a batch's captions.
    drawn : Tensor (class, d_embed)
        Unit directions of the classes that scenes draw.
    dtype : torch.dtype
        Of the blocks.
    """
    earlier = EarlierModel().to(drawn.device)

    def losses(batch: Batch) -> dict[str, Tensor]:
        pixels, texts = preprocess(batch.images, drawn.device), texts_of(batch)
        states = torch.from_numpy(batch.states).to(drawn.device)
        bags = torch.from_numpy(batch.bags).to(drawn.device)
        familiar = torch.from_numpy(batch.familiar).to(drawn.device)
        embedding, token_map = embed(tower, pixels, dtype)
        similarity = heads.image.exp() * embedding @ texts.T
        in_views = patch_evidence(heads, token_map, texts)[1]
        return {
            "match": _MATCH * contrastive(*mean_of_bags(similarity, states, bags)),
            "find": _FIND * yes_or_no(*of_bags(in_views, states, bags)),
            "keep": _KEEP
            * _relative_error(
                relative_maps(token_map[familiar], drawn),
                _SCALE * earlier(pixels[familiar], dtype),
            ),
        }

    return losses


def _relative_error(maps: Tensor, wanted: Tensor) -> Tensor:
    """Return the mean squared error over the variance of what is wanted; 0 without any view."""
    if not wanted.numel():
        return maps.sum()
    return F.mse_loss(maps, wanted) / wanted.var().clamp_min(1e-6)
