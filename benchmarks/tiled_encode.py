"""P4: tiles per second of `encode` over images per second of open_clip's batched `encode_image`.

Target >= 0.95. The model has random weights: speed does not depend on what they are.

    python benchmarks/tiled_encode.py [--model ViT-B-16] [--tiles 5] [--batches 1 4 8 16]
"""

from __future__ import annotations

import argparse
import statistics

import numpy as np
import open_clip
import torch
from interleaved import CLOCKS, report, time_in_turns

import napari_clip_heatmap as nch


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="ViT-B-16")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--tiles", type=int, default=5, help="tiles along each side")
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 4, 8, 16])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--clock", choices=CLOCKS, default="wall")
    options = parser.parse_args()

    torch.manual_seed(0)
    plain = open_clip.create_model(options.model).eval().to(options.device)
    model = nch.load_model(plain, device=options.device, precision="fp32")
    side = model.image_size[0] * (options.tiles + 1) // 2
    image = np.random.default_rng(0).integers(0, 256, (side, side, 3), np.uint8)
    n_tiles = len(nch.encode(model, image, downsample=1).lattice.tiles)

    def plainly(batch_size: int) -> None:
        batch = torch.zeros(n_tiles, 3, *model.image_size, device=options.device)
        with torch.inference_mode():
            for part in batch.split(batch_size):
                plain.encode_image(part).cpu()

    ways = {}
    for size in options.batches:
        ways[f"encode_image, batches of {size}"] = lambda size=size: plainly(size)
        ways[f"encode, batches of {size}"] = lambda size=size: nch.encode(
            model, image, downsample=1, batch_size=size
        )
    seconds = time_in_turns(ways, options.rounds, options.clock)
    cores = f"{torch.get_num_threads()} threads"
    print(f"{options.model} on {options.device}, {n_tiles} tiles, {cores}, {options.clock} time")
    report(seconds, f"encode_image, batches of {options.batches[-1]}")
    for size in options.batches:
        pairs = zip(
            seconds[f"encode_image, batches of {size}"],
            seconds[f"encode, batches of {size}"],
            strict=True,
        )
        ratio = statistics.median(plain / ours for plain, ours in pairs)
        print(f"P4, batches of {size:2}: tiles/s over images/s = {ratio:.3f}")


if __name__ == "__main__":
    main()
