from __future__ import annotations

import json
from pathlib import Path

from typer.testing import CliRunner, Result

from napari_clip_heatmap.cli import app


def cli(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_the_cache_is_shown_limited_and_emptied(
    model: str, cells: Path, tmp_path: Path, cache_folder: Path
) -> None:
    def reported(*options: str) -> str:
        result = cli("cache", *options)
        assert result.exit_code == 0, result.output
        return result.stdout

    assert "Entries: 0" in reported()
    cli("run", cells, "-p", "a", "--model", model, "--output", tmp_path / "out")
    assert str(cache_folder) in reported()
    assert "Entries: 1" in reported("--limit", "2.5")
    assert "of 2500 MB" in reported()
    assert "Entries: 0" in reported("--clear")
    refused = cli("cache", "--limit", "-1")
    assert (refused.exit_code, refused.stderr.count("\n")) == (2, 1)


def test_figures_for_programs(cache_folder: Path) -> None:
    reported = json.loads(cli("cache", "--limit", "1", "--clear", "--json").stdout)
    assert reported == {
        "folder": str(cache_folder),
        "entries": 0,
        "bytes": 0,
        "limit": 10**9,
        "removed": 0,
    }
    assert cli("cache", "-q").output == ""
