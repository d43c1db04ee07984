"""A GPU: tiles per second of `encode` over images per second of compiled `encode_image`.

Both in batches of the same size and in the same precision; `encode_image` has its images on the
device already, and answers with one vector an image, so it is as fast as the device can be. Target
>= 0.9. The token map alone, of tiles that are on the device already, shows the model's part without
reading, copying and blending. Random weights: speed does not depend on what they are.

    python benchmarks/gpu_encode.py [--models ViT-B-16 ViT-L-14] [--precisions fp16 bf16 fp32]
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable

import numpy as np
import open_clip
import torch
from interleaved import report, time_in_turns

import napari_clip_heatmap as nch
from napari_clip_heatmap.clip.devices import PRECISIONS


def main() -> None:
    """Print a table for each model and precision."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="+", default=["ViT-B-32", "ViT-B-16", "ViT-L-14"])
    parser.add_argument("--precisions", nargs="+", default=["fp16", "bf16", "fp32"])
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--tiles", type=int, default=31, help="tiles along each side")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    if options.device.startswith("cuda") and not torch.cuda.is_available():
        print("There is no CUDA device that this PyTorch can use: nothing was measured.")
        return
    for name in options.models:
        for precision in options.precisions:
            measure(name, precision, options)


def measure(name: str, precision: str, options: argparse.Namespace) -> None:
    """Print the table of one model in one precision."""
    torch.manual_seed(0)
    plain = open_clip.create_model(name).eval()
    model = nch.load_model(plain, device=options.device, precision=precision)
    visual = plain.visual.to(options.device, PRECISIONS[precision])
    compiled = torch.compile(visual)
    side = model.image_size[0] * (options.tiles + 1) // 2
    image = np.random.default_rng(0).integers(0, 256, (side, side, 3), np.uint8)
    n_tiles = len(nch.encode(model, image, downsample=1, batch_size=options.batch).lattice.tiles)
    n_batches = -(-n_tiles // options.batch)
    batch = torch.randn(options.batch, 3, *model.image_size, device=options.device)
    narrow = batch.to(PRECISIONS[precision])

    def plainly() -> None:
        with torch.inference_mode():
            for _ in range(n_batches):
                compiled(narrow)

    def mapped() -> None:
        for _ in range(n_batches):
            model.token_map(batch)

    def encoded() -> None:
        nch.encode(model, image, downsample=1, batch_size=options.batch)

    ways = {"compiled encode_image": plainly, "token map": mapped, "encode": encoded}
    seconds = time_in_turns(
        {way: to_its_end(run, options.device) for way, run in ways.items()}, options.rounds
    )
    print(f"{name} in {precision} on {where(options.device)}, {n_tiles} tiles by {options.batch}")
    report(seconds, "compiled encode_image")
    images = n_batches * options.batch / statistics.median(seconds["compiled encode_image"])
    tiles = n_tiles / statistics.median(seconds["encode"])
    print(f"{tiles:.0f} tiles/s over {images:.0f} images/s = {tiles / images:.3f}\n")


def to_its_end(run: Callable[[], None], device: str) -> Callable[[], None]:
    """Wait for all that was launched on the device, too."""

    def waited() -> None:
        run()
        if device.startswith("cuda"):
            torch.cuda.synchronize(device)

    return waited


def where(device: str) -> str:
    """Name the card."""
    return torch.cuda.get_device_name(device) if device.startswith("cuda") else device


if __name__ == "__main__":
    main()
