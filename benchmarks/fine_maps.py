"""How much better finer lattices find objects and their edges, and what they cost.

``python benchmarks/fine_maps.py [--data FOLDER] [--scenes 20] [--each 6] [--side 256]``

Each image is encoded once at the finest quality, which holds the coarser ones. Ways to show it: the
standard map, interpolated bilinearly; the finer lattices, interleaved; and the plain mean of the
bilinear maps of all shifted lattices, which costs as much. Figures are the AUROC of a class against
all other pixels, and the distance in pixels between its true outline and that of the map, cut
where it has the true area. ``FOLDER`` is as ``clip-heatmap evaluate --data`` takes it.
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_erosion, distance_transform_edt

import napari_clip_heatmap as nch
from napari_clip_heatmap.evaluation.auroc import auroc
from napari_clip_heatmap.evaluation.real import blood_masks, label_pairs
from napari_clip_heatmap.files.reading.image_file import read_image
from napari_clip_heatmap.imaging.lattice import PARTS, Axis, Lattice, plan
from napari_clip_heatmap.imaging.resample import to_image_pixels
from napari_clip_heatmap.scenes import CLASSES, draw

FEWEST = 200
"""Pixels of a class, and of what it is not, from which it counts."""

Masks = dict[str, NDArray[np.bool_]]


def images(
    data: Path | None, scenes: int, each: int, side: int
) -> Iterator[tuple[str, NDArray, Masks]]:
    """Yield kind, image and the masks of its classes, at most `side` pixels wide."""
    for number in range(scenes):
        scene = draw(9_500_000 + number, (side, side))
        yield "drawn", scene.image, dict(scene.masks)
    if data is None:
        return
    count: dict[str, int] = defaultdict(int)
    middle = slice(0, side), slice(0, side)
    for path, labels in label_pairs(data / "nuclei"):
        kind = f"nuclei, {path.name.split('_')[0]}"
        count[kind] += 1
        if count[kind] <= each:
            yield kind, read_image(path)[middle], {"nuclei": read_image(labels)[middle] > 0}
    for number, (image, masks) in enumerate(blood_masks(data / "blood")):
        if number == 2 * each:
            return
        yield "blood", image[middle], {name: mask[middle] for name, mask in masks.items()}


def maps(values: NDArray[np.float32], lattice: Lattice) -> dict[str, NDArray[np.float32]]:
    """Return the maps of finest lattice values in all ways."""
    most = lattice.y.parts
    shown = {}
    for quality, parts in PARTS.items():
        step = most // parts
        coarser = plan(
            lattice.image_shape,
            tile=(lattice.y.tile, lattice.x.tile),
            patch=(lattice.y.patch, lattice.x.patch),
            downsample=lattice.y.image / lattice.y.working,
            quality=quality,
        )[0]
        few = np.ascontiguousarray(values[:, ::step, ::step])
        shown[quality] = to_image_pixels(few, coarser)
        if parts > 1:
            y, x = (hats(axis, parts) for axis in (coarser.y, coarser.x))
            shown[f"mean of {parts * parts} maps"] = (y @ few @ x.T).astype(np.float32)
    return shown


def hats(axis: Axis, parts: int) -> NDArray[np.float64]:
    """Return weights (pixel, cell) of the mean over the bilinear maps of the shifted lattices."""
    places = axis.cell_positions()[:, np.newaxis]
    weights = np.maximum(1 - np.abs(places - np.arange(axis.n_cells)) / parts, 0)
    return weights / weights.sum(axis=1, keepdims=True)


def edge_error(values: NDArray[np.float32], mask: NDArray[np.bool_]) -> float:
    """Return the mean distance between two outlines, there and back, in pixels."""
    cut = np.partition(values.ravel(), -mask.sum())[-mask.sum()]
    outlines = [each & ~binary_erosion(each, border_value=1) for each in (mask, values >= cut)]
    if not all(each.any() for each in outlines):
        return float("nan")
    there, back = (
        distance_transform_edt(~one)[other].mean() for one, other in (outlines, outlines[::-1])
    )
    return float((there + back) / 2)


def main() -> None:
    """Measure, and print two tables in Markdown."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path)
    parser.add_argument("--model", default="demo")
    parser.add_argument("--scenes", type=int, default=20)
    parser.add_argument("--each", type=int, default=6)
    parser.add_argument("--side", type=int, default=256)
    given = parser.parse_args()
    model = nch.load_model(given.model, device="cpu")
    found: dict[str, dict[str, list[tuple[float, float]]]] = defaultdict(lambda: defaultdict(list))
    cost: dict[str, list[float]] = defaultdict(list)
    for number, (kind, image, masks) in enumerate(
        images(given.data, given.scenes, given.each, given.side)
    ):
        for quality in PARTS if number < 3 else ["finest"]:
            start = time.process_time()
            encoding = nch.encode(model, image, quality=quality)
            cost[quality].append(time.process_time() - start)
        shown = maps(encoding.heatmaps(CLASSES).lattice_values, encoding.lattice)
        for name, mask in masks.items():
            if min(mask.sum(), (~mask).sum()) < FEWEST:
                continue
            for way, values in shown.items():
                own = values[CLASSES.index(name)]
                scored = auroc(own[mask], own[~mask]), edge_error(own, mask)
                found[kind][way].append(scored)
    kinds = list(found)
    ways = list(found[kinds[0]])
    for figure, title in enumerate(("AUROC", "Distance of outlines, pixels")):
        print(
            f"\n| {title} | " + " | ".join(f"{k} ({len(found[k]['fine'])})" for k in kinds) + " |"
        )
        print("|---" * (1 + len(kinds)) + "|")
        for way in ways:
            cells = (f"{np.nanmean([each[figure] for each in found[k][way]]):.4f}" for k in kinds)
            print(f"| {way} | " + " | ".join(cells) + " |")
    base = np.array(cost["standard"])
    print(
        "\nSeconds of the CPU over those of the standard map: "
        + ", ".join(f"{q} {np.median(np.array(cost[q][:3]) / base):.1f}" for q in PARTS)
    )


if __name__ == "__main__":
    main()
