"""The last stage: the image tower goes on without the teacher, from captions of views and patches.

What the teacher could not find, the image tower may: it sees whole views, and the captions of each
patch of the drawn ones. Real pictures say what they show, and not where. So on blood smears, where
captions cannot tell the cells apart, its relative maps of the drawn classes come near to those of
the bundled model `demo`.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from open_clip.transformer import VisionTransformer
from torch import Tensor
from torch.nn import functional as F

from training.demo_maps import DemoMaps, relative_maps
from training.network import embed, fast_type
from training.objective import Heads, caption_losses, place_losses, preprocess
from training.views import Batch

__all__ = ["tuning_losses"]

_SCALE = 0.7
"""Standard deviation of the student's maps over that of `demo`'s, as both were trained."""


def tuning_losses(
    tower: VisionTransformer,
    heads: Heads,
    texts_of: Callable[[Batch], Tensor],
    drawn: Tensor,
    dtype: torch.dtype | None = None,
) -> Callable[[Batch], dict[str, Tensor]]:
    """Return the losses of the stage, as a function of a batch that knows its places.

    Parameters
    ----------
    tower : VisionTransformer
        It learns.
    heads : Heads
    texts_of : callable(Batch) -> Tensor (caption, d_embed)
        Unit directions of a batch's captions.
    drawn : Tensor (class, d_embed)
        Unit directions of the classes that scenes draw.
    dtype : torch.dtype, optional
        Of the blocks; by default what is fast there.
    """
    demo, dtype = DemoMaps().to(drawn.device), dtype or fast_type(drawn.device)

    def losses(batch: Batch) -> dict[str, Tensor]:
        pixels, texts = preprocess(batch.images, drawn.device), texts_of(batch)
        states = torch.from_numpy(batch.states).to(drawn.device)
        bags = torch.from_numpy(batch.bags).to(drawn.device)
        shares = torch.from_numpy(batch.shares).to(drawn.device)
        smears = torch.from_numpy(batch.real_smears).to(drawn.device)
        found = embed(tower, pixels, dtype)
        keep = torch.zeros((), device=drawn.device)
        if smears.any():
            wanted = _SCALE * demo(pixels[smears], dtype)
            keep = F.mse_loss(relative_maps(found[1][smears], drawn), wanted) / wanted.var()
        return {
            **caption_losses(heads, found, texts, states, bags),
            **place_losses(heads, found[1], texts, shares),
            "keep": keep,
        }

    return losses
