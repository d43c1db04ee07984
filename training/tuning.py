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

from training.demo_maps import DemoMaps, relative_maps
from training.network import embed, fast_type
from training.objective import Heads, caption_losses, preprocess
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
    dtype : torch.dtype, optional
        Of the blocks; by default what is fast there.
    """
    demo, dtype = DemoMaps().to(drawn.device), dtype or fast_type(drawn.device)

    def losses(batch: Batch) -> dict[str, Tensor]:
        pixels, texts = preprocess(batch.images, drawn.device), texts_of(batch)
        states = torch.from_numpy(batch.states).to(drawn.device)
        bags = torch.from_numpy(batch.bags).to(drawn.device)
        familiar = torch.from_numpy(batch.familiar).to(drawn.device)
        found = embed(tower, pixels, dtype)
        keep = torch.zeros((), device=drawn.device)
        if familiar.any():
            wanted = _SCALE * demo(pixels[familiar], dtype)
            keep = F.mse_loss(relative_maps(found[1][familiar], drawn), wanted) / wanted.var()
        return {**caption_losses(heads, found, texts, states, bags), "keep": keep}

    return losses
