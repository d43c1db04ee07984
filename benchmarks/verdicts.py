"""Time of the verdicts on an image of 2048 x 2048 px: once per image, and per prompt.

    python benchmarks/verdicts.py [MODEL]

The encoding is random: the time depends on its size alone.
"""

from __future__ import annotations

import sys
import time

import numpy as np

import napari_clip_heatmap as nch
from napari_clip_heatmap.imaging.lattice import plan
from napari_clip_heatmap.imaging.region import Region
from napari_clip_heatmap.imaging.validity import Validity
from napari_clip_heatmap.imaging.view import View
from napari_clip_heatmap.pipeline.encoding import Encoding
from napari_clip_heatmap.pipeline.null_reference import make_null_reference
from napari_clip_heatmap.pipeline.scoring import build_scoring
from napari_clip_heatmap.pipeline.token_grid import TokenAccumulator
from napari_clip_heatmap.pipeline.verdicts import judge_prompts

SIDE = 2048
PROMPTS = ["nuclei", "filaments", "green nuclei", "nuclei and vesicles", "wug", "no platelets"]
REPEATS = 20


def random_encoding(model: nch.ClipModel) -> Encoding:
    """Return an encoding of random tokens, all tiles done."""
    lattice, downsample = plan((SIDE, SIDE), tile=model.image_size, patch=model.patch_size)
    rng = np.random.default_rng(0)
    tiles = len(lattice.y.starts), len(lattice.x.starts)
    scale = 1 / (lattice.y.cells_per_tile * lattice.x.cells_per_tile)
    accumulator = TokenAccumulator.restored(
        lattice,
        (slice(0, lattice.grid[0]), slice(0, lattice.grid[1])),
        rng.standard_normal((*lattice.grid, model.d_embed), np.float32) * np.float32(scale),
        rng.standard_normal((*tiles, model.d_embed), np.float32),
        np.ones(tiles, bool),
    )
    return Encoding(
        accumulator=accumulator,
        validity=Validity((SIDE, SIDE)),
        region=Region(),
        view=View(),
        downsample=downsample,
        overlap=0.5,
        model=model.describe(),
        text=model.text,
    )


def main() -> None:
    """Print the times."""
    model = nch.load_model(sys.argv[1] if len(sys.argv) > 1 else "demo", device="cpu")
    encoding = random_encoding(model)
    scoring = build_scoring(encoding.text, PROMPTS, "balanced")
    judge_prompts(encoding, scoring, make_null_reference(encoding))  # texts are encoded once
    start = time.perf_counter()
    reference = make_null_reference(encoding)
    once = time.perf_counter() - start
    times = {}
    for name, at in (("image", None), ("cursor", (1000.0, 700.0))):
        start = time.perf_counter()
        for _ in range(REPEATS):
            judge_prompts(encoding, scoring, reference, at)
        times[name] = (time.perf_counter() - start) / REPEATS / len(PROMPTS)
    rows, columns = encoding.lattice.grid
    print(f"{SIDE} x {SIDE} px, {rows} x {columns} patches, {len(PROMPTS)} prompts")
    print(f"once per image: {1e3 * once:.1f} ms")
    for name, seconds in times.items():
        print(f"a prompt, {name}: {1e3 * seconds:.2f} ms")


if __name__ == "__main__":
    main()
