"""P5, P7, R2: an image that is generated where it is read, 32,768 pixels a side by default.

Prints the time to the first map in forward passes (target <= 1.5 and half a second), the peak
memory compared with smaller images (target: the same, but for the lattice), how many tiles are
done between a cancel and its effect, and how many are done again on going on (target 0).

    python benchmarks/large_image.py [--model ViT-B-16] [--sides 16384 32768] [--tiles 100]
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from pathlib import Path

import dask.array as da
import numpy as np
import open_clip
import torch

import napari_clip_heatmap as nch
from napari_clip_heatmap.imaging.channel import Channel
from napari_clip_heatmap.pipeline.batches import forward_tile
from napari_clip_heatmap.pipeline.progressive import Progress, encode_progressively
from napari_clip_heatmap.pipeline.scoring import build_scoring

PROMPTS = ["nuclei", "filaments", "mitochondria", "membranes", "background"]
CHUNK = 1024


def main() -> None:
    """Measure each size in a process of its own: a peak cannot be taken back."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="demo")
    parser.add_argument("--sides", type=int, nargs="+", default=[16384, 32768, 65536])
    parser.add_argument("--downsample", type=float, help="by default as 'auto'")
    parser.add_argument("--tiles", type=int, default=100, help="stop after this many")
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        measure(options.one, options)
        return
    print(f"{options.model}, {torch.get_num_threads()} threads, chunks of {CHUNK}")
    for side in options.sides:
        command = [sys.executable, __file__, *sys.argv[1:], "--one", str(side)]
        subprocess.run(command, check=True)


def generated(side: int) -> da.Array:
    """Return a textured 8-bit image that exists only where it is read."""
    n_chunks = -(-side // CHUNK)
    chunks = tuple(min(CHUNK, side - CHUNK * index) for index in range(n_chunks))

    def draw(block_info: dict) -> np.ndarray:
        (y0, y1), (x0, x1) = block_info[None]["array-location"]
        y, x = np.ogrid[y0:y1, x0:x1]
        waves = np.sin(y / np.float32(37)) + np.sin(x / np.float32(53))  # about as fast as a disk
        waves *= 60
        waves += 127
        return waves.astype(np.uint8)

    return da.map_blocks(draw, chunks=(chunks, chunks), dtype=np.uint8)


def measure(side: int, options: argparse.Namespace) -> None:
    """Run once until some tiles are done, cancel, and go on; print what that took."""
    model = loaded(options.model)
    channel = Channel((generated(side),), limits=(0, 255))
    directions = build_scoring(model.text, PROMPTS, "relative").directions
    tile = np.random.default_rng(0).random((*model.image_size, 3), np.float32)
    forward_tile(model, tile)
    forward = statistics.median(timed(lambda: forward_tile(model, tile)) for _ in range(7))
    before = peak()

    settings = {"downsample": options.downsample or "auto", "focus": (side / 3, side / 2)}
    asked = Asked()
    first, last = None, None
    try:
        for last in encode_progressively(model, channel, cancelled=asked, **settings):
            if last.stage == "coarse":
                last.encoding.lattice_values(directions)
                first = last.encoding.lazy_heatmaps(PROMPTS).window(factor=side // CHUNK)
                first_map = time.perf_counter() - asked.started
            if last.done >= options.tiles and not asked.to_stop:
                asked.to_stop, done_then = True, last.done
    except nch.Cancelled:
        pass
    late = last.done - done_then
    lattice = 4e-6 * np.prod(last.encoding.token_map.shape)
    grown = peak() - before

    counted = count_tiles(model)
    *_, end = take(encode_progressively(model, channel, resume=last.encoding, **settings), 50)
    again = counted() - (end.done - last.done)
    extra = (first_map - 0.5) / forward
    print(
        f"{side:6} px: {last.total} tiles, lattice {lattice:.0f} MB; one forward "
        f"{forward * 1e3:.0f} ms\n"
        f"  P5 first map of {first.shape} after {first_map:.2f} s = 0.5 s + {extra:.2f} forwards\n"
        f"  P7 peak {grown:.0f} MB above the model, {grown - lattice:.0f} MB without the lattice, "
        f"after {last.done} tiles in {last.elapsed:.1f} s\n"
        f"  R2 tiles done after the cancel: {late}; gone on: {end.done - last.done} more tiles, "
        f"{again} of them again"
    )


def loaded(name: str) -> object:
    """Return the bundled model, or an architecture with random weights."""
    if name == "demo":
        return nch.load_model("demo", device="cpu")
    torch.manual_seed(0)
    return nch.load_model(open_clip.create_model(name).eval(), device="cpu", precision="fp32")


class Asked:
    """The user's cancel button; notes when the run began."""

    def __init__(self) -> None:
        self.to_stop = False
        self.started = time.perf_counter()

    def __call__(self) -> bool:
        """Tell whether it was pressed."""
        return self.to_stop


def count_tiles(model: object) -> object:
    """Count the tiles that the model looks at from now on; the coarse look is not one."""
    seen = [0]
    token_map = model.token_map

    def counting(batch: torch.Tensor) -> object:
        seen[0] += len(batch)
        return token_map(batch)

    model.token_map = counting
    return lambda: seen[0]


def take(records: object, n_tiles: int) -> list[Progress]:
    """Take records until so many more tiles are done."""
    taken = []
    for record in records:
        taken.append(record)
        if record.done >= taken[0].done + n_tiles:
            records.close()
            break
    return taken


def timed(work: object) -> float:
    """Return the seconds that a call takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def peak() -> float:
    """Return the highest resident memory of this process so far, in MB (Linux)."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    (line,) = (line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


if __name__ == "__main__":
    main()
