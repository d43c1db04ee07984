"""A slide of 50,000 x 40,000 pixels with tissue on a tenth of it: memory, tiles read, kills.

python benchmarks/large_slide.py run     the whole slide once: memory over time, tiles outside
python benchmarks/large_slide.py kill    SIGKILL at random moments and resumed, --kills times

`--height` and `--width` make a smaller slide. It is a pyramid whose tiles off the tissue are all
alike, so that its file is small. Runs are processes that are forked where the libraries are
imported already; everything else is the command as it is in the shell.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

TILE = 512
GLASS = 240
NEAR = 16
"""Levels that are this much coarser are read to find the tissue, as a whole."""


def tissue(height: int, width: int) -> tuple[slice, slice]:
    """Return the rectangle that holds tissue: a tenth of the slide."""
    high, wide = int(height * 0.1**0.5), int(width * 0.1**0.5)
    top, left = height // 3 // TILE * TILE, width // 3 // TILE * TILE
    return slice(top, top + high), slice(left, left + wide)


def level_tiles(height: int, width: int, factor: int) -> Iterator[np.ndarray]:
    """Yield the tiles of a level, row by row: drawn texture on tissue, and glass."""
    from napari_clip_heatmap.scenes.scene import draw

    texture = draw(7, size=(1024, 1024)).image
    texture = np.minimum(np.stack([texture] * 3, -1) if texture.ndim == 2 else texture, 200)
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


def started(work: Callable[[], None]) -> int:
    """Run work in a process of its own; return its number."""
    number = os.fork()
    if number:
        return number
    code = 70
    try:
        work()
        code = 0
    except SystemExit as end:
        code = int(end.code or 0)
    finally:
        os._exit(code)


def finished(number: int) -> int:
    """Wait for a process; return its exit code."""
    return os.waitstatus_to_exitcode(os.waitpid(number, 0)[1])


class Job:
    """The command over a slide, and what its processes write down."""

    def __init__(self, slide: Path, height: int, width: int, downsample: float) -> None:
        self.slide, self.height, self.width = slide, height, width
        self.downsample = downsample
        self.log = slide.with_suffix(".json")
        self.forwarded = slide.with_suffix(".forwarded")

    def command(self, out: Path) -> None:
        """Make maps of the tissue on the slide, as the shell does."""
        from napari_clip_heatmap.cli import main
        from napari_clip_heatmap.pipeline import batches

        forward = batches.start_forward

        def counted(model: Any, tiles: Any) -> Any:
            with self.forwarded.open("a") as stream:
                stream.write(f"{len(tiles)}\n")
            return forward(model, tiles)

        batches.start_forward = counted
        words = ["-p", "nuclei", "-p", "background", "--inside", "tissue", "--format", "ome-zarr"]
        words += ["--no-cache", "--quiet", "--downsample", str(self.downsample), "--write", "maps"]
        sys.argv = ["clip-heatmap", "run", str(self.slide), *words, "-o", str(out)]
        main()

    def n_forwarded(self) -> int:
        """Return how many tiles went through the model since this was last asked."""
        lines = self.forwarded.read_text().split() if self.forwarded.exists() else []
        self.forwarded.unlink(missing_ok=True)
        return sum(map(int, lines))

    def watched(self, out: Path) -> None:
        """Run the command, and write down its memory over time and what it reads."""
        from napari_clip_heatmap.batch.inputs import tiff_images

        level: Any = tiff_images._Level
        read: list[list[float]] = []
        memory: list[int] = []
        real = level.__getitem__

        def noted(array: Any, key: Any) -> Any:
            factor = self.height / array.shape[0]
            if factor < NEAR:
                edges = (part.indices(n)[:2] for part, n in zip(key, array.shape, strict=False))
                read.append([edge * factor for pair in list(edges)[:2] for edge in pair])
            return real(array, key)

        def watch() -> None:
            while True:
                with Path("/proc/self/statm").open() as statm:
                    memory.append(int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE"))
                self.log.write_text(json.dumps({"memory": memory, "read": list(read)}))
                time.sleep(1)

        level.__getitem__ = noted
        threading.Thread(target=watch, daemon=True).start()
        try:
            self.command(out)
        finally:
            time.sleep(2)


def run(job: Job, folder: Path) -> None:
    """Do the slide once, and print memory over time and what was read of it."""
    begun = time.monotonic()
    code = finished(started(lambda: job.watched(folder / "run")))
    said = json.loads(job.log.read_text())
    highest = [max(part) / 1e6 for part in np.array_split(said["memory"], 5) if len(part)]
    print(f"exit code {code}, {time.monotonic() - begun:.0f} s, {job.n_forwarded()} tiles")
    print("highest memory in each fifth of the time:", [f"{each:.0f} MB" for each in highest])
    rows, columns = tissue(job.height, job.width)
    margin = 2 * 96 * job.downsample  # a tile that touches the tissue reaches beyond it
    outside = sum(
        bottom <= rows.start - margin
        or top >= rows.stop + margin
        or right <= columns.start - margin
        or left >= columns.stop + margin
        for top, bottom, left, right in said["read"]
    )
    print(f"{len(said['read'])} reads of tiles, {outside} of them off the tissue")


def digest(out: Path) -> str:
    """Return a hash of all maps and of their metadata, but for the path of the job."""
    found = hashlib.sha256()
    for path in sorted(out.glob("*.ome.zarr/**/*")):
        if path.is_file():
            content = path.read_bytes().replace(out.name.encode(), b"OUT")
            found.update(str(path.relative_to(out)).encode() + content)
    return found.hexdigest()


def kill(job: Job, folder: Path, kills: int) -> None:
    """Kill runs at random moments, let each go on to its end, and compare results."""
    chance = random.Random(0)
    begun = time.monotonic()
    if code := finished(started(lambda: job.command(folder / "whole"))):
        raise RuntimeError(f"the run ended with exit code {code}")
    seconds, total = time.monotonic() - begun, job.n_forwarded()
    expected = digest(folder / "whole")
    same, most = 0, 0
    for number in range(kills):
        out = folder / f"killed-{number:02}"
        process = started(lambda out=out: job.command(out))  # type: ignore[misc]
        time.sleep(chance.uniform(0, seconds))
        os.kill(process, signal.SIGKILL)
        finished(process)
        before = job.n_forwarded()
        code = finished(started(lambda out=out: job.command(out)))  # type: ignore[misc]
        after = job.n_forwarded()
        same += digest(out) == expected and code == 0
        most = max(most, before + after - total)
        print(f"kill {number}: {before} of {total} tiles before, {after} after; same: {same}")
        shutil.rmtree(out)
    print(f"{same} of {kills} resumed runs gave the same output; at most {most} tiles done twice")


def main() -> None:
    """Measure what the arguments name."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["run", "kill"])
    parser.add_argument("--folder", type=Path, default=Path("large-slide"))
    parser.add_argument("--height", type=int, default=40_000)
    parser.add_argument("--width", type=int, default=50_000)
    parser.add_argument("--downsample", type=float, default=8.0)
    parser.add_argument("--kills", type=int, default=20)
    given = parser.parse_args()
    import napari_clip_heatmap as nch

    model = nch.load_model("demo", device="cpu")  # imports all that the command needs
    given.folder.mkdir(parents=True, exist_ok=True)
    slide = given.folder.absolute() / f"slide-{given.height}x{given.width}.tif"
    make_slide(slide, given.height, given.width)
    print(f"{slide.name} has {slide.stat().st_size / 1e6:.0f} MB; model {model.name}")
    job = Job(slide, given.height, given.width, given.downsample)
    job.n_forwarded()
    if given.what == "run":
        run(job, given.folder.absolute())
    else:
        kill(job, given.folder.absolute(), given.kills)


if __name__ == "__main__":
    main()
