"""Explain why PyTorch cannot be imported; this module itself does not import it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from napari_clip_heatmap.errors import ModelLoadError, shorten

__all__ = ["torch_import_errors"]

RUNTIME = "https://aka.ms/vs/17/release/vc_redist.x64.exe"


@contextmanager
def torch_import_errors() -> Iterator[None]:
    """Turn a failed import of torch or open_clip in the block into a clear error.

    Raises
    ------
    ModelLoadError
        With the reason and what to do.
    """
    try:
        yield
    except (ImportError, OSError) as error:  # OSError: a DLL that Windows cannot load
        raise ModelLoadError(
            f"PyTorch and open_clip cannot be imported ({type(error).__name__}: "
            f"{shorten(error, 100)}). {_advice(error)}"
        ) from error


def _advice(error: ImportError | OSError) -> str:
    if isinstance(error, OSError) and ("WinError" in str(error) or ".dll" in str(error)):
        # WinError 1114 at c10.dll: PyTorch 2.9 and later need a newer C++ runtime than the one
        # that Qt ships, and the library that is loaded first decides which one is used.
        return (
            "On Windows, Qt may have loaded an older Microsoft Visual C++ runtime. Install the "
            f"newest one from {RUNTIME} and restart napari; or load PyTorch first: "
            'python -c "import torch, napari; napari.Viewer(); napari.run()"; or install an '
            'earlier one: pip install "torch<2.9".'
        )
    return (
        "Reinstall them in the environment that napari runs in: "
        "pip install --force-reinstall torch open_clip_torch."
    )
