"""``run.json``: everything needed to repeat a run and to say where its files come from."""

from __future__ import annotations

import hashlib
import json
import platform
from datetime import UTC, datetime
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from napari_clip_heatmap.errors import OutputError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["RECORD_NAME", "new_record", "read_record", "sha256_of", "write_record"]

RECORD_NAME = "run.json"
RECORD_FORMAT = 1


def new_record(settings: dict[str, Any], model: dict[str, object]) -> dict[str, Any]:
    """Start the record of a run: no image is done yet.

    Parameters
    ----------
    settings : dict
        What was asked: model, device, precision, prompts, score, baseline, downsample.
    model : dict
        What answered: the loaded model's own description.

    Returns
    -------
    dict
        JSON-able; ``images`` is filled as they are done.
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
    """Write the record whole or not at all.

    Parameters
    ----------
    folder : Path
        Where the results lie.
    record : dict
        As made by `new_record`.

    Returns
    -------
    Path
        The file written.
    """
    path = folder / RECORD_NAME
    draft = path.with_suffix(".json.part")
    draft.write_text(json.dumps(record, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return draft.replace(path)


def read_record(folder: Path) -> dict[str, Any] | None:
    """Read the record of an earlier run in a folder, or None where there is none.

    Raises
    ------
    OutputError
        If there is one that cannot be understood: whatever wrote it is not to be overwritten.
    """
    path = folder / RECORD_NAME
    if not path.exists():
        return None
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise OutputError(
            f"'{path}' is there but cannot be read as a run's record ({error}); "
            "choose another --output, or remove it"
        ) from error
    return record if isinstance(record, dict) else {}


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
