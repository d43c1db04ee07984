"""A time-lapse of stacks gives the same maps in the shell and in the dock."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from typer.testing import CliRunner

from napari_clip_heatmap._napari.job.session import Session
from napari_clip_heatmap._napari.widget import HeatmapWidget
from napari_clip_heatmap.cli import app
from napari_clip_heatmap.pipeline.storage.cache import EncodingCache

PROMPTS = ["cell nuclei", "background"]


@pytest.mark.parametrize(("axes", "leading"), [("TZYX", (2, 3)), ("TYX", (3,))])
def test_a_time_lapse_gives_the_same_maps(
    axes: str, leading: tuple[int, ...], make_napari_viewer: Any, qtbot: Any, tmp_path: Path
) -> None:
    stack = np.random.default_rng(1).integers(0, 255, (*leading, 100, 130), dtype=np.uint8)
    path = tmp_path / "movie.ome.tif"
    tifffile.imwrite(path, stack, metadata={"axes": axes}, photometric="minisblack")
    words = [part for prompt in PROMPTS for part in ("-p", prompt)]
    asked = ["--write", "maps", "--view", "raw", "--downsample", "1", "--device", "cpu"]
    done = CliRunner().invoke(
        app, ["run", str(path), *words, *asked, "--no-cache", "-o", str(tmp_path / "out")]
    )
    assert done.exit_code == 0, done.output

    viewer = make_napari_viewer()
    viewer.add_image(stack, name="movie")
    widget = HeatmapWidget(viewer, Session(cache=EncodingCache(tmp_path / "cache")))
    viewer.window.add_dock_widget(widget, name="CLIP Heatmap")
    settings = {"score": "relative", "view": "raw", "resolution": "1", "slices": "all"}
    for name, value in {**settings, "device": "cpu", "prompts": PROMPTS}.items():
        widget[name].value = value
    widget["run"].native.click()
    qtbot.waitUntil(lambda: widget["run"].enabled, timeout=300_000)
    for prompt, name in zip(PROMPTS, ("cell-nuclei", "background"), strict=True):
        shell = tifffile.imread(tmp_path / "out" / f"movie-ome_{name}_heatmap.tif")
        dock = np.asarray(viewer.layers[prompt].data)
        assert shell.shape == dock.shape == stack.shape
        np.testing.assert_allclose(shell, dock, atol=1e-6 * np.ptp(dock))
