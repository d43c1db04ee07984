"""Write src/napari_clip_heatmap/clip/speeds.json: seconds per megapixel of released models.

    python benchmarks/speeds.py [--rounds 3] [--clock cpu] [ARCHITECTURE ...]

A token map of one tile is timed, with random weights in single precision, and multiplied by the
tiles of a megapixel at full resolution. With ``--clock cpu`` the processor time of one thread is
divided by the number of cores: what a machine takes that nothing else uses, if its cores share the
work perfectly. With ``--clock wall`` all cores work, and nothing else may. Towers of more than
`LARGE` weights are cut to a few blocks twice, and the rest is extrapolated: every block costs the
same. Figures that are in the file already are kept, unless the architecture is named.
"""

from __future__ import annotations

import argparse
import copy
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from typing import Any

import open_clip
import torch
from interleaved import time_in_turns
from open_clip.pretrained import list_pretrained
from random_towers import blocks_of, tower_of

from napari_clip_heatmap.clip import catalog
from napari_clip_heatmap.clip.catalog import SPEEDS_NAME, configuration_of
from napari_clip_heatmap.clip.families import adapt
from napari_clip_heatmap.core.token_map import fold, token_map
from napari_clip_heatmap.core.tower import Tower
from napari_clip_heatmap.pipeline.speed import tiles_per_megapixel

CORES = 2

LARGE = 700e6

CUTS = (4, 8)
"""Blocks that large towers are cut to."""


def main() -> None:
    """Measure what is missing, and write the file after each architecture."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("architectures", nargs="*", help="by default all with released weights")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--clock", choices=("wall", "cpu"), default="cpu")
    options = parser.parse_args()
    torch.set_num_threads(1 if options.clock == "cpu" else CORES)
    path = Path(catalog.__file__).with_name(SPEEDS_NAME)
    known: dict[str, float] = {}
    if path.is_file():
        known = json.loads(path.read_text(encoding="utf-8"))["seconds_per_megapixel"]
    listed = ["demo", "BiomedCLIP", *dict.fromkeys(arch for arch, _ in list_pretrained())]
    wanted = options.architectures or [name for name in listed if name not in known]
    alike: dict[str, float] = {}
    for name in wanted:
        key = json.dumps(_vision(name), sort_keys=True)
        if key not in alike:
            alike[key] = seconds_per_megapixel(name, options.rounds, options.clock)
        known[name] = float(f"{alike[key]:.2g}")
        print(f"{name:36}{known[name]:10.2f} s", file=sys.stderr, flush=True)
        path.write_text(_text(known, listed, options.clock), encoding="utf-8")


def _text(known: Mapping[str, float], listed: list[str], clock: str) -> str:
    about = {
        "cores": CORES,
        "processor": _processor(),
        "clock": clock,
        "precision": "fp32",
        "open_clip": open_clip.__version__,
        "torch": torch.__version__.partition("+")[0],
    }
    rows = (f'    "{name}": {json.dumps(known[name])}' for name in listed if name in known)
    head = json.dumps(about, indent=2).removesuffix("\n}")
    return f'{head},\n  "seconds_per_megapixel": {{\n' + ",\n".join(rows) + "\n  }\n}\n"


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return f"{line.partition(':')[2].strip()}, {torch.backends.cpu.get_cpu_capability()}"
    return "unknown"


def _vision(name: str) -> Any:
    config = configuration_of(name)
    return [config["embed_dim"], config["vision_cfg"]] if config else None


def seconds_per_megapixel(name: str, rounds: int, clock: str) -> float:
    """Return the figure of an architecture, extrapolated for a large one."""
    config = configuration_of(name)
    if config is None:
        raise SystemExit(f"There is no architecture {name!r}.")
    n_weights, depth = _size(config)
    if n_weights <= LARGE or depth is None:
        tower, seconds = _time(config, None, rounds, clock)
    else:
        (tower, few), (_, more) = (_time(config, cut, rounds, clock) for cut in CUTS)
        seconds = few + (depth - CUTS[0]) * (more - few) / (CUTS[1] - CUTS[0])
    return seconds * tiles_per_megapixel(tower.grid, tower.patch_size)


def _size(config: Mapping[str, Any]) -> tuple[int, int | None]:
    """Return the number of weights of the image tower, and of its blocks where they are alike."""
    visual = tower_of(config, filled=False)
    n_weights = sum(weight.numel() for weight in visual.parameters())
    blocks = blocks_of(visual)
    return n_weights, None if blocks is None else len(getattr(*blocks))


@torch.no_grad()
def _time(
    config: Mapping[str, Any], n_layers: int | None, rounds: int, clock: str
) -> tuple[Tower, float]:
    """Return a tower, and the seconds of one tile on all cores."""
    visual = tower_of(copy.deepcopy(config), n_layers)
    tower = adapt(visual)
    folded, image = fold(tower), torch.randn(1, 3, *tower.image_size)
    taken = time_in_turns({"map": lambda: token_map(tower, image, folded)}, rounds, clock)["map"]
    return tower, median(taken) / (CORES if clock == "cpu" else 1)


if __name__ == "__main__":
    main()
