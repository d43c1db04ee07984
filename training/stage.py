"""One stage of training: what learns, from which views, for how long; and the loop that runs it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.utils.data import DataLoader

from training.muon import make_muon
from training.views import Batch, Batches, Mixture

__all__ = ["Settings", "Stage", "learning_rate", "run_stage"]

_LOG = logging.getLogger("training")
_REPORT_EVERY, _SAVE_EVERY = 100, 250


@dataclass(frozen=True, slots=True)
class Settings:
    """One run; ``teacher_pixels``, ``student_views`` and ``workers`` count per process.

    ``real`` is a folder of micrographs and ``fold`` the part of them to leave out; ``start`` a
    folder with a model to go on from; ``data`` a folder of images with truth for the log of
    figures, which is written every ``figures_every`` steps.
    """

    output: Path
    seed: int
    teacher_steps: int
    teacher_pixels: int
    student_steps: int
    student_views: int
    processes: int
    workers: int
    device: str
    port: int
    language_steps: int = 1000
    configuration: str = "base"
    student_rate: float = 2e-3
    tuning_steps: int = 0
    tuning_rate: float = 5e-4
    real: Path | None = None
    fold: str = ""
    start: Path | None = None
    data: Path | None = None
    figures_every: int = 2000
    figures_scenes: int = 40
    figures_most: int = 4


@dataclass(frozen=True, slots=True)
class Stage:
    """What learns, and from what.

    Attributes
    ----------
    name : str
        Of its checkpoint.
    learner : Module
        Holds every parameter that learns.
    matrices : list of Parameter
        Those of them that Muon steps; AdamW steps the others.
    losses : callable(Batch) -> dict of str to Tensor
        Their sum is made small; their names go into the report.
    n_steps : int
    rate : float
        Peak learning rate.
    n_pixels, sides, mixture :
        Of the views; see `Batches`.
    n_rows : int
        Rows of patches in a view, where the losses ask what captions cover of each; or 0.
    watch : callable(int), optional
        Called in the first process, with the step, whenever the learner was saved.
    """

    name: str
    learner: nn.Module
    matrices: list[nn.Parameter]
    losses: Callable[[Batch], dict[str, Tensor]]
    n_steps: int
    rate: float
    n_pixels: int
    sides: Mapping[int, float]
    mixture: Mixture = field(default_factory=Mixture)
    n_rows: int = 0
    watch: Callable[[int], None] = lambda step: None


def run_stage(stage: Stage, settings: Settings, rank: int) -> None:
    """Train a stage to its end, from its checkpoint if it has one; a stage may have no steps."""
    if not stage.n_steps:
        return
    optimizers = _optimizers(stage)
    checkpoint = settings.output / f"{stage.name}.pt"
    step = _restore(checkpoint, stage, optimizers, settings.device) if checkpoint.exists() else 0
    for value in stage.learner.state_dict().values():
        dist.broadcast(value, 0)
    stage.learner.train()
    report = _Report(stage.name)
    batches: Iterator[Batch] = iter(())
    first = step
    while step < stage.n_steps:
        # A new stream after every checkpoint: a run that goes on from one takes the same pictures
        # as a run that was never interrupted.
        if step == first or step % _SAVE_EVERY == 0:
            batches = _batches(stage, settings, rank, step)
        _set_rate(optimizers, learning_rate(step, stage.n_steps, stage.rate))
        batch = next(batches)
        losses = stage.losses(batch)
        stage.learner.zero_grad()
        sum(losses.values(), torch.zeros((), device=settings.device)).backward()
        _share_gradients(stage.learner)
        nn.utils.clip_grad_norm_(stage.learner.parameters(), 1.0)
        for optimizer in optimizers:
            optimizer.step()
        step += 1
        if rank == 0:
            report.add(step, losses, len(batch.images) * settings.processes)
            if step % _SAVE_EVERY == 0 or step == stage.n_steps:
                _save(checkpoint, stage, optimizers, step)
                stage.watch(step)
    for value in stage.learner.state_dict().values():  # each process has its own BatchNorm averages
        dist.broadcast(value, 0)


def learning_rate(step: int, n_steps: int, peak: float, *, warmup: int = 100) -> float:
    """Return the rate at ``step``: warm up, hold, and fall to zero over the second half."""
    return peak * min(1, (step + 1) / warmup, (n_steps - step) / max(1, n_steps // 2))


def _optimizers(stage: Stage) -> tuple[torch.optim.Optimizer, ...]:
    taken = {id(parameter) for parameter in stage.matrices}
    others = [p for p in stage.learner.parameters() if id(p) not in taken]
    return (
        make_muon(stage.matrices),
        torch.optim.AdamW(others, betas=(0.9, 0.98), weight_decay=0.0),
    )


def _set_rate(optimizers: tuple[torch.optim.Optimizer, ...], rate: float) -> None:
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = rate


def _save(
    path: Path, stage: Stage, optimizers: tuple[torch.optim.Optimizer, ...], step: int
) -> None:
    states = [module.state_dict() for module in (stage.learner, *optimizers)]
    partial = path.with_suffix(".partial")
    torch.save({"states": states, "step": step}, partial)
    partial.replace(path)


def _restore(
    path: Path, stage: Stage, optimizers: tuple[torch.optim.Optimizer, ...], device: str
) -> int:
    saved = torch.load(path, weights_only=True, map_location=device)
    for module, state in zip((stage.learner, *optimizers), saved["states"], strict=True):
        module.load_state_dict(state)
    return int(saved["step"])


def _batches(stage: Stage, settings: Settings, rank: int, step: int) -> Iterator[Batch]:
    number = sum(stage.name.encode())  # no two stages see the same scenes
    seed = (settings.seed, number, rank, step)
    stream = Batches(seed, stage.n_pixels, stage.sides, stage.mixture, stage.n_rows)
    ahead = 4 if settings.workers else None
    loader = DataLoader(
        stream, batch_size=None, num_workers=settings.workers, prefetch_factor=ahead
    )
    return iter(loader)


def _share_gradients(learner: nn.Module) -> None:
    """Average the gradients over the processes, in one message."""
    if dist.get_world_size() == 1:
        return
    parameters = list(learner.parameters())
    gradients = [p.grad if p.grad is not None else torch.zeros_like(p) for p in parameters]
    message = torch.cat([gradient.flatten() for gradient in gradients])
    dist.all_reduce(message)
    message /= dist.get_world_size()
    parts = message.split([p.numel() for p in parameters])
    for parameter, part in zip(parameters, parts, strict=True):
        parameter.grad = part.view_as(parameter)


class _Report:
    """Says every so many steps how large the losses are, and how fast views go by."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._tally: dict[str, float] = {}
        self._views = 0
        self._began = time.monotonic()

    def add(self, step: int, losses: Mapping[str, Tensor], n_views: int) -> None:
        for name, loss in losses.items():
            self._tally[name] = self._tally.get(name, 0.0) + loss.item() / _REPORT_EVERY
        self._views += n_views
        if step % _REPORT_EVERY == 0:
            means = " ".join(f"{name} {mean:.4f}" for name, mean in self._tally.items())
            speed = self._views / (time.monotonic() - self._began)
            _LOG.info("%s %d: %s  %.0f views/s", self._name, step, means, speed)
            self._tally.clear()
