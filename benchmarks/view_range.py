"""What defects do to maps through the robust range, and what finding that range costs.

``python benchmarks/view_range.py``. For each defect and drawn scene, the AUROC of the map of what
is drawn is compared with the same image in the range of the clean one (what the range does) and
with the clean image itself (what the defect does in all). Then the time of the robust range is
printed beside the time to the first coarse map (P5: at most 0.5 s).
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from numpy.typing import NDArray

from napari_clip_heatmap.api import encode, load_model
from napari_clip_heatmap.clip.model import ClipModel
from napari_clip_heatmap.evaluation.auroc import auroc
from napari_clip_heatmap.imaging.channel import as_channels
from napari_clip_heatmap.imaging.statistics import robust_range
from napari_clip_heatmap.imaging.view import View
from napari_clip_heatmap.pipeline.progressive import encode_progressively
from napari_clip_heatmap.scenes.scene import draw

CLASSES = ("nuclei", "filaments", "vesicles")
DEFECTS = {
    "hot pixel": (np.s_[80, 80], 65535),
    "dead column": (np.s_[:, 75], 0),
    "hot column": (np.s_[:, 75], 65535),
    "no data": (np.s_[:9, :9], -9999),
}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--sides", type=int, nargs="*", default=[512, 2048, 8192])
    arguments = parser.parse_args()
    model = load_model("demo", device="cpu")
    measure_defects(model, arguments.seeds)
    for side in arguments.sides:
        measure_cost(model, side)


def measure_defects(model: ClipModel, seeds: int) -> None:
    """Print the largest change of AUROC by each defect."""
    changes: dict[str, list[tuple[float, float]]] = {name: [] for name in DEFECTS}
    for name in CLASSES:
        for seed in range(seeds):
            drawn = draw(seed, (160, 160), classes=(name,), modality="fluorescence")
            image = (drawn.image.astype(np.float32) * 12).mean(-1)
            clean = encode(model, image)
            limits = View(limits=(clean.ranges[0].low, clean.ranges[0].high))
            before = _auroc(model, image, drawn.masks[name], name)
            for defect, (where, value) in DEFECTS.items():
                spoiled = image.copy()
                spoiled[where] = value
                after = _auroc(model, spoiled, drawn.masks[name], name)
                fixed = _auroc(model, spoiled, drawn.masks[name], name, limits)
                changes[defect].append((abs(after - fixed), abs(after - before)))
    print(f"AUROC over {len(CLASSES)} x {seeds} scenes, largest change: by the range; in all")
    for defect, found in changes.items():
        by_range, in_all = np.max(found, axis=0)
        print(f"  {defect:12} {by_range:.4f}  {in_all:.4f}")


def _auroc(
    model: ClipModel,
    image: NDArray[np.float32],
    mask: NDArray[np.bool_],
    name: str,
    view: View | None = None,
) -> float:
    maps = encode(model, image, view=view).heatmaps(CLASSES)
    values = maps.values[maps.prompts.index(name)]
    return auroc(values[mask], values[~mask])


def measure_cost(model: ClipModel, side: int) -> None:
    """Print the time of the robust range and to the first coarse map of a 16-bit image."""
    image = np.random.default_rng(0).integers(0, 4000, (side, side)).astype(np.uint16)
    started = time.perf_counter()
    robust_range(as_channels(image)[0])
    ranged = time.perf_counter() - started
    started = time.perf_counter()
    for record in encode_progressively(model, image):
        if record.stage == "coarse":
            break
    coarse = time.perf_counter() - started
    print(f"{side} x {side} uint16: range {ranged:.3f} s of {coarse:.3f} s to the coarse map")


if __name__ == "__main__":
    main()
