"""A heatmap layer's metadata as a Python script that computes the layer again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from napari_clip_heatmap.errors import SettingsError
from napari_clip_heatmap.files.file_names import slug
from napari_clip_heatmap.files.heatmap_metadata import HeatmapMetadata, require_keys
from napari_clip_heatmap.pipeline.score_registry import score_method
from napari_clip_heatmap.pipeline.scoring import NEUTRAL_PROMPTS

__all__ = ["python_script"]

_KEYS = ("prompt", "prompts", "score", "model", "tiling", "origins", "slices")

_READ_BY_NAPARI = (".tif", ".tiff", ".lsm", ".npy", ".png", ".jpg", ".jpeg", ".bmp")
"""What napari's own reader opens, by imageio and numpy; a script reads it in the same way, as the
layer shows the stored values whatever `read_image` would make of them."""

_PRECISIONS = {"float32": "fp32", "float64": "fp64", "bfloat16": "bf16", "float16": "fp16"}

_LUT = """

def lut(colormap, parts=3):
    \"\"\"Return a colormap as the model is shown it, with alpha where there are 4 parts.\"\"\"
    return np.asarray(colormap.map(np.linspace(0, 1, {steps}))[:, :parts], np.float32)
"""

_LUT_STEPS = 1024
"""As in the viewer."""

_CHECKS = """
if model.weights_sha256 != WEIGHTS:
    raise SystemExit("this is another model than the one that made the heatmap")
for levels, (shape, dtype) in zip(images, STORED, strict=True):
    if levels[0].shape != shape or levels[0].dtype != dtype:
        raise SystemExit(
            f"this is another image: {levels[0].shape} {levels[0].dtype}, not {shape} {dtype}"
        )
"""

_COMPUTE = """
leading = len(SLICES[0])
heatmap = np.full(STORED[0][0][:leading] + SHAPE, np.nan, np.float32)
for index in SLICES:
    channels = [
        nch.Channel(tuple(plane(level, levels[0], index) for level in levels), **shown)
        for levels, shown in zip(images, SHOWN, strict=True)
    ]
    encoding = nch.encode(model, channels, view=VIEW, region=REGION, **TILING)
    maps = encoding.heatmaps(**WORDS)
    heatmap[index] = maps.values[maps.prompts.index(PROMPT)]
"""

_PLANE = """

def plane(level, finest, index):
    \"\"\"Return one plane of a level, which may have fewer planes than the finest.\"\"\"
    return level[tuple(i * level.shape[axis] // finest.shape[axis] for axis, i in enumerate(index))]
"""


def python_script(record: HeatmapMetadata) -> str:
    """Return a Python script that computes a heatmap layer again, with the same values.

    The script loads the model and checks that its weights are the same, reads the image, shows it
    to the model as the viewer did, scores the same prompts, and writes ``heatmap.npy``. Where
    napari does not know which file a layer came from, the script says how to write one.

    Parameters
    ----------
    record : mapping
        ``layer.metadata["clip_heatmap"]`` of a heatmap layer.

    Returns
    -------
    str
        The script.

    Raises
    ------
    SettingsError
        The metadata are incomplete, of another version, or of a model that was given as an object
        and not by its name.

    Examples
    --------
    >>> print(nch.python_script(layer.metadata["clip_heatmap"]))  # doctest: +SKIP
    """
    require_keys(record, _KEYS)
    model = record["model"]
    if model["name"] == "custom":
        raise SettingsError(
            "this heatmap was made by a ready model, which no script can load by its name; "
            "load models by name, as in load_model('local-dir:FOLDER')"
        )
    origins = record["origins"]
    _require_thin_slices(origins)
    has_colormaps = any(origin["colormap"] for origin in origins)
    images = _images(origins)
    parts = [
        _head(record),
        _imports(
            colormaps=has_colormaps,
            imageio="iio." in images,
            blend=any(origin.get("blend") for origin in origins),
        ),
        _constants(record),
        _PLANE,
        _LUT.format(steps=_LUT_STEPS) if has_colormaps else "",
        "\n\n" + _model(model),
        images,
        _shown(origins),
        _CHECKS,
        _COMPUTE,
        'np.save("heatmap.npy", heatmap)\n',
    ]
    return "".join(parts)


def _require_thin_slices(origins: Sequence[HeatmapMetadata]) -> None:
    for origin in origins:
        if projection := origin.get("projection"):
            raise SettingsError(
                f"this heatmap is of a thick slice ({projection['name']} over planes "
                f"{projection['ranges']}), which no script repeats; make the slice thin and run "
                "again, or save the encoding"
            )


def _head(record: HeatmapMetadata) -> str:
    what = _plain(f"Compute the heatmap {record['prompt']!r} of {record.get('source')!r} again.")
    return (
        f'"""{what}\n\nWritten by napari-clip-heatmap {record.get("version")} for a layer made at '
        f'{record.get("created")}.\n"""\n\nfrom __future__ import annotations\n\n'
    )


def _imports(*, colormaps: bool, imageio: bool, blend: bool) -> str:
    lines = ["import imageio.v3 as iio"] if imageio else []
    lines.append("import numpy as np")
    if colormaps:
        lines.append("from napari.utils.colormaps import Colormap, ensure_colormap")
    lines += ["", "import napari_clip_heatmap as nch"]
    if blend:
        lines.append("from napari_clip_heatmap.imaging.compositing import Blend")
    return "\n".join([*lines, "", ""])


def _constants(record: HeatmapMetadata) -> str:
    tiling, view = record["tiling"], record["tiling"]["view"]
    stored = [(tuple(each["shape"]), each["dtype"]) for each in record["origins"]]
    slices = [tuple(index) for index in record["slices"]]
    sampling = {name: tiling[name] for name in ("downsample", "overlap")}
    if tiling.get("quality", "standard") != "standard":
        sampling["quality"] = tiling["quality"]
    lines = [
        f"PROMPT = {record['prompt']!r}",
        f"WORDS = {_prompts(record)!r}",
        *_examples(record),
        f"VIEW = nch.View(**{dict(view)!r})",
        *_region(record),
        f"TILING = {sampling!r}",
        f"SLICES = {slices!r}",
        f"SHAPE = {tuple(tiling['image_shape'])!r}",
        f"STORED = {stored!r}",
        f"WEIGHTS = {record['model']['weights_sha256']!r}",
    ]
    return "\n".join([*lines, ""])


def _prompts(record: HeatmapMetadata) -> dict[str, Any]:
    """Return what `Encoding.heatmaps` was given; the neutral prompts are its own."""
    given = {"prompts": list(record["prompts"]), "score": record["score"]}
    if record.get("templates"):
        given["templates"] = list(record["templates"])
    baseline, score = list(record.get("baseline", ())), record["score"]
    method = score_method(score)
    examples = {each["name"] for each in record.get("examples", ())}
    single = method.needs_neutral([prompt not in examples for prompt in given["prompts"]])
    if baseline and method.takes_baseline and not (single and baseline == list(NEUTRAL_PROMPTS)):
        given["baseline"] = baseline
    return given


def _examples(record: HeatmapMetadata) -> list[str]:
    """Return the lines that put examples in the place of their names."""
    records = list(record.get("examples", ()))
    if not records:
        return []
    return [
        f"EXAMPLES = {{each['name']: nch.Example.restore(each) for each in {records!r}}}",
        'WORDS["prompts"] = [EXAMPLES.get(prompt, prompt) for prompt in WORDS["prompts"]]',
    ]


def _region(record: HeatmapMetadata) -> list[str]:
    region = record["tiling"]["region"]
    box = None if region["box"] is None else tuple(region["box"])
    if region["kind"] == "whole":
        return ["REGION = nch.Region()"]
    if region.get("outlines"):
        return [f"REGION = nch.Region({box!r}, nch.Outlines({region['outlines']!r}))"]
    if region["kind"] == "rectangle":
        return [f"REGION = nch.Region({box!r})"]
    return [
        "# The layer is NaN outside of labels that this script does not have; inside it has the",
        "# same values as here.",
        f"REGION = nch.Region({box!r})",
    ]


def _model(model: HeatmapMetadata) -> str:
    given = {
        "device": model.get("device", "auto"),
        "precision": _PRECISIONS.get(str(model.get("precision")), "auto"),
        "image_size": tuple(model["image_size"]),
        "preprocess": (tuple(model["mean"]), tuple(model["std"])),
    }
    arguments = "".join(f"    {name}={value!r},\n" for name, value in given.items())
    return f"model = nch.load_model(\n    {model['name']!r},\n{arguments})\n"


def _images(origins: Sequence[HeatmapMetadata]) -> str:
    names = [slug(str(origin["layer"]), fallback="image") for origin in origins]
    lines = ["images = []  # per channel its levels, the finest first"]
    for number, (origin, name) in enumerate(zip(origins, names, strict=True)):
        unique = name if names.count(name) == 1 else f"{name}-{number}"
        lines += _image(origin, unique)
    return "\n".join([*lines, ""])


def _image(origin: HeatmapMetadata, name: str) -> list[str]:
    path, sample, levels = origin["path"], origin["sample"], len(origin["levels"])
    if sample and sample[0] == "napari-clip-heatmap":
        return [  # functions of the names of their keys, which return layers
            "from napari_clip_heatmap._napari import sample_data",
            f"images.append([sample_data.{sample[1]}()[0][0]])",
        ]
    if path and not levels and str(path).lower().endswith(_READ_BY_NAPARI):
        read = "np.load" if str(path).lower().endswith(".npy") else "iio.imread"
        return [f"images.append([{read}({path!r})])"]
    files = [f"{name}-level{n}.npy" for n in range(levels)] or [f"{name}.npy"]
    data = f"viewer.layers[{origin['layer']!r}].data"
    saves = [
        f"#     np.save({file!r}, {data}{f'[{n}]' if levels else ''})"
        for n, file in enumerate(files)
    ]
    where = f"# Its file is {path!r}." if path else "# It has no file."
    return [
        f"{where} In napari's console, write its data once:",
        *saves,
        f"images.append([np.load(file, mmap_mode='r') for file in {files!r}])",
    ]


def _shown(origins: Sequence[HeatmapMetadata]) -> str:
    lines = ["SHOWN = ["]
    for origin in origins:
        limits = origin["limits"] and tuple(origin["limits"])
        blend = origin.get("blend")
        parts = [
            f"limits={limits!r}",
            f"gamma={origin['gamma']!r}",
            f"lut={_lut(origin['colormap'], alpha=blend is not None)}",
            *([f"blend=Blend(**{blend!r})"] if blend else []),
        ]
        lines.append(f"    dict({', '.join(parts)}),")
    return "\n".join([*lines, "]", ""])


def _lut(colormap: HeatmapMetadata | None, *, alpha: bool) -> str:
    if colormap is None:
        return "None"
    parts = ", 4" if alpha else ""
    if "colors" not in colormap:
        return f"lut(ensure_colormap({colormap['name']!r}){parts})"
    arguments = f"controls={colormap['controls']!r}, interpolation={colormap['interpolation']!r}"
    return f"lut(Colormap({colormap['colors']!r}, {arguments}){parts})"


def _plain(text: str) -> str:
    """Keep what users typed on one line of a docstring, and from ending it."""
    return " ".join(text.split()).replace("\\", "/").replace('"""', "'''")
