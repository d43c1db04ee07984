from __future__ import annotations

import errno
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import yaml
from PIL import Image
from typer.testing import CliRunner, Result

import napari_clip_heatmap as nch
from napari_clip_heatmap.cli import app
from napari_clip_heatmap.files.reading.image_file import read_image
from napari_clip_heatmap.pipeline.verdicts import Trust


def cli(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def options(*prompts: str) -> list[str]:
    return [part for prompt in prompts for part in ("--prompt", prompt)]


def record_in(folder: Path) -> dict[str, Any]:
    record: dict[str, Any] = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    return record


def test_run_writes_what_the_library_computes(model: str, cells: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    prompts = ["nuclei", "actin filaments", "debris"]
    result = cli("run", cells, *options(*prompts), "--model", model, "--output", out)
    assert result.exit_code == 0, result.output
    assert {path.name for path in out.iterdir()} == {
        ".clip-heatmap",
        *("run.json", "run.yaml", "summary.csv", "summary.html"),
        *(f"cells_{p}_heatmap.tif" for p in ("nuclei", "actin-filaments", "debris")),
        *(f"cells_{p}_overlay.png" for p in ("nuclei", "actin-filaments", "debris")),
    }
    maps = nch.encode(nch.load_model(model), read_image(cells)).heatmaps(prompts)
    entry = record_in(out)["images"][0]
    for reported, prompt, values, similarity in zip(
        entry["results"], maps.prompts, maps.values, maps.similarity, strict=True
    ):
        assert reported["prompt"] == prompt
        assert reported["similarity"] == pytest.approx(float(similarity), abs=1e-6)
        with tifffile.TiffFile(out / reported["heatmap"]) as tiff:
            written = tiff.series[0]
            assert written.axes == "YX"
            assert written.dtype == np.float32
            np.testing.assert_allclose(written.asarray(), values, atol=1e-6)
            assert tiff.shaped_metadata[0]["prompt"] == prompt
        assert read_image(out / reported["overlay"]).shape == (40, 70, 3)
        assert reported["worth"]["trust"] in list(Trust)


def test_what_maps_are_worth_is_told(cells: Path, tmp_path: Path) -> None:
    result = cli("run", cells, *options("nuclei", "xqzv blorp", "a b"), "--output", tmp_path / "o")
    assert result.exit_code == 0, result.output
    assert "never trained on: 'xqzv', 'blorp'" in result.stdout
    assert "'xqzv blorp': trust none." in result.stdout
    reported = {each["prompt"]: each for each in record_in(tmp_path / "o")["images"][0]["results"]}
    assert reported["xqzv blorp"]["worth"]["trust"] == "none"


def test_the_record_tells_how_to_repeat(model: str, cells: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    asked = ("--score", "contrast", "--baseline", "glass", "--downsample", "2", "--device", "cpu")
    asked += ("--precision", "bf16", "--preprocess", "half", "--image-size", "40")
    asked += ("--view", "10,200", "--page", "0", "--channel", "2,1,0")
    result = cli("run", cells, *options("a", "b"), *asked, "--model", model, "--output", out)
    assert result.exit_code == 0, result.output
    record = record_in(out)
    assert record["settings"] == {
        "images": [str(cells)],
        "inputs": [str(cells)],
        "recursive": False,
        "mpp": None,
        "quality": "standard",
        "layers": [],
        "heads": [],
        "inside": None,
        "write": ["maps", "overlays"],
        "format": "tif",
        "threshold": "otsu",
        "objects": None,
        "prompts": ["a", "b"],
        "output": str(out),
        "model": model,
        "device": "cpu",
        "precision": "bf16",
        "score": "contrast",
        "baseline": ["glass"],
        "templates": ["{}"],
        "downsample": 2.0,
        "image_size": 40,
        "preprocess": "half",
        "view": {
            "mode": "shown",
            "invert": False,
            "low": 1.0,
            "high": 99.8,
            "limits": [10.0, 200.0],
        },
        "page": 0,
        "series": None,
        "channel": [2, 1, 0],
        "time": None,
        "z": None,
    }
    assert record["version"] == nch.__version__
    assert record["model"]["weights_sha256"]
    image = record["images"][0]
    assert image["shape"] == [40, 70, 3]
    assert image["dtype"] == "uint8"
    assert image["encoding"]["ranges"] == [
        {"low": 10.0, "high": 200.0, "source": "limits", "lines": 0}
    ]
    assert image["encoding"]["downsample"] == 2.0
    assert image["encoding"]["notices"] == []
    assert record["model"]["precision"] == "bfloat16"
    assert len(image["sha256"]) == 64


def test_prompts_and_templates_of_a_set(model: str, cells: Path, tmp_path: Path) -> None:
    chosen, out = tmp_path / "mine.yaml", tmp_path / "out"
    chosen.write_text(
        "templates: ['my {}']\nprompts: [nuclei | dapi, red - blue]", encoding="utf-8"
    )
    asked = ("--prompts", chosen, "--prompt", "nuclei|dapi", "--prompt", "actin")
    result = cli("run", cells, *asked, "--score", "softmax", "--model", model, "--output", out)
    assert result.exit_code == 0, result.output
    reported = record_in(out)["images"][0]["results"]
    assert [each["prompt"] for each in reported] == ["nuclei | dapi", "red - blue", "actin"]
    assert reported[0]["recipe"] == {"texts": ["my nuclei", "my dapi"], "minus": []}
    assert reported[1]["recipe"] == {"texts": ["my red"], "minus": ["my blue"]}
    with tifffile.TiffFile(out / reported[0]["heatmap"]) as tiff:
        assert tiff.shaped_metadata[0]["unit"] == "probability"
    plain = ("--templates", "plain", "--templates", "no place")
    result = cli("run", cells, *asked, *plain, "--model", model, "--output", tmp_path / "b")
    assert "must have {} once" in result.stderr
    assert result.exit_code == 2


def test_names_never_meet(model: str, cells: Path, tmp_path: Path) -> None:
    twin = tmp_path / "other" / "cells.tif"
    twin.parent.mkdir()
    tifffile.imwrite(twin, np.random.default_rng(1).random((33, 20)).astype(np.float32))
    prompts = ["a/b", "a b", "🔬", "🧫", "../up", " a b ", "word " * 300]
    out = tmp_path / "out"
    result = cli("run", cells, twin, cells, *options(*prompts), "--model", model, "--output", out)
    assert result.exit_code == 0, result.output
    images = record_in(out)["images"]
    assert [image["source"] for image in images] == [str(cells), str(twin)]
    names = [reported["heatmap"] for image in images for reported in image["results"]]
    assert len(set(names)) == len(names) == 2 * 6, "the repeated prompt and image count once"
    for image in images:
        for reported in image["results"]:
            assert read_image(out / reported["heatmap"]).shape == tuple(image["shape"][:2])
    assert {path.parent for path in out.rglob("*_heatmap.tif")} == {out}


def test_results_of_other_settings_are_not_replaced(
    model: str, cells: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    words = (*options("a", "b"), "--model", model, "--output", out)
    assert cli("run", cells, *words).exit_code == 0
    before = (out / "cells_a_heatmap.tif").read_bytes()
    for changed, key in ((("--score", "absolute"), "score"), (("--downsample", "2"), "downsample")):
        refused = cli("run", cells, *words, *changed)
        assert refused.exit_code == 2
        assert "--overwrite" in refused.stderr
        assert key in refused.stderr
        assert (out / "cells_a_heatmap.tif").read_bytes() == before
    assert cli("run", cells, *words, "--score", "absolute", "--overwrite").exit_code == 0
    assert (out / "cells_a_heatmap.tif").read_bytes() != before


def test_a_finished_job_takes_more_images(model: str, cells: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    other = tmp_path / "deep" / "cells.png"
    other.parent.mkdir()
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(other)
    words = (*options("a", "b"), "--model", model, "--output", out)
    assert cli("run", cells, *words).exit_code == 0
    before = (out / "cells_a_heatmap.tif").stat()
    again = cli("run", cells, other, *words)
    assert again.exit_code == 0
    assert f"{cells}: done before" in again.stdout
    assert (out / "cells_a_heatmap.tif").stat().st_mtime_ns == before.st_mtime_ns
    assert read_image(out / "cells-2_a_heatmap.tif").shape == (8, 8)
    assert [each["source"] for each in record_in(out)["images"]] == [str(cells), str(other)]
    assert cli("run", other, *words, "--csv", "--no-overlay").exit_code == 0
    repeated = yaml.safe_load((out / "run.yaml").read_text())
    assert repeated["inputs"] == [str(cells), str(other)], "of all commands"
    assert repeated["write"] == "maps,overlays,table"


def test_a_changed_image_is_done_again(model: str, cells: Path, tmp_path: Path) -> None:
    words = (*options("a", "b"), "--model", model, "--output", tmp_path / "out")
    assert cli("run", cells, *words).exit_code == 0
    Image.fromarray(np.random.default_rng(5).integers(0, 255, (30, 20), np.uint8)).save(cells)
    assert cli("run", cells, *words).exit_code == 0
    assert read_image(tmp_path / "out" / "cells_a_heatmap.tif").shape == (30, 20)


def test_further_kinds_of_output_are_added(model: str, cells: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    words = (*options("a", "b"), "--model", model, "--output", out)
    assert cli("run", cells, *words).exit_code == 0
    before = (out / "cells_a_heatmap.tif").read_bytes()
    kinds = "labels,points,shapes,geojson,table,encodings"
    result = cli("run", cells, *words, "--write", kinds, "--threshold", "quantile:0.8")
    assert result.exit_code == 2, "another threshold is another setting"
    result = cli("run", cells, *words, "--write", kinds)
    assert result.exit_code == 0, result.output
    assert (out / "cells_a_heatmap.tif").read_bytes() == before
    assert {path.name for path in out.glob("cells*")} == {
        *(f"cells_{p}_{f}" for p in "ab" for f in ("heatmap.tif", "overlay.png", "labels.tif")),
        *(f"cells_{p}_{f}" for p in "ab" for f in ("shapes.csv", "objects.geojson")),
        *("cells_points.csv", "cells_objects.csv", "cells_encoding.zarr.zip"),
    }


def test_a_settings_file_repeats_a_job(model: str, cells: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    asked = (*options("a", "b"), "--model", model, "--view", "10,200", "--channel", "2,1,0")
    assert cli("run", cells, *asked, "--output", out, "--downsample", "2").exit_code == 0
    before = record_in(out)["settings"]
    again = cli("run", "--config", out / "run.yaml", "--output", tmp_path / "again")
    assert again.exit_code == 0, again.output
    assert {**record_in(tmp_path / "again")["settings"], "output": str(out)} == before
    other = cli("run", "--config", out / "run.yaml", "-o", tmp_path / "c", "--score", "absolute")
    assert other.exit_code == 0, other.output
    assert record_in(tmp_path / "c")["settings"] == {
        **before,
        "output": str(tmp_path / "c"),
        "score": "absolute",
    }
    (tmp_path / "odd.yaml").write_text("prompt: [a]\nfrobnicate: 3\n")
    refused = cli("run", cells, "--config", tmp_path / "odd.yaml", "-o", tmp_path / "d")
    assert refused.exit_code == 2
    assert "frobnicate" in refused.stderr


def test_files_without_a_record_are_not_replaced_either(cells: Path, tmp_path: Path) -> None:
    (tmp_path / "cells_a_overlay.png").write_bytes(b"precious")
    refused = cli("run", cells, *options("a"), "--output", tmp_path)
    assert refused.exit_code == 2
    assert "cells_a_overlay.png" in refused.stderr


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("run",), "--output"),
        (("run", "-o", "OUT", "-p", "a"), "INPUT"),
        (("run", "CELLS", "--output", "OUT"), "--prompt"),
        (("run", "CELLS", "--prompt", "a"), "--output"),
        (("run", "no-such.png", "--prompt", "a", "--output", "OUT"), "no-such.png"),
        (("run", "EMPTY", "--prompt", "a", "--output", "OUT"), "image file"),
        (("run", "CELLS", "-p", "a", "-o", "OUT", "--write", "maps,tables"), "tables"),
        (("run", "CELLS", "-p", "a", "-o", "OUT", "--format", "png"), "ome-zarr"),
        (("run", "CELLS", "-p", "a", "-o", "OUT", "--threshold", "much"), "--threshold"),
        (("run", "CELLS", "-p", "a", "-o", "OUT", "--inside", "cells"), "labels:FILE"),
        (("run", "CELLS", "-p", "a", "-o", "OUT", "--inside", "labels:none.tif"), "none.tif"),
        (("run", "CELLS", "-p", "a", "-o", "OUT", "--objects", "none.tif"), "none.tif"),
        (("run", "CELLS", "-p", "a", "-o", "OUT", "--mpp", "0.5"), "--downsample"),
        (("run", "CELLS", "-p", "a", "-o", "OUT", "--layers", "99"), "layer 99"),
        (("run", "no*.png", "-p", "a", "-o", "OUT"), "no*.png"),
        (("run", "CELLS", "--prompt", "a", "--output", "CELLS"), "cells.png"),
        (("run", "CELLS", "--prompt", "a", "--output", "OUT", "--downsample", "0"), "downsample"),
        (("run", "CELLS", "--prompt", "a", "--output", "OUT", "--downsample", "x"), "downsample"),
        (("run", "CELLS", "--prompt", "a", "--output", "OUT", "--score", "best"), "relative"),
        (("run", "CELLS", "--prompt", "a", "--output", "OUT", "--model", "local-dir:/x"), "/x"),
        (("run", "CELLS", "--prompt", "a", "--output", "OUT", "--device", "abacus"), "abacus"),
        (("run", "CELLS", "--prompt", "a", "--output", "OUT", "--precision", "fp8"), "'fp8'"),
        (("run", "CELLS", "--prompt", "a", "--output", "OUT", "--preprocess", "x"), "imagenet"),
        (("run", "CELLS", "--prompt", " ", "--output", "OUT", "--model", "MODEL"), "prompt"),
        (("run", "CELLS", "--prompt", "a", "--output", "OUT", "--score", "contrast"), "baseline"),
        (("run", "CELLS", "-p", "a", "-o", "OUT", "--view", "9,1"), "limits"),
        (("run", "CELLS", "-p", "a", "-o", "OUT", "--view", "nan,1"), "limits"),
        (("run", "CELLS", "-p", "a", "-o", "OUT", "--channel", "1,2"), "--channel"),
        (("run", "CELLS", "-p", "a", "-o", "OUT", "--channel", "7"), "no channel 7"),
        (("run", "CELLS", "-p", "a", "-o", "OUT", "--page", "1"), "no page 1"),
        (("run", "CELLS", "-p", "a", "-o", "OUT", "--page", "-1"), "--page"),
        (("run", "CUBE", "-p", "a", "-o", "OUT", "--page", "5"), "page=0 to 4"),
        (("run", "CUBE", "-p", "a", "-o", "OUT", "--time", "1"), "no time axis"),
        (("run", "CELLS", "-p", "a", "-o", "OUT", "--prompts", "FOLDER"), "prompts"),
        (("run", "CELLS", "-p", "a", "-o", "OUT", "--prompts", "CELLS"), "cells.png"),
        (("run", "", "-p", "a", "-o", "OUT"), "image file"),
        (("evaluate", "--output", "CELLS"), "cells.png"),
        (("honesty", "--output", "CELLS"), "cells.png"),
        (("demo", "--headless", "--output", "CELLS"), "cells.png"),
        (("evaluate", "--seed", "-5"), "--seed"),
        (("honesty", "--seed", "-5"), "--seed"),
        (("cache", "--limit", "inf"), "--limit"),
        (("cache", "--limit", "nan"), "--limit"),
        (("evaluate", "--data", "no-such-folder"), "no-such-folder"),
        (("honesty", "--data", "CELLS"), "cells.png"),
        (("dance",), "dance"),
    ],
)
def test_a_mistake_is_told_in_one_line(
    arguments: tuple[str, ...], word: str, model: str, cells: Path, tmp_path: Path
) -> None:
    cube = tmp_path / "cube.tif"
    tifffile.imwrite(cube, np.zeros((5, 6, 7), np.uint8), photometric="minisblack")
    out = tmp_path / "out"
    meant = {"CELLS": cells, "FOLDER": tmp_path, "CUBE": cube, "OUT": out, "MODEL": model}
    meant["EMPTY"] = tmp_path / "empty"
    meant["EMPTY"].mkdir()
    if "OUT" in arguments and "--model" not in arguments:
        arguments += ("--model", "MODEL")
    result = cli(*(meant.get(argument, argument) for argument in arguments))
    assert result.exit_code == 2
    assert result.stderr.startswith("clip-heatmap: ")
    assert result.stderr.count("\n") == 1, result.stderr
    assert word in result.stderr
    assert not list(out.glob("*")), "nothing half done is left"


def test_the_demo_writes_its_pictures_and_says_where(tmp_path: Path) -> None:
    from napari_clip_heatmap.scenes import SAMPLE_PROMPTS

    out = tmp_path / "demo"
    result = cli("demo", "--headless", "--output", out)
    assert result.exit_code == 0, result.output
    assert str(out) in result.stdout
    written = {path.name for path in out.iterdir()}
    assert {"sample.png", "contact_sheet.png", "run.json"} < written
    assert len(written) == 7 + 3 * len(SAMPLE_PROMPTS)
    assert cli("demo", "--headless", "--output", out).exit_code == 0, "again is fine"


def test_without_a_display_the_demo_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QT_QPA_PLATFORM", "offscreen")
    result = cli("demo", "--output", tmp_path / "demo")
    assert result.exit_code == 0, result.output
    assert "offscreen" in result.stdout
    assert (tmp_path / "demo" / "contact_sheet.png").is_file()


def test_the_demo_spares_other_pictures(tmp_path: Path) -> None:
    (tmp_path / "sample.png").write_bytes(b"precious")
    result = cli("demo", "--headless", "--output", tmp_path)
    assert result.exit_code == 2
    assert "--overwrite" in result.stderr
    assert (tmp_path / "sample.png").read_bytes() == b"precious"
    assert cli("demo", "--headless", "--output", tmp_path, "--overwrite").exit_code == 0


def test_a_second_run_reads_the_cache(
    model: str, cells: Path, tmp_path: Path, cache_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from napari_clip_heatmap.clip.model import ClipModel

    def heatmap(name: str, *more: str) -> bytes:
        words = (*options("a", "b"), "--model", model, "--output", tmp_path / name, *more)
        result = cli("run", cells, *words)
        assert result.exit_code == 0, result.output
        return (tmp_path / name / "cells_a_heatmap.tif").read_bytes()

    plain = heatmap("plain", "--no-cache")
    assert not cache_folder.exists()
    first = heatmap("first")
    monkeypatch.setattr(ClipModel, "token_map", None)
    assert heatmap("second") == first == plain


def noise(path: Path, seed: int = 0) -> Path:
    pixels = np.random.default_rng(seed).integers(0, 4000, (33, 40), dtype=np.uint16)
    tifffile.imwrite(path, pixels)
    return path


def test_a_bad_file_fails_alone(model: str, cells: Path, tmp_path: Path) -> None:
    bad, out = tmp_path / "bad.tif", tmp_path / "out"
    bad.write_bytes(b"II*\0no picture")
    images = (noise(tmp_path / "a.tif"), bad, cells)
    asked = ("run", *images, *options("a", "b"), "-m", model)
    result = cli(*asked, "-o", out)
    assert result.exit_code == 1
    assert "1 of 3 images failed (2 done)" in result.stderr
    assert "bad.tif" in result.stderr.splitlines()[1]
    record = record_in(out)
    assert [image["source"] for image in record["images"]] == [str(images[0]), str(cells)]
    assert [image["source"] for image in record["failed"]] == [str(bad)]
    assert (out / "cells_b_heatmap.tif").is_file()

    result = cli(*asked, "-o", tmp_path / "stopped", "--stop-on-error")
    assert result.exit_code == 1
    assert "1 of 3 images failed (1 done, 1 not tried)" in result.stderr
    assert len(record_in(tmp_path / "stopped")["images"]) == 1


BAD: dict[str, Callable[[Path], object]] = {
    "empty.tif": lambda path: path.write_bytes(b""),
    "text.png": lambda path: path.write_text("no picture"),
    "cut.jpg": lambda path: path.write_bytes(b"\xff\xd8\xff\xe0" + bytes(30)),
    "folder.tif": lambda path: path.mkdir(),
    "missing.tif": lambda path: None,
    "channels.ome.tif": lambda path: tifffile.imwrite(
        path, np.zeros((3, 8, 9), np.uint8), photometric="minisblack", metadata={"axes": "CYX"}
    ),
    "frames.gif": lambda path: Image.new("L", (9, 8)).save(
        path, save_all=True, append_images=[Image.new("L", (9, 8), 99)]
    ),
    "missing_values.tif": lambda path: tifffile.imwrite(path, np.full((9, 8), np.nan, np.float32)),
    "complex.npy": lambda path: np.save(path, np.zeros((9, 8), complex)),
    "objects.npy": lambda path: np.save(path, np.array([{}], object), allow_pickle=True),
}


def test_fifty_files_of_which_ten_are_bad(model: str, tmp_path: Path) -> None:
    for name, make in BAD.items():
        make(tmp_path / name)
    good = [noise(tmp_path / f"good{n}.tif", n) for n in range(40)]
    images = [*good[:15], *(tmp_path / name for name in BAD), *good[15:]]
    assert len(images) == 50
    out = tmp_path / "out"
    result = cli("run", *images, *options("a", "b"), "-m", model, "-o", out, "--no-cache")
    assert result.exit_code == 1
    assert "10 of 50 images failed (40 done)" in result.stderr
    record = record_in(out)
    assert [Path(image["source"]) for image in record["images"]] == good
    assert [Path(image["source"]).name for image in record["failed"]] == list(BAD)
    assert len(list(out.glob("*_heatmap.tif"))) == 80
    for line, name in zip(result.stderr.splitlines()[1:], BAD, strict=True):
        assert name in line
        assert len(line) <= 502


def test_of_many_images_one_line_each_is_said(tmp_path: Path) -> None:
    folder = tmp_path / "cells"
    folder.mkdir()
    for number in range(5):
        Image.fromarray(np.full((96, 96), 40 * number, np.uint8)).save(folder / f"{number}.png")
    stack = np.zeros((3, 96, 96), np.uint8)
    tifffile.imwrite(folder / "stack.ome.tif", stack, metadata={"axes": "ZYX"})
    result = cli("run", folder, *options("nuclei", "sushi"), "-o", tmp_path / "out", "--no-cache")
    assert result.exit_code == 0, result.output
    lines = [line for line in result.output.splitlines() if ".png -> " in line]
    assert len(lines) == 5
    assert all("'nuclei' " in line and "(none)" in line for line in lines), "nothing is there"
    (of_stack,) = [line for line in result.output.splitlines() if "stack.ome.tif -> " in line]
    assert of_stack.endswith("2 heatmaps of 3 planes"), "each plane has figures of its own"
    assert result.output.splitlines()[-1].endswith("summary.html")
    assert len(result.output.splitlines()) < 10


def test_all_bad_files_leave_a_record(model: str, tmp_path: Path) -> None:
    for name in ("empty.tif", "text.png"):
        BAD[name](tmp_path / name)
    images, out = (tmp_path / "empty.tif", tmp_path / "text.png"), tmp_path / "out"
    result = cli("run", *images, "-p", "a", "-m", model, "-o", out)
    assert result.exit_code == 1
    assert "2 of 2 images failed (0 done)" in result.stderr
    assert {"run.json", "summary.html"} <= {path.name for path in out.iterdir()}
    assert record_in(out)["images"] == []


def test_an_image_beyond_memory_fails_alone(
    model: str, cells: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from napari_clip_heatmap.batch import image_worker

    large = noise(tmp_path / "large.tif")
    opened = image_worker.open_image

    def limited(entry: Any, *chosen: Any) -> Any:
        if entry.source == str(large):
            raise MemoryError
        return opened(entry, *chosen)

    monkeypatch.setattr(image_worker, "open_image", limited)
    result = cli("run", large, cells, "-p", "a", "-m", model, "-o", tmp_path / "out")
    assert result.exit_code == 1
    assert "'" + str(large) + "' needs more memory" in result.stderr


def test_what_the_model_saw_is_told(model: str, tmp_path: Path) -> None:
    pixels = np.arange(400, dtype=np.uint16).reshape(20, 20)
    tifffile.imwrite(tmp_path / "a.tif", pixels)
    asked = ("run", tmp_path / "a.tif", "-p", "a", "-m", model, "-o", tmp_path / "out")
    asked += ("--overwrite",)
    robust = (
        "  values 0 to 399 as black to white (robust range); 1 image pixel per model pixel (auto)"
    )
    for view, reported in (
        ((), robust),
        (("--view", "raw"), "values 0 to 65535 as black to white (all of their type)"),
        (("--view", "min-max"), "values 0 to 399 as black to white (smallest and largest)"),
        (("--view", "percentile"), "values 3.99 to 398.202 as black to white (percentiles)"),
        (("--view", "-5,100.5"), "values -5 to 100.5 as black to white (as set)"),
        (("--downsample", "2"), "2 image pixels per model pixel\n"),
    ):
        result = cli(*asked, *view)
        assert result.exit_code == 0, result.output
        assert reported in result.stdout
        assert result.stdout.count("as black to white") == 1, "and once"


def test_a_view_changes_what_the_model_sees(model: str, tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 4000, (40, 50)).astype(np.uint16)
    pixels[3, 4] = 65535  # one hot pixel
    tifffile.imwrite(tmp_path / "a.tif", pixels)
    asked = ("run", tmp_path / "a.tif", "-p", "a", "-p", "b", "-m", model, "-o", tmp_path / "out")
    assert cli(*asked, "--view", "0,4000").exit_code == 0
    written = read_image(tmp_path / "out" / "a_a_heatmap.tif")
    channel = nch.Channel((pixels,), limits=(0, 4000))
    maps = nch.encode(nch.load_model(model), channel).heatmaps(["a", "b"])
    np.testing.assert_allclose(written, maps.values[0], atol=1e-6)
    overlay = read_image(tmp_path / "out" / "a_a_overlay.png")
    assert overlay.mean() > 60, "the overlay shows what the model saw"


@pytest.mark.parametrize(
    ("choice", "index"),
    [(("--page", "4"), (1, 1)), (("--time", "1", "--channel", "2"), (1, 2))],
)
def test_one_of_several_pictures(
    choice: tuple[str, ...], index: tuple[int, int], model: str, tmp_path: Path
) -> None:
    stack = np.random.default_rng(0).integers(0, 255, (2, 3, 40, 50), dtype=np.uint8)
    tifffile.imwrite(tmp_path / "a.ome.tif", stack, metadata={"axes": "TCYX"})
    tifffile.imwrite(tmp_path / "plane.tif", stack[index])
    asked = ("-p", "a", "-p", "b", "-m", model, "--no-cache")
    assert cli("run", tmp_path / "a.ome.tif", *choice, *asked, "-o", tmp_path / "x").exit_code == 0
    assert cli("run", tmp_path / "plane.tif", *asked, "-o", tmp_path / "y").exit_code == 0
    heatmaps = [
        read_image(next((tmp_path / folder).glob("*_a_heatmap.tif"))) for folder in ("x", "y")
    ]
    np.testing.assert_array_equal(*heatmaps)


def test_quiet_and_json(model: str, cells: Path, tmp_path: Path) -> None:
    asked = ("run", cells, "-p", "a", "-p", "b", "-m", model, "-o", tmp_path / "out")
    result = cli(*asked, "--quiet")
    assert (result.exit_code, result.output) == (0, "")
    result = cli(*asked, "--json")
    assert result.exit_code == 0
    assert json.loads(result.stdout) == record_in(tmp_path / "out")


def test_json_tells_of_failures_too(model: str, cells: Path, tmp_path: Path) -> None:
    BAD["text.png"](tmp_path / "text.png")
    images = (cells, tmp_path / "text.png")
    result = cli("run", *images, "-p", "a", "-m", model, "-o", tmp_path / "out", "--json", "-q")
    assert result.exit_code == 1
    reported = json.loads(result.stdout)
    assert len(reported["images"]) == len(reported["failed"]) == 1
    assert "text.png" in reported["failed"][0]["reason"]


def test_a_full_disk_has_a_code_of_its_own(
    model: str, cells: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    target = "napari_clip_heatmap.batch.outputs.overlays_output.write_picture"
    monkeypatch.setattr(target, full)
    result = cli("run", cells, "-p", "a", "-m", model, "-o", tmp_path / "out")
    assert result.exit_code == 3
    assert result.stderr.count("\n") == 1
    assert "No space left" in result.stderr


def test_the_help_says_what_is_read() -> None:
    text = cli("run", "-h").stdout
    for word in ("TIFF", "OME", "ImageJ", "PNG", "JPEG 2000", "NPY", "--page", "--series"):
        assert word in text


def test_examples_stand_among_the_prompts(model: str, cells: Path, tmp_path: Path) -> None:
    out, again = tmp_path / "out", tmp_path / "again"
    points = tmp_path / "points.csv"
    points.write_text("y,x,sign\n5,5,+\n12,30,+\n30,60,-\n")
    asked = ("--example", f"my vesicles={cells}:{points}", "--score", "absolute")
    result = cli("run", cells, *options("nuclei"), *asked, "--model", model, "-o", out)
    assert result.exit_code == 0, result.output
    encoding = nch.encode(nch.load_model(model), read_image(cells))
    example = encoding.example([(5, 5), (12, 30)], [(30, 60)], name="my vesicles")
    maps = encoding.heatmaps(["nuclei", example], "absolute")
    entry = record_in(out)["images"][0]
    assert [each["prompt"] for each in entry["results"]] == ["nuclei", "my vesicles"]
    written = tifffile.imread(out / entry["results"][1]["heatmap"])
    np.testing.assert_allclose(written, maps.values[1], atol=1e-6)
    repeated = cli("run", "--config", out / "run.yaml", "-o", again)
    assert repeated.exit_code == 0, repeated.output
    redone = tifffile.imread(again / record_in(again)["images"][0]["results"][1]["heatmap"])
    np.testing.assert_allclose(redone, written, atol=1e-6)


def test_a_job_with_another_example_is_another_job(model: str, cells: Path, tmp_path: Path) -> None:
    out, points = tmp_path / "out", tmp_path / "points.csv"
    asked = ("--example", f"mine={cells}:{points}", "--model", model, "-o", out)
    points.write_text("y,x\n5,5\n")
    assert cli("run", cells, *asked).exit_code == 0
    points.write_text("y,x\n30,60\n")
    refused = cli("run", cells, *asked)
    assert refused.exit_code != 0
    assert "settings" in refused.output


def test_examples_that_cannot_be_made_are_refused_in_words(
    model: str, cells: Path, tmp_path: Path
) -> None:
    points = tmp_path / "points.csv"
    points.write_text("y,x\n5,500\n")
    where = ("--model", model, "-o", tmp_path / "out")
    outside = cli("run", cells, "--example", f"mine={cells}:{points}", *where)
    assert outside.exit_code == 2
    assert "outside the image" in outside.output
    unread = cli("run", cells, "--example", "mine=nowhere", *where)
    assert unread.exit_code == 2
    scaled = cli("run", cells, "--example", f"mine={cells}:{points}", "--mpp", 1, *where)
    assert scaled.exit_code == 2
    assert "--mpp" in scaled.output


def test_a_finer_run_is_what_the_library_computes(model: str, cells: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    words = options("nuclei", "debris")
    result = cli("run", cells, *words, "--model", model, "--quality", "fine", "--output", out)
    assert result.exit_code == 0, result.output
    maps = nch.encode(nch.load_model(model), read_image(cells), quality="fine").heatmaps(
        ["nuclei", "debris"]
    )
    written = tifffile.imread(out / "cells_nuclei_heatmap.tif")
    np.testing.assert_allclose(written, maps.values[0], atol=1e-6)
    assert record_in(out)["images"][0]["encoding"]["quality"] == "fine"
    assert "quality: fine" in (out / "run.yaml").read_text(encoding="utf-8")
    refused = cli("run", cells, *words, "--model", model, "--quality", "best", "-o", out)
    assert refused.exit_code == 2
