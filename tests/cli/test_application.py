from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import imageio.v3 as imageio
import numpy as np
import open_clip
import pytest
import tifffile
import torch
from safetensors.torch import save_file
from typer.testing import CliRunner, Result

import napari_clip_heatmap as nch
from napari_clip_heatmap.cli import app
from napari_clip_heatmap.files.reading.image_file import read_image
from napari_clip_heatmap.pipeline.verdicts import Verdict

TINY = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": 32, "patch_size": 8, "width": 32, "head_width": 8, "layers": 2},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1},
}
PREPROCESS = {"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The name of a tiny CLIP with random weights, in a folder as open_clip writes them."""
    folder = tmp_path_factory.mktemp("model")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        clip = open_clip.CLIP(**TINY)
    config = {"model_cfg": TINY, "preprocess_cfg": PREPROCESS}
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    weights = {name: tensor.contiguous() for name, tensor in clip.state_dict().items()}
    save_file(weights, folder / "open_clip_model.safetensors")
    return f"local-dir:{folder}"


@pytest.fixture
def cells(tmp_path: Path) -> Path:
    """An image file."""
    path = tmp_path / "cells.png"
    imageio.imwrite(path, np.random.default_rng(0).integers(0, 256, (40, 70, 3), dtype=np.uint8))
    return path


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
        "run.json",
        *(f"cells_{p}_heatmap.tif" for p in ("nuclei", "actin-filaments", "debris")),
        *(f"cells_{p}_overlay.png" for p in ("nuclei", "actin-filaments", "debris")),
    }
    maps = nch.encode(nch.load_model(model), read_image(cells)).heatmaps(prompts)
    entry = record_in(out)["images"][0]
    for told, prompt, values, similarity in zip(
        entry["results"], maps.prompts, maps.values, maps.similarity, strict=True
    ):
        assert told["prompt"] == prompt
        assert told["similarity"] == pytest.approx(float(similarity), abs=1e-6)
        with tifffile.TiffFile(out / told["heatmap"]) as tiff:
            written = tiff.series[0]
            assert written.axes == "YX"
            assert written.dtype == np.float32
            np.testing.assert_allclose(written.asarray(), values, atol=1e-6)
            assert tiff.shaped_metadata[0]["prompt"] == prompt
        assert read_image(out / told["overlay"]).shape == (40, 70, 3)
        assert told["worth"]["verdict"] in list(Verdict)


def test_what_maps_are_worth_is_told(cells: Path, tmp_path: Path) -> None:
    result = cli("run", cells, *options("nuclei", "xqzv blorp", "a b"), "--output", tmp_path / "o")
    assert result.exit_code == 0, result.output
    assert "never trained on: 'xqzv', 'blorp'" in result.stdout
    assert "'xqzv blorp': hardly depends on the text." in result.stdout
    told = {each["prompt"]: each for each in record_in(tmp_path / "o")["images"][0]["results"]}
    assert told["xqzv blorp"]["worth"]["verdict"] == "hardly depends on the text"


def test_the_record_tells_how_to_repeat(model: str, cells: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    asked = ("--score", "contrast", "--baseline", "glass", "--downsample", "2", "--device", "cpu")
    asked += ("--precision", "bf16", "--preprocess", "half", "--image-size", "40")
    result = cli("run", cells, *options("a", "b"), *asked, "--model", model, "--output", out)
    assert result.exit_code == 0, result.output
    record = record_in(out)
    assert record["settings"] == {
        "images": [str(cells)],
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
    }
    assert record["version"] == nch.__version__
    assert record["model"]["weights_sha256"]
    image = record["images"][0]
    assert image["shape"] == [40, 70, 3]
    assert image["dtype"] == "uint8"
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
    told = record_in(out)["images"][0]["results"]
    assert [each["prompt"] for each in told] == ["nuclei | dapi", "red - blue", "actin"]
    assert told[0]["recipe"] == {"texts": ["my nuclei", "my dapi"], "minus": []}
    assert told[1]["recipe"] == {"texts": ["my red"], "minus": ["my blue"]}
    with tifffile.TiffFile(out / told[0]["heatmap"]) as tiff:
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
    names = [told["heatmap"] for image in images for told in image["results"]]
    assert len(set(names)) == len(names) == 2 * 6, "the repeated prompt and image count once"
    for image in images:
        for told in image["results"]:
            assert read_image(out / told["heatmap"]).shape == tuple(image["shape"][:2])
    assert {path.parent for path in out.rglob("*.*")} == {out}


def test_another_run_s_results_are_not_replaced(model: str, cells: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    other = tmp_path / "deep" / "cells.png"
    other.parent.mkdir()
    imageio.imwrite(other, np.zeros((8, 8), np.uint8))
    words = (*options("a", "b"), "--model", model, "--output", out)
    assert cli("run", cells, *words).exit_code == 0
    before = (out / "cells_a_heatmap.tif").read_bytes()

    refused = cli("run", other, *words)
    assert refused.exit_code == 2
    assert "--overwrite" in refused.stderr
    assert (out / "cells_a_heatmap.tif").read_bytes() == before

    assert cli("run", cells, *words).exit_code == 0, "the same again is no other run"
    assert (out / "cells_a_heatmap.tif").read_bytes() == before
    assert cli("run", other, *words, "--overwrite").exit_code == 0
    assert read_image(out / "cells_a_heatmap.tif").shape == (8, 8)


def test_files_without_a_record_are_not_replaced_either(cells: Path, tmp_path: Path) -> None:
    (tmp_path / "cells_a_overlay.png").write_bytes(b"precious")
    refused = cli("run", cells, *options("a"), "--output", tmp_path)
    assert refused.exit_code == 2
    assert "cells_a_overlay.png" in refused.stderr


def test_a_run_that_stops_keeps_what_is_done(model: str, cells: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no picture")
    out = tmp_path / "out"
    result = cli("run", cells, broken, *options("a", "b"), "--model", model, "--output", out)
    assert result.exit_code == 2
    assert "broken.png" in result.stderr
    assert [image["source"] for image in record_in(out)["images"]] == [str(cells)]


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("run",), "IMAGE"),
        (("run", "CELLS", "--output", "OUT"), "--prompt"),
        (("run", "CELLS", "--prompt", "a"), "--output"),
        (("run", "no-such.png", "--prompt", "a", "--output", "OUT"), "no-such.png"),
        (("run", "FOLDER", "--prompt", "a", "--output", "OUT"), "image file"),
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
        (("run", "CUBE", "--prompt", "a", "--output", "OUT", "--model", "MODEL"), "cube.tif"),
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
    if "OUT" in arguments and "--model" not in arguments:
        arguments += ("--model", "MODEL")
    result = cli(*(meant.get(argument, argument) for argument in arguments))
    assert result.exit_code == 2
    assert result.stderr.startswith("clip-heatmap: ")
    assert result.stderr.count("\n") == 1, result.stderr
    assert word in result.stderr
    assert not list(out.glob("*")), "nothing half done is left"


def test_the_program_itself_answers_in_one_line() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from napari_clip_heatmap.cli import main; main()", "run", "x.png"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr == "clip-heatmap: Missing option '--output'.\n"


def test_it_tells_its_version() -> None:
    result = cli("--version")
    assert (result.exit_code, result.stdout.strip()) == (0, nch.__version__)


def test_without_arguments_the_help_is_shown() -> None:
    assert all(name in cli().stdout for name in ("run", "demo", "evaluate"))


def test_evaluate_passes_everything_on(
    model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = SimpleNamespace()

    def evaluate(model: Any, *, progress: Any, **settings: Any) -> str:
        progress(1, 2)
        given.model, given.settings = model.name, settings
        return "AUROC 1.0"

    monkeypatch.setattr("napari_clip_heatmap.evaluation.evaluate", evaluate)
    where = ("--data", tmp_path, "--output", tmp_path / "out", "--scenes", 3, "--seed", 7)
    result = cli("evaluate", "--model", model, *where)
    assert result.exit_code == 0, result.output
    assert "AUROC 1.0" in result.stdout
    assert given.model == model
    assert given.settings == {
        "data": tmp_path,
        "output": tmp_path / "out",
        "n_scenes": 3,
        "seed": 7,
    }


def test_the_demo_writes_its_pictures_and_says_where(tmp_path: Path) -> None:
    from napari_clip_heatmap.scenes import SAMPLE_PROMPTS

    out = tmp_path / "demo"
    result = cli("demo", "--headless", "--output", out)
    assert result.exit_code == 0, result.output
    assert str(out) in result.stdout
    written = {path.name for path in out.iterdir()}
    assert {"sample.png", "contact_sheet.png", "run.json"} < written
    assert len(written) == 3 + 3 * len(SAMPLE_PROMPTS)
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
    assert (tmp_path / "sample.png").read_bytes() == b"precious"


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


def test_the_cache_is_shown_limited_and_emptied(
    model: str, cells: Path, tmp_path: Path, cache_folder: Path
) -> None:
    def told(*options: str) -> str:
        result = cli("cache", *options)
        assert result.exit_code == 0, result.output
        return result.stdout

    assert "Entries: 0" in told()
    cli("run", cells, *options("a"), "--model", model, "--output", tmp_path / "out")
    assert str(cache_folder) in told()
    assert "Entries: 1" in told("--limit", "2.5")
    assert "of 2500 MB" in told()
    assert "Entries: 0" in told("--clear")
    refused = cli("cache", "--limit", "-1")
    assert (refused.exit_code, refused.stderr.count("\n")) == (2, 1)
