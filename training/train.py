"""Train the bundled model: ``python -m training.train --output DIR``.

Sigmoid contrastive learning on drawn pictures and their captions: of every (view, caption) pair the
model learns whether the caption is true of the view. Two scores are trained together with the same
loss: the cosine of the image embedding, and the strongest evidence in the token map. The second
makes the shares of the patches, and not only their sum, speak the language of the captions. It
needs no mask: only the picture and the caption enter.
"""

from __future__ import annotations

import argparse
import copy
import logging
import math
import time
from pathlib import Path

import numpy as np
import open_clip
import torch
from open_clip.model import CLIP
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812
from torch.utils.data import DataLoader

from training.captions import UNCLEAR
from training.export import MODEL_CONFIG, TextIds, save_folder
from training.network import embed
from training.views import Batch, Batches

_LOG = logging.getLogger("training")
_MEAN, _STD = 0.5, 0.25


class Heads(nn.Module):
    """Scale and bias of the two sigmoid losses."""

    def __init__(self) -> None:
        super().__init__()
        self.image = nn.Parameter(torch.tensor([math.log(8.0), -2.0]))
        self.patch = nn.Parameter(torch.tensor([math.log(4.0), -5.0]))


def losses(clip: CLIP, heads: Heads, batch: Batch, ids: TextIds) -> tuple[Tensor, Tensor, Tensor]:
    """Return both losses and the logits ``(view, caption)`` of the image embedding."""
    images = torch.from_numpy(batch.images).permute(0, 3, 1, 2).float().div(255).sub(_MEAN).div(_STD)
    embedding, token_map = embed(clip.visual, images)
    texts = F.normalize(clip.encode_text(ids([c.text for c in batch.captions])), dim=-1)
    states = torch.from_numpy(batch.states)
    logits = heads.image[0].exp() * embedding @ texts.T + heads.image[1]
    n_patches = token_map.shape[1]
    evidence = heads.patch[0].exp() * (n_patches * token_map) @ texts.T + heads.patch[1]
    strongest = evidence.logsumexp(1) - math.log(4)
    return _sigmoid_loss(logits, states), _sigmoid_loss(strongest, states), logits


def _sigmoid_loss(logits: Tensor, states: Tensor) -> Tensor:
    known = (states != UNCLEAR).float()
    target = (states == 1).float()
    loss = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    return (loss * known).sum() / known.sum()


def learning_rate(step: int, steps: int, peak: float, *, warmup: int = 300) -> float:
    """Return the rate at ``step``: warm up, hold, and fall to zero over the last 30 %."""
    decay = max(1, round(0.3 * steps))
    return peak * min(1, (step + 1) / warmup, (steps - step) / decay)


def train(arguments: argparse.Namespace) -> None:
    """Run the whole training; a run that was interrupted goes on from its last checkpoint."""
    torch.manual_seed(arguments.seed)
    output: Path = arguments.output
    output.mkdir(parents=True, exist_ok=True)
    ids = TextIds(MODEL_CONFIG["text_cfg"]["context_length"])
    clip, heads = ids.compact_clip(MODEL_CONFIG), Heads()
    parameters = [*clip.parameters(), *heads.parameters()]
    matrices = [p for p in parameters if p.ndim > 1]
    vectors = [p for p in parameters if p.ndim <= 1]
    optimizer = torch.optim.AdamW(
        [{"params": matrices, "weight_decay": 0.05}, {"params": vectors, "weight_decay": 0.0}],
        betas=(0.9, 0.98),
    )
    average, start = copy.deepcopy(clip), 0
    checkpoint = output / "checkpoint.pt"
    if checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True)
        clip.load_state_dict(state["clip"])
        average.load_state_dict(state["average"])
        heads.load_state_dict(state["heads"])
        optimizer.load_state_dict(state["optimizer"])
        start = state["step"]
    side = MODEL_CONFIG["vision_cfg"]["image_size"]
    loader = DataLoader(
        Batches(arguments.seed + start, arguments.batch, side),
        batch_size=None,
        num_workers=arguments.workers,
        prefetch_factor=4,
    )
    began, tally = time.monotonic(), np.zeros(4)
    for step, batch in zip(range(start, arguments.steps), loader, strict=False):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, arguments.steps, arguments.rate)
        image_loss, patch_loss, logits = losses(clip, heads, batch, ids)
        optimizer.zero_grad(set_to_none=True)
        (image_loss + patch_loss).backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        _follow(average, clip, min(0.998, step / (step + 50)))
        known = batch.states != UNCLEAR
        right = ((logits.detach().numpy() > 0) == (batch.states == 1))[known].mean()
        tally += (image_loss.item(), patch_loss.item(), right, 1)
        if (step + 1) % 100 == 0:
            speed = (step + 1 - start) * arguments.batch / (time.monotonic() - began)
            mean = tally[:3] / tally[3]
            _LOG.info("step %d image %.4f patch %.4f right %.4f  %.0f/s", step + 1, *mean, speed)
            tally[:] = 0
        if (step + 1) % 500 == 0 or step + 1 == arguments.steps:
            save_folder(output / "model", average, heads, ids)
            torch.save(
                {
                    "clip": clip.state_dict(),
                    "average": average.state_dict(),
                    "heads": heads.state_dict(),
                    "optimizer": optimizer.state_dict(),
                    "step": step + 1,
                },
                checkpoint,
            )


@torch.no_grad()
def _follow(average: CLIP, clip: CLIP, keep: float) -> None:
    for mean, new in zip(average.parameters(), clip.parameters(), strict=True):
        mean.lerp_(new, 1 - keep)


def main() -> None:
    """Read the command line and train."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=7000)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--rate", type=float, default=1.5e-3)
    parser.add_argument("--workers", type=int, default=1)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    train(parser.parse_args())


if __name__ == "__main__":
    main()
