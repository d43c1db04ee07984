"""The settings of a job: everything that decides its results, as values that JSON has."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from napari_clip_heatmap.batch.inputs.colored_channels import ChannelColor
from napari_clip_heatmap.errors import SettingsError
from napari_clip_heatmap.files.reading.picture_choice import PictureChoice
from napari_clip_heatmap.hashing import hash_json
from napari_clip_heatmap.imaging.lattice import PARTS, Quality
from napari_clip_heatmap.imaging.view import View
from napari_clip_heatmap.prompting.example import Example
from napari_clip_heatmap.prompting.language import PLAIN
from napari_clip_heatmap.validation import one_of

if TYPE_CHECKING:
    from napari_clip_heatmap.pipeline.score_registry import Score

__all__ = ["DEFAULT_KINDS", "KINDS", "RunSettings"]

KINDS = (
    "maps",
    "overlays",
    "labels",
    "source-labels",
    "points",
    "shapes",
    "geojson",
    "table",
    "encodings",
)
"""Kinds of output, in the order in which the help lists them."""

DEFAULT_KINDS = ("maps", "overlays")

_OBJECT_KINDS = frozenset(("labels", "source-labels", "points", "shapes", "geojson", "table"))

_NOT_RESULTS = ("inputs", "output", "recursive", "device", "write")
"""Settings that change where results are made and kept, and not what they are."""


@dataclass(frozen=True)
class RunSettings:
    """The settings of a job.

    Parameters
    ----------
    inputs : tuple of str
        Files, globs and folders, in order.
    prompts : tuple of str
        The user's words and the names of examples, each once.
    output : Path
        The job folder, which the results go to.
    recursive : bool
        Whether folders within folders are looked into.
    model, device, precision : str
        As `load_model` takes them.
    score : str
        "relative", "absolute", "contrast" or "softmax".
    baseline : tuple of str
        The prompts that "contrast" subtracts, or "softmax" lets compete.
    templates : tuple of str
        Sentences that prompts are put into.
    downsample : float or "auto"
        Image pixels per pixel that the model sees.
    mpp : float, optional
        Micrometers per pixel that the model sees, instead of `downsample`.
    quality : {"standard", "fine", "finest"}
        How finely places are told apart, as `encode` takes it.
    image_size : int, optional
        Side of the model's input; by default as it was trained.
    preprocess : str, optional
        Normalization of pixels, where the model's own files do not give it.
    layers, heads : tuple of str
        Parts of the model whose contributions are shown; by default all.
    view : View
        Which values become black and white.
    choice : PictureChoice
        Which pictures of files that hold several; by default all.
    colors : tuple of ChannelColor
        Channels that are shown together, each in its color; then `choice` has no channel.
    inside : str, optional
        "tissue", or "labels:FILE": where tiles are encoded; by default everywhere.
    write : tuple of str
        Kinds of output, of `KINDS`.
    format : {"tif", "ome-zarr"}
        Of maps and labels.
    threshold : float or str
        Of objects, as `Heatmaps.objects` takes it.
    objects : str, optional
        A file of labels, or a folder of such files named after the images: objects that are scored
        instead of those that the maps show.
    examples : tuple of Example
        Those of the prompts that are examples.

    Raises
    ------
    SettingsError
        There is no such kind or format, or settings do not go together.

    Examples
    --------
    >>> settings = RunSettings(("cells.tif",), ("nuclei",), Path("results"))
    >>> settings.write
    ('maps', 'overlays')
    """

    inputs: tuple[str, ...]
    prompts: tuple[str, ...]
    output: Path
    recursive: bool = False
    model: str = "demo"
    device: str = "auto"
    precision: str = "auto"
    score: Score = "relative"
    baseline: tuple[str, ...] = ()
    templates: tuple[str, ...] = PLAIN
    downsample: float | Literal["auto"] = "auto"
    mpp: float | None = None
    quality: Quality = "standard"
    image_size: int | None = None
    preprocess: str | None = None
    layers: tuple[str, ...] = ()
    heads: tuple[str, ...] = ()
    view: View = field(default_factory=View)
    choice: PictureChoice = field(default_factory=PictureChoice)
    colors: tuple[ChannelColor, ...] = ()
    inside: str | None = None
    write: tuple[str, ...] = DEFAULT_KINDS
    format: Literal["tif", "ome-zarr"] = "tif"
    threshold: float | str = "otsu"
    objects: str | None = None
    examples: tuple[Example, ...] = ()

    def __post_init__(self) -> None:
        unknown = [kind for kind in self.write if kind not in KINDS]
        if unknown or not self.write:
            got = f"there is no output '{unknown[0]}'" if unknown else "there is no output"
            raise SettingsError(f"{got}; accepted: {', '.join(KINDS)}")
        if self.format not in ("tif", "ome-zarr"):
            raise SettingsError(f"the format is '{self.format}'; accepted: tif, ome-zarr")
        one_of("quality", self.quality, PARTS)
        if self.mpp is not None and not 0 < self.mpp < 1e6:
            raise SettingsError(f"mpp is {self.mpp}; accepted: micrometers per pixel, above 0")
        if self.mpp is not None and self.downsample != "auto":
            raise SettingsError("mpp and downsample both say how finely to look; give one of them")
        if self.colors and self.choice.channels:
            raise SettingsError(
                "colors and the choice of a channel both say which channels are shown; give one of "
                "them"
            )

    @property
    def rows(self) -> tuple[str | Example, ...]:
        """The prompts as `Encoding.heatmaps` takes them: words, or an example of that name."""
        examples = {each.name: each for each in self.examples}
        return tuple(examples.get(prompt, prompt) for prompt in self.prompts)

    @property
    def counts_objects(self) -> bool:
        """Whether any output needs objects."""
        return bool(_OBJECT_KINDS.intersection(self.write)) or self.objects is not None

    def record(self) -> dict[str, Any]:
        """Return the settings as values that JSON has; the choice of pictures lies among them."""
        values = asdict(replace(self, examples=()))
        choice: dict[str, Any] = values.pop("choice")
        del values["examples"]  # no key without examples: jobs from before there were any go on
        if not self.colors:  # likewise
            del values["colors"]
        if self.examples:
            values["examples"] = [each.describe() for each in self.examples]
        record: dict[str, Any] = _plain(values | choice | {"output": str(self.output.resolve())})
        return record

    def decisive(self) -> dict[str, Any]:
        """Return the part of `record` that decides results."""
        return dict(self._decisive)

    def identity(self) -> str:
        """Return a hash that other settings with other results do not have."""
        return self._identity

    @cached_property
    def _decisive(self) -> dict[str, Any]:
        record = self.record()
        if self.quality == "standard":  # as earlier versions recorded it
            del record["quality"]
        return {name: value for name, value in record.items() if name not in _NOT_RESULTS}

    @cached_property
    def _identity(self) -> str:
        return hash_json(self._decisive)

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> RunSettings:
        """Return the settings of a record, as `record` returns it.

        Examples
        --------
        >>> settings = RunSettings(("cells.tif",), ("nuclei",), Path("results").resolve())
        >>> RunSettings.from_record(settings.record()) == settings
        True
        """
        values = {name: _frozen(value) for name, value in record.items()}
        choice = {each.name: values.pop(each.name) for each in fields(PictureChoice)}
        view = dict(record["view"])
        view["limits"] = view["limits"] and tuple(view["limits"])
        examples = tuple(Example.restore(each) for each in record.get("examples", ()))
        colors = tuple(ChannelColor(**each) for each in record.get("colors", ()))
        own = {
            "colors": colors,
            "output": Path(record["output"]),
            "view": View(**view),
            "examples": examples,
        }
        return cls(**(values | own), choice=PictureChoice(**choice))


def _plain(value: Any) -> Any:
    """Return tuples as lists, as JSON gives them back."""
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, tuple | list) else value


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
