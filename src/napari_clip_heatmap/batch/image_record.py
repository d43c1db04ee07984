"""What a job keeps of an image: what it is, how it was seen, and what was found."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from napari_clip_heatmap.batch.outputs.image_output import Step, plane_suffix

if TYPE_CHECKING:
    from napari_clip_heatmap.batch.job_folder import JobImage
    from napari_clip_heatmap.batch.outputs.image_output import OutputTarget
    from napari_clip_heatmap.batch.outputs.plane_result import PlaneResult
    from napari_clip_heatmap.batch.run_settings import RunSettings
    from napari_clip_heatmap.clip.model import ClipModel

__all__ = ["begun_record", "done_record", "figure_steps", "how_seen", "plane_results"]


def begun_record(
    image: JobImage,
    settings: RunSettings,
    *,
    content: dict[str, Any] | None = None,
    files: list[str] | None = None,
    before: dict[str, Any] | None = None,
    state: str = "begun",
    reason: str = "",
) -> dict[str, Any]:
    """Return the record of an image whose results are about to be written.

    Parameters
    ----------
    image : JobImage
    settings : RunSettings
    content : dict, optional
        From `content_of_source`.
    files : list of str, optional
        That will be written.
    before : dict, optional
        The record of an earlier run with the same settings: its other files stay the image's own.
    state : {"begun", "failed"}
    reason : str
        Why it failed.

    Examples
    --------
    >>> begun_record(image, settings)["state"]  # doctest: +SKIP
    'begun'
    """
    kept = [] if before is None else [*before["files"]]
    kinds = before["kinds"] if before and before["settings"] == settings.identity() else []
    return {
        "state": state,
        "reason": reason,
        "source": image.entry.source,
        "part": image.entry.part,
        "number": image.number,
        "reader": image.entry.reader,
        "settings": settings.identity(),
        "decisive": settings.decisive(),
        "content": content or {},
        "files": list(dict.fromkeys([*kept, *(files or [])])),
        "kinds": list(dict.fromkeys([*kinds, *(settings.write if files else ())])),
        "weights_sha256": "",
    }


def done_record(
    begun: dict[str, Any],
    target: OutputTarget,
    model: ClipModel,
    about: dict[str, Any],
    results: list[dict[str, Any]],
) -> dict[str, Any]:
    """Return the record of an image whose results are all there.

    Parameters
    ----------
    begun : dict
        From `begun_record`.
    target : OutputTarget
    model : ClipModel
    about : dict
        How the first plane was seen.
    results : list of dict
        From `plane_results`, of all planes.

    Examples
    --------
    >>> done_record(begun, target, model, about, results)["state"]  # doctest: +SKIP
    'done'
    """
    opened = target.opened
    size = opened.pixel_size
    return {
        **begun,
        "state": "done",
        "weights_sha256": model.weights_sha256,
        "model": model.describe(),
        "entry": {
            "source": begun["source"],
            **({"part": begun["part"]} if begun["part"] else {}),
            **opened.place,
            "sha256": begun["content"].get("sha256"),
            "shape": list(opened.stored_shape),
            "dtype": opened.dtype,
            "axes": [*opened.axes, "y", "x"],
            "planes": opened.n_planes,
            "pixel_size": None if size is None else [size.y, size.x],
            "unit": None if size is None else size.unit,
            **about,
            "results": results,
        },
    }


def how_seen(result: PlaneResult) -> dict[str, Any]:
    """Return how the model saw a plane, and what there is to say of it.

    Examples
    --------
    >>> how_seen(result)["encoding"]["downsample"]  # doctest: +SKIP
    1.0
    """
    encoding = result.encoding
    seen = encoding.describe()
    del seen["model"]  # it is the same for all images
    about = {"encoding": seen, "baseline": [], "notes": [], "image_notes": list(encoding.notes)}
    if result.scoring is None:
        return about
    maps = result.maps
    notes = [*maps.notes, *result.assessment.notes]
    return {**about, "baseline": list(maps.baseline), "notes": notes}


def figure_steps(result: PlaneResult) -> list[Step]:
    """Return what takes long of a record and its pictures, as steps that need no other.

    Examples
    --------
    >>> len(figure_steps(result))  # picture, verdicts, ranges of two maps  # doctest: +SKIP
    4
    """
    steps: list[Step] = []
    if result.channels and "overlays" in result.target.settings.write:
        steps.append(partial(result.image_picture, result.overview_factor))
    if result.scoring is not None:
        n_maps = len(result.maps.prompts)
        steps.append(lambda: result.assessment)
        steps += [partial(result.value_range, number) for number in range(n_maps)]
    return steps


def plane_results(result: PlaneResult) -> list[dict[str, Any]]:
    """Return what was found in a plane, one entry per prompt.

    Examples
    --------
    >>> [each["prompt"] for each in plane_results(result)]  # doctest: +SKIP
    ['nuclei', 'background']
    """
    found: list[dict[str, Any]] = []
    if result.scoring is None:
        return found
    target, maps = result.target, result.maps
    for number, check in enumerate(result.assessment.checks):
        found.append(
            {
                "prompt": maps.prompts[number],
                "recipe": maps.recipes[number],
                **_plane(result),
                **_files(target, result, number),
                "similarity": float(maps.similarity[number]),
                "worth": check.describe(),
                "range": [*(result.value_range(number) or (None, None))],
                **_objects(result, number),
            }
        )
    return found


def _plane(result: PlaneResult) -> dict[str, Any]:
    axes = result.target.opened.axes
    return {"plane": dict(zip(axes, result.index, strict=True))} if axes else {}


def _files(target: OutputTarget, result: PlaneResult, number: int) -> dict[str, str]:
    """Return the names of the files that a person looks for first."""
    name, prompt = target.image.name, target.prompt_names[number]
    files = {}
    if "maps" in target.settings.write:
        in_store = target.settings.format == "ome-zarr"
        files["heatmap"] = f"{name}.ome.zarr" if in_store else f"{name}_{prompt}_heatmap.tif"
    if "overlays" in target.settings.write:
        files["overlay"] = f"{name}{plane_suffix(target.opened, result.index)}_{prompt}_overlay.png"
    return files


def _objects(result: PlaneResult, number: int) -> dict[str, Any]:
    """Return count and area of the objects, where any output needs them."""
    if not result.target.settings.counts_objects:
        return {}
    given = result.given_objects
    table = result.objects(number).table if given is None else given.table
    own = table.where(table["prompt"] == result.maps.prompts[number])
    return {"count": len(own), "area": int(own["area"].sum())}
