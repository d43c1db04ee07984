"""P1: time from image to heatmaps over a plain `encode_image`, CPU, single precision.

Targets: <= 1.00 with prompts known up front, <= 1.03 with the token map for later prompts.

    python benchmarks/decomposition_time.py [--models ViT-L-14] [--rounds 15] [--definition]
"""

from __future__ import annotations

import argparse

import torch
from definition import maps_by_definition
from interleaved import CLOCKS, report, time_in_turns
from random_towers import random_tower
from torch.nn import functional as F

from napari_clip_heatmap.clip.families import adapt
from napari_clip_heatmap.core.token_map import fold, token_map

N_PROMPTS = 5


@torch.no_grad()
def measure(name: str, options: argparse.Namespace) -> None:
    """Print the table of one architecture."""
    visual = random_tower(name)
    tower = adapt(visual)
    batch = torch.randn(options.batch, 3, *tower.image_size)
    directions = F.normalize(torch.randn(N_PROMPTS, tower.d_embed), dim=-1)
    known, later = fold(tower, directions=directions), fold(tower)
    ways = {
        "encode_image": lambda: visual(batch),
        f"{N_PROMPTS} maps, prompts known up front": lambda: token_map(tower, batch, known),
        f"token map, then {N_PROMPTS} maps": lambda: (
            token_map(tower, batch, later).tokens @ directions.mT
        ),
    }
    print(f"{name}, batch {options.batch}, {torch.get_num_threads()} threads, {options.clock} time")
    report(time_in_turns(ways, options.rounds, options.clock), "encode_image")
    if options.definition:
        literal = {
            "encode_image": ways["encode_image"],
            f"{N_PROMPTS} maps by definition": lambda: maps_by_definition(
                visual, batch, directions
            ),
        }
        report(time_in_turns(literal, 1, options.clock), "encode_image")
        gap = ways[f"token map, then {N_PROMPTS} maps"]().flatten(1, 2) - maps_by_definition(
            visual, batch, directions
        )
        print(f"largest difference between the two: {gap.abs().max():.1e}")


def main() -> None:
    """Measure each architecture asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="+", default=["ViT-B-16", "ViT-L-14"])
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--clock", choices=CLOCKS, default="wall")
    parser.add_argument("--definition", action="store_true", help="compare with the definition")
    options = parser.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(options.threads)
    for name in options.models:
        measure(name, options)


if __name__ == "__main__":
    main()
