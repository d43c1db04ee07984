from __future__ import annotations

from pathlib import Path

import pytest
import typer

from napari_clip_heatmap.batch.job_settings_file import (
    SETTINGS_FILE,
    option_values,
    read_settings_file,
    write_settings_file,
)
from napari_clip_heatmap.batch.run_settings import RunSettings
from napari_clip_heatmap.cli import app
from napari_clip_heatmap.errors import SettingsError
from napari_clip_heatmap.files.reading.picture_choice import PictureChoice
from napari_clip_heatmap.imaging.view import View


def test_each_name_is_an_option_of_the_command(tmp_path: Path) -> None:
    command = typer.main.get_command(app).commands["run"]  # type: ignore[attr-defined]
    options = {text.lstrip("-") for each in command.params for text in each.opts}
    values = option_values(
        RunSettings(
            ("a.tif",),
            ("x",),
            tmp_path,
            recursive=True,
            image_size=96,
            mpp=0.5,
            layers=("L1",),
            heads=("2",),
            inside="tissue",
            objects="labels.tif",
            view=View("raw"),
        )
    )
    assert set(values) <= options
    assert {"layers", "heads", "mpp", "image-size", "recursive", "objects"} <= set(values)


@pytest.mark.parametrize("name", ["page", "series", "time", "z"])
def test_the_first_of_several_is_a_choice(name: str, tmp_path: Path) -> None:
    choice = PictureChoice(**{name: 0})
    values = option_values(RunSettings(("a.tif",), ("x",), tmp_path, choice=choice, threshold=0.0))
    assert values[name] == values["threshold"] == 0
    assert "recursive" not in values


def test_what_is_written_is_read(tmp_path: Path) -> None:
    settings = RunSettings(("a.tif",), ("細胞核 🔬", "no"), tmp_path, threshold=0.5)
    write_settings_file(tmp_path, settings)
    values = read_settings_file(tmp_path / SETTINGS_FILE, set(option_values(settings)))
    with pytest.raises(SettingsError, match="is of 'clip-heatmap run'"):
        read_settings_file(tmp_path / SETTINGS_FILE, set(values), "prompt")
    assert values == option_values(settings)
    assert values["prompt"] == ["細胞核 🔬", "no"]


@pytest.mark.parametrize(
    ("text", "word"),
    [("model: [", "cannot be read"), ("- a", "no settings"), ("colour: red", "colour")],
)
def test_bad_files_are_refused(text: str, word: str, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(text)
    with pytest.raises(SettingsError, match=word):
        read_settings_file(tmp_path / "a.yaml", {"model"})
    with pytest.raises(SettingsError, match="cannot be read"):
        read_settings_file(tmp_path / "b.yaml", {"model"})
