from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import typer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from napari_clip_heatmap.batch import run_job
from napari_clip_heatmap.batch.inputs.colored_channels import ChannelColor
from napari_clip_heatmap.batch.job_settings_file import (
    SETTINGS_FILE,
    option_values,
    read_settings_file,
    write_settings_file,
)
from napari_clip_heatmap.batch.run_settings import KINDS, RunSettings
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
    written = RunSettings(("a.tif",), ("細胞核 🔬", "no"), tmp_path, threshold=0.5)
    write_settings_file(tmp_path, written)
    values = read_settings_file(tmp_path / SETTINGS_FILE, set(option_values(written)))
    with pytest.raises(SettingsError, match="is of 'clip-heatmap run'"):
        read_settings_file(tmp_path / SETTINGS_FILE, set(values), "prompt")
    assert values == option_values(written)
    assert values["prompt"] == ["細胞核 🔬", "no"]


_FEW = st.none() | st.integers(0, 12)
_VIEWS = st.sampled_from(["shown", "min-max", "raw"]).map(View) | st.tuples(
    st.floats(-1e6, 0), st.floats(1, 1e6)
).map(lambda pair: View(limits=pair))
_COLORS = st.lists(st.integers(0, 9), max_size=4, unique=True).map(
    lambda numbers: tuple(ChannelColor(n, f"hsl({40 * n}, 90%, 50%)") for n in numbers)
)


@st.composite
def asked(draw: st.DrawFn) -> RunSettings:
    """Settings of any kind that the command takes."""
    colors = draw(_COLORS)
    channel = st.none() | st.integers(0, 12) | st.tuples(*[st.integers(0, 12)] * 3)
    choice = PictureChoice(
        page=draw(_FEW),
        series=draw(_FEW),
        channel=None if colors else draw(channel),
        time=draw(_FEW),
        z=draw(_FEW),
    )
    by_pixel = draw(st.booleans())
    kinds = st.lists(st.sampled_from(KINDS), min_size=1, unique=True)
    return RunSettings(
        ("a.tif",),
        tuple(draw(st.lists(st.sampled_from(["nuclei", "細胞核", "a - b", "-x"]), min_size=1))),
        Path("out").absolute(),
        score=draw(st.sampled_from(["relative", "absolute", "balanced"])),
        templates=draw(st.sampled_from([("{}",), ("a photo of {}", "{}, stained")])),
        downsample="auto" if by_pixel else draw(st.just("auto") | st.floats(0.25, 64)),
        mpp=draw(st.floats(1e-3, 1e3)) if by_pixel else None,
        quality=draw(st.sampled_from(["standard", "fine", "finest"])),
        image_size=draw(st.none() | st.integers(1, 999)),
        preprocess=draw(st.none() | st.sampled_from(["openai", "0.1,0.2,0.3/1,1,1"])),
        layers=draw(st.sampled_from([(), ("0",), ("L3", "5")])),
        heads=draw(st.sampled_from([(), ("0",), ("L3H0", "7")])),
        view=draw(_VIEWS),
        choice=choice,
        colors=colors,
        inside=draw(st.sampled_from([None, "tissue", "labels:a.tif"])),
        write=tuple(draw(kinds)),
        format=draw(st.sampled_from(["tif", "ome-zarr"])),
        threshold=draw(st.sampled_from(["otsu"]) | st.floats(-10, 10)),
    )


class _PlannedError(Exception):
    def __init__(self, settings: RunSettings) -> None:
        self.settings = settings


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(wanted=asked())
def test_a_job_is_repeated_from_its_file(wanted: RunSettings, tmp_path: Path) -> None:
    def planned(settings: RunSettings, **others: object) -> None:
        raise _PlannedError(settings)

    write_settings_file(tmp_path, wanted)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run_job, "plan_job", planned)
        command = ["run", "--config", str(tmp_path / SETTINGS_FILE)]
        result = CliRunner().invoke(app, command)
    assert isinstance(result.exception, _PlannedError), result.output
    again = result.exception.settings
    assert again.decisive() == replace(wanted, prompts=again.prompts).decisive()
    assert again.prompts == tuple(dict.fromkeys(wanted.prompts))
    assert again.write == wanted.write


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
