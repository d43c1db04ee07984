"""What the viewer shows and the model does not see, in sentences for the user."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from napari.layers import Image

from napari_clip_heatmap._napari.inputs.layer_channels import fits_image
from napari_clip_heatmap._napari.inputs.layer_planes import shown_index
from napari_clip_heatmap._napari.inputs.layer_source import is_heatmap

if TYPE_CHECKING:
    from napari.components import ViewerModel

__all__ = ["view_notes"]


def view_notes(layers: Sequence[Image], viewer: ViewerModel) -> tuple[str, ...]:
    """Say in which ways the model sees something else than the viewer shows.

    Parameters
    ----------
    layers : sequence of Image
        The image, and then its further channels.
    viewer : ViewerModel

    Returns
    -------
    tuple of str
        A sentence each; none where both see the same.
    """
    return (*_plane_notes(layers[0], viewer), *_layer_notes(layers, viewer))


def _plane_notes(image: Image, viewer: ViewerModel) -> Iterator[str]:
    """Say which plane the model sees, if the viewer shows another one."""
    dims = viewer.dims
    rows, columns = image.axis_labels[-2:]
    index = shown_index(image, dims.point)
    steps = ", ".join(
        f"{label} = {step}" for label, step in zip(image.axis_labels, index, strict=False)
    )
    seen = f"the model sees the plane of {rows} and {columns}" + (f" at {steps}" if steps else "")
    if dims.ndisplay == 3:
        yield f"The view is in 3D; {seen}."
    elif tuple(dims.displayed) != (dims.ndim - 2, dims.ndim - 1):
        yield f"The view shows other axes, or in another order; {seen}."


def _layer_notes(layers: Sequence[Image], viewer: ViewerModel) -> Iterator[str]:
    """Say what is not taken over of layers, and which layers are left out."""
    for layer in layers:
        if any(plane.enabled for plane in layer.experimental_clipping_planes):
            yield f"The clipping planes of '{layer.name}' are left out: the model sees all of it."
        if str(layer.interpolation2d) == "custom":
            yield f"The custom interpolation of '{layer.name}' is left out."
        if not layer.visible:
            yield f"The layer '{layer.name}' is hidden; the model sees it as if it were shown."
    others = [
        layer.name
        for layer in viewer.layers
        if isinstance(layer, Image)
        and layer not in layers
        and layer.visible
        and not is_heatmap(layer)
        and fits_image(layer, layers[0])
    ]
    if others:
        named = ", ".join(f"'{name}'" for name in others[:3]) + (", ..." if others[3:] else "")
        yield f"The model does not see {named}: choose them as channels if it should."
