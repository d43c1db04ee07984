"""A slide of 50,000 x 40,000 pixels with tissue on a tenth of it: memory, tiles read, kills.

python benchmarks/large_slide.py run     the whole slide once: memory over time, tiles outside
python benchmarks/large_slide.py kill    SIGKILL at random moments and resumed, --kills times

`--height` and `--width` make a smaller slide. The slide is a pyramid in tiles without contents
outside of tissue, so its file is small; it is kept in --folder, and so is what was done, so that
a benchmark that is stopped goes on.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import tifffile

TILE = 512
GLASS = 240
PROMPTS = ("-p", "nuclei", "-p", "background")
COMMAND = """
import json, resource, sys, threading, time
from pathlib import Path
from napari_clip_heatmap.batch.inputs import tiff_images
log = Path(sys.argv.pop(1))
read, log_at = [], []
real = tiff_images._Level.__getitem__
def counted(self, key):
    if self.shape[0] == FULL:
        read.append([int(edge) for part in key[:2] for edge in (part.start or 0, part.stop or 0)])
    return real(self, key)
FULL = int(sys.argv.pop(1))
tiff_images._Level.__getitem__ = counted
def watch():
    while True:
        with open("/proc/self/statm") as statm:
            log_at.append([time.monotonic(), int(statm.read().split()[1]) * 4096])
        log.write_text(json.dumps({"memory": log_at, "read": read}))
        time.sleep(2)
threading.Thread(target=watch, daemon=True).start()
from napari_clip_heatmap.cli import main
main()
"""


def tissue(height: int, width: int) -> tuple[slice, slice]:
    """Return the rectangle that holds tissue: a tenth of the slide."""
    high, wide = int(height * 0.1**0.5), int(width * 0.1**0.5)
    top, left = height // 3 // TILE * TILE, width // 3 // TILE * TILE
    return slice(top, top + high), slice(left, left + wide)


def level_tiles(height: int, width: int, factor: int) -> Iterator[np.ndarray]:
    """Yield the tiles of a level, row by row: drawn texture on tissue, and glass."""
    from napari_clip_heatmap.scenes.scene import draw

    texture = draw(7, size=(1024, 1024)).image[..., :3]
    texture = np.minimum(texture, 200).astype(np.uint8)
    rows, columns = tissue(height, width)
    glass = np.full((TILE, TILE, 3), GLASS, np.uint8)
    for top in range(0, height // factor, TILE):
        for left in range(0, width // factor, TILE):
            y = (top + np.arange(TILE)) * factor
            x = (left + np.arange(TILE)) * factor
            inside = ((y >= rows.start) & (y < rows.stop))[:, None] & (
                (x >= columns.start) & (x < columns.stop)
            )
            if not inside.any():
                yield glass
                continue
            drawn = texture[np.ix_(y % 1024, x % 1024)]
            yield np.where(inside[..., None], drawn, GLASS).astype(np.uint8)


def make_slide(path: Path, height: int, width: int) -> None:
    """Write the slide, once."""
    if path.exists():
        return
    draft = path.with_suffix(".part")
    factors = [factor for factor in (1, 4, 16, 64) if min(height, width) // factor >= TILE]
    size = {"axes": "YXS", "PhysicalSizeX": 0.25, "PhysicalSizeY": 0.25}
    with tifffile.TiffWriter(draft, bigtiff=True, ome=True) as writer:
        for factor in factors:
            writer.write(
                level_tiles(height, width, factor),
                shape=(height // factor, width // factor, 3),
                dtype=np.uint8,
                tile=(TILE, TILE),
                photometric="rgb",
                compression="zlib",
                subifds=len(factors) - 1 if factor == 1 else None,
                subfiletype=0 if factor == 1 else 1,
                metadata=size if factor == 1 else None,
            )
    draft.rename(path)


def command(slide: Path, out: Path, log: Path, height: int, downsample: float) -> list[str]:
    """Return the command that makes maps of the tissue on the slide."""
    options = ["--inside", "tissue", "--format", "ome-zarr", "--no-cache", "--quiet"]
    options += ["--downsample", str(downsample), "--write", "maps", "-o", str(out)]
    start = [sys.executable, "-c", COMMAND, str(log), str(height)]
    return [*start, "run", str(slide), *PROMPTS, *options]


def run(slide: Path, folder: Path, height: int, width: int, downsample: float) -> None:
    """Do the slide once, and print memory over time and what was read of it."""
    import json

    log = folder / "run.json"
    started = time.monotonic()
    code = subprocess.run(
        command(slide, folder / "run", log, height, downsample), check=False
    ).returncode
    said = json.loads(log.read_text())
    memory = np.array([each[1] for each in said["memory"]]) / 1e6
    parts = np.array_split(memory, 5)
    print(
        f"exit code {code}, {time.monotonic() - started:.0f} s; memory in MB (highest of each fifth"
    )
    print(f"of the time): {', '.join(f'{each.max():.0f}' for each in parts if len(each))}")
    rows, columns = tissue(height, width)
    margin = 2 * 96 * downsample  # a tile that touches the tissue reaches beyond it
    outside = sum(
        bottom <= rows.start - margin
        or top >= rows.stop + margin
        or right <= columns.start - margin
        or left >= columns.stop + margin
        for top, bottom, left, right in said["read"]
    )
    print(f"{len(said['read'])} reads of the full resolution, {outside} of them off the tissue")


def digest(out: Path) -> str:
    """Return a hash of all results."""
    found = hashlib.sha256()
    for path in sorted(out.rglob("*")):
        inner = path.relative_to(out)
        if path.is_file() and inner.parts[0].endswith(".ome.zarr"):
            content = path.read_bytes().replace(str(out).encode(), b"OUT")
            found.update(str(inner).encode() + content)
    return found.hexdigest()


def kill(slide: Path, folder: Path, height: int, downsample: float, kills: int) -> None:
    """Kill runs at random moments, let each go on to its end, and compare results."""
    chance = random.Random(0)
    whole = folder / "whole"
    started = time.monotonic()
    subprocess.run(command(slide, whole, folder / "log.json", height, downsample), check=True)
    seconds = time.monotonic() - started
    expected = digest(whole)
    same = 0
    for number in range(kills):
        out = folder / f"killed-{number:02}"
        words = command(slide, out, folder / "log.json", height, downsample)
        process = subprocess.Popen(words)
        time.sleep(chance.uniform(0, seconds))
        process.send_signal(signal.SIGKILL)
        process.wait()
        before = sum(each.stat().st_size for each in out.rglob("*.tiles"))
        subprocess.run(words, check=True)
        same += digest(out) == expected
        print(
            f"kill {number}: {before / 1e6:.1f} MB of tiles were kept, same: {same} of {number + 1}"
        )
    print(f"{same} of {kills} resumed runs gave the output of the run that was not killed")


def main() -> None:
    """Measure what the arguments name."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["run", "kill"])
    parser.add_argument("--folder", type=Path, default=Path("large-slide"))
    parser.add_argument("--height", type=int, default=40_000)
    parser.add_argument("--width", type=int, default=50_000)
    parser.add_argument("--downsample", type=float, default=4.0)
    parser.add_argument("--kills", type=int, default=20)
    given = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    given.folder.mkdir(parents=True, exist_ok=True)
    slide = given.folder / f"slide-{given.height}x{given.width}.tif"
    make_slide(slide, given.height, given.width)
    print(f"the slide has {slide.stat().st_size / 1e6:.0f} MB")
    if given.what == "run":
        run(slide, given.folder, given.height, given.width, given.downsample)
    else:
        kill(slide, given.folder, given.height, given.downsample, given.kills)


if __name__ == "__main__":
    main()
