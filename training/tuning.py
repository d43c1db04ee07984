"""The last stage: the image tower goes on without the teacher, from captions of bags of views.

What the teacher could not find, the image tower may: it sees whole views. A caption is true of a
bag if its evidence is strong in one patch of one view. So that places are not forgotten, the maps
of the drawn classes on drawn views stay near to what they were when the stage began.
"""

from __future__ import annotations

import copy
from collections.abc import Callable

import torch
from open_clip.transformer import VisionTransformer
from torch import Tensor
from torch.nn import functional as F

from training.network import embed
from training.objective import Heads, contrastive, of_bags, preprocess, strongest, yes_or_no
from training.views import Batch

__all__ = ["tuning_losses"]

_MATCH, _FIND, _KEEP = 0.1, 0.5, 1.0
"""Weights of the losses: captions of bags, patches of bags, places on drawn views."""


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
        It learns; as it is now, it is remembered.
    heads : Heads
    texts_of : callable(Batch) -> Tensor (caption, d_embed)
        Unit directions of a batch's captions.
    drawn : Tensor (class, d_embed)
        Unit directions of the classes whose places are kept.
    dtype : torch.dtype
        Of the blocks.
    """
    before = copy.deepcopy(tower).eval().requires_grad_(False)

    def losses(batch: Batch) -> dict[str, Tensor]:
        pixels, texts = preprocess(batch.images, drawn.device), texts_of(batch)
        states = torch.from_numpy(batch.states).to(drawn.device)
        bags = torch.from_numpy(batch.bags).to(drawn.device)
        embedding, token_map = embed(tower, pixels, dtype)
        similarity = heads.image.exp() * embedding @ texts.T
        scaled = token_map.shape[1] * token_map
        evidence = heads.patch[0].exp() * (scaled @ texts.T) + heads.patch[1]
        in_views = strongest(evidence.mT[..., None])
        is_single = (bags[:, None] == bags[None]).sum(1) == 1
        with torch.no_grad():
            old = embed(before, pixels[is_single], dtype)[1]
        kept = scaled[is_single] @ drawn.T, old.shape[1] * old @ drawn.T
        return {
            "match": _MATCH * contrastive(*of_bags(similarity, states, bags)),
            "find": _FIND * yes_or_no(*of_bags(in_views, states, bags)),
            "keep": _KEEP * F.mse_loss(*kept),
        }

    return losses
