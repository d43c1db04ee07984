"""P2: peak memory of image to heatmaps above model and plain forward (Linux).

Target: <= 64 MB for ViT-L-14. Each way runs in a process of its own, from the same start; the peak
is taken from the moment the model is ready, so that all the package ever adds is counted, the
folded weights too.

    python benchmarks/decomposition_memory.py [--models ViT-L-14] [--definition]
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

import torch
from definition import maps_by_definition
from random_towers import random_tower
from torch.nn import functional as F

from napari_clip_heatmap.clip.families import adapt
from napari_clip_heatmap.core.token_map import fold, token_map

WAYS = ("plain forward", "prompts known up front", "token map", "by definition")


@torch.no_grad()
def run(name: str, way: str) -> None:
    """Print by how many bytes the peak of one way lies above the model."""
    visual = random_tower(name)
    tower = adapt(visual)
    batch = torch.randn(1, 3, *tower.image_size)
    directions = F.normalize(torch.randn(5, tower.d_embed), dim=-1)
    before = _resident("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # resets the peak
    for _ in range(2):
        if way == "plain forward":
            visual(batch)
        elif way == "by definition":
            maps_by_definition(visual, batch, directions)
            break
        else:
            folded = fold(tower, directions=directions if way != "token map" else None)
            token_map(tower, batch, folded)
            token_map(tower, batch, folded)
            break
    print(_resident("VmHWM") - before)


def _resident(key: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(key)) * 1024


def main() -> None:
    """Measure each way in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="+", default=["ViT-L-14"])
    parser.add_argument("--definition", action="store_true", help="the definition too")
    parser.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.way:
        run(options.models[0], options.way)
        return
    for name in options.models:
        plain = 0
        for way in WAYS if options.definition else WAYS[:-1]:
            command = [sys.executable, __file__, "--models", name, "--way", way]
            peak = int(subprocess.run(command, capture_output=True, check=True).stdout)
            plain = plain or peak
            print(f"{name:12}{way:26}{peak / 1e6:10.1f} MB{(peak - plain) / 1e6:+10.1f} MB")


if __name__ == "__main__":
    main()
