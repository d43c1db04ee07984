"""Train the bundled model: ``python -m training.train --output DIR``.

In three stages, from drawn pictures and their captions alone; no mask enters. The text tower learns
which captions go together; a convolutional teacher learns from captions of small pictures; the
image tower learns from captions of whole views, and from the teacher which patches carry them. The
run is split over processes of one thread each, which on a CPU is half as fast again as one process
of many threads. A run that was interrupted goes on from its last checkpoint when started again.
"""

from __future__ import annotations

import argparse
import logging
import os
from pathlib import Path

import torch
import torch.distributed as dist
from open_clip.model import CLIP
from torch import Tensor, nn
from torch.nn import functional as F

from training.export import MODEL_CONFIG, TextIds, save_folder
from training.initial import initialise
from training.language import teach_language
from training.network import embed
from training.objective import Heads, agreement, contrastive, preprocess, strongest, yes_or_no
from training.stage import Settings, Stage, run_stage
from training.teacher import Teacher
from training.views import Batch, Batches

_LOG = logging.getLogger("training")
_SMALL_VIEWS = {24: 0.1, 32: 0.3, 48: 0.2, 64: 0.2, 96: 0.2}
"""Side of the teacher's views -> share of its batches."""
_MATCH, _AGREE = 0.03, 1.0
"""Weights of the student's losses: of whole views with captions, of patches with the teacher."""


def run_process(rank: int, settings: Settings) -> None:
    """Run one of the processes; the first one reports and saves."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    torch.set_num_threads(1)
    address = f"tcp://127.0.0.1:{settings.port}"
    dist.init_process_group("gloo", address, rank=rank, world_size=settings.processes)
    torch.manual_seed(settings.seed)
    ids = TextIds(MODEL_CONFIG["text_cfg"]["context_length"])
    clip = ids.compact_clip(MODEL_CONFIG)
    _teach_language(clip, ids, settings)
    clip = clip.to(settings.device).requires_grad_(False)
    teacher = Teacher(MODEL_CONFIG["embed_dim"]).to(settings.device)
    run_stage(_teaching(teacher, clip, ids, settings), settings, rank)
    heads = Heads().to(settings.device)
    _start_student(clip, settings)
    run_stage(_learning(clip, heads, teacher.eval(), ids, settings), settings, rank)
    if rank == 0:
        save_folder(settings.output / "model", clip, heads, ids)
    dist.destroy_process_group()


def _teach_language(clip: CLIP, ids: TextIds, settings: Settings) -> None:
    """Teach the text tower, or take it from a run that was interrupted."""
    saved = settings.output / "language.pt"
    if dist.get_rank() == 0 and not saved.exists():
        _LOG.info("language: loss %.4f", teach_language(clip, ids, settings.seed))
        torch.save(clip.state_dict(), saved)
    dist.barrier()
    clip.load_state_dict(torch.load(saved, weights_only=True))


def _start_student(clip: CLIP, settings: Settings) -> None:
    torch.manual_seed(settings.seed)
    side = MODEL_CONFIG["vision_cfg"]["image_size"]
    examples = next(iter(Batches((settings.seed,), 128 * side**2, {side: 1.0})))
    tower = clip.visual.cpu()
    initialise(tower, preprocess(examples))
    clip.visual = tower.to(settings.device).requires_grad_(True)


def _texts(clip: CLIP, batch: Batch, ids: TextIds) -> Tensor:
    """Return the captions' unit directions; the text tower stays as it was taught."""
    tokens = ids([caption.text for caption in batch.captions]).to(clip.logit_scale.device)
    with torch.no_grad():
        return F.normalize(clip.encode_text(tokens), dim=-1)


def _teaching(teacher: Teacher, clip: CLIP, ids: TextIds, settings: Settings) -> Stage:
    def losses(batch: Batch) -> dict[str, Tensor]:
        pixels = preprocess(batch, settings.device)
        evidence = strongest(teacher(pixels, _texts(clip, batch, ids)))
        states = torch.from_numpy(batch.states).to(evidence.device)
        return {"yes-or-no": yes_or_no(evidence, states)}

    return Stage(
        name="teacher",
        learner=teacher,
        matrices=teacher.matrices,
        losses=losses,
        n_steps=settings.teacher_steps,
        rate=4e-3,
        n_pixels=settings.teacher_pixels,
        sides=_SMALL_VIEWS,
    )


def _learning(
    clip: CLIP, heads: Heads, teacher: Teacher, ids: TextIds, settings: Settings
) -> Stage:
    def losses(batch: Batch) -> dict[str, Tensor]:
        pixels, texts = preprocess(batch, settings.device), _texts(clip, batch, ids)
        with torch.no_grad():
            taught = teacher(pixels, texts)
        embedding, token_map = embed(clip.visual, pixels, torch.bfloat16)
        states = torch.from_numpy(batch.states).to(embedding.device)
        found = token_map.shape[1] * token_map @ texts.T  # as if every patch were the whole view
        return {
            "match": _MATCH * contrastive(heads.image.exp() * embedding @ texts.T, states),
            "agree": _AGREE * agreement(heads.patch[0].exp() * found + heads.patch[1], taught),
        }

    blocks = [p for p in clip.visual.transformer.parameters() if p.ndim == 2]
    side = MODEL_CONFIG["vision_cfg"]["image_size"]
    return Stage(
        name="student",
        learner=nn.ModuleDict({"tower": clip.visual, "heads": heads}),
        matrices=blocks,
        losses=losses,
        n_steps=settings.student_steps,
        rate=2e-3,
        n_pixels=settings.student_views * side**2,
        sides={side: 1.0},
    )


def main() -> None:
    """Read the command line and train."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, required=True, help="checkpoints and the model")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--teacher-steps", type=int, default=6000)
    parser.add_argument("--teacher-pixels", type=int, default=50_000, help="per process and step")
    parser.add_argument("--student-steps", type=int, default=8000)
    parser.add_argument("--student-views", type=int, default=16, help="per process and step")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--workers", type=int, default=1, help="that draw scenes, per process")
    parser.add_argument("--device", default="cpu", help="cpu, or cuda with --processes 1")
    parser.add_argument("--port", type=int, default=29511, help="for the processes to meet at")
    settings = Settings(**vars(parser.parse_args()))
    settings.output.mkdir(parents=True, exist_ok=True)
    torch.multiprocessing.spawn(run_process, (settings,), settings.processes)


if __name__ == "__main__":
    main()
