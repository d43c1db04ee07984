from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from napari_clip_heatmap.cli import app


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


def test_figures_for_programs(model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def evaluate(model: Any, *, output: Path, **_: Any) -> str:
        (output / "report.json").write_text('{"nuclei": [0.5]}')
        return "AUROC"

    monkeypatch.setattr("napari_clip_heatmap.evaluation.evaluate_model", evaluate)
    result = cli("evaluate", "-m", model, "-o", tmp_path, "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout) == {"nuclei": [0.5]}


def test_verdicts_for_programs_and_people(tmp_path: Path) -> None:
    asked = ("honesty", "--scenes", "1", "--gibberish", "1", "-o", tmp_path)
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


def test_localization_and_prompt_lists_write_their_reports(tmp_path: Path) -> None:
    for name in ("localization", "prompt-lists"):
        result = cli("evaluate", f"--{name}", "--scenes", 3, "--seed", 4, "-o", tmp_path)
        assert result.exit_code == 0, result.output
        assert "| " in result.stdout
        assert (tmp_path / f"{name}.json").is_file()


def test_calibrate_writes_a_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "napari_clip_heatmap.pipeline.calibration._user_folder", lambda: tmp_path / "own"
    )
    result = cli("calibrate", "demo", "--scenes", 24, "--seed", 3)
    assert result.exit_code == 0, result.output
    assert len(list((tmp_path / "own").glob("*.json"))) == 1
    assert "Verdicts use it from now on" in result.stdout
    empty = tmp_path / "empty"
    empty.mkdir()
    refused = cli("calibrate", "demo", "--images", empty)
    assert refused.exit_code != 0
