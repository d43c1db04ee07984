"""20,000 objects of a 16,384 x 16,384 image named by words: time and memory; target 5 s, flat.

The lattice is filled with random tokens, and the text tower is not measured; the labels lie on
disk, in a Zarr of chunks of 1024 x 1024.

    python benchmarks/object_scores.py [--side 16384] [--objects 20000] [--d-embed 512]
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from math import ceil, sqrt
from pathlib import Path

import numpy as np
import torch
import zarr

import napari_clip_heatmap as nch
from napari_clip_heatmap.imaging.lattice import plan
from napari_clip_heatmap.imaging.region import Region
from napari_clip_heatmap.imaging.validity import Validity
from napari_clip_heatmap.imaging.view import View
from napari_clip_heatmap.pipeline.encoding import Encoding
from napari_clip_heatmap.pipeline.token_grid import TokenAccumulator

PROMPTS = ("nuclei", "filaments", "mitochondria", "vesicles", "debris")
CHUNK = 1024


class DrawnText:
    """Stands for the text tower: a direction drawn from each text."""

    logit_scale = 100.0

    def __init__(self, d_embed: int) -> None:
        self.d_embed = d_embed

    def encode(self, texts: tuple[str, ...]) -> torch.Tensor:
        """Return a unit direction for each text."""
        rows = [
            torch.randn(self.d_embed, generator=torch.Generator().manual_seed(hash(text) % 2**31))
            for text in texts
        ]
        return torch.nn.functional.normalize(torch.stack(rows), dim=-1)

    def unread_words(self, prompt: str) -> tuple[str, ...]:
        """Return none."""
        return ()

    unknown_words = unread_words


def write_labels(path: Path, side: int, count: int) -> None:
    """Write disks on a grid, band by band."""
    per_row = ceil(sqrt(count))
    spacing = side / per_row
    labels = zarr.create_array(path, shape=(side, side), chunks=(CHUNK, CHUNK), dtype=np.int32)
    x = np.arange(side)
    column, off_x = np.divmod(x, spacing)
    for top in range(0, side, CHUNK):
        row, off_y = np.divmod(np.arange(top, min(top + CHUNK, side)), spacing)
        number = row[:, np.newaxis] * per_row + column + 1
        away = (off_y[:, np.newaxis] - spacing / 2) ** 2 + (off_x - spacing / 2) ** 2
        inside = (away < (0.4 * spacing) ** 2) & (number <= count)
        labels[top : top + CHUNK] = np.where(inside, number, 0).astype(np.int32)


def filled_encoding(side: int, d_embed: int) -> Encoding:
    """Return an encoding of random tokens, as large as one of a real image."""
    lattice, downsample = plan((side, side), tile=(224, 224), patch=(16, 16))
    rng = np.random.default_rng(0)
    rows, columns = len(lattice.y.starts), len(lattice.x.starts)
    board = TokenAccumulator.restored(
        lattice,
        (slice(0, lattice.grid[0]), slice(0, lattice.grid[1])),
        1e-3 * rng.standard_normal((*lattice.grid, d_embed), np.float32),
        np.full((rows, columns, d_embed), d_embed**-0.5, np.float32),
        np.ones((rows, columns), bool),
    )
    return Encoding(
        accumulator=board,
        validity=Validity((side, side)),
        region=Region(),
        view=View(),
        downsample=downsample,
        overlap=0.5,
        model={"name": "random"},
        text=DrawnText(d_embed),
    )


def measure(path: Path, d_embed: int) -> None:
    """Score the objects of one file, and print seconds and the peak memory that they added."""
    labels = zarr.open_array(path, mode="r")
    encoding = filled_encoding(labels.shape[0], d_embed)
    nch.score_objects  # noqa: B018 - imports are not measured
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begin = time.perf_counter(), time.process_time()
    scores = nch.score_objects(encoding, labels, PROMPTS)
    seconds, busy = time.perf_counter() - begin[0], time.process_time() - begin[1]
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    gap = scores.contribution.sum(0) + scores.outside + scores.rest - scores.similarity
    print(
        f"{labels.shape[0]:>6} pixels a side, {len(scores):>6} objects: {seconds:.2f} s "
        f"(CPU {busy:.2f} s), "
        f"+{(after - before) / 1024:.0f} MB; parts off their sum by {np.abs(gap).max():.1e}"
    )


def main() -> None:
    """Measure the image, and one of a quarter of its pixels with as many objects."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--side", type=int, default=16384)
    parser.add_argument("--objects", type=int, default=20000)
    parser.add_argument("--d-embed", type=int, default=512)
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        measure(options.measure, options.d_embed)
        return
    with tempfile.TemporaryDirectory() as folder:
        for side in (options.side // 2, options.side):
            path = Path(folder) / f"{side}.zarr"
            write_labels(path, side, options.objects)
            # A process each: a peak is that of a process.
            own = [sys.executable, __file__, "--measure", str(path)]
            subprocess.run([*own, "--d-embed", str(options.d_embed)], check=True)


if __name__ == "__main__":
    main()
