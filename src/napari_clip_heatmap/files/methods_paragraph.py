"""A heatmap layer's metadata as a paragraph for a methods section, with its references."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from napari_clip_heatmap.clip.provenance import BUNDLED
from napari_clip_heatmap.files.heatmap_metadata import HeatmapMetadata, require_keys
from napari_clip_heatmap.imaging.lattice import PARTS
from napari_clip_heatmap.pipeline.presence import of_no_patch
from napari_clip_heatmap.pipeline.score_registry import score_method

__all__ = ["REFERENCES", "methods_text"]

REFERENCES = (
    (
        "Radford A, Kim JW, Hallacy C, et al. Learning transferable visual models from natural "
        "language supervision. ICML 2021. arXiv:2103.00020."
    ),
    (
        "Gandelsman Y, Efros AA, Steinhardt J. Interpreting CLIP's image representation via "
        "text-based decomposition. ICLR 2024. arXiv:2310.05916."
    ),
    "Ilharco G, Wortsman M, Wightman R, et al. OpenCLIP. Zenodo 2021. doi:10.5281/zenodo.5143773.",
    (
        "napari contributors. napari: a multi-dimensional image viewer for Python. Zenodo 2019. "
        "doi:10.5281/zenodo.3555620."
    ),
)
"""CLIP, the decomposition, open_clip, napari."""


def methods_text(record: HeatmapMetadata) -> str:
    """Describe how a heatmap was made, in a paragraph with citations, followed by the references.

    Parameters
    ----------
    record : mapping
        ``layer.metadata["clip_heatmap"]`` of a heatmap layer.

    Returns
    -------
    str
        One paragraph, a blank line, and the numbered references.

    Raises
    ------
    SettingsError
        The metadata are incomplete, or of another version.

    Examples
    --------
    >>> print(nch.methods_text(layer.metadata["clip_heatmap"]))  # doctest: +SKIP
    """
    require_keys(record, ("prompts", "score", "model", "tiling"))
    sentences = (
        _describe_model(record),
        _describe_image(record),
        _describe_tiles(record),
        _describe_score(record),
    )
    references = [f"{number}. {text}" for number, text in enumerate(REFERENCES, start=1)]
    return "\n".join([" ".join(sentences), "", *references, ""])


def _describe_model(record: HeatmapMetadata) -> str:
    model, versions = record["model"], record.get("versions", {})
    software = [
        f"{name} {versions[key]}{cited}"
        for name, key, cited in (
            ("napari", "napari", " [4]"),
            ("open_clip", "open_clip_torch", " [3]"),
            ("PyTorch", "torch", ""),
        )
        if key in versions
    ]
    within = f" ({', '.join(software)})" if software else ""
    # Its maps are better localized than those of models that were trained on whole images only.
    trained = (
        " Its image tower was distilled from a dense teacher." if model["name"] in BUNDLED else ""
    )
    return (
        f"Heatmaps were computed with napari-clip-heatmap {record.get('version')}{within} by the "
        "text-based decomposition [2] of the image embedding of CLIP [1], which assigns every "
        "image patch an additive contribution to the cosine similarity between image and text. "
        f"{_describe_terms(model)} The model was {model['name']} "
        f"(SHA-256 of the weights {model['weights_sha256'][:16]}), in "
        f"{model.get('precision', 'the precision of its weights')} on {model.get('device')}."
        f"{trained}"
    )


def _describe_terms(model: Mapping[str, Any]) -> str:
    """Say what the map of a patch is made of."""
    if model.get("mlp_by_token"):
        return (
            "Maps show what attention takes from each patch, and each patch's own MLPs and input."
        )
    return "Maps show what attention takes from a patch; MLPs and input belong to no patch."


def _describe_image(record: HeatmapMetadata) -> str:
    tiling, view = record["tiling"], record["tiling"]["view"]
    height, width = tiling["image_shape"]
    channels = _quoted(record.get("channels", ()))
    several = f", its channels {_listed(channels)} added," if channels[1:] else ""
    limits = view.get("limits")
    shown = {
        "shown": "with the contrast limits, gamma and colormaps of the viewer",
        "percentile": f"scaled from percentile {view['low']:g} to {view['high']:g} of its values",
        "min-max": "scaled from its smallest to its largest value",
        "raw": "scaled by the range of its data type",
    }[view["mode"]]
    if limits:
        shown = f"with the values {limits[0]:.6g} to {limits[1]:.6g} as black to white"
    shown += _measured(tiling.get("ranges", ()))
    inverted = " and inverted" if view["invert"] else ""
    region = "" if tiling["region"]["kind"] == "whole" else " Only a region of it was used."
    n_planes = len(record.get("slices", ()))
    planes = f" {n_planes} planes of a stack were used." if n_planes > 1 else ""
    return (
        f"The image ({height} x {width} pixels){several} was shown to the model {shown}{inverted}, "
        f"at {tiling['downsample']:.4g} image pixels per model pixel.{region}{planes}"
    )


def _measured(ranges: Sequence[Mapping[str, Any]]) -> str:
    """Say which values became black and white where the values themselves set them."""
    found = [
        f"{shown['low']:.6g} to {shown['high']:.6g}"
        for shown in ranges
        if shown["source"] in ("robust", "percentile", "min-max")
    ]
    robust = any(shown["source"] == "robust" for shown in ranges)
    without = ", without single defects and no-data values" if robust else ""
    return f" (values {_listed(found)} as black to white{without})" if found else ""


def _describe_tiles(record: HeatmapMetadata) -> str:
    tiling = record["tiling"]
    tile, patch, grid = (" x ".join(map(str, tiling[n])) for n in ("tile", "patch", "grid"))
    rows, columns = tiling["tiles"]
    if rows * columns == 1:
        return f"It fits one tile of {tile} model pixels; its {grid} patches are {patch} each."
    parts = PARTS[tiling.get("quality", "standard")]
    places = "values" if parts > 1 else "patches"
    finer = f" shifted by 1/{parts} of a patch and" if parts > 1 else ""
    return (
        f"It was cut into {rows} x {columns} tiles of {tile} model pixels that overlap by at least "
        f"{tiling['overlap']:.0%}; their patches of {patch} model pixels were{finer} blended on "
        f"one lattice of {grid} {places}, and interpolated bilinearly."
    )


def _describe_score(record: HeatmapMetadata) -> str:
    prompts, baseline = _quoted(record["prompts"]), _quoted(record.get("baseline", ()))
    count = f"all {len(prompts)} prompts" if len(prompts) > 1 else "the prompt"
    against = _listed(baseline) if baseline else count
    method = score_method(record["score"])
    if baseline and method.takes_baseline and not method.requires_baseline:
        against = f"{count} and {against}"
    templates = record.get("templates", ())
    sentences = _quoted(text for text in templates if text != "{}")
    plain = "as they are and " if len(sentences) < len(templates) else ""
    worded = f", {plain}put into {_listed(sentences)}," if sentences else ""
    similarity = record.get("similarity")
    whole = (
        ""
        if similarity is None
        else f' The cosine similarity of the image to "{record["prompt"]}", the mean over tiles, '
        f"is {similarity:.4f}{of_no_patch(record.get('unowned'))}."
    )
    return (
        f"The prompts were {_listed(prompts)}{worded} with the "
        f"{method.name} score: {method.methods_sentence.format(against=against)}.{whole}"
        f"{''.join(map(_describe_example, record.get('examples', ())))}"
    )


def _describe_example(example: HeatmapMetadata) -> str:
    words, weight = example["words"], example["weight"]
    mixed = f', and mixed with the words "{words}" (weight {weight:g} of the places)'
    return (
        f' "{example["name"]}" was no text, and nothing was subtracted from it: its direction was '
        f"made from {example['positive']} positive and {example['negative']} negative places in an "
        f"image, by a {example['recipe']}{mixed if words else ''}."
    )


def _quoted(words: Iterable[str]) -> list[str]:
    return [f'"{word}"' for word in words]


def _listed(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
