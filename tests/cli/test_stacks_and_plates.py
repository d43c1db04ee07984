"""A time-lapse and a plate through the shell: what the library, and so the viewer, computes."""

from __future__ import annotations

import csv
import itertools
from pathlib import Path

import numpy as np
import pytest
import tifffile
import zarr
from typer.testing import CliRunner, Result

import napari_clip_heatmap as nch
from napari_clip_heatmap.cli import app

PROMPTS = ("nuclei", "debris")
WORDS = ("-p", "nuclei", "-p", "debris")


def cli(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def heatmaps(model: nch.ClipModel, pixels: np.ndarray) -> np.ndarray:
    values: np.ndarray = nch.encode(model, pixels).heatmaps(PROMPTS).values
    return values


@pytest.fixture
def movie(tmp_path: Path) -> tuple[Path, np.ndarray]:
    """A file of 3 time points, 2 focal planes and 2 channels, and its pixels."""
    pixels = np.random.default_rng(0).integers(0, 4000, (3, 2, 2, 40, 52), dtype=np.uint16)
    path = tmp_path / "movie.ome.tif"
    tifffile.imwrite(path, pixels, ome=True, metadata={"axes": "TZCYX"})
    return path, pixels


def test_channels_in_colors_are_what_the_library_computes(
    model: str, movie: tuple[Path, np.ndarray], tmp_path: Path
) -> None:
    path, pixels = movie
    asked = ("--channel", "1:#ff8000,0:blue", "--time", 2, "--z", 0, "--view", "0,4000")
    result = cli("run", path, *WORDS, *asked, "-m", model, "-o", tmp_path / "out")
    assert result.exit_code == 0, result.output
    ramps = ([[0, 0, 0], [1, 128 / 255, 0]], [[0, 0, 0], [0, 0, 1]])
    image = [
        nch.Channel((pixels[2, 0, number],), limits=(0, 4000), lut=np.array(ramp, np.float32))
        for number, ramp in zip((1, 0), ramps, strict=True)
    ]
    expected = nch.encode(nch.load_model(model), image).heatmaps(PROMPTS).values
    written = tmp_path / "out" / "movie-ome_nuclei_heatmap.tif"
    np.testing.assert_allclose(tifffile.imread(written), expected[0], atol=1e-6)
    again = cli("run", "--config", tmp_path / "out" / "run.yaml", "-o", tmp_path / "again")
    assert again.exit_code == 0, again.output
    assert (tmp_path / "again" / written.name).read_bytes() == written.read_bytes()


def test_a_time_lapse_is_what_the_library_computes(
    model: str, movie: tuple[Path, np.ndarray], tmp_path: Path
) -> None:
    path, pixels = movie
    result = cli("run", path, *WORDS, "--channel", 1, "-m", model, "-o", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert "2 heatmaps of 6 planes" in result.output
    loaded = nch.load_model(model)
    expected = {at: heatmaps(loaded, pixels[(*at, 1)]) for at in np.ndindex(3, 2)}
    for number, prompt in enumerate(PROMPTS):
        with tifffile.TiffFile(tmp_path / "out" / f"movie-ome_{prompt}_heatmap.tif") as tiff:
            assert tiff.series[0].axes == "TZYX"
            written = tiff.series[0].asarray()
        assert written.shape == (3, 2, 40, 52)
        for at, values in expected.items():
            np.testing.assert_allclose(written[at], values[number], atol=1e-6)
    one = ("--time", 2, "--z", 0)
    result = cli("run", path, *WORDS, "--channel", 1, *one, "-m", model, "-o", tmp_path / "one")
    assert result.exit_code == 0, result.output
    single = tifffile.imread(tmp_path / "one" / "movie-ome_nuclei_heatmap.tif")
    np.testing.assert_allclose(single, expected[2, 0][0], atol=1e-6)


def write_plate(path: Path) -> dict[tuple[str, str], np.ndarray]:
    """Write a plate of two rows and two columns, of one field each; return the pixels by well."""
    wells = [*itertools.product("AB", "12")]
    plate = zarr.create_group(path, zarr_format=3)
    plate.attrs["ome"] = {
        "version": "0.5",
        "plate": {
            "rows": [{"name": name} for name in "AB"],
            "columns": [{"name": name} for name in "12"],
            "wells": [
                {"path": f"{row}/{column}", "rowIndex": "AB".index(row), "columnIndex": at}
                for row, column in wells
                for at in ["12".index(column)]
            ],
        },
    }
    random, pixels = np.random.default_rng(1), {}
    for row, column in wells:
        well = plate.create_group(f"{row}/{column}")
        well.attrs["ome"] = {"version": "0.5", "well": {"images": [{"path": "0"}]}}
        field = well.create_group("0")
        data = random.integers(0, 255, (40, 52), dtype=np.uint8)
        field.create_array("0", shape=data.shape, dtype=data.dtype)[...] = data
        scale = [{"type": "scale", "scale": [0.5, 0.5]}]
        field.attrs["ome"] = {
            "version": "0.5",
            "multiscales": [
                {
                    "axes": [{"name": axis, "type": "space"} for axis in "yx"],
                    "datasets": [{"path": "0", "coordinateTransformations": scale}],
                }
            ],
        }
        pixels[row, column] = data
    return pixels


def test_a_plate_keeps_its_rows_and_columns(model: str, tmp_path: Path) -> None:
    pixels = write_plate(tmp_path / "plate.ome.zarr")
    result = cli("run", tmp_path / "plate.ome.zarr", *WORDS, "-m", model, "-o", tmp_path / "out")
    assert result.exit_code == 0, result.output
    loaded = nch.load_model(model)
    with (tmp_path / "out" / "summary.csv").open(newline="", encoding="utf-8") as stream:
        rows = [*csv.DictReader(stream)]
    assert [(each["row"], each["column"]) for each in rows[:: len(PROMPTS)]] == [*pixels]
    for (row, column), data in pixels.items():
        encoding = nch.encode(loaded, data)
        maps = encoding.heatmaps(PROMPTS)
        for number, prompt in enumerate(PROMPTS):
            file = tmp_path / "out" / f"plate-{row}-{column}-0_{prompt}_heatmap.tif"
            np.testing.assert_allclose(tifffile.imread(file), maps.values[number], atol=1e-6)
            (found,) = (
                each
                for each in rows
                if (each["row"], each["column"], each["prompt"]) == (row, column, prompt)
            )
            assert float(found["similarity"]) == pytest.approx(maps.similarity[number], abs=1e-5)
