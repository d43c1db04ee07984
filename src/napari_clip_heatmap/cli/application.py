"""The command line itself: how it ends, and what it says when something goes wrong."""

from __future__ import annotations

import errno
import json
import logging
import re
import sys
import traceback
from enum import IntEnum
from types import TracebackType
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from napari_clip_heatmap.errors import Cancelled, ClipHeatmapError, OutputError

__all__ = ["ExitCode", "app", "main"]

EXIT_CODES = """
Exit codes, for scripts:
  0    done
  1    some images failed, the others are done
  2    a mistake in the command, explained in one line (with --json also as JSON)
  3    the disk is full or fails
  70   an error in this program, with its traceback
  130  stopped with Ctrl+C
"""

_DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EIO)


class ExitCode(IntEnum):
    """What the program says to a script when it ends.

    Examples
    --------
    >>> int(ExitCode.SOME_FAILED)
    1
    """

    DONE = 0
    SOME_FAILED = 1
    MISTAKE = 2
    DISK = 3
    BUG = 70
    INTERRUPTED = 130


class OneLineErrors(TyperGroup):
    """A command group that explains a mistake in one line, without traceback or usage page."""

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Run the command line and leave with its exit code."""
        kwargs["standalone_mode"] = False
        given = [*(sys.argv[1:] if kwargs.get("args") is None else kwargs["args"])]
        as_json = "--json" in given
        try:
            code = super().main(*args, **kwargs)
            if code == ExitCode.INTERRUPTED:  # before there was anything to say
                typer.echo("clip-heatmap: stopped; what is done is kept", err=True)
        except Cancelled as error:
            typer.echo(f"clip-heatmap: {error}", err=True)
            code = ExitCode.INTERRUPTED
        except (ClipHeatmapError, typer.TyperException) as error:
            text = _one_line(error)
            if text:  # empty when the help was shown for want of arguments
                _complain(text, _code_of(error), as_json=as_json)
            code = _code_of(error)
        except OSError as error:
            if error.errno not in _DISK_ERRORS:
                raise
            code = ExitCode.DISK
            _complain(f"{error}; make room or choose another --output", code, as_json=as_json)
        sys.exit(code)


def _complain(text: str, code: ExitCode, *, as_json: bool) -> None:
    """Write what went wrong in one line on stderr, and for programs as JSON on stdout."""
    typer.echo(f"clip-heatmap: {text}", err=True)
    if as_json:
        typer.echo(json.dumps({"error": text, "exit_code": int(code)}, ensure_ascii=False))


class _BugsHaveTheirOwnCode:
    """Show the traceback of an unexpected error, and leave with a code of its own.

    Python would leave with 1, which here says that some images failed.
    """

    def __enter__(self) -> None:
        pass

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None or isinstance(error, SystemExit):
            return
        traceback.print_exception(error)
        typer.echo("clip-heatmap: this is an error in the program; please report it", err=True)
        sys.exit(ExitCode.BUG)


app = typer.Typer(
    cls=OneLineErrors,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=EXIT_CODES,
)


def _tell_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(version("napari-clip-heatmap"))
        raise typer.Exit


@app.callback()
def common(
    _version: Annotated[
        bool,
        typer.Option("--version", callback=_tell_version, is_eager=True, help="Tell the version."),
    ] = False,
) -> None:
    """Ask images a question in words: one heatmap per prompt, from CLIP's exact decomposition."""


def main() -> None:
    """Run the command line.

    Examples
    --------
    >>> main()  # doctest: +SKIP
    """
    for stream in (sys.stdout, sys.stderr):  # a prompt's letters may not be in a terminal's
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    # What matters of a damaged TIFF is raised as an error, in one line.
    logging.getLogger("tifffile").setLevel(logging.CRITICAL)
    with _BugsHaveTheirOwnCode():
        app(prog_name="clip-heatmap")


def _one_line(error: Exception) -> str:
    """Return an error's words; of an option its long name is enough."""
    text = error.format_message() if isinstance(error, typer.TyperException) else str(error)
    return re.sub(r"'(--[\w-]+)' / '-\w'", r"'\1'", " ".join(text.split()))


def _code_of(error: Exception) -> ExitCode:
    if isinstance(error, OutputError):
        number = getattr(error.__cause__, "errno", error.errno)
        return ExitCode.DISK if number in _DISK_ERRORS else ExitCode.MISTAKE
    return ExitCode.MISTAKE
