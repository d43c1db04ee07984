"""Jobs: two workers over one, small images over a plain loop, the memory of a large image.

python benchmarks/batch.py workers | small | corrupt | memory

Times that are compared are taken in turns, and as the processor's own time where one process works
alone: that hardly depends on what else the machine does.

`small` compares with the least that can be done with the same files: tifffile reads each, which is
as large as the model's input, open_clip's `encode_image` takes batches of 32, and nothing is kept.
A job has a token for each patch instead of one for the image, makes and judges a map of each of
three prompts, draws them for the contact sheet, and writes a record, rows of the summary and what
`--write` says: table, a file of objects for each image; encodings, a Zarr store; maps and overlays,
six pictures. `--architecture` takes another model than the bundled one, with random weights, and
images as large as its input.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

import napari_clip_heatmap as nch
from napari_clip_heatmap.batch.cluster_run import ClusterTask, run_on_cluster
from napari_clip_heatmap.batch.run_job import plan_job
from napari_clip_heatmap.batch.run_settings import RunSettings
from napari_clip_heatmap.pipeline.remote.local_cluster import local_cluster

PROMPTS = ("nuclei", "filaments", "background")
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}
COMMAND = """
import atexit, resource, sys
from pathlib import Path
from napari_clip_heatmap.cli import main
peak = Path(sys.argv.pop(1))
def keep():
    used = resource.getrusage(resource.RUSAGE_SELF)
    peak.write_text(f"{used.ru_maxrss} {used.ru_utime + used.ru_stime}")
atexit.register(keep)
main()
"""
ENCODE = """
import sys, tifffile
import napari_clip_heatmap as nch
from napari_clip_heatmap.cli import main
model = nch.load_model("demo", device="cpu")
image = tifffile.imread(sys.argv[1])
nch.encode(model, image)
"""


def draw_images(folder: Path, count: int, size: int) -> None:
    """Write drawn scenes as TIFF."""
    from napari_clip_heatmap.scenes.scene import draw

    folder.mkdir()
    for number in range(count):
        tifffile.imwrite(folder / f"{number:04}.tif", draw(number % 50, size=(size, size)).image)


def processor_seconds(source: str, *arguments: str) -> float:
    """Run a Python program; return the processor's time that it took."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", source, *arguments], check=True, env=ENVIRONMENT)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def write_model(folder: Path, architecture: str) -> str:
    """Write an architecture of open_clip with random weights; return the name of the model."""
    import open_clip
    import torch
    from safetensors.torch import save_file

    torch.manual_seed(0)
    folder.mkdir()
    model = open_clip.create_model(architecture)
    save_file(dict(model.state_dict()), folder / "open_clip_model.safetensors")
    config = {
        "model_cfg": open_clip.get_model_config(architecture),
        "preprocess_cfg": {"mean": [0.5] * 3, "std": [0.25] * 3},
    }
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    return f"local-dir:{folder}"


def run(images: Path, out: Path, *options: str, code: int = 0) -> tuple[float, int]:
    """Run the command; return the processor's seconds, and its peak memory in bytes."""
    words = [part for prompt in PROMPTS for part in ("-p", prompt)]
    peak = out.with_suffix(".peak")
    done = subprocess.run(
        [
            *(sys.executable, "-c", COMMAND, str(peak), "run", str(images), *words),
            *("-o", str(out), "--no-cache", "--quiet", *options),
        ],
        check=False,
        env=ENVIRONMENT,
        stderr=subprocess.PIPE if code else None,
        text=True,
    )
    if done.returncode != code:
        raise RuntimeError(f"exit code {done.returncode} instead of {code}: {done.stderr}")
    memory, seconds = peak.read_text().split()
    return float(seconds), 1024 * int(memory)


def measure_workers(folder: Path) -> None:
    """Print the throughput of two workers over that of one, without the start of processes."""
    draw_images(folder / "images", 60, 256)
    draw_images(folder / "slide", 1, 1024)
    for kind in ("images", "slide"):
        ratios = []
        with local_cluster(1) as one, local_cluster(2) as two:
            for turn in range(4):  # the first loads the model
                seconds = [
                    timed_job(folder, kind, f"{n}-{turn}", client)
                    for n, client in enumerate((one, two), start=1)
                ]
                ratios.append(seconds[0] / seconds[1])
                load = os.getloadavg()[0]
                times = " and ".join(f"{each:.1f} s" for each in seconds)
                print(f"{kind}, turn {turn}: {times}, load {load:.1f}")
        print(f"{kind}: two workers over one {np.median(ratios[1:]):.2f} (median of three)")


def timed_job(folder: Path, kind: str, name: str, client: Any) -> float:
    """Do a job on a cluster; return seconds."""
    out = folder / f"{kind}-{name}"
    job = plan_job(RunSettings((str(folder / kind),), PROMPTS, out, downsample=1.0))
    task = ClusterTask.of(job.settings, cached=False, threads=1, token="benchmark")
    started = time.monotonic()
    list(run_on_cluster(task, job.images, client))
    return time.monotonic() - started


def measure_small(folder: Path, architecture: str | None) -> None:
    """Print images/s of a job over those of a plain loop of `encode_image`, in turns."""
    import torch

    torch.set_num_threads(1)
    name = "demo" if architecture is None else write_model(folder / "model", architecture)
    model: Any = nch.load_model(name, device="cpu", precision="fp32")
    draw_images(folder / "images", 300 if architecture is None else 64, model.image_size[0])
    chosen = ("-m", name, "--precision", "fp32")
    paths = sorted((folder / "images").iterdir())

    def plain() -> float:
        started = time.process_time()
        for first in range(0, len(paths), 32):
            batch = np.stack([tifffile.imread(path) for path in paths[first : first + 32]])
            with torch.no_grad():
                model.module.encode_image(model.preprocess(batch.astype(np.float32) / 255))
        return time.process_time() - started

    plain()
    overhead, _ = run(folder / "images" / "0000.tif", folder / "start", *chosen)
    for kinds in ("encodings", "table", "maps,overlays"):
        ratios = []
        for turn in range(3):
            alone = plain()
            out = folder / f"{kinds.replace(',', '-')}-{turn}"
            seconds, _ = run(folder / "images", out, *chosen, "--write", kinds)
            ratios.append(alone / (seconds - overhead))
        each = 1000 * alone / len(paths)
        print(
            f"--write {kinds}: {np.median(ratios):.2f} of the plain loop ({each:.1f} ms an image)"
        )


def measure_corrupt(folder: Path) -> None:
    """Do 1,000 small images of which 1 % are corrupt, and check what comes of each."""
    draw_images(folder / "images", 1000, 64)
    broken = sorted((folder / "images").iterdir())[::100]
    for number, path in enumerate(broken):
        content = path.read_bytes()
        path.write_bytes(content[: 8 + number * 200] if number % 2 else b"no picture at all")
    started = time.monotonic()
    run(folder / "images", folder / "out", "--write", "table", code=1)
    seconds = time.monotonic() - started
    record = json.loads((folder / "out" / "run.json").read_text())
    done = {Path(each["source"]).name for each in record["images"]}
    good = {path.name for path in (folder / "images").iterdir()} - {path.name for path in broken}
    print(f"{len(done)} done, {len(record.get('failed', ()))} failed, exit code 1, {seconds:.0f} s")
    if done != good:
        raise RuntimeError(f"other images are done than the good ones: {done ^ good}")


def measure_memory(folder: Path) -> None:
    """Print peak memory and time of an image of 8192 x 8192 pixels."""
    from napari_clip_heatmap.scenes.scene import draw

    tile = draw(0, size=(1024, 1024)).image
    (folder / "large").mkdir()
    tifffile.imwrite(folder / "large" / "large.tif", np.tile(tile, (8, 8, 1)))
    draw_images(folder / "small", 1, 96)
    (small,) = (folder / "small").iterdir()
    _, base = run(folder / "small", folder / "base")
    started = processor_seconds(ENCODE, str(small))
    encode = processor_seconds(ENCODE, str(folder / "large" / "large.tif")) - started
    begun, _ = run(folder / "small", folder / "base-2")
    seconds, peak = run(folder / "large", folder / "out")
    seconds -= begun
    written = sum(path.stat().st_size for path in (folder / "out").glob("*_*"))
    print(
        f"8192 x 8192: {(peak - base) / 1e6:.0f} MB above a small image ({base / 1e6:.0f} MB), "
        f"{seconds:.1f} s of the processor, {seconds / encode:.2f} of the encode ({encode:.1f} s), "
        f"{written / 1e6:.0f} MB written"
    )


def main() -> None:
    """Measure what the argument names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["workers", "small", "corrupt", "memory"])
    parser.add_argument("--architecture", help="of `small`: a name of open_clip's")
    given = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    measures = {
        "workers": measure_workers,
        "small": partial(measure_small, architecture=given.architecture),
        "corrupt": measure_corrupt,
        "memory": measure_memory,
    }
    with tempfile.TemporaryDirectory() as folder:
        measures[given.what](Path(folder))


if __name__ == "__main__":
    main()
