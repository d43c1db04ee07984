"""Labels next to the image they belong to, in its OME-Zarr."""

from __future__ import annotations

import json
import math
import shutil
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_clip_heatmap.annotation.palette import distinct_color
from napari_clip_heatmap.errors import OutputError
from napari_clip_heatmap.files.object_formats._format import ObjectFormat
from napari_clip_heatmap.files.object_formats._label_pyramid import (
    LabelPyramid,
    new_pyramid,
    pyramid_of_image,
    write_level,
)

if TYPE_CHECKING:
    from zarr import Group

    from napari_clip_heatmap.annotation.object_table import Table
    from napari_clip_heatmap.annotation.objects import ObjectSet

__all__ = ["FORMAT", "add_labels", "label_names", "renew_consolidated"]

_FORBIDDEN = str.maketrans(dict.fromkeys('<>:"/\\|?*', "-"))
"""What file systems do not take in names."""


def _write(path: Path, objects: ObjectSet, *, source: str, overwrite: bool) -> None:
    """Write a label image for each prompt, ``labels/PROMPT``, as deep a pyramid as the image has.

    The rows of the table are the properties of the labels, and each label has a color. Other
    labels of the image are left as they are. Where there is nothing at `path`, a store with
    labels alone is made: viewers open its ``labels/PROMPT``.

    Raises
    ------
    OutputError
        There is something else than an OME-Zarr image of the shape of the labels, or labels of the
        same prompt that may not be replaced.
    """
    import zarr

    with _zarr_errors(path):
        if path.is_file():
            raise FileNotFoundError(path)
        if path.exists():
            group = zarr.open_group(path, mode="r+", use_consolidated=False)
            _add(group, path, objects, source, _names(objects), overwrite=overwrite)
        else:
            _make(path, objects, source)


def add_labels(path: Path, objects: ObjectSet, *, name: str, prompt: str, source: str) -> None:
    """Write the objects of one prompt into the OME-Zarr image at a path, as ``labels/NAME``.

    Labels of that name are replaced; other labels of the image are left as they are.

    Parameters
    ----------
    path : Path
        Of the group of the image.
    objects : ObjectSet
        Of one prompt; labels of the shape of the image, without channels.
    name : str
        As `label_names` gives it.
    prompt : str
    source : str
        What is recorded as the file in which the objects were found.

    Raises
    ------
    OutputError
        There is no OME-Zarr image of this shape, or the disk refuses.

    Examples
    --------
    >>> add_labels(Path("cells.ome.zarr"), objects, name="nuclei", prompt="nuclei",
    ...            source="cells.ome.zarr")  # doctest: +SKIP
    """
    import zarr

    with _zarr_errors(path):
        group = zarr.open_group(path, mode="r+", use_consolidated=False)
        _add(group, path, objects, source, {prompt: name}, overwrite=True)


def label_names(prompts: Iterable[str]) -> dict[str, str]:
    """Return prompt -> name of its labels: its words, but for what no file system takes.

    Examples
    --------
    >>> label_names(["nuclei", "a/b", "a:b"])
    {'nuclei': 'nuclei', 'a/b': 'a-b', 'a:b': 'a-b-2'}
    """
    names: dict[str, str] = {}
    for prompt in dict.fromkeys(prompts):
        base = name = prompt.translate(_FORBIDDEN).strip(". ")[:60] or "objects"
        number = 1
        while name.casefold() in {taken.casefold() for taken in names.values()}:
            number += 1
            name = f"{base}-{number}"
        names[prompt] = name
    return names


def renew_consolidated(path: Path) -> None:
    """Renew the copies of metadata that a group keeps of all that is in it, where it keeps any.

    Examples
    --------
    >>> renew_consolidated(Path("plate.ome.zarr"))  # doctest: +SKIP
    """
    import zarr

    with warnings.catch_warnings():
        # Of copies in Zarr 3, which the specification does not have yet; these were there before.
        warnings.simplefilter("ignore", zarr.errors.ZarrUserWarning)
        if (path / ".zmetadata").exists():
            zarr.consolidate_metadata(path, zarr_format=2)
        elif (path / "zarr.json").exists():
            about = json.loads((path / "zarr.json").read_text(encoding="utf-8"))
            if about.get("consolidated_metadata"):
                zarr.consolidate_metadata(path, zarr_format=3)


@contextmanager
def _zarr_errors(path: Path) -> Iterator[None]:
    """Say in an `OutputError` what Zarr and the disk say."""
    import zarr.errors

    try:
        yield
    except (zarr.errors.BaseZarrError, FileNotFoundError, NotADirectoryError) as error:
        raise OutputError(
            f"'{path}' is no OME-Zarr image; give the path of the image that the labels belong to, "
            "or of nothing yet"
        ) from error
    except OutputError:
        raise
    except OSError as error:
        raise OutputError(f"labels could not be written to '{path}': {error}") from error


def _make(path: Path, objects: ObjectSet, source: str) -> None:
    import zarr

    pyramid = new_pyramid(tuple(objects.labels.shape), objects.record)
    draft = path.with_name(f"{path.name}.part")
    shutil.rmtree(draft, ignore_errors=True)
    group = zarr.create_group(draft, zarr_format=3)
    try:
        names = _names(objects)
        _write_all(group, draft, pyramid, objects, source, names, beside_image=False)
        draft.replace(path)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _add(
    group: Group,
    path: Path,
    objects: ObjectSet,
    source: str,
    names: Mapping[str, str],
    *,
    overwrite: bool,
) -> None:
    shape = tuple(objects.labels.shape)
    alone = _has_labels_alone(group)
    pyramid = new_pyramid(shape, objects.record) if alone else pyramid_of_image(group, shape, path)
    taken = [name for name in names.values() if (path / "labels" / name).exists()]
    if taken and not overwrite:
        raise OutputError(
            f"'{path}' has labels named {', '.join(taken)} already; give overwrite=True to replace "
            "them, or name the prompts otherwise"
        )
    _write_all(group, path, pyramid, objects, source, names, beside_image=not alone)
    renew_consolidated(path)


def _has_labels_alone(group: Group) -> bool:
    """Tell whether a group is what `_make` made: labels, and no image."""
    return (
        group.metadata.zarr_format == 3
        and not group.attrs.asdict()
        and [name for name, _ in group.members()] == ["labels"]
    )


def _write_all(
    group: Group,
    path: Path,
    pyramid: LabelPyramid,
    objects: ObjectSet,
    source: str,
    names: Mapping[str, str],
    *,
    beside_image: bool,
) -> None:
    labels = group.require_group("labels")
    for prompt, name in names.items():
        draft = f"{name}.part"
        shutil.rmtree(path / "labels" / draft, ignore_errors=True)
        one = labels.create_group(draft)
        rows = objects.table.where(objects.table["prompt"] == prompt)
        _write_pyramid(one, pyramid, objects.labels, None if len(names) == 1 else rows["label"])
        attributes = _attributes(pyramid, prompt, rows, beside_image=beside_image)
        record = json.loads(json.dumps({**objects.record, "source": source}, default=str))
        one.attrs.update({**attributes, "clip_heatmap": record})
        shutil.rmtree(path / "labels" / name, ignore_errors=True)
        (path / "labels" / draft).replace(path / "labels" / name)
    known: dict[str, Any] = labels.attrs.asdict()
    listing = known.get("ome", {}) if pyramid.version == "0.5" else known
    listed = list(dict.fromkeys([*listing.get("labels", []), *names.values()]))
    if pyramid.version == "0.5":
        labels.attrs.update({"ome": {**listing, "version": "0.5", "labels": listed}})
    else:
        labels.attrs.update({"labels": listed})


def _write_pyramid(
    group: Group, pyramid: LabelPyramid, labels: Any, chosen: NDArray[Any] | None
) -> None:
    is_new = group.metadata.zarr_format == 3
    for number, level in enumerate(pyramid.levels):
        chunks = (*(1,) * (len(level.shape) - 2), *(min(1024, n) for n in level.shape[-2:]))
        array = group.create_array(
            str(number),
            shape=level.shape,
            chunks=chunks,
            dtype=np.dtype(labels.dtype),
            chunk_key_encoding={"name": "default" if is_new else "v2", "separator": "/"},
            dimension_names=[axis["name"] for axis in pyramid.axes] if is_new else None,
        )
        write_level(labels, pyramid.levels[0], level, array, chosen)


def _attributes(
    pyramid: LabelPyramid, prompt: str, rows: Table, *, beside_image: bool
) -> dict[str, Any]:
    """Return the metadata of one label image, checked against the models of the specification."""
    import yaozarrs

    multiscale: dict[str, Any] = {
        "name": prompt,
        "axes": pyramid.axes,
        "datasets": [
            {"path": str(number), "coordinateTransformations": level.transformations}
            for number, level in enumerate(pyramid.levels)
        ],
    }
    if pyramid.transformations:
        multiscale["coordinateTransformations"] = pyramid.transformations
    about = _about_labels(rows, beside_image=beside_image)
    if pyramid.version == "0.5":
        attributes = {"version": "0.5", "multiscales": [multiscale], "image-label": about}
        yaozarrs.v05.LabelImage.model_validate(attributes)
        return {"ome": attributes}
    multiscale["version"] = about["version"] = "0.4"
    attributes = {"multiscales": [multiscale], "image-label": about}
    yaozarrs.v04.LabelImage.model_validate(attributes)
    return attributes


def _about_labels(rows: Table, *, beside_image: bool) -> dict[str, Any]:
    about: dict[str, Any] = {}
    if len(rows):
        numbers = rows["label"].tolist()
        about["colors"] = [
            {"label-value": number, "rgba": [*distinct_color(number), 255]} for number in numbers
        ]
        about["properties"] = [
            {"label-value": number, **_known(row)}
            for number, row in zip(numbers, rows.rows(), strict=True)
        ]
    if beside_image:
        about["source"] = {"image": "../../"}
    return about


def _known(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return what JSON has values for."""
    return {
        name: value
        for name, value in row.items()
        if name != "label" and not (isinstance(value, float) and not math.isfinite(value))
    }


def _names(objects: ObjectSet) -> dict[str, str]:
    found = dict.fromkeys(objects.table["prompt"].tolist())
    return label_names(found or objects.record.get("prompts", ()))  # empty labels say "none found"


FORMAT = ObjectFormat((".ome.zarr", ".zarr"), _write)
