"""``clip-heatmap doctor``: what is installed, what works here, and what to do about the rest."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import typer

from napari_clip_heatmap.cli.application import ExitCode
from napari_clip_heatmap.cli.console_output import Printer
from napari_clip_heatmap.cli.options import Json
from napari_clip_heatmap.errors import ClipHeatmapError

__all__ = ["Checkup", "add_doctor_command", "examine"]

_PACKAGES = (
    *("torch", "open_clip_torch", "timm", "numpy", "scipy", "scikit-image", "opencv-python"),
    *("tifffile", "imagecodecs", "zarr", "yaozarrs", "dask", "distributed", "napari", "qtpy"),
)
_OPTIONAL = {
    "transformers": "models with a tokenizer of its own: pip install "
    "'napari-clip-heatmap[transformers]'",
    "pyarrow": "tables as .parquet: pip install 'napari-clip-heatmap[parquet]'",
}
_CODECS = ("JPEG", "JPEG2K", "LZW", "ZLIB", "ZSTD", "LZMA", "WEBP", "PACKBITS")
_LEAST_FREE = 2 * 10**9
"""Bytes that a cache should have to grow into."""


@dataclass(frozen=True)
class Checkup:
    """One thing that was looked at.

    Parameters
    ----------
    what : str
    found : str
    advice : str
        What to do; empty where all is well.

    Examples
    --------
    >>> Checkup("python", "3.11.7").advice
    ''
    """

    what: str
    found: str
    advice: str = ""


def add_doctor_command(app: typer.Typer) -> None:
    """Add the command to the command line.

    Examples
    --------
    >>> add_doctor_command(typer.Typer())
    """
    app.command()(doctor)


def doctor(as_json: Json = False) -> None:
    """Look at versions, devices, codecs, cache, models and display; say what to do about faults.

    Exit code 1 if something needs to be done.
    """
    printer = Printer(as_json=as_json)
    findings = []
    for each in examine():
        findings.append(each)
        mark = "!" if each.advice else " "
        printer.say(f"{mark} {each.what:16} {each.found}")
        if each.advice:
            printer.say(f"  {'':16} -> {each.advice}")
    printer.data([asdict(each) for each in findings])
    if any(each.advice for each in findings):
        raise typer.Exit(ExitCode.SOME_FAILED)


def examine() -> Iterator[Checkup]:
    """Yield what was found, one thing after another.

    Examples
    --------
    >>> next(examine()).what
    'python'
    """
    yield Checkup("python", f"{platform.python_version()} on {platform.platform()}")
    yield from _versions()
    yield from _model()
    yield _threads()
    yield _codecs()
    yield from _cache()
    yield _models_here()
    yield _display()


def _versions() -> Iterator[Checkup]:
    yield Checkup("package", version("napari-clip-heatmap"))
    for name in _PACKAGES:
        try:
            yield Checkup(name, version(name))
        except PackageNotFoundError:
            yield Checkup(name, "missing", f"install it: pip install {name}")
    for name, use in _OPTIONAL.items():
        try:
            yield Checkup(name, version(name))
        except PackageNotFoundError:
            yield Checkup(name, f"not installed (optional; for {use})")


def _model() -> Iterator[Checkup]:
    """Load the bundled model, which proves the device and the exactness on a probe image."""
    from napari_clip_heatmap.api import load_model

    try:
        model = load_model("demo")
    except ClipHeatmapError as error:
        yield Checkup("device", "the bundled model cannot run", str(error))
        return
    said = model.describe()
    yield Checkup("device", f"{said['device']}, {said['precision']}; the probe was exact")
    for notice in model.notices:
        yield Checkup("device", "not as wanted", str(notice))


def _threads() -> Checkup:
    import torch

    used, cores = torch.get_num_threads(), os.cpu_count() or 1
    limits = [name for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS") if os.environ.get(name)]
    advice = ""
    if used < cores / 4 and limits:
        advice = f"unset {' and '.join(limits)} to use more of the {cores} cores"
    return Checkup("threads", f"{used} of {cores} cores", advice)


def _codecs() -> Checkup:
    try:
        import imagecodecs
    except ImportError as error:
        return Checkup("codecs", f"none ({error})", "install them: pip install imagecodecs")
    missing = [name for name in _CODECS if not _has(imagecodecs, name)]
    here = ", ".join(name for name in _CODECS if name not in missing)
    advice = "" if not missing else "install all of imagecodecs: pip install 'imagecodecs[all]'"
    return Checkup("codecs", here, advice and f"{', '.join(missing)} missing; {advice}")


def _has(codecs: Any, name: str) -> bool:
    return bool(getattr(getattr(codecs, name, None), "available", False))


def _cache() -> Iterator[Checkup]:
    from napari_clip_heatmap.pipeline.storage.cache import EncodingCache

    cache = EncodingCache()
    size = f"{len(cache)} encodings, {cache.size / 1e6:.0f} of {cache.limit / 1e6:.0f} MB"
    yield Checkup("cache", f"{cache.folder}: {size}")
    there = next(each for each in (cache.folder, *cache.folder.parents) if each.exists())
    if not os.access(there, os.W_OK):
        yield Checkup(
            "cache",
            "cannot be written to",
            f"make '{there}' writable, or set CLIP_HEATMAP_CACHE to another folder",
        )
    free = shutil.disk_usage(there).free
    advice = "" if free > _LEAST_FREE else "make room, or limit it: clip-heatmap cache --limit 1"
    yield Checkup("disk", f"{free / 1e9:.1f} GB free on the disk of the cache", advice)


def _models_here() -> Checkup:
    from napari_clip_heatmap.api import list_models

    names = [entry.name for entry in list_models() if entry.here]
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return Checkup("models here", f"{', '.join(names[:5])}{more}")


def _display() -> Checkup:
    from napari_clip_heatmap.cli import display_obstacle

    obstacle = display_obstacle()
    if obstacle is None:
        return Checkup("display", "a window can open")
    if "qt" in obstacle.lower():
        return Checkup("display", f"none ({obstacle})", "pip install 'napari[all]' installs a Qt")
    return Checkup("display", f"none ({obstacle}); commands work, the viewer does not")
