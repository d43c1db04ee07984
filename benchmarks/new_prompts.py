"""P3: five new prompts on an encoded 2048 x 2048 image, text tower aside; target <= 50 ms.

Also what the step from lattice to pixels costs when done in other ways, in the same turns.

    python benchmarks/new_prompts.py [--side 2048] [--d-embed 512] [--rounds 30]
"""

from __future__ import annotations

import argparse
import os

import numpy as np
import torch
from interleaved import CLOCKS, report, time_in_turns

from napari_clip_heatmap.imaging.lattice import plan_lattice
from napari_clip_heatmap.imaging.opencv import cv2
from napari_clip_heatmap.imaging.region import Region
from napari_clip_heatmap.imaging.resample import to_image_pixels
from napari_clip_heatmap.imaging.validity import Validity
from napari_clip_heatmap.imaging.view import View
from napari_clip_heatmap.pipeline.encoding import Encoding
from napari_clip_heatmap.pipeline.token_grid import TokenAccumulator

PROMPTS = ("nuclei", "filaments", "mitochondria", "vesicles", "debris")


class KnownText:
    """Stands for the text tower, whose work is not measured here."""

    logit_scale = 100.0

    def __init__(self, d_embed: int) -> None:
        drawn = torch.randn(len(PROMPTS), d_embed, generator=torch.Generator().manual_seed(0))
        self.directions = torch.nn.functional.normalize(drawn, dim=-1)

    def encode(self, prompts: tuple[str, ...]) -> torch.Tensor:
        """Return the unit directions of the prompts."""
        return self.directions[: len(prompts)]

    def unread_words(self, prompt: str) -> tuple[str, ...]:
        """Return no word."""
        return ()

    unknown_words = unread_words


def random_encoding(side: int, d_embed: int) -> Encoding:
    """Return an encoding at ``downsample=1`` with patches of 16 pixels; its content is noise."""
    lattice = plan_lattice((side, side), (side, side), patch=(16, 16), tile=(224, 224), overlap=0.5)
    rng = np.random.default_rng(0)
    accumulator = TokenAccumulator(lattice, d_embed)
    for tile in lattice.tiles:
        accumulator.add_tile(
            tile,
            rng.standard_normal((14, 14, d_embed), np.float32),
            rng.standard_normal(d_embed, np.float32),
        )
    return Encoding(
        accumulator=accumulator,
        validity=Validity((side, side)),
        region=Region(),
        view=View(),
        downsample=1.0,
        overlap=0.5,
        model={},
        text=KnownText(d_embed),
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--side", type=int, default=2048)
    parser.add_argument("--d-embed", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--clock", choices=CLOCKS, default="wall")
    options = parser.parse_args()
    encoding = random_encoding(options.side, options.d_embed)
    lattice = encoding.lattice
    coarse = np.random.default_rng(1).standard_normal((5, *lattice.grid), np.float32)
    size = options.side, options.side
    position = lattice.y.cell_positions()[:, None]
    matrix = np.maximum(1 - np.abs(position - np.arange(lattice.grid[0])), 0).astype(np.float32)
    seconds = time_in_turns(
        {
            "5 prompts to layer data": lambda: encoding.heatmaps(PROMPTS),
            "  of it: token map x directions": lambda: (
                encoding.token_map @ np.ones((options.d_embed, 5), np.float32)
            ),
            "  of it: lattice to pixels": lambda: to_image_pixels(coarse, lattice),
            "other way: whole matrices": lambda: matrix @ coarse @ matrix.T,
            "other way: torch interpolate": lambda: torch.nn.functional.interpolate(
                torch.from_numpy(coarse)[None], size, mode="bilinear", align_corners=False
            ),
            "other way: cv2.resize (whole cells only)": lambda: np.stack(
                [cv2.resize(one, size, interpolation=cv2.INTER_LINEAR) for one in coarse]
            ),
        },
        options.rounds,
        options.clock,
    )
    cores = len(os.sched_getaffinity(0))
    print(f"{options.side} x {options.side}, {cores} cores, {options.clock} time")
    report(seconds, "5 prompts to layer data")


if __name__ == "__main__":
    main()
