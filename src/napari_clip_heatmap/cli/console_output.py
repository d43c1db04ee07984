"""What commands write: sentences for people, JSON for programs, and a bar while they work."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import typer

__all__ = ["Printer"]


@dataclass(frozen=True)
class Printer:
    """Where a command's words go, by its options ``--quiet`` and ``--json``.

    Parameters
    ----------
    quiet : bool
        Write nothing but errors.
    as_json : bool
        Write one JSON value on stdout instead of sentences.

    Examples
    --------
    >>> Printer().say("done")
    done
    >>> Printer(as_json=True).data({"done": 1})
    {"done": 1}
    """

    quiet: bool = False
    as_json: bool = False

    def say(self, text: object) -> None:
        """Write a sentence for people on stdout."""
        if not (self.quiet or self.as_json):
            typer.echo(str(text))

    def data(self, value: Any) -> None:
        """Write the result for programs on stdout."""
        if self.as_json:
            typer.echo(json.dumps(value, ensure_ascii=False))

    def complain(self, text: str) -> None:
        """Write what went wrong on stderr, whatever the options."""
        typer.echo(text, err=True)

    @contextmanager
    def progress(self, what: str, *, in_bytes: bool = False) -> Iterator[Callable[..., None]]:
        """Show a bar on stderr, and give the callable (done, total) that moves it."""
        from rich.console import Console
        from rich.progress import (
            DownloadColumn,
            Progress,
            TimeRemainingColumn,
            TransferSpeedColumn,
        )

        console = Console(stderr=True)
        columns = Progress.get_default_columns()
        if in_bytes:
            columns = (*columns[:2], DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
        # A log gets no bar: even an empty one leaves a blank line there.
        hidden = self.quiet or not console.is_terminal
        with Progress(*columns, console=console, transient=True, disable=hidden) as bars:
            task = bars.add_task(what, total=None)
            yield lambda done, total: bars.update(task, completed=done, total=total)
