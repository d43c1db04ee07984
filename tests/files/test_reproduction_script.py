from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

import napari_clip_heatmap as nch
from napari_clip_heatmap.errors import SettingsError


def executed(script: str, folder: Path) -> np.ndarray:
    with pytest.MonkeyPatch.context() as there:
        there.chdir(folder)
        exec(compile(script, "again.py", "exec"), {"__name__": "again"})
    return np.load(folder / "heatmap.npy")


def test_the_script_computes_the_values_again(layer: Any, tmp_path: Path) -> None:
    metadata, values = layer
    script = nch.python_script(metadata)
    assert "napari.utils" not in script, "a gray layer needs no viewer"
    np.testing.assert_allclose(executed(script, tmp_path), values, atol=1e-6)


def test_a_changed_file_stops_it(layer: Any, tmp_path: Path) -> None:
    metadata = copy.deepcopy(layer[0])
    path = tmp_path / "cells.tif"
    tifffile.imwrite(path, np.zeros((3, 4), np.uint16))
    metadata["origins"][0]["path"] = str(path)
    with pytest.raises(SystemExit, match="another image"):
        executed(nch.python_script(metadata), tmp_path)


@pytest.mark.parametrize(("path", "read"), [("a.npy", "np.load("), ("a.PNG", "iio.imread(")])
def test_files_are_read_as_the_viewer_reads_them(layer: Any, path: str, read: str) -> None:
    metadata = copy.deepcopy(layer[0])
    metadata["origins"][0]["path"] = path
    script = nch.python_script(metadata)
    assert f"images.append([{read}'{path}')])" in script
    assert ("import imageio" in script) == (read == "iio.imread(")


@pytest.mark.parametrize("path", [None, "a.czi"])
def test_what_the_viewer_alone_can_read_is_to_be_saved(layer: Any, path: str | None) -> None:
    metadata = copy.deepcopy(layer[0])
    metadata["origins"][0]["path"] = path
    script = nch.python_script(metadata)
    assert "np.save('cells.npy', viewer.layers['cells'].data)" in script
    assert "mmap_mode='r'" in script
    compile(script, "again.py", "exec")


def test_metadata_that_do_not_suffice(layer: Any) -> None:
    metadata, _ = layer
    with pytest.raises(SettingsError, match="no origins"):
        nch.python_script({**metadata, "origins": []})
    with pytest.raises(SettingsError, match="by its name"):
        nch.python_script({**metadata, "model": {**metadata["model"], "name": "custom"}})


def test_whatever_users_type_stays_text(layer: Any) -> None:
    metadata, _ = layer
    for nasty in ('"""', "'''\n\\", "🔬 {x} \\N", "a\u2028b"):
        compile(nch.python_script({**metadata, "prompt": nasty, "source": nasty}), "again", "exec")
