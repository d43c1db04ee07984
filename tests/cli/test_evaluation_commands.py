from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import imageio.v3 as iio
import numpy as np
import pytest
from typer.testing import CliRunner, Result

import napari_clip_heatmap as nch
from napari_clip_heatmap.cli import app
from napari_clip_heatmap.evaluation.auroc import auroc
from napari_clip_heatmap.evaluation.benchmarks.voc21 import (
    VOC21_BARE_NAMES,
    VOC21_OFFICIAL_NAMES,
)
from napari_clip_heatmap.scenes import CLASSES, draw


def cli(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_evaluate_passes_everything_on(
    model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = SimpleNamespace()

    def evaluate(model: Any, *, progress: Any, **settings: Any) -> str:
        progress(1, 2)
        given.model, given.settings = model.name, settings
        return "AUROC 1.0"

    monkeypatch.setattr("napari_clip_heatmap.evaluation.evaluate_model", evaluate)
    where = ("--data", tmp_path, "--output", tmp_path / "out", "--scenes", 3)
    where = (*where, "--seed", 7, "--seeds", 2)
    result = cli("evaluate", "--model", model, *where)
    assert result.exit_code == 0, result.output
    assert "AUROC 1.0" in result.stdout
    assert given.model == model
    assert given.settings == {
        "data": tmp_path,
        "output": tmp_path / "out",
        "n_scenes": 3,
        "seed": 7,
        "n_seeds": 2,
        "fold": None,
    }


def test_figures_for_programs(model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def evaluate(model: Any, *, output: Path, **_: Any) -> str:
        (output / "report.json").write_text('{"nuclei": [0.5]}')
        return "AUROC"

    monkeypatch.setattr("napari_clip_heatmap.evaluation.evaluate_model", evaluate)
    result = cli("evaluate", "-m", model, "-o", tmp_path, "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout) == {"nuclei": [0.5]}


def test_verdicts_for_programs_and_people(model: str, tmp_path: Path) -> None:
    asked = ("honesty", "-m", model, "--scenes", "1", "--gibberish", "1", "-o", tmp_path)
    reported = json.loads(cli(*asked, "--json").stdout)
    assert reported == json.loads((tmp_path / "honesty.json").read_text(encoding="utf-8"))
    assert reported["judged"]
    result = cli(*asked)
    assert str(tmp_path) in result.stdout
    assert "what is not there" in result.stdout


def test_one_special_evaluation_at_a_time(tmp_path: Path) -> None:
    both = cli("evaluate", "--faithfulness", "--localization", "-o", tmp_path)
    assert both.exit_code == 2
    assert "one of them" in both.output
    assert cli("evaluate", "--voc-names", "odd", "-o", tmp_path).exit_code == 2


def test_clicks_are_simulated_at_the_size_that_was_asked_for(
    model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from napari_clip_heatmap.evaluation.clicks import click_report

    asked: list[Any] = []

    def encode(model: Any, image: Any, *, downsample: Any) -> Any:
        asked.append(downsample)
        return nch.encode(model, image, downsample=downsample)

    monkeypatch.setattr(click_report, "encode", encode)
    where = ("-m", model, "-o", tmp_path / "out", "--scenes", 1, "--examples")
    result = cli("evaluate", *where, "--downsample", 2)
    assert result.exit_code == 0, result.output
    assert asked == [2.0]
    alone = cli("evaluate", "-m", model, "-o", tmp_path, "--downsample", 2)
    assert alone.exit_code == 2
    assert "--examples" in alone.output


def test_localization_and_prompt_lists_write_their_reports(model: str, tmp_path: Path) -> None:
    where = ("-m", model, "-o", tmp_path)
    for name in ("localization", "prompt-lists"):
        result = cli("evaluate", f"--{name}", "--scenes", 3, "--seed", 4, *where)
        assert result.exit_code == 0, result.output
        assert "| " in result.stdout
        assert (tmp_path / f"{name}.json").is_file()


def figures(tmp_path: Path, *arguments: object) -> Any:
    """Run an evaluation and return its figures, which are those on disk."""
    result = cli("evaluate", *arguments, "-o", tmp_path / "out", "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_faithfulness_compares_ten_methods_and_tests_additivity(model: str, tmp_path: Path) -> None:
    found = figures(tmp_path, "--faithfulness", "-m", model, "--scenes", 3, "--seed", 4)
    assert found["n_stimuli"] == 3
    assert len(found["methods"]) == 10
    for each in found["methods"].values():
        low, high = each["difference_interval"]
        assert low <= each["difference"] <= high
        assert 0 <= each["p_value"] <= 1
        assert set(each["insertion"]) == set(each["deletion"]) == {"mean", "blur"}
    assert found["methods"]["exact"]["difference"] == 0
    assert len(found["additive"]) == 3
    assert found == json.loads((tmp_path / "out" / "faithfulness.json").read_text())
    assert "| map | insertion - deletion" in (tmp_path / "out" / "faithfulness.md").read_text()


def test_localization_takes_labeled_images(tmp_path: Path) -> None:
    scene = draw(5_000_000, (128, 128), classes=["nuclei"])
    folder = tmp_path / "data" / "nuclei"
    folder.mkdir(parents=True)
    iio.imwrite(folder / "stained_1.png", scene.image)
    iio.imwrite(folder / "stained_1_labels.png", scene.masks["nuclei"].astype(np.uint16))
    found = figures(tmp_path, "--localization", "--data", tmp_path / "data", "--scenes", 1)
    assert found["methods"][0] == "exact"
    assert {"maskclip", "naclip", "value-only", "centered", "last layers"} <= set(found["methods"])
    maps = nch.encode(nch.load_model("demo"), scene.image).heatmaps(CLASSES).values
    own, inside = maps[CLASSES.index("nuclei")], scene.masks["nuclei"]
    expected = auroc(own[inside], own[~inside])
    assert found["auroc"]["nuclei, stained"][0] == [pytest.approx(expected, abs=5e-3)]


@pytest.fixture
def few_texts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask for the classes of drawn scenes, in one sentence: ImageNet has 80,000 texts."""
    texts = "open_clip.zero_shot_metadata"
    monkeypatch.setattr(f"{texts}.IMAGENET_CLASSNAMES", list(CLASSES))
    monkeypatch.setattr(f"{texts}.OPENAI_IMAGENET_TEMPLATES", [lambda name: name])


@pytest.mark.usefixtures("few_texts")
def test_imagenet_masks_lie_on_their_objects(tmp_path: Path) -> None:
    """Tall and wide pictures with things at one side: masks on the other side do not fit."""
    folders = {"aligned": tmp_path / "aligned", "mirrored": tmp_path / "mirrored"}
    for number, shape in enumerate([(150, 110), (110, 150), (110, 150)]):
        scene = draw(5_000_000 + number, shape, classes=["nuclei"], modality="fluorescence")
        truth = scene.masks["nuclei"] & (np.arange(shape[1]) < shape[1] // 2)
        image = np.where(truth[..., None] | ~scene.masks["nuclei"][..., None], scene.image, 0)
        for name, folder in folders.items():
            for kind in ("images", "annotations"):
                (folder / kind).mkdir(parents=True, exist_ok=True)
            iio.imwrite(folder / "images" / f"{number}.png", image.astype(np.uint8))
            mask = truth[:, ::-1] if name == "mirrored" else truth
            iio.imwrite(folder / "annotations" / f"{number}.png", mask.astype(np.uint8))
    found = {
        name: figures(tmp_path, "--imagenet-s", folder, "--limit", 3)["rows"]
        for name, folder in folders.items()
    }
    for crop in ("exact, center crop", "exact, whole picture"):
        aligned, mirrored = found["aligned"][crop], found["mirrored"][crop]
        assert aligned["mAP"] > 0.8 > mirrored["mAP"]
        assert aligned["mIoU"] > mirrored["mIoU"] + 0.1


@pytest.mark.usefixtures("few_texts")
@pytest.mark.parametrize("names", ["official", "bare"])
def test_voc_is_measured_in_its_own_folders(model: str, tmp_path: Path, names: str) -> None:
    folder = tmp_path / "VOCdevkit" / "VOC2012"
    for name in ("JPEGImages", "SegmentationClass", "ImageSets/Segmentation"):
        (folder / name).mkdir(parents=True)
    (folder / "ImageSets" / "Segmentation" / "val.txt").write_text("a\nb\n")
    rng = np.random.default_rng(0)
    for stem in "ab":
        picture = rng.integers(0, 255, (48, 60, 3), np.uint8)
        iio.imwrite(folder / "JPEGImages" / f"{stem}.jpg", picture)
        truth = np.zeros((48, 60), np.uint8)
        truth[10:30, 20:40] = 7
        iio.imwrite(folder / "SegmentationClass" / f"{stem}.png", truth)
    found = figures(tmp_path, "--voc", tmp_path, "--voc-names", names, "-m", model)
    assert found["n_images"] == 2
    loaded = nch.load_model(model)
    phrases = VOC21_BARE_NAMES if names == "bare" else VOC21_OFFICIAL_NAMES
    owners = [number for number, phrase in enumerate(phrases) for _ in phrase]
    hits = 0.0
    for stem in "ab":
        encoding = nch.encode(
            loaded, iio.imread(folder / "JPEGImages" / f"{stem}.jpg"), downsample=1
        )
        maps = [
            encoding.heatmaps([name], "absolute").values[0] for each in phrases for name in each
        ]
        winner = np.array(owners)[np.argmax(maps, axis=0)]
        hits += float((winner == truth).mean()) / 2
    row = found["rows"][f"exact, {names} names"]
    assert row["pixel accuracy"] == pytest.approx(hits, abs=5e-3)


def test_calibrate_writes_a_record(
    model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "napari_clip_heatmap.pipeline.calibration._user_folder", lambda: tmp_path / "own"
    )
    result = cli("calibrate", model, "--scenes", 24, "--seed", 3)
    assert result.exit_code == 0, result.output
    assert len(list((tmp_path / "own").glob("*.json"))) == 1
    assert "Verdicts use it from now on" in result.stdout
    empty = tmp_path / "empty"
    empty.mkdir()
    refused = cli("calibrate", "demo", "--images", empty)
    assert refused.exit_code != 0
