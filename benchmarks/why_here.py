"""The grid of layers and heads for one place, against a plain forward pass, in the same turns.

    python benchmarks/why_here.py [--models demo ViT-B-16 ViT-L-14] [--rounds 7]

Weights are random but for the bundled model. The image is one tile; in the middle of a larger one
a place lies in four tiles, and costs four times as much the first time. Targets: 0.3 s for the
bundled model, 2 s for ViT-L-14.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from typing import Any

import numpy as np
import open_clip
import torch
from interleaved import CLOCKS, report, time_in_turns

import napari_clip_heatmap as nch
from napari_clip_heatmap.pipeline.explanation import tile_heads

PROMPTS = ("nuclei", "filaments", "mitochondria", "vesicles", "debris")


def load(name: str) -> Any:
    """Return the bundled model, or one with random weights."""
    if name == "demo":
        return nch.load_model("demo", device="cpu")
    torch.manual_seed(0)
    model = open_clip.create_model(name).eval()
    return nch.load_model(model, device="cpu", tokenizer=open_clip.get_tokenizer(name))


def ways(model: Any) -> dict[str, Callable[[], object]]:
    """Return what is timed."""
    height, width = model.image_size
    image = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    batch = model.preprocess(image[np.newaxis].astype(np.float32) / 255)
    at = (height // 2, width // 2)

    def forward() -> object:
        with torch.no_grad():
            return model.module.encode_image(batch)

    def first() -> object:
        tile_heads._recent.pop(model, None)
        return nch.explain(model, image, PROMPTS, at=at)

    def again() -> object:
        return nch.explain(model, image, PROMPTS, at=at)

    model.encode_text(PROMPTS)  # the text tower's work is not measured here
    again()
    return {"encode_image": forward, "explain a place": first, "another place of that tile": again}


def main() -> None:
    """Print a table for each model."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="*", default=["demo", "ViT-B-16", "ViT-L-14"])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--clock", choices=CLOCKS, default="wall")
    options = parser.parse_args()
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    for name in options.models:
        seconds = time_in_turns(ways(load(name)), options.rounds, options.clock)
        print(f"{name}, {torch.get_num_threads()} threads, {options.clock} time")
        report(seconds, "encode_image")


if __name__ == "__main__":
    main()
