"""What to do with files that are not read here, by their suffix."""

from __future__ import annotations

from pathlib import Path

__all__ = ["advice_on_file"]

_TO_TIFF = "convert it to OME-TIFF (Bio-Formats, or File > Save As in Fiji), or open it in napari"

_ADVICE = {
    (".czi", ".nd2", ".lif", ".lei", ".oib", ".oif", ".vsi", ".ets", ".ims", ".dv", ".mrxs"): (
        f"{_TO_TIFF} with a reader plugin"
    ),
    (".zarr", ".n5"): (
        "open its array (with the package zarr) and give that, or open it in napari with a reader "
        "plugin"
    ),
    (".h5", ".hdf5", ".hdf", ".mat", ".npz", ".nc"): (
        "it holds named arrays: open one (h5py, scipy.io, numpy.load) and give that"
    ),
    (".dcm", ".nii", ".gz", ".mha", ".mhd", ".nrrd"): (
        "open it with the package for it (pydicom, nibabel, SimpleITK) and give the array of one "
        "plane"
    ),
    (".fits", ".fit", ".fts"): "open it with astropy.io.fits and give the array of one plane",
    (".psd", ".psb", ".xcf", ".kra"): (
        "flatten it and save it as TIFF or PNG in the program that made it (of PSD, 8 bits per "
        "channel are read)"
    ),
    (".svg", ".pdf", ".eps", ".ai"): "it is a drawing; export a page of it as PNG or TIFF",
    (".heic", ".heif", ".jxl", ".hdr", ".exr"): "save it as PNG or TIFF",
    (".nef", ".cr2", ".cr3", ".arw", ".dng", ".raf", ".orf", ".rw2"): (
        "it is a camera's raw file; develop it to TIFF"
    ),
    (".mp4", ".avi", ".mov", ".mkv", ".webm"): "it is a film; export its frames as TIFF or PNG",
    (".tif", ".tiff", ".btf", ".stk", ".lsm", ".qptiff", ".svs", ".ndpi", ".scn"): (
        "it may be cut short or damaged: copy it again, or save it again where it was made"
    ),
}

_ANY = "accepted are TIFF, NPY, PNG, JPEG and what else Pillow reads; save it as one of these"


def advice_on_file(path: Path) -> str:
    """Return what to do with a file or folder that could not be read.

    Examples
    --------
    >>> from pathlib import Path
    >>> advice_on_file(Path("drawing.svg"))
    'it is a drawing; export a page of it as PNG or TIFF'
    """
    suffix = path.suffix.lower()
    for suffixes, advice in _ADVICE.items():
        if suffix in suffixes:
            return advice
    return "give the path of an image file" if path.is_dir() else _ANY
