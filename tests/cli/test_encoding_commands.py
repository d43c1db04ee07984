from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from napari_clip_heatmap.cli import app
from napari_clip_heatmap.files.reading.image_file import read_image


def cli(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_encode_here_and_prompt_there(model: str, cells: Path, tmp_path: Path) -> None:
    words = ("-p", "nuclei", "-p", "debris")
    encoded = cli("encode", cells, "-m", model, "-o", tmp_path / "e")
    assert encoded.exit_code == 0, encoded.output
    assert f"{cells} -> encoding in" in encoded.output
    assert "heatmap in" not in encoded.output
    assert "Similarity" not in encoded.output
    assert cli("run", cells, *words, "-m", model, "-o", tmp_path / "r").exit_code == 0
    repeated = cli("encode", "--config", tmp_path / "e" / "run.yaml", "-o", tmp_path / "e2")
    assert repeated.exit_code == 0, repeated.output
    assert [each.name for each in (tmp_path / "e2").glob("*.zip")] == ["cells_encoding.zarr.zip"]
    cells.unlink()
    prompted = cli("prompt", tmp_path / "e", *words, "-o", tmp_path / "p")
    assert prompted.exit_code == 0, prompted.output
    maps = [read_image(tmp_path / folder / "cells_nuclei_heatmap.tif") for folder in "rp"]
    np.testing.assert_allclose(*maps, atol=1e-6)
    assert (tmp_path / "p" / "summary.html").is_file()
    settings = tmp_path / "p" / "run.yaml"
    again = cli("prompt", "--config", settings, "-o", tmp_path / "p2", "--score", "absolute")
    assert again.exit_code == 0, again.output
    assert (tmp_path / "p2" / "cells_debris_heatmap.tif").is_file()
    other = cli("run", "--config", settings, "-o", tmp_path / "p3")
    assert other.exit_code == 2
    assert "clip-heatmap prompt --config" in other.stderr


def test_search(model: str, cells: Path, tmp_path: Path) -> None:
    assert cli("encode", cells, "-m", model, "-o", tmp_path / "e").exit_code == 0
    result = cli("search", "nuclei", tmp_path / "e", "--json")
    assert result.exit_code == 0, result.output
    (found,) = json.loads(result.stdout)
    assert found["path"] == str(tmp_path / "e" / "cells_encoding.zarr.zip")
    assert "cells_encoding" in cli("search", "nuclei", tmp_path / "e").stdout


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("encode", "-o", "OUT"), "INPUT"),
        (("encode", "CELLS"), "--output"),
        (("prompt", "EMPTY", "-o", "OUT"), "--prompt"),
        (("prompt", "EMPTY", "-p", "a", "-o", "OUT"), "encode"),
        (("prompt", "CELLS", "-p", "a"), "--output"),
        (("search", "a", "EMPTY"), "encode"),
        (("gather", "EMPTY"), "no job"),
    ],
)
def test_a_mistake_is_told_in_one_line(
    arguments: tuple[str, ...], word: str, cells: Path, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    meant = {"CELLS": cells, "EMPTY": tmp_path / "empty", "OUT": tmp_path / "out"}
    result = cli(*(meant.get(argument, argument) for argument in arguments))
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1, result.stderr
    assert word in result.stderr
