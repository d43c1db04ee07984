from __future__ import annotations

import errno
import json
import os
import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

import napari_clip_heatmap as nch
from napari_clip_heatmap.cli import app
from napari_clip_heatmap.cli.application import ExitCode
from napari_clip_heatmap.cli.run_plan import RunPlan
from napari_clip_heatmap.errors import Cancelled, OutputError

PROGRAM = "from napari_clip_heatmap.cli import main; main()"


def cli(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def program(
    *arguments: object, code: str = PROGRAM, **environment: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )


def test_the_program_itself_answers_in_one_line() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from napari_clip_heatmap.cli import main; main()", "run", "x.png"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr == "clip-heatmap: Missing option '--output'.\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ("run", "x.png", "--json"),
        ("run", "x.png", "-o", "out", "--json", "-p", "nuclei"),
        ("run", "--json", "x.png", "-o", "out", "-p", "nuclei", "--view", "9,2"),
        ("models", "--json", "--nothing"),
    ],
)
def test_a_mistake_is_also_told_to_programs(arguments: tuple[str, ...]) -> None:
    result = cli(*arguments)
    assert result.exit_code == 2
    reported = json.loads(result.stdout)
    assert reported == {"error": reported["error"], "exit_code": 2}
    assert result.stderr == f"clip-heatmap: {reported['error']}\n"


def test_it_tells_its_version() -> None:
    result = cli("--version")
    assert (result.exit_code, result.stdout.strip()) == (0, nch.__version__)


def test_without_arguments_the_help_is_shown() -> None:
    for shown in (cli(), cli("-h"), cli("--help")):
        assert all(name in shown.stdout for name in ("run", "demo", "evaluate", "Exit codes"))


def test_every_exit_code_is_in_the_help() -> None:
    text = cli("-h").stdout
    assert all(f"  {code} " in text for code in map(int, ExitCode))


def test_an_unexpected_error_keeps_its_traceback_and_has_its_own_code(tmp_path: Path) -> None:
    broken = (
        "import napari_clip_heatmap.api as api\n"
        "def list_models(search): raise ZeroDivisionError('a bug')\n"
        "api.list_models = list_models\n"
    )
    done = program("models", code=broken + PROGRAM)
    assert done.returncode == ExitCode.BUG
    assert "Traceback" in done.stderr
    assert "ZeroDivisionError: a bug" in done.stderr
    assert "please report it" in done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_a_run_that_is_stopped_says_so(tmp_path: Path, cells: Path) -> None:
    waiting = (
        "import napari_clip_heatmap.api as api, pathlib, time\n"
        "def load_model(*_, **__):\n"
        f"    pathlib.Path({str(tmp_path / 'begun')!r}).touch()\n"
        "    time.sleep(60)\n"
        "api.load_model = load_model\n"
    )
    asked = ["run", str(cells), "-p", "a", "-o", str(tmp_path / "out")]
    process = subprocess.Popen(
        [sys.executable, "-c", waiting + PROGRAM, *asked], stderr=subprocess.PIPE, text=True
    )
    for _ in range(600):
        if (tmp_path / "begun").exists():
            break
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == ExitCode.INTERRUPTED
    assert stderr == "clip-heatmap: stopped; what is done is kept\n"


def test_a_stopped_job_says_so_in_one_line(
    tmp_path: Path, cells: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*_: Any) -> Any:
        raise Cancelled("stopped")
        yield

    monkeypatch.setattr(RunPlan, "outcomes", stopped)
    asked = ["run", str(cells), "-p", "a", "-o", str(tmp_path / "out"), "--json"]
    result = CliRunner().invoke(app, asked)
    assert result.exit_code == ExitCode.INTERRUPTED
    (line,) = result.stderr.splitlines()
    assert line.startswith("clip-heatmap: stopped; 0 of 1 images are done, and finished tiles are")
    assert line.endswith("Repeat the command to go on")


@pytest.mark.parametrize(
    ("number", "code"), [(errno.ENOSPC, ExitCode.DISK), (errno.EACCES, ExitCode.MISTAKE)]
)
def test_a_disk_error_of_a_worker_has_the_code_of_the_disk(
    number: int, code: ExitCode, tmp_path: Path, cells: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: Any) -> Any:
        error = OutputError("results cannot be written")
        error.__cause__ = OSError(number, "the disk refuses")
        raise pickle.loads(pickle.dumps(error))  # as it comes from another process
        yield

    monkeypatch.setattr(RunPlan, "outcomes", failing)
    asked = ["run", str(cells), "-p", "a", "-o", str(tmp_path / "out")]
    assert CliRunner().invoke(app, asked).exit_code == code


def test_letters_that_a_terminal_lacks_are_no_error(tmp_path: Path) -> None:
    done = program("run", "🔬.png", "-p", "細胞", "-o", tmp_path, PYTHONIOENCODING="cp1252")
    assert done.returncode == ExitCode.MISTAKE
    assert "U0001f52c" in done.stderr


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("run -m dem", "demo"),
        ("run --score rel", "relative"),
        ("run --prompts blood", "blood smear"),
        ("run --view per", "percentile"),
        ("hon", "honesty"),
    ],
)
def test_the_shell_completes(words: str, offered: str) -> None:
    environment = {
        "_CLIP_HEATMAP_COMPLETE": "complete_bash",
        "COMP_WORDS": f"clip-heatmap {words}",
        "COMP_CWORD": str(len(words.split())),
    }
    done = program(**environment)
    assert done.stdout.split("\n")[0] == offered


def test_completion_is_offered() -> None:
    assert "--install-completion" in cli("-h").stdout
