"""Jobs: two workers over one, small images over a plain loop, the memory of a large image.

python benchmarks/batch.py workers | small | memory
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

PROMPTS = ("nuclei", "filaments", "background")
COMMAND = """
import atexit, resource, sys
from pathlib import Path
from napari_clip_heatmap.cli import main
peak = Path(sys.argv.pop(1))
atexit.register(
    lambda: peak.write_text(str(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss))
)
main()
"""


def draw_images(folder: Path, count: int, size: int) -> None:
    """Write drawn scenes as TIFF."""
    from napari_clip_heatmap.scenes.scene import draw

    folder.mkdir()
    for number in range(count):
        tifffile.imwrite(folder / f"{number:04}.tif", draw(number % 50, size=(size, size)).image)


def run(images: Path, out: Path, *options: str) -> tuple[float, int]:
    """Run the command; return seconds, and the peak memory of its process in bytes."""
    words = [part for prompt in PROMPTS for part in ("-p", prompt)]
    peak = out.with_suffix(".peak")
    started = time.monotonic()
    subprocess.run(
        [
            *(sys.executable, "-c", COMMAND, str(peak), "run", str(images), *words),
            *("-o", str(out), "--no-cache", "--quiet", *options),
        ],
        check=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    return time.monotonic() - started, 1024 * int(peak.read_text())


def measure_workers(folder: Path) -> None:
    """Print the throughput of two workers over that of one, without the start of processes."""
    from napari_clip_heatmap.batch.cluster_run import ClusterTask, local_cluster, run_on_cluster
    from napari_clip_heatmap.batch.run_job import plan_job
    from napari_clip_heatmap.batch.run_settings import RunSettings

    draw_images(folder / "images", 200, 256)
    draw_images(folder / "slide", 1, 2048)
    for kind in ("images", "slide"):
        seconds = {}
        for n_workers in (1, 2):
            with local_cluster(n_workers) as client:
                for name in ("first", "timed"):  # the first loads the model
                    inputs = (str(folder / kind),)
                    out = folder / f"{kind}-{n_workers}-{name}"
                    job = plan_job(RunSettings(inputs, PROMPTS, out, downsample=1.0))
                    images = job.images[: 4 if name == "first" else None]
                    task = ClusterTask.of(job.settings, cached=False, threads=1, token="benchmark")
                    started = time.monotonic()
                    list(run_on_cluster(task, images, client))
                    seconds[n_workers] = time.monotonic() - started
        print(f"{kind}: two workers over one {seconds[1] / seconds[2]:.2f} ({seconds})")


def measure_small(folder: Path) -> None:
    """Print images/s of a job over those of a plain loop of `encode_image`."""
    import torch

    import napari_clip_heatmap as nch

    torch.set_num_threads(1)
    draw_images(folder / "images", 300, 96)
    model: Any = nch.load_model("demo", device="cpu")
    paths = sorted((folder / "images").iterdir())
    started = time.monotonic()
    for first in range(0, len(paths), 32):
        batch = np.stack([tifffile.imread(path) for path in paths[first : first + 32]])
        with torch.no_grad():
            model.module.encode_image(model.preprocess(batch.astype(np.float32) / 255))
    plain = time.monotonic() - started
    overhead, _ = run(folder / "images" / "0000.tif", folder / "start")
    for kinds in ("encodings", "table", "maps,overlays"):
        seconds, _ = run(folder / "images", folder / kinds.replace(",", "-"), "--write", kinds)
        ratio = plain / (seconds - overhead)
        print(f"--write {kinds}: {ratio:.2f} of {len(paths) / plain:.0f} images/s")


def measure_memory(folder: Path) -> None:
    """Print peak memory and time of an image of 8192 x 8192 pixels."""
    from napari_clip_heatmap.scenes.scene import draw

    tile = draw(0, size=(1024, 1024)).image
    (folder / "large").mkdir()
    tifffile.imwrite(folder / "large" / "large.tif", np.tile(tile, (8, 8, 1)))
    draw_images(folder / "small", 1, 96)
    _, base = run(folder / "small", folder / "base")
    seconds, peak = run(folder / "large", folder / "out")
    written = sum(path.stat().st_size for path in (folder / "out").glob("*_*"))
    print(
        f"8192 x 8192: {(peak - base) / 1e6:.0f} MB above a small image ({base / 1e6:.0f} MB), "
        f"{seconds:.1f} s, {written / 1e6:.0f} MB written"
    )


def main() -> None:
    """Measure what the argument names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["workers", "small", "memory"])
    chosen = parser.parse_args().what
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    with tempfile.TemporaryDirectory() as folder:
        {"workers": measure_workers, "small": measure_small, "memory": measure_memory}[chosen](
            Path(folder)
        )


if __name__ == "__main__":
    main()
