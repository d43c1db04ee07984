from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from napari_clip_heatmap.cli import app
from napari_clip_heatmap.cli.application import ExitCode


def cli(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_models_for_programs() -> None:
    reported = json.loads(cli("models", "demo", "--json").stdout)
    assert "demo" in [entry["name"] for entry in reported]
    here = json.loads(cli("models", "--here", "--json").stdout)
    assert all(entry["here"] for entry in here)


def test_a_download_for_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    def download(name: str, *, progress: object) -> Path:
        return Path("weights") / name

    monkeypatch.setattr("napari_clip_heatmap.api.download_model", download)
    reported = json.loads(cli("download", "ViT-B-16", "--json").stdout)
    assert reported == {"model": "ViT-B-16", "path": str(Path("weights/ViT-B-16"))}
    assert cli("download", "ViT-B-16", "-q").output == ""


def test_a_stopped_download_says_that_it_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(name: str, *, progress: object) -> Path:
        raise KeyboardInterrupt

    monkeypatch.setattr("napari_clip_heatmap.api.download_model", stopped)
    result = cli("download", "ViT-B-16")
    assert result.exit_code == ExitCode.INTERRUPTED
    assert "the next call goes on" in result.stdout
