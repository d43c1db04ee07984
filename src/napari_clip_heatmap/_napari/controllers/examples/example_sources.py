"""Where the places of an example come from: clicks that may change, or a mask taken once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from napari.layers import Labels, Shapes

from napari_clip_heatmap._napari.controllers.examples.example_layer import ClickedPlaces
from napari_clip_heatmap._napari.inputs.layer_planes import no_image_error
from napari_clip_heatmap._napari.inputs.layer_regions import image_shape, region_inside
from napari_clip_heatmap.errors import ImageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari.layers import Image, Layer

    from napari_clip_heatmap.pipeline.encoding import Encoding
    from napari_clip_heatmap.prompting.example import Example

__all__ = ["ExampleQuestion", "ExampleSource", "marked_by_layer"]


@dataclass(frozen=True, eq=False)
class ExampleSource:
    """What the example of a row is made from.

    Parameters
    ----------
    key, name : str
        Of the row.
    image : Image
        In which the places lie.
    places : callable() -> ClickedPlaces
        The places as they are now.
    words : str
        Words that are mixed in; blank for none.
    weight : float
        Of the places against the words.
    """

    key: str
    name: str
    image: Image
    places: Callable[[], ClickedPlaces]
    words: str = ""
    weight: float = 0.5

    def make(
        self, encoding: Encoding, places: ClickedPlaces, templates: str | tuple[str, ...]
    ) -> Example:
        """Make the example; as `Encoding.example` says."""
        return encoding.example(
            places.positive,
            places.negative,
            name=self.name,
            words=self.words.strip(),
            weight=self.weight,
            templates=templates,
        )


@dataclass(frozen=True, eq=False)
class ExampleQuestion:
    """All that an example follows from.

    Parameters
    ----------
    source : ExampleSource
    places : ClickedPlaces
    encoding : Encoding
    complete : bool
        Whether all its tiles were done: an encoding is filled in place.
    templates : str or tuple of str
    """

    source: ExampleSource
    places: ClickedPlaces
    encoding: Encoding
    complete: bool
    templates: str | tuple[str, ...]

    def same(self, other: ExampleQuestion | None) -> bool:
        """Tell whether another question has the same answer."""
        return (
            other is not None
            and self.source is other.source
            and self.encoding is other.encoding
            and (self.complete, self.templates) == (other.complete, other.templates)
            and self.places.elsewhere == other.places.elsewhere
            and np.array_equal(self.places.positive, other.places.positive)
            and np.array_equal(self.places.negative, other.places.negative)
        )

    def answer(self) -> Example:
        """Make the example."""
        return self.source.make(self.encoding, self.places, self.templates)


def marked_by_layer(
    layer: Layer | None, image: Image, point: Sequence[float], label: int | None = None
) -> ClickedPlaces:
    """Return the places that a layer of labels or shapes marks.

    Parameters
    ----------
    layer : Layer or None
        The selected layer.
    image : Image
        The image that they lie on.
    point : sequence of float
        Where the viewer's sliders stand, in world units.
    label : int, optional
        Of a Labels layer, this label alone; by default all.

    Raises
    ------
    ImageError
        It is a layer of another kind, or marks nothing on the image.
    """
    if not isinstance(layer, Labels | Shapes):
        name = "no layer" if layer is None else f"'{layer.name}', a layer of another kind,"
        raise ImageError(
            f"{name} is selected; accepted: a Labels or a Shapes layer that marks what you look "
            "for. Select it in the list of layers"
        )
    region = region_inside(layer, image, point, label)
    inside = region.inside(
        *(np.arange(length, dtype=np.float64) + 0.5 for length in image_shape(image))
    )
    if inside is None or not inside.any():
        raise ImageError(
            f"the layer '{layer.name}' marks nothing on the image '{image.name}'; draw on it, or "
            "select another layer"
        )
    return ClickedPlaces(inside, np.zeros((0, 2)))


def require_image(image: Image | None, active: Layer | None) -> Image:
    """Return the chosen image.

    Raises
    ------
    ImageError
        There is none.
    """
    if image is None:
        raise no_image_error(active)
    return image
