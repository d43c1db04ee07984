from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest
import typer
from typer.testing import CliRunner

from napari_clip_heatmap.cli import app, run_options
from napari_clip_heatmap.imaging.lattice import Quality

COMMANDS = typer.main.get_command(app).commands  # type: ignore[attr-defined]


def test_every_option_is_used_by_some_command() -> None:
    helps = {each.help for command in COMMANDS.values() for each in command.params}
    for name in run_options.__all__:
        (said,) = getattr(run_options, name).__metadata__
        assert said.help in helps, name


def test_the_qualities_are_those_of_the_library() -> None:
    assert get_args(get_args(run_options.QualityName)[0]) == get_args(Quality)


@pytest.mark.parametrize("command", ["run", "encode", "prompt"])
def test_every_option_has_a_help(command: str) -> None:
    for each in COMMANDS[command].params:
        if each.name not in ("help",):
            assert each.help, (command, each.name)


def test_the_command_line_comes_before_the_file(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("inputs: [no-such.tif]\nprompt: [a]\nscore: odd\n")
    asked = ["run", "--config", str(tmp_path / "a.yaml"), "-o", str(tmp_path / "out")]
    result = CliRunner().invoke(app, asked)
    assert "odd" in result.stderr
    result = CliRunner().invoke(app, [*asked, "--score", "absolute"])
    assert "no-such.tif" in result.stderr
