"""An encoding as a file that can be shared."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from napari_clip_heatmap.errors import OutputError
from napari_clip_heatmap.pipeline.storage import parts
from napari_clip_heatmap.pipeline.storage.zarr_file import write_arrays
from napari_clip_heatmap.pipeline.storage.half import halved

if TYPE_CHECKING:
    from napari_clip_heatmap.pipeline.encoding import Encoding

__all__ = ["contents", "save_encoding"]


def save_encoding(
    encoding: Encoding, path: str | Path, *, compact: bool = False, overwrite: bool = False
) -> Path:
    """Write an encoding as `Encoding.save` says."""
    target = Path(path)
    if target.exists() and not overwrite:
        raise OutputError(f"'{target}' exists; choose another name, or pass overwrite=True")
    record, arrays = contents(encoding)
    if compact and "tokens" in arrays and (half := halved(arrays["tokens"])) is not None:
        arrays["tokens"], record["exponent"] = half
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        write_arrays(target, record, arrays)
    except OutputError:
        raise
    except OSError as error:
        raise OutputError(
            f"the encoding cannot be saved as '{target}' ({error.strerror or error}); make room or "
            "choose another place"
        ) from error
    return target


def contents(encoding: Encoding) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Return all of an encoding but its text tower: a record, and arrays."""
    board, of_board = parts.board_arrays(encoding.board)
    validity, of_validity = parts.validity_arrays(encoding.validity)
    region, of_region = parts.region_arrays(encoding.region)
    coarse, of_coarse = parts.coarse_arrays(encoding.coarse)
    record = {
        "program": "napari-clip-heatmap",
        "version": version("napari-clip-heatmap"),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "model": dict(encoding.model),
        "notices": list(encoding.notices),
        "lattice": parts.lattice_record(encoding.lattice),
        "board": board,
        "validity": validity,
        "region": region,
        "coarse": coarse,
        "view": asdict(encoding.view),
        "downsample": float(encoding.downsample),
        "overlap": float(encoding.overlap),
        "complete": encoding.complete,
        "exponent": None,
    }
    return record, {**of_board, **of_validity, **of_region, **of_coarse}
