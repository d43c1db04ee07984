"""What the model is asked to learn: of every caption, whether it is true of a picture."""

from __future__ import annotations

import math

import torch
from einops import reduce
from open_clip.model import CLIP
from torch import Tensor, nn
from torch.nn import functional as F

from training.captions import FALSE, TRUE, UNCLEAR
from training.export import PREPROCESS_CONFIG, TextIds
from training.network import embed
from training.views import Batch

__all__ = ["Heads", "contrastive", "losses", "preprocess"]

_MEAN, _STD = PREPROCESS_CONFIG["mean"][0], PREPROCESS_CONFIG["std"][0]


class Heads(nn.Module):
    """Logarithm of the scale of both losses, and the bias of the second."""

    def __init__(self) -> None:
        super().__init__()
        self.image = nn.Parameter(torch.tensor(math.log(10.0)))
        self.patch = nn.Parameter(torch.tensor([math.log(10.0), -2.5]))


def preprocess(batch: Batch, device: torch.device | None = None) -> Tensor:
    """Return the views as the image tower takes them, ``(view, 3, y, x)``."""
    pixels = torch.from_numpy(batch.images).to(device).permute(0, 3, 1, 2).float().div(255)
    return (pixels - _MEAN) / _STD


def losses(clip: CLIP, heads: Heads, batch: Batch, ids: TextIds) -> tuple[Tensor, Tensor, Tensor]:
    """Return the contrastive loss, the evidence loss, and the evidence ``(view, part, caption)``.

    The first is CLIP's own, over the cosines of view and text embeddings. The second asks of every
    picture in a view, and every caption, a yes or no from the shares of that picture's own patches;
    it makes the shares, and not only their sum, speak the language of the captions.
    """
    device = clip.logit_scale.device
    embedding, token_map = embed(clip.visual, preprocess(batch, device))
    with torch.no_grad():  # the text tower was taught before, and stays as it is
        texts = F.normalize(
            clip.encode_text(ids([c.text for c in batch.captions]).to(device)), dim=-1
        )
    logits = heads.image.exp() * embedding @ texts.T
    parts = torch.from_numpy(batch.parts).to(device)
    n_patches, split = token_map.shape[1], math.isqrt(parts.shape[1])
    means = reduce(
        token_map,
        "view (row y column x) d_embed -> view (row column) d_embed",
        "mean",
        row=split,
        column=split,
        y=math.isqrt(n_patches) // split,
        x=math.isqrt(n_patches) // split,
    )
    evidence = heads.patch[0].exp() * (n_patches * means) @ texts.T + heads.patch[1]
    match = contrastive(logits, torch.from_numpy(batch.states).to(device))
    return match, _yes_or_no(evidence, parts), evidence


def contrastive(logits: Tensor, states: Tensor) -> Tensor:
    """Return CLIP's loss, both ways, where several captions are true of a view.

    Parameters
    ----------
    logits : Tensor (view, caption)
    states : Tensor (view, caption)
        TRUE, FALSE or UNCLEAR.
    """
    return 0.5 * (_one_way(logits, states) + _one_way(logits.T, states.T))


def _one_way(logits: Tensor, states: Tensor) -> Tensor:
    """Tell each true pair from the false pairs of its row; the other true ones stand aside."""
    wrong = logits.masked_fill(states != FALSE, -math.inf).logsumexp(1, keepdim=True)
    loss = F.softplus(wrong - logits)  # -log(e^right / (e^right + sum of e^wrong))
    true = states == TRUE
    return loss[true].sum() / true.sum()


def _yes_or_no(logits: Tensor, states: Tensor) -> Tensor:
    known = (states != UNCLEAR).float()
    target = (states == TRUE).float()
    loss = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    return (loss * known).sum() / known.sum()
