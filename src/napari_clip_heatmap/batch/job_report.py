"""The reports of a job: ``run.json``, ``summary.csv``, ``summary.html`` and ``run.yaml``."""

from __future__ import annotations

import base64
import csv
import html
import io
import platform
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_clip_heatmap.batch.job_settings_file import Command, write_settings_file
from napari_clip_heatmap.batch.thumbnails import read_thumbnails
from napari_clip_heatmap.batch.whole_output import disk_errors, write_json, writing
from napari_clip_heatmap.pipeline.presence import of_no_patch

if TYPE_CHECKING:
    from napari_clip_heatmap.batch.job_folder import JobFolder
    from napari_clip_heatmap.batch.run_settings import RunSettings

__all__ = ["RUN_JSON", "SUMMARY_CSV", "SUMMARY_HTML", "write_reports"]

RUN_JSON, SUMMARY_CSV, SUMMARY_HTML = "run.json", "summary.csv", "summary.html"
RECORD_FORMAT = 1

_MANY = 100
"""Images up to which ``run.json`` is written to be read by people, too; it takes longer."""

_PLACES = ("row", "column", "field")
_STYLE = """
body { font: 14px/1.5 system-ui, sans-serif; margin: 2em; color: #222; background: #fff }
table { border-collapse: collapse }
th, td { padding: 6px 10px; text-align: left; vertical-align: top }
tr:nth-child(even) { background: #f6f6f6 } img { display: block; image-rendering: auto }
.weak { color: #777 } .failed { color: #a00 } th { position: sticky; top: 0; background: #fff }
"""


def write_reports(job: JobFolder, settings: RunSettings) -> dict[str, Any]:
    """Write all reports of what is done by now, and return the record of ``run.json``.

    Parameters
    ----------
    job : JobFolder
    settings : RunSettings

    Raises
    ------
    OutputError
        The disk refuses.

    Examples
    --------
    >>> record = write_reports(job.folder, job.settings)  # doctest: +SKIP
    >>> len(record["images"]), len(record["failed"])  # doctest: +SKIP
    (997, 3)
    """
    identity = settings.identity()
    records = {
        name: record for name, record in job.records().items() if record["settings"] == identity
    }
    done = {name: each for name, each in records.items() if each["state"] == "done"}
    failed = {name: each for name, each in records.items() if each["state"] == "failed"}
    record = _run_record(settings, done.values(), failed.values())
    with disk_errors(job.folder):
        many = len(record["images"]) > _MANY
        write_json(job.folder / RUN_JSON, record, indent=None if many else 2)
        all_settings = _of_all_commands(job, settings, done.values())
        write_settings_file(job.folder, all_settings, _command(settings, records.values()))
        _write_csv(job.folder / SUMMARY_CSV, record["images"])
        with writing(job.folder / SUMMARY_HTML) as draft, draft.open("w", encoding="utf-8") as page:
            page.writelines(_html(job, done, failed, settings))
    return record


def _command(settings: RunSettings, records: Iterable[dict[str, Any]]) -> Command:
    """Return the command that makes such a job."""
    if any(each["reader"] == "encoding" for each in records):
        return "prompt"
    return "run" if settings.prompts else "encode"


def _of_all_commands(
    job: JobFolder, settings: RunSettings, done: Iterable[dict[str, Any]]
) -> RunSettings:
    """Return settings with the inputs and kinds of output of earlier commands, too."""
    kinds = dict.fromkeys(kind for each in done for kind in each["kinds"])
    inputs = tuple(job.inputs(settings)) or settings.inputs
    return replace(settings, inputs=inputs, write=tuple(kinds) or settings.write)


def _run_record(
    settings: RunSettings, done: Iterable[dict[str, Any]], failed: Iterable[dict[str, Any]]
) -> dict[str, Any]:
    """Return what is needed to repeat a job and to say where its files come from."""
    images = list(done)
    requested = settings.record()
    sources = dict.fromkeys(each["source"] for each in images)
    return {
        "format": RECORD_FORMAT,
        "program": "napari-clip-heatmap",
        "version": version("napari-clip-heatmap"),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "settings": {"images": list(sources), **requested},
        "model": images[0]["model"] if images else {},
        "images": [each["entry"] for each in images],
        "failed": [{"source": each["source"], "reason": each["reason"]} for each in failed],
    }


def _write_csv(path: Path, images: Sequence[dict[str, Any]]) -> None:
    """Write one row per image, plane and prompt."""
    axes = dict.fromkeys(axis for image in images for axis in image["axes"] if axis not in "yx")
    places = [name for name in _PLACES if any(name in image for image in images)]
    counted = any("count" in each for image in images for each in image["results"])
    unit = {image["unit"] for image in images}
    in_unit = counted and len(unit) == 1 and None not in unit
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(
        [
            *("source", "part", *places, *axes, "prompt", "similarity", "unowned", "trust"),
            *(("count", "area_pixels", "area_fraction") if counted else ()),
            *((f"area_{next(iter(unit))}2",) if in_unit else ()),
        ]
    )
    for image in images:
        for each in image["results"]:
            plane = each.get("plane", {})
            row = [image["source"], image.get("part", "")]
            row += [image.get(name, "") for name in places]
            row += [plane.get(axis, "") for axis in axes]
            unowned = each["worth"].get("unowned")
            row += [each["prompt"], f"{each['similarity']:.6g}"]
            row += ["" if unowned is None else f"{unowned:.6g}", each["worth"]["trust"]]
            areas = _areas(image, each, in_unit=in_unit) if counted else []
            writer.writerow([*row, *areas])
    with writing(path) as draft:
        draft.write_text(text.getvalue(), encoding="utf-8", newline="")


def _areas(image: dict[str, Any], each: dict[str, Any], *, in_unit: bool) -> list[Any]:
    if "count" not in each:  # of an image that was done before objects were wanted
        return [""] * (4 if in_unit else 3)
    height, width = image["encoding"]["image_shape"]
    cells = [each["count"], each["area"], f"{each['area'] / (height * width):.6g}"]
    if in_unit:
        y, x = image["pixel_size"]
        cells.append(f"{each['area'] * y * x:.6g}")
    return cells


def _html(
    job: JobFolder,
    done: dict[str, dict[str, Any]],
    failed: dict[str, dict[str, Any]],
    settings: RunSettings,
) -> Iterator[str]:
    """Yield a page that needs no other file: a row of pictures for each image."""
    prompts = settings.prompts
    title = f"{len(done)} images, {len(prompts)} prompts"
    yield f"<!doctype html>\n<meta charset='utf-8'><title>{title}</title><style>{_STYLE}</style>\n"
    model = html.escape(_model_name(done) or settings.model)
    yield f"<h1>{title}</h1>\n<p>Model {model}, score {settings.score}. "
    yield "Red contributes most to the prompt in this image, blue least; each map has its own "
    yield "range.</p>\n"
    if failed:
        yield f"<h2 class='failed'>{len(failed)} failed</h2><ul>"
        for each in failed.values():
            yield f"<li>{html.escape(each['reason'])}</li>\n"
        yield "</ul>\n"
    heads = "".join(f"<th>{html.escape(prompt)}</th>" for prompt in prompts)
    yield f"<table><tr><th>image</th><th></th>{heads}</tr>\n"
    for name, record in done.items():
        yield _html_row(job, name, record)
    yield "</table>\n"


def _html_row(job: JobFolder, name: str, record: dict[str, Any]) -> str:
    entry = record["entry"]
    middle = entry["planes"] // 2
    n_prompts = len(entry["results"]) // entry["planes"]
    pictures = [_image(each) for each in read_thumbnails(job.thumbnails(name))]
    of_maps = [""] * n_prompts + pictures  # none of an older job; of encodings, no image
    of_maps = of_maps[len(of_maps) - n_prompts :]
    image = pictures[0] if len(pictures) > n_prompts else ""
    cells = [f"<td>{html.escape(name)}{_described(entry)}</td>", f"<td>{image}</td>"]
    for number in range(n_prompts):
        each = entry["results"][middle * n_prompts + number]
        trust = each["worth"]["trust"]
        count = f"<br>{each['count']} objects" if "count" in each else ""
        weak = "" if trust == "good" else " class='weak'"
        cells.append(
            f"<td{weak}>{of_maps[number]}similarity {each['similarity']:.3f}"
            f"{of_no_patch(each['worth'].get('unowned'))}, trust {trust}{count}</td>"
        )
    return f"<tr>{''.join(cells)}</tr>\n"


def _described(entry: dict[str, Any]) -> str:
    planes = f"<br>{entry['planes']} planes, the middle one is shown" if entry["planes"] > 1 else ""
    shape = " x ".join(map(str, entry["shape"]))
    return f"<br><span class='weak'>{shape} {entry['dtype']}{planes}</span>"


def _image(content: bytes) -> str:
    data = base64.b64encode(content).decode()
    return f"<img alt='' src='data:image/jpeg;base64,{data}'>"


def _model_name(done: dict[str, dict[str, Any]]) -> str:
    """Return the name of the model that made the results: of encodings only they know it."""
    return next((str(each["model"]["name"]) for each in done.values()), "")
