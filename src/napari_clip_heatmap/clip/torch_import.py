"""Why PyTorch cannot be loaded, where it cannot, in words that help; needs no PyTorch itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from napari_clip_heatmap.errors import ModelLoadError

__all__ = ["torch_import_errors"]

RUNTIME = "https://aka.ms/vs/17/release/vc_redist.x64.exe"


@contextmanager
def torch_import_errors() -> Iterator[None]:
    """Import torch and open_clip in here.

    Raises
    ------
    ModelLoadError
        They could not be imported; says why, and what to do.
    """
    try:
        yield
    except (ImportError, OSError) as error:  # OSError: a DLL that Windows cannot load
        raise ModelLoadError(
            f"PyTorch and open_clip cannot be loaded ({type(error).__name__}: {error}). "
            f"{_what_to_do(error)}"
        ) from error


def _what_to_do(error: ImportError | OSError) -> str:
    if isinstance(error, OSError) and ("WinError" in str(error) or ".dll" in str(error)):
        # WinError 1114 at c10.dll: PyTorch 2.9 and later need a newer C++ runtime than the one
        # that Qt brings, and whoever is loaded first decides which it is.
        return (
            "On Windows this happens where Qt has loaded an older Microsoft Visual C++ runtime "
            f"before. Install the newest one from {RUNTIME} and start napari again. If that does "
            'not help, let PyTorch be loaded first: python -c "import torch, napari; '
            'napari.Viewer(); napari.run()"; or install an earlier one: pip install "torch<2.9".'
        )
    return (
        "Install them anew into the environment that napari runs in: "
        "pip install --force-reinstall torch open_clip_torch."
    )
