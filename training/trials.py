"""Compare shapes of the image tower at equal small budgets of computing time.

``python -m training.trials --run RUN --minutes 10`` takes the text tower of a run (its
``language.pt``), trains each shape for as many minutes of one core, from captions of drawn views
and of each of their patches, and writes a table. Shapes that the output already holds are not
trained again, so the command can be repeated with more minutes in another folder, or with more
shapes in the same one.

``--scales`` instead measures a finished model at several sizes of the images, and the mean of its
maps over neighboring sizes.
"""

from __future__ import annotations

import argparse
import io
import json
import logging
import time
import zlib
from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from open_clip.model import CLIP, set_model_preprocess_cfg
from safetensors.torch import save
from torch import Tensor, nn

import napari_clip_heatmap as nch
from napari_clip_heatmap.evaluation.auroc import auroc
from napari_clip_heatmap.evaluation.real import blood_masks, label_pairs
from napari_clip_heatmap.files.reading.image_file import read_image
from napari_clip_heatmap.scenes import CLASSES, draw
from training.configurations import (
    CONFIGURATIONS,
    OVERLAPPING_STEM,
    configuration,
    widen_stem,
)
from training.export import PREPROCESS_CONFIG, TextIds, full_state
from training.figures import FigureRequest, measure_figures
from training.initial import initialise
from training.muon import make_muon
from training.network import embed, encode_texts, fast_type
from training.objective import Heads, caption_losses, place_losses, preprocess
from training.stage import learning_rate
from training.start import adopt_image_tower
from training.views import Batch, Batches

if TYPE_CHECKING:
    from napari_clip_heatmap.clip.model import ClipModel

_LOG = logging.getLogger("training")
_PIXELS = 16 * 96**2
_RATE, _RATE_FROM_START = 2e-3, 5e-4
_SEED = 6_000_000


class Trial:
    """One shape, trained with the text tower of a run."""

    def __init__(self, name: str, run: Path, seed: int, start: Path | None = None) -> None:
        torch.manual_seed(seed)
        self.name, self.config = name, configuration(name)
        self.ids = TextIds(self.config["text_cfg"]["context_length"])
        self.clip = self.ids.compact_clip(self.config)
        self.side = self.config["vision_cfg"]["image_size"]
        self.n_rows = self.side // self.config["vision_cfg"]["patch_size"]
        language = torch.load(run / "language.pt", weights_only=True)
        texts = {key: value for key, value in language.items() if not key.startswith("visual.")}
        self.clip.load_state_dict(texts, strict=False)
        self.clip.requires_grad_(False)
        tower = self.clip.visual
        if start is None:
            examples = next(iter(Batches((seed,), 128 * self.side**2, {self.side: 1.0})))
            initialise(tower, preprocess(examples.images))
        else:
            adopt_image_tower(tower, start)
        if name == OVERLAPPING_STEM:
            widen_stem(tower)
        tower.requires_grad_(True)
        self.heads = Heads()

    def losses(self, batch: Batch) -> Tensor:
        """Return what the last stage makes small with drawn views."""
        pixels = preprocess(batch.images)
        with torch.no_grad():
            tokens = self.ids([caption.text for caption in batch.captions])
            texts = nn.functional.normalize(encode_texts(self.clip, tokens), dim=-1)
        found = embed(self.clip.visual, pixels, fast_type(pixels.device))
        states, bags = torch.from_numpy(batch.states), torch.from_numpy(batch.bags)
        losses = {
            **caption_losses(self.heads, found, texts, states, bags),
            **place_losses(self.heads, found[1], texts, torch.from_numpy(batch.shares)),
        }
        return sum(losses.values(), torch.zeros(()))

    def train(self, seconds: float, seed: int, rate: float) -> int:
        """Train for so many seconds of computing, and return the number of views."""
        tower = self.clip.visual
        matrices = [p for p in tower.transformer.parameters() if p.ndim == 2]
        taken = {id(p) for p in matrices}
        others = [p for p in (*tower.parameters(), *self.heads.parameters()) if id(p) not in taken]
        optimizers = (
            make_muon(matrices),
            torch.optim.AdamW(others, betas=(0.9, 0.98), weight_decay=0.0),
        )
        batches = iter(Batches((seed, 1), _PIXELS, {self.side: 1.0}, n_rows=self.n_rows))
        spent, n_views = 0.0, 0
        while spent < seconds:
            batch = next(batches)  # drawing takes the same time for every shape: it is not counted
            began = time.process_time()
            for optimizer in optimizers:
                for group in optimizer.param_groups:
                    group["lr"] = learning_rate(round(1e4 * spent / seconds), 10_000, rate)
                optimizer.zero_grad()
            self.losses(batch).backward()
            nn.utils.clip_grad_norm_([*matrices, *others], 1.0)
            for optimizer in optimizers:
                optimizer.step()
            spent += time.process_time() - began
            n_views += len(batch.images)
        return n_views

    def model(self) -> ClipModel:
        """Return the trained model as the package uses it."""
        whole = CLIP(**self.config)
        if self.name == OVERLAPPING_STEM:
            widen_stem(whole.visual)
        whole.load_state_dict(full_state(self.clip, self.heads.image, self.ids, self.config))
        set_model_preprocess_cfg(whole, PREPROCESS_CONFIG)
        return nch.load_model(whole.eval(), device="cpu")

    def megabytes(self) -> float:
        """Return how much the weights add to a wheel."""
        state = full_state(self.clip, self.heads.image, self.ids, self.config)
        return len(zlib.compress(save({k: v.half() for k, v in state.items()}), 6)) / 1e6


def run_trial(
    name: str,
    run: Path,
    minutes: float,
    request: FigureRequest,
    seed: int,
    start: Path | None = None,
) -> dict[str, Any]:
    """Train one shape, from the image tower in ``start`` if given, and return its row."""
    trial = Trial(name, run, seed, start)
    n_views = trial.train(60 * minutes, seed, _RATE if start is None else _RATE_FROM_START)
    model = trial.model()
    picture = draw(_SEED, (512, 512)).image
    began = time.process_time()
    nch.encode(model, picture)
    seconds = time.process_time() - began
    figures = measure_figures(model, request)
    facts = {"name": name, "minutes": minutes, "views": n_views}
    return {**facts, "encode s": round(seconds, 3), "MB": round(trial.megabytes(), 2), **figures}


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return rows as Markdown."""
    columns = list(dict.fromkeys(column for row in rows for column in row))
    lines = ["| " + " | ".join(columns) + " |", "|---" * len(columns) + "|"]
    lines += ["| " + " | ".join(str(row.get(each, "-")) for each in columns) + " |" for row in rows]
    return "\n".join(lines)


def compare_scales(
    model: ClipModel, data: Path | None, n_scenes: int, factors: Sequence[float]
) -> str:
    """Return a table of AUROCs at each of several `downsample`, and of means of neighboring ones.

    Of a class against all other pixels of its picture, mean over pictures.
    """
    found: dict[str, list[dict[str, float]]] = {}
    for number in range(n_scenes):
        scene = draw(_SEED + number, (256, 256))
        _score(model, scene.image, scene.masks, found, "drawn ", factors)
    if data is not None:
        for path, labels in label_pairs(data / "nuclei"):
            masks = {"nuclei": read_image(labels) > 0}
            _score(model, read_image(path), masks, found, path.name.split("_")[0] + " ", factors)
        for image, masks in blood_masks(data / "blood"):
            _score(model, image, masks, found, "smear ", factors)
    means = {
        name: {
            column: round(np.mean([row[column] for row in rows]).item(), 3) for column in rows[0]
        }
        for name, rows in found.items()
    }
    return table([{"what": name, **columns} for name, columns in means.items()])


def _score(
    model: ClipModel,
    image: Any,
    masks: Mapping[str, Any],
    found: dict[str, list[dict[str, float]]],
    prefix: str,
    factors: Sequence[float],
) -> None:
    """Add the AUROCs of one picture's classes against all its other pixels."""
    sums = [np.zeros((len(CLASSES), *image.shape[:2]), np.float32)]
    for factor in factors:
        maps = nch.encode(model, image, downsample=factor).heatmaps(CLASSES).values
        sums.append(sums[-1] + maps / maps.std())
    runs = sorted(combinations(range(len(sums)), 2), key=lambda ends: ends[1] - ends[0])
    chosen = {
        " + ".join(f"{each:g}" for each in factors[first:last]): sums[last] - sums[first]
        for first, last in runs
    }
    for name, mask in masks.items():
        if 50 <= mask.sum() <= mask.size - 50:
            row = CLASSES.index(name)
            scores = {key: auroc(each[row][mask], each[row][~mask]) for key, each in chosen.items()}
            found.setdefault(prefix + name, []).append(scores)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--run", type=Path, help="output of training.train with a text tower")
    add("--start", type=Path, help="folder of a model to go on from, of a shape that fits")
    add("--output", type=Path, default=Path("runs/trials"))
    add("--minutes", type=float, default=10.0, help="of computing, for each shape")
    add("--names", default=",".join(CONFIGURATIONS), help="shapes, with commas")
    add("--data", type=Path, help="folder of images with truth")
    add("--scenes", type=int, default=40)
    add("--seed", type=int, default=0)
    add("--scales", metavar="MODEL", help="instead: measure a model at several sizes of images")
    add("--at", default="0.5,1,2", help="these sizes, as `downsample`, with commas")
    return parser


def main() -> None:
    """Read the command line, and print the table."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    torch.set_num_threads(1)
    arguments = _parser().parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    if arguments.scales:
        model = nch.load_model(arguments.scales, device="cpu")
        factors = [float(each) for each in arguments.at.split(",")]
        text = compare_scales(model, arguments.data, arguments.scenes, factors)
        (arguments.output / "scales.md").write_text(text + "\n", encoding="utf-8")
        print(text)
        return
    log = arguments.output / "trials.jsonl"
    rows = [json.loads(line) for line in io.StringIO(log.read_text())] if log.exists() else []
    done = {row["name"] for row in rows}
    request = FigureRequest(arguments.data, n_scenes=arguments.scenes)
    for name in arguments.names.split(","):
        if name not in done:
            row = run_trial(
                name, arguments.run, arguments.minutes, request, arguments.seed, arguments.start
            )
            _LOG.info("%s", row)
            rows.append(row)
            with log.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")
    text = table(rows)
    (arguments.output / "trials.md").write_text(text + "\n", encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
