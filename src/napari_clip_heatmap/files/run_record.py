"""``run.json``: what is needed to repeat a run and to say where its files come from."""

from __future__ import annotations

import json
import platform
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from napari_clip_heatmap.errors import OutputError, shorten

__all__ = ["RECORD_NAME", "new_record", "read_record", "write_record"]

RECORD_NAME = "run.json"
RECORD_FORMAT = 1


def new_record(settings: dict[str, Any], model: dict[str, object]) -> dict[str, Any]:
    """Start the record of a run of which no image is done yet.

    Parameters
    ----------
    settings : dict
        What was requested, as `RunRequest.settings` returns it.
    model : dict
        The loaded model's own description.

    Returns
    -------
    dict
        Values that JSON has; ``images`` and ``failed`` are filled while the run goes on.

    Examples
    --------
    >>> new_record({}, {})["images"]
    []
    """
    return {
        "format": RECORD_FORMAT,
        "program": "napari-clip-heatmap",
        "version": version("napari-clip-heatmap"),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "settings": settings,
        "model": model,
        "images": [],
        "failed": [],
    }


def write_record(folder: Path, record: dict[str, Any]) -> Path:
    """Write the record, whole or not at all.

    Parameters
    ----------
    folder : Path
        Where the results are.
    record : dict
        From `new_record`.

    Returns
    -------
    Path
        The written file.

    Examples
    --------
    >>> write_record(Path("results"), new_record({}, {}))  # doctest: +SKIP
    """
    path = folder / RECORD_NAME
    draft = path.with_suffix(".json.part")
    draft.write_text(json.dumps(record, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return draft.replace(path)


def read_record(folder: Path) -> dict[str, Any] | None:
    """Read the record of an earlier run in a folder; None where there is none.

    Raises
    ------
    OutputError
        There is a file of that name which is no record, and must not be overwritten.

    Examples
    --------
    >>> read_record(Path("empty folder")) is None
    True
    """
    path = folder / RECORD_NAME
    if not path.exists():
        return None
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise OutputError(
            f"'{shorten(path)}' cannot be read as the record of a run ({shorten(error)}); "
            "choose another --output, or remove it"
        ) from error
    return record if isinstance(record, dict) else {}
