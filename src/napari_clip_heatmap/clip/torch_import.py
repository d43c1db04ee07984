"""Import PyTorch and open_clip without what nobody needs; explain why they cannot be imported.

This module itself imports neither.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from importlib import import_module
from types import ModuleType
from typing import Any

from napari_clip_heatmap.errors import ModelLoadError, shorten

__all__ = [
    "compiler_left_out",
    "import_open_clip",
    "open_clip_imported",
    "torch_import_errors",
]

RUNTIME = "https://aka.ms/vs/17/release/vc_redist.x64.exe"


COMPILER = "torch._dynamo"

_ONE_AT_A_TIME = threading.RLock()
"""Stand-ins for the compiler must not go while another thread counts on them."""


def import_open_clip() -> None:
    """Import open_clip, and with it PyTorch, but not PyTorch's compiler.

    open_clip imports torchvision and timm, and these the compiler: for a question that torchvision
    asks when it computes on regions of interest, and to keep the compiler from some functions. It
    is a third of the time of all these imports, and of what a garbage collection looks at. It also
    imports triton, whose library carries an LLVM of its own with its symbols in the open:
    beside the LLVM of Mesa, which has drawn a window in software or on some AMD cards, the process
    ends with a segmentation fault (triton 3.7 with LLVM 15). Whoever needs it later imports it.
    """
    with _ONE_AT_A_TIME:
        if "open_clip" not in sys.modules:
            import_module("torch")
            with compiler_left_out():
                import_module("open_clip")


@contextmanager
def compiler_left_out() -> Iterator[None]:
    """Let modules that stand for PyTorch's compiler be found in this block, unless it is there."""
    with _ONE_AT_A_TIME:
        if COMPILER in sys.modules:
            yield
            return
        package, utils = _StandIn(COMPILER), _StandIn(f"{COMPILER}.utils")
        package.disable, utils.is_compile_supported = _disable, _is_compile_supported
        sys.modules |= {each.__name__: each for each in (package, utils)}
        try:
            yield
        finally:
            _remove_stand_ins()


def _remove_stand_ins() -> None:
    for name in (COMPILER, f"{COMPILER}.utils"):
        if isinstance(sys.modules.get(name), _StandIn):
            del sys.modules[name]


class _StandIn(ModuleType):
    """Stands for a module of the compiler; asked for what it does not know, it imports that one."""

    disable: Any
    is_compile_supported: Any

    def __getattr__(self, name: str) -> Any:
        # Python asks any module for such names; for this one, where submodules are looked for.
        if name.startswith("__") and (name, self.__name__) != ("__path__", COMPILER):
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        _remove_stand_ins()
        return getattr(import_module(self.__name__), name)


def _disable(function: Callable[..., Any] | None = None, *how: Any, **more: Any) -> Any:
    """Keep the compiler from a function, as its own decorator does, once it is there."""
    if function is None:
        return lambda decorated: _disable(decorated, *how, **more)

    disabled: Callable[..., Any] | None = None

    @wraps(function)
    def call(*arguments: Any, **options: Any) -> Any:
        nonlocal disabled
        compiler = sys.modules.get(COMPILER)
        if compiler is None or isinstance(compiler, _StandIn):
            return function(*arguments, **options)
        disabled = disabled or import_module(COMPILER).disable(function, *how, **more)
        return disabled(*arguments, **options)

    return call


def _is_compile_supported(device_type: Any) -> Any:
    return import_module(f"{COMPILER}.utils").is_compile_supported(device_type)


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


@contextmanager
def open_clip_imported() -> Iterator[None]:
    """Import open_clip, and let the block import what needs it; both with `torch_import_errors`."""
    with torch_import_errors():
        import_open_clip()
        yield


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
