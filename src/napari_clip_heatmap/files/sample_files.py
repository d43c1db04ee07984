"""Sample images as files of the kinds that microscopes write, for the tutorials."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_clip_heatmap.errors import OutputError
from napari_clip_heatmap.imaging.opencv import cv2
from napari_clip_heatmap.scenes.sample import (
    CHANNEL_NAMES,
    SAMPLE_PIXEL_SIZE,
    sample_channels,
    sample_scene,
    sample_slide,
    sample_smears,
    sample_stack,
    sample_timelapse,
)

__all__ = ["SAMPLE_FILES", "read_nuclei", "write_samples"]

SAMPLE_FILES = {
    "cells.tif": "nuclei, filaments, bacteria and vesicles, RGB",
    "channels.ome.tif": "nuclei, mitochondria and filaments in three 16-bit channels",
    "stack.ome.tif": "a z-stack of nuclei above filaments",
    "timelapse.ome.tif": "nuclei that drift through the field of view",
    "smears": "three stained blood smears",
    "nuclei.png": "nuclei in fluorescence, some of them dividing: a real image",
    "tissue.png": "stained colon tissue: a real image, from scikit-image",
    "plate.ome.zarr": "a plate of two rows and two columns",
    "slide.ome.tif": "a pyramid: two pieces of tissue on empty glass",
}
"""What `write_samples` makes, and what each shows."""

_NUCLEI = Path(__file__).parents[1] / "samples" / "nuclei.png"

_COLORS = (0x0000FFFF, 0x00FF00FF, -0x00FF0001)
"""Blue, green and magenta, as OME-TIFF counts colors (signed RGBA)."""


def write_samples(folder: Path, *, overwrite: bool = False) -> list[Path]:
    """Write all sample files into a folder, and return their paths.

    Raises
    ------
    OutputError
        One of them is there already and may not be replaced.

    Examples
    --------
    >>> write_samples(Path("samples"))[0]  # doctest: +SKIP
    PosixPath('samples/cells.tif')
    """
    paths = [folder / name for name in SAMPLE_FILES]
    present = [path for path in paths if path.exists()]
    if present and not overwrite:
        msg = (
            f"'{present[0]}' is there already. Choose another folder, or replace the samples with "
            "--overwrite."
        )
        raise OutputError(msg)
    folder.mkdir(parents=True, exist_ok=True)
    _write_tiff(folder / "cells.tif", sample_scene(), photometric="rgb")
    channels = {"Name": list(CHANNEL_NAMES), "Color": list(_COLORS)}
    _write_ome(folder / "channels.ome.tif", sample_channels(), "CYX", Channel=channels)
    _write_ome(folder / "stack.ome.tif", sample_stack(), "ZYX", PhysicalSizeZ=1.0)
    _write_ome(folder / "timelapse.ome.tif", sample_timelapse(), "TYX", TimeIncrement=60.0)
    _write_smears(folder / "smears")
    shutil.copyfile(_NUCLEI, folder / _NUCLEI.name)
    _write_tissue(folder / "tissue.png")
    _write_plate(folder / "plate.ome.zarr")
    _write_slide(folder / "slide.ome.tif")
    return paths


def read_nuclei() -> NDArray[np.uint8]:
    """Return nuclei in fluorescence, uint8 (512, 512): a real image, CC0.

    Its source is named in ``samples/README.md`` of the package.

    Examples
    --------
    >>> read_nuclei().shape
    (512, 512)
    """
    from PIL import Image

    return np.asarray(Image.open(_NUCLEI))


def _sizes(factor: float = 1) -> dict[str, float | str]:
    size = SAMPLE_PIXEL_SIZE * factor
    unit = {"PhysicalSizeXUnit": "µm", "PhysicalSizeYUnit": "µm"}
    return {"PhysicalSizeX": size, "PhysicalSizeY": size, **unit}


def _write_tiff(path: Path, image: NDArray[Any], **options: Any) -> None:
    import tifffile

    per_centimeter = 1e4 / SAMPLE_PIXEL_SIZE
    tifffile.imwrite(
        path,
        image,
        resolution=(per_centimeter, per_centimeter),
        resolutionunit="CENTIMETER",
        compression="zlib",
        **options,
    )


def _write_ome(path: Path, image: NDArray[Any], axes: str, **metadata: Any) -> None:
    import tifffile

    options: dict[str, Any] = {"photometric": "minisblack", "compression": "zlib"}
    details = {"axes": axes, **_sizes(), **metadata}
    tifffile.imwrite(path, image, ome=True, metadata=details, **options)


def _write_smears(folder: Path) -> None:
    from PIL import Image

    folder.mkdir(exist_ok=True)
    for number, smear in enumerate(sample_smears(), 1):
        Image.fromarray(smear).save(folder / f"smear-{number}.png", optimize=True)


def _write_tissue(path: Path) -> None:
    from PIL import Image
    from skimage.data import immunohistochemistry

    Image.fromarray(immunohistochemistry()).save(path, optimize=True)


def _write_plate(path: Path) -> None:
    """Write one field for each well, cut from the channel image."""
    from yaozarrs import v05
    from yaozarrs.write.v05 import write_plate

    channels = sample_channels()
    space = [{"name": name, "type": "space", "unit": "micrometer"} for name in "yx"]
    scale = {"type": "scale", "scale": [1, SAMPLE_PIXEL_SIZE, SAMPLE_PIXEL_SIZE]}
    window = {"min": 0, "start": 100, "end": 4000, "max": 65535}
    shown = [
        {"label": name, "color": color, "window": window, "active": True}
        for name, color in zip(CHANNEL_NAMES, ("0000FF", "00FF00", "FF00FF"), strict=True)
    ]
    metadata = {
        "version": "0.5",
        "multiscales": [
            {
                "axes": [{"name": "c", "type": "channel"}, *space],
                "datasets": [{"path": "0", "coordinateTransformations": [scale]}],
            }
        ],
        "omero": {"channels": shown},
    }
    image = v05.Image.model_validate(metadata)
    fields = {
        (row, column, "0"): (image, [channels[:, y : y + 256, x : x + 256]])
        for row, y in (("A", 0), ("B", 256))
        for column, x in (("1", 0), ("2", 256))
    }
    write_plate(path, fields, plate={"name": "samples"}, overwrite=True)


def _write_slide(path: Path) -> None:
    import tifffile

    level = sample_slide()
    options: dict[str, Any] = {"photometric": "rgb", "tile": (256, 256), "compression": "zlib"}
    with tifffile.TiffWriter(path, ome=True) as writer:
        writer.write(level, subifds=2, metadata={"axes": "YXS", **_sizes()}, **options)
        for _ in range(2):
            height, width = level.shape[:2]
            level = np.asarray(
                cv2.resize(level, (width // 2, height // 2), interpolation=cv2.INTER_AREA)
            )
            writer.write(level, subfiletype=1, **options)
