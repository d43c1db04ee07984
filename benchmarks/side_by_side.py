"""What a CPU gains from batches of a small model side by side, in one thread each.

The same image is encoded in turns: batches one by one, which share all threads, and as many side by
side as there are threads (`napari_clip_heatmap.pipeline.batches.at_once`).

    python benchmarks/side_by_side.py [--model demo] [--side 4096] [--clock wall]
"""

from __future__ import annotations

import argparse
import statistics
from unittest import mock

import numpy as np
import torch
from interleaved import CLOCKS, report, time_in_turns

import napari_clip_heatmap as nch
from napari_clip_heatmap.pipeline import batches
from napari_clip_heatmap.scenes import draw

ONE_BY_ONE, SIDE_BY_SIDE = "one by one", "side by side"


def main() -> None:
    """Print both times and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="demo")
    parser.add_argument("--side", type=int, default=4096, help="pixels, a multiple of 1024")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--clock", choices=CLOCKS, default="wall")
    options = parser.parse_args()

    model = nch.load_model(options.model, device="cpu")
    n_copies = options.side // 1024
    image = np.tile(draw(0, size=(1024, 1024)).image, (n_copies, n_copies, 1))

    def one_by_one() -> None:
        with mock.patch.object(batches, "at_once", return_value=1):
            nch.encode(model, image)

    ways = {ONE_BY_ONE: one_by_one, SIDE_BY_SIDE: lambda: nch.encode(model, image)}
    nch.encode(model, image[:256, :256])
    seconds = time_in_turns(ways, options.rounds, options.clock)
    number = batches.at_once(model)
    print(f"{options.model}, {options.side} x {options.side}, {torch.get_num_threads()} threads,")
    print(f"{number} batches side by side, {options.clock} time")
    report(seconds, ONE_BY_ONE)
    pairs = zip(seconds[ONE_BY_ONE], seconds[SIDE_BY_SIDE], strict=True)
    print(f"one by one over side by side: {statistics.median(one / two for one, two in pairs):.2f}")


if __name__ == "__main__":
    main()
