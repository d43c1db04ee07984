"""Train the bundled model: ``python -m training.train --real FOLDER --seed N``.

In four stages, from pictures and their captions, drawn and real; no mask of a real picture enters.
The text tower learns which captions go together; a convolutional teacher learns from captions of
small pictures; the image tower learns from captions of whole views, and from the teacher which
patches carry them; then it goes on without the teacher, and each patch of a drawn view has captions
of its own. The run is split over processes of one thread each,
which on a CPU is half as fast again as one process of many threads. A run that was interrupted goes
on from its last checkpoint when the same command is given again.
"""

from __future__ import annotations

import argparse
import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from open_clip.model import CLIP
from torch import Tensor, nn
from torch.nn import functional as F

from napari_clip_heatmap.evaluation.micrographs.micrograph_index import GroupFold, read_micrographs
from napari_clip_heatmap.scenes import CLASSES
from training.configurations import CONFIGURATIONS, configuration
from training.demo_maps import has_grid_of_demo
from training.export import TextIds, save_folder
from training.figures import FigureRequest, log_figures, measure_teacher
from training.initial import initialise
from training.language import teach_language
from training.network import embed, encode_texts, fast_type
from training.objective import (
    Heads,
    contrastive,
    of_bags,
    preprocess,
    strongest,
    student_losses,
    yes_or_no,
)
from training.real_pictures import RealPictures
from training.stage import Settings, Stage, run_stage
from training.start import adopt_image_tower, text_anchor
from training.teacher import Teacher
from training.tuning import tuning_losses
from training.views import Batch, Batches, Mixture

_LOG = logging.getLogger("training")
_SMALL_VIEWS = {24: 0.1, 32: 0.25, 48: 0.2, 64: 0.2, 96: 0.25}
"""Side of the teacher's views -> share of its batches."""
_TEACH_MATCH = 0.2
"""Weight of the captions' competition in the teacher's loss: most are false of most views, and
judged one by one, the first thing to learn would be to deny everything."""


@dataclass(frozen=True)
class _Run:
    """What the stages of a run have in common."""

    settings: Settings
    config: dict[str, Any]
    ids: TextIds
    clip: CLIP
    mixture: Mixture
    figures: FigureRequest


def run_process(rank: int, settings: Settings) -> None:
    """Run one of the processes; the first one reports and saves."""
    torch.set_num_threads(1)
    address = f"tcp://127.0.0.1:{settings.port}"
    dist.init_process_group("gloo", address, rank=rank, world_size=settings.processes)
    torch.manual_seed(settings.seed)
    config = configuration(settings.configuration)
    ids = TextIds(config["text_cfg"]["context_length"])
    mixture, figures = _pictures(settings)
    run = _Run(settings, config, ids, ids.compact_clip(config), mixture, figures)
    _teach_language(run)
    run.clip.to(settings.device).requires_grad_(False)
    teacher = Teacher(config["embed_dim"]).to(settings.device)
    run_stage(_teaching(teacher, run), settings, rank)
    heads = Heads().to(settings.device)
    _start_student(run)
    run_stage(_learning(heads, teacher.eval().requires_grad_(False), run), settings, rank)
    run_stage(_tuning(heads, run), settings, rank)
    if rank == 0:
        save_folder(settings.output / "model", run.clip, heads.image, ids, config)
    dist.destroy_process_group()


def _pictures(settings: Settings) -> tuple[Mixture, FigureRequest]:
    """Return what is learnt from, and what the log of figures is measured on."""
    scenes, most = settings.figures_scenes, settings.figures_most
    if settings.real is None:
        return Mixture(), FigureRequest(settings.data, n_scenes=scenes)
    micrographs = read_micrographs(settings.real)
    fold = GroupFold.parse(settings.fold) if settings.fold else None
    taken = micrographs if fold is None else fold.split(micrographs)[0]
    if dist.get_rank() == 0:  # one process decodes the pictures, the others find them decoded
        RealPictures(taken, settings.output / "pictures")
    dist.barrier()
    mixture = Mixture(RealPictures(taken, settings.output / "pictures"))
    return mixture, FigureRequest(settings.data, micrographs, fold, scenes, most)


def _teach_language(run: _Run) -> None:
    """Teach the text tower, or take it from a run that was interrupted."""
    saved = run.settings.output / "language.pt"
    if dist.get_rank() == 0 and not saved.exists():
        anchor = None if run.settings.start is None else text_anchor(run.settings.start)
        steps = run.settings.language_steps
        run.clip.to(run.settings.device)
        loss = teach_language(run.clip, run.ids, run.settings.seed, n_steps=steps, anchor=anchor)
        _LOG.info("language: loss %.4f", loss)
        torch.save(run.clip.state_dict(), saved)
    dist.barrier()
    run.clip.load_state_dict(torch.load(saved, weights_only=True, map_location="cpu"))


def _start_student(run: _Run) -> None:
    torch.manual_seed(run.settings.seed)
    tower = run.clip.visual.cpu()
    if run.settings.start is None:
        side = run.config["vision_cfg"]["image_size"]
        examples = next(iter(Batches((run.settings.seed,), 128 * side**2, {side: 1.0})))
        initialise(tower, preprocess(examples.images))
    else:
        adopt_image_tower(tower, run.settings.start)
    run.clip.visual = tower.to(run.settings.device).requires_grad_(True)


def _texts(run: _Run, batch: Batch) -> Tensor:
    """Return the captions' unit directions; the text tower stays as it was taught."""
    return _directions(run, [caption.text for caption in batch.captions])


def _directions(run: _Run, texts: list[str]) -> Tensor:
    tokens = run.ids(texts).to(run.settings.device)
    with torch.no_grad():
        return F.normalize(encode_texts(run.clip, tokens), dim=-1)


def _states(batch: Batch, device: str) -> tuple[Tensor, Tensor]:
    return torch.from_numpy(batch.states).to(device), torch.from_numpy(batch.bags).to(device)


def _teaching(teacher: Teacher, run: _Run) -> Stage:
    settings = run.settings

    def losses(batch: Batch) -> dict[str, Tensor]:
        pixels = preprocess(batch.images, settings.device)
        evidence = strongest(teacher(pixels, _texts(run, batch)))
        of_bag = of_bags(evidence, *_states(batch, settings.device))
        return {"yes-or-no": yes_or_no(*of_bag), "match": _TEACH_MATCH * contrastive(*of_bag)}

    def watch(step: int) -> None:
        if step % settings.figures_every and step != settings.teacher_steps:
            return
        teacher.eval()
        texts = _directions(run, list(CLASSES))
        figures = measure_teacher(teacher, texts, settings.figures_scenes)
        teacher.train()
        _LOG.info("figures of the teacher at %d: %s", step, figures)

    return Stage(
        name="teacher",
        learner=teacher,
        matrices=teacher.matrices,
        losses=losses,
        n_steps=settings.teacher_steps,
        rate=3e-3,
        n_pixels=settings.teacher_pixels,
        sides=_SMALL_VIEWS,
        mixture=run.mixture,
        watch=watch,
    )


def _learning(heads: Heads, teacher: Teacher, run: _Run) -> Stage:
    settings, tower = run.settings, run.clip.visual

    def losses(batch: Batch) -> dict[str, Tensor]:
        pixels, texts = preprocess(batch.images, settings.device), _texts(run, batch)
        with torch.no_grad():
            taught = teacher(pixels, texts)
        found = embed(tower, pixels, fast_type(pixels.device))
        return student_losses(heads, found, texts, taught, *_states(batch, settings.device))

    return _image_stage("student", losses, heads, run, settings.student_steps)


def _tuning(heads: Heads, run: _Run) -> Stage:
    drawn = _directions(run, list(CLASSES))
    losses = tuning_losses(run.clip.visual, heads, lambda batch: _texts(run, batch), drawn)
    return _image_stage("tuning", losses, heads, run, run.settings.tuning_steps)


def _image_stage(
    name: str,
    losses: Callable[[Batch], dict[str, Tensor]],
    heads: Heads,
    run: _Run,
    n_steps: int,
) -> Stage:
    """Return a stage in which the image tower learns from whole views."""
    settings, tower = run.settings, run.clip.visual
    side = run.config["vision_cfg"]["image_size"]
    n_rows = side // run.config["vision_cfg"]["patch_size"]

    def watch(step: int) -> None:
        if step % settings.figures_every and step != n_steps:
            return
        folder = settings.output / "latest"
        save_folder(folder, run.clip, heads.image, run.ids, run.config)
        facts = {"stage": name, "step": step}
        figures = log_figures(settings.output / "figures.jsonl", folder, run.figures, facts)
        _LOG.info("figures of the %s at %d: %s", name, step, figures)

    return Stage(
        name=name,
        learner=nn.ModuleDict({"tower": tower, "heads": heads}),
        matrices=[p for p in tower.transformer.parameters() if p.ndim == 2],
        losses=losses,
        n_steps=n_steps,
        rate=settings.student_rate if name == "student" else settings.tuning_rate,
        n_pixels=settings.student_views * side**2,
        sides={side: 1.0},
        mixture=run.mixture,
        n_rows=n_rows if name == "tuning" else 0,
        watch=watch,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--output", type=Path, default=Path("runs/demo"), help="checkpoints, logs and the model")
    add("--seed", type=int, default=0)
    add("--real", type=Path, help="folder of real pictures with an index.json")
    add("--fold", default="", help="K/N: leave out this part of the real pictures, and measure it")
    add("--data", type=Path, help="folder of images with truth, for the log of figures")
    add("--start", type=Path, help="folder of a model to go on from")
    add("--configuration", choices=list(CONFIGURATIONS), default="base")
    add("--language-steps", type=int, default=1000)
    add("--teacher-steps", type=int, default=10_000)
    add("--teacher-pixels", type=int, default=50_000, help="per process and step")
    add("--student-steps", type=int, default=8000)
    add("--student-views", type=int, default=16, help="per process and step")
    add("--student-rate", type=float, default=2e-3, help="peak learning rate")
    add("--tuning-steps", type=int, default=4500)
    add("--tuning-rate", type=float, default=1e-3, help="peak learning rate of the last stage")
    add("--figures-every", type=int, default=4000, help="steps")
    add("--figures-scenes", type=int, default=40, help="drawn scenes in the log of figures")
    add("--figures-most", type=int, default=4, help="real pictures of each class in it")
    on_gpu = torch.cuda.is_available()
    add("--processes", type=int, default=1 if on_gpu else os.cpu_count() or 1)
    add("--workers", type=int, default=1, help="that draw scenes, per process; 0 for none")
    add("--device", default="cuda" if on_gpu else "cpu", help="cpu, or cuda with --processes 1")
    add("--port", type=int, default=29511, help="for the processes to meet at")
    return parser


def _start_process(rank: int, settings: Settings) -> None:
    """Set up the log of a new process, and run it."""
    logging.basicConfig(
        level=logging.INFO,
        format="%(asctime)s %(message)s",
        handlers=[logging.StreamHandler(), logging.FileHandler(settings.output / "training.log")],
    )
    run_process(rank, settings)


def main() -> None:
    """Read the command line and train."""
    parser = _parser()
    settings = Settings(**vars(parser.parse_args()))
    if settings.tuning_steps and not has_grid_of_demo(settings.configuration):
        parser.error(
            f"the last stage keeps the maps of the model demo, and '{settings.configuration}' has "
            "patches or views of another size; add --tuning-steps 0"
        )
    settings.output.mkdir(parents=True, exist_ok=True)
    torch.multiprocessing.spawn(_start_process, (settings,), settings.processes)


if __name__ == "__main__":
    main()
