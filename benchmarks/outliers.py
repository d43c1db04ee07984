"""Register-like tokens: how many there are, and what leaving them out does to the maps.

    python benchmarks/outliers.py [--model demo] [--scenes 40]

AUROC of each class's heatmap on drawn scenes, against the other classes and against all pixels.
"""

from __future__ import annotations

import argparse
import statistics

import torch

import napari_clip_heatmap as nch
from napari_clip_heatmap.clip.families import adapt
from napari_clip_heatmap.clip.loading import load_model
from napari_clip_heatmap.core.token_map import find_outliers
from napari_clip_heatmap.core.tower import block_outputs
from napari_clip_heatmap.evaluation.drawn import SIDE, evaluate_drawn
from napari_clip_heatmap.scenes import draw

FACTORS = (2.0, 3.0, 4.0)
SEED = 900_000


@torch.no_grad()
def share_over(model: nch.ClipModel, factor: float, n_scenes: int) -> float:
    """Return the share of patches over a factor times the median norm, before the last layer."""
    tower, height, width = adapt(model.module.visual), *model.image_size
    found = []
    for number in range(n_scenes):
        image = draw(SEED + number, (max(SIDE, height), max(SIDE, width))).image
        batch = model.preprocess(image[None, :height, :width])
        before = stream = tower.embed(batch)
        for step in block_outputs(tower, stream):
            before, stream = stream, step.resid_post
        found.append(find_outliers(before[:, tower.n_prefix :], factor).float().mean().item())
    return statistics.mean(found)


def main() -> None:
    """Print one line for the maps as they are, and one for each factor."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="demo")
    parser.add_argument("--scenes", type=int, default=40)
    options = parser.parse_args()
    print(f"{'factor':>8}{'left out':>10}{'against others':>16}{'against all':>13}")
    for factor in (None, *FACTORS):
        model = load_model(options.model, outlier_factor=factor)
        result = evaluate_drawn(model, n_scenes=options.scenes, seed=SEED, progress=lambda: None)
        share = 0.0 if factor is None else share_over(model, factor, options.scenes)
        print(
            f"{factor or 'off':>8}{share:>10.2%}{result.against_others.median_of_means():>16.4f}"
            f"{result.against_all.median_of_means():>13.4f}"
        )


if __name__ == "__main__":
    main()
