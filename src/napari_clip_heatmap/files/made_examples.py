"""Examples made for a job: from points in an image, from an encoding, or from a file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_clip_heatmap.errors import PromptError, shorten
from napari_clip_heatmap.files.example_points import read_example_points

if TYPE_CHECKING:
    from napari_clip_heatmap.pipeline.encoding import Encoding
    from napari_clip_heatmap.prompting.example import Example

__all__ = ["ExampleRequest", "make_examples", "parse_example"]

_HOW = (
    "accepted: NAME=IMAGE:POINTS.csv, with an image or an encoding and a table of points in it, or "
    "NAME=FILE.yaml with an example that was saved"
)


@dataclass(frozen=True)
class ExampleRequest:
    """An example that is wanted.

    Parameters
    ----------
    name : str
    source : Path
        An image, an encoding, or with `points` None a saved example.
    points : Path or None
        The table of points in it.

    Examples
    --------
    >>> ExampleRequest("mine", Path("cells.tif"), Path("points.csv")).needs_model
    True
    """

    name: str
    source: Path
    points: Path | None

    @property
    def needs_model(self) -> bool:
        """Whether the source is an image, which must be encoded first."""
        return self.points is not None and not self.source.name.endswith((".zarr", ".zarr.zip"))


def parse_example(text: str) -> ExampleRequest:
    """Read ``NAME=IMAGE:POINTS.csv``; paths may have colons of their own.

    Raises
    ------
    PromptError
        It is neither that nor ``NAME=FILE.yaml``, or a file is missing.

    Examples
    --------
    >>> parse_example("mine=cells.tif:points.csv").name  # doctest: +SKIP
    'mine'
    """
    from napari_clip_heatmap.prompting.example import checked_example_name

    name, equals, rest = text.partition("=")
    if not equals or not rest:
        raise PromptError(f"the example '{shorten(text)}' names no file; {_HOW}")
    title = checked_example_name(name)
    if Path(rest).suffix.lower() in (".yaml", ".yml"):
        return ExampleRequest(title, Path(rest), None)
    splits = [
        (Path(rest[:at]), Path(rest[at + 1 :])) for at, sign in enumerate(rest) if sign == ":"
    ]
    if not splits:
        raise PromptError(f"the example '{shorten(text)}' has no points; {_HOW}")
    for image, points in reversed(splits):
        if image.exists() and points.is_file():
            return ExampleRequest(title, image, points)
    image, points = splits[-1]
    missing = points if image.exists() else image
    raise PromptError(f"the example '{shorten(title)}' has no file '{shorten(missing)}'; {_HOW}")


def make_examples(
    requests: Sequence[ExampleRequest], encode: Callable[[Path], Encoding]
) -> tuple[Example, ...]:
    """Make the examples that are wanted, in order.

    Parameters
    ----------
    requests : sequence of ExampleRequest
    encode : callable(Path) -> Encoding
        Encodes an image as the job does.

    Raises
    ------
    PromptError
        A table or a saved example cannot be read, or a point is outside its image.
    ClipHeatmapError
        An image or encoding cannot be read.

    Examples
    --------
    >>> make_examples([parse_example("mine=cells.tif:points.csv")], encode)  # doctest: +SKIP
    (Example('mine', positive=3, negative=1, model='demo'),)
    """
    return tuple(_made(each, encode) for each in requests)


def _made(request: ExampleRequest, encode: Callable[[Path], Encoding]) -> Example:
    from dataclasses import replace

    from napari_clip_heatmap.api import open_encoding
    from napari_clip_heatmap.prompting.example import Example

    if request.points is None:
        return replace(Example.load(request.source), name=request.name)
    positive, negative = read_example_points(request.points)
    find: Any = encode if request.needs_model else open_encoding
    encoding: Encoding = find(request.source)
    return encoding.example(positive, negative, name=request.name)
