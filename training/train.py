"""Train the bundled model: ``python -m training.train --output DIR``.

Contrastive learning on drawn pictures and their captions; no mask enters. The run is split over
processes of one thread each, which on a CPU is half as fast again as one process of many threads.
A run that was interrupted goes on from its last checkpoint when started again.
"""

from __future__ import annotations

import argparse
import copy
import logging
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from open_clip.model import CLIP
from torch import nn
from torch.utils.data import DataLoader

from training.captions import TRUE, UNCLEAR
from training.export import MODEL_CONFIG, TextIds, save_folder
from training.initial import initialise
from training.language import teach_language
from training.objective import Heads, losses, preprocess
from training.views import Batch, Batches

_LOG = logging.getLogger("training")
_REPORT_EVERY, _SAVE_EVERY = 100, 500
_MOSAICS = 0.7
"""Share of the batches in which a view is a mosaic of four pictures."""


@dataclass(frozen=True, slots=True)
class Settings:
    """One run; ``batch`` views and ``workers`` that draw them per process."""

    output: Path
    seed: int
    steps: int
    batch: int
    rate: float
    processes: int
    workers: int
    device: str
    port: int


@dataclass(slots=True)
class Learner:
    """Everything that changes while training, and is saved."""

    clip: CLIP
    heads: Heads
    average: CLIP
    optimizers: tuple[torch.optim.Optimizer, ...]
    step: int = 0

    def state(self) -> dict[str, Any]:
        """Return what `restore` takes."""
        modules = (self.clip, self.heads, self.average, *self.optimizers)
        return {"states": [module.state_dict() for module in modules], "step": self.step}

    def restore(self, state: dict[str, Any]) -> None:
        """Go back to a saved state."""
        modules = (self.clip, self.heads, self.average, *self.optimizers)
        for module, saved in zip(modules, state["states"], strict=True):
            module.load_state_dict(saved)
        self.step = state["step"]


def new_learner(settings: Settings, ids: TextIds) -> Learner:
    """Build the model from the seed, or take up the run that lies in the output folder."""
    torch.manual_seed(settings.seed)
    clip, heads = ids.compact_clip(MODEL_CONFIG), Heads()
    side = MODEL_CONFIG["vision_cfg"]["image_size"]
    examples = next(iter(Batches((settings.seed,), 256, side, mosaics=0)))
    initialise(clip.visual, preprocess(examples))
    checkpoint = settings.output / "checkpoint.pt"
    if not checkpoint.exists():
        _LOG.info("language: loss %.4f", teach_language(clip, ids, settings.seed))
    clip, heads = clip.to(settings.device), heads.to(settings.device)
    learner = Learner(clip, heads, copy.deepcopy(clip), _optimizers(clip, heads))
    if checkpoint.exists():
        learner.restore(torch.load(checkpoint, weights_only=True, map_location=settings.device))
    return learner


def _optimizers(clip: CLIP, heads: Heads) -> tuple[torch.optim.Optimizer, ...]:
    """Return Muon for the matrices inside the blocks, and AdamW for everything else that learns."""
    blocks = [p for p in clip.visual.transformer.parameters() if p.ndim == 2]
    taken = {id(parameter) for parameter in blocks}
    others = [p for p in (*clip.visual.parameters(), *heads.parameters()) if id(p) not in taken]
    return (
        torch.optim.Muon(blocks, weight_decay=0.05, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(others, betas=(0.9, 0.98), weight_decay=0.0),
    )


def learning_rate(step: int, steps: int, peak: float, *, warmup: int = 300) -> float:
    """Return the rate at ``step``: warm up, hold, and fall to zero over the last 30 %."""
    decay = max(1, round(0.3 * steps))
    return peak * min(1, (step + 1) / warmup, (steps - step) / decay)


def learn(learner: Learner, batch: Batch, ids: TextIds, settings: Settings) -> torch.Tensor:
    """Take one step; return both losses and the share of captions judged rightly."""
    for optimizer in learner.optimizers:
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(learner.step, settings.steps, settings.rate)
    match, yes_or_no, evidence = losses(learner.clip, learner.heads, batch, ids)
    learner.clip.visual.zero_grad()
    learner.heads.zero_grad()
    (match + yes_or_no).backward()
    parameters = [*learner.clip.visual.parameters(), *learner.heads.parameters()]
    _share_gradients(parameters)
    nn.utils.clip_grad_norm_(parameters, 1.0)
    for optimizer in learner.optimizers:
        optimizer.step()
    learner.step += 1
    _follow(learner.average, learner.clip, min(0.998, learner.step / (learner.step + 50)))
    states = torch.from_numpy(batch.parts).to(evidence.device)
    right = ((evidence.detach() > 0) == (states == TRUE))[states != UNCLEAR].float().mean()
    return torch.stack([match.detach(), yes_or_no.detach(), right]).cpu()


def _share_gradients(parameters: list[nn.Parameter]) -> None:
    """Average the gradients over the processes, in one message."""
    if dist.get_world_size() == 1:
        return
    gradients = [p.grad if p.grad is not None else torch.zeros_like(p) for p in parameters]
    message = torch.cat([gradient.flatten() for gradient in gradients])
    dist.all_reduce(message)
    message /= dist.get_world_size()
    parts = message.split([p.numel() for p in parameters])
    for parameter, part in zip(parameters, parts, strict=True):
        parameter.grad = part.view_as(parameter)


@torch.no_grad()
def _follow(average: CLIP, clip: CLIP, keep: float) -> None:
    for mean, new in zip(average.parameters(), clip.parameters(), strict=True):
        mean.lerp_(new, 1 - keep)


def run_process(rank: int, settings: Settings) -> None:
    """Run one of the processes; the first one reports and saves."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    torch.set_num_threads(1)
    address = f"tcp://127.0.0.1:{settings.port}"
    dist.init_process_group("gloo", address, rank=rank, world_size=settings.processes)
    ids = TextIds(MODEL_CONFIG["text_cfg"]["context_length"])
    learner = new_learner(settings, ids)
    for value in (*learner.clip.state_dict().values(), *learner.average.state_dict().values()):
        dist.broadcast(value, 0)
    batches = _batches(learner.step, rank, settings)
    began, first, tally = time.monotonic(), learner.step, torch.zeros(3)
    while learner.step < settings.steps:
        tally += learn(learner, next(batches), ids, settings) / _REPORT_EVERY
        if rank == 0 and learner.step % _REPORT_EVERY == 0:
            views = (learner.step - first) * settings.batch * settings.processes
            speed = views / (time.monotonic() - began)
            text = "step %d contrastive %.4f yes-or-no %.4f right %.4f  %.0f views/s"
            _LOG.info(text, learner.step, *tally.tolist(), speed)
            tally.zero_()
        if rank == 0 and (learner.step % _SAVE_EVERY == 0 or learner.step == settings.steps):
            save_folder(settings.output / "model", learner.average, learner.heads, ids)
            torch.save(learner.state(), settings.output / "checkpoint.pt")
    dist.destroy_process_group()


def _batches(step: int, rank: int, settings: Settings) -> Iterator[Batch]:
    side = MODEL_CONFIG["vision_cfg"]["image_size"]
    stream = Batches((settings.seed, rank, step), settings.batch, side, _MOSAICS)
    loader = DataLoader(stream, batch_size=None, num_workers=settings.workers, prefetch_factor=4)
    return iter(loader)


def main() -> None:
    """Read the command line and train."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, required=True, help="checkpoints and the model")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=5000)
    parser.add_argument("--batch", type=int, default=36, help="views per process and step")
    parser.add_argument("--rate", type=float, default=1.5e-3, help="peak learning rate")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--workers", type=int, default=1, help="that draw scenes, per process")
    parser.add_argument("--device", default="cpu", help="cpu, or cuda with --processes 1")
    parser.add_argument("--port", type=int, default=29511, help="for the processes to meet at")
    settings = Settings(**vars(parser.parse_args()))
    settings.output.mkdir(parents=True, exist_ok=True)
    torch.multiprocessing.spawn(run_process, (settings,), settings.processes)


if __name__ == "__main__":
    main()
