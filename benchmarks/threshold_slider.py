"""From a step of the threshold slider to the outline in the viewer, on 2048 x 2048; target 50 ms.

Drawing by the graphics card is not counted; where there is none, it is printed beside.

    xvfb-run -s "-screen 0 1600x1200x24" python benchmarks/threshold_slider.py [--side 2048]
"""

from __future__ import annotations

import argparse
import time

import napari
import numpy as np
from qtpy.QtWidgets import QApplication
from scipy.ndimage import gaussian_filter

from napari_clip_heatmap._napari.annotation_state import ObjectSettings
from napari_clip_heatmap._napari.controllers.annotation.outline_preview import OutlinePreview
from napari_clip_heatmap.imaging.lattice import plan_lattice

STEPS = 40
PATCHES = (1.0, 2.0, 4.0)
"""Size of the objects of a random map, in patches."""


def main() -> None:
    """Move the threshold over maps of small, middling and large objects."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--side", type=int, default=2048)
    side = parser.parse_args().side
    lattice = plan_lattice((side, side), (side, side), patch=(16, 16), tile=(224, 224), overlap=0.5)
    rng = np.random.default_rng(0)
    viewer = napari.Viewer(show=True)
    image = viewer.add_image(rng.random((side, side), np.float32))
    for size in PATCHES:
        preview = OutlinePreview(viewer)
        values = gaussian_filter(rng.standard_normal(lattice.grid), size).astype(np.float32)
        steps, busy, drawn = [], [], []
        for level in np.linspace(0.3, 0.95, STEPS):
            limit = float(np.quantile(values, level))
            begin, used = time.perf_counter(), time.process_time()
            preview.draw(image, (), values, lattice, limit, ObjectSettings())
            steps.append(time.perf_counter() - begin)
            busy.append(time.process_time() - used)
            QApplication.processEvents()
            drawn.append(time.perf_counter() - begin)
        print(
            f"objects of {size:.0f} patches: median {1000 * np.median(steps):.0f} ms, worst "
            f"{1000 * max(steps[1:]):.0f} ms (CPU {1000 * np.median(busy):.0f} ms); drawn after "
            f"{1000 * np.median(drawn):.0f} ms"
        )
        preview.close()
    viewer.close()


if __name__ == "__main__":
    main()
