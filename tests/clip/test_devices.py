from __future__ import annotations

import errno
from typing import Any

import pytest
import torch

from napari_clip_heatmap.clip import devices
from napari_clip_heatmap.clip.devices import (
    choose_device,
    describe_failure,
    fast_types,
    is_out_of_memory,
    release_memory,
    unused_gpu_notice,
)
from napari_clip_heatmap.errors import DeviceError

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("cards", "mps", "name", "found"),
    [
        (0, False, "auto", "cpu"),
        (2, False, "auto", "cuda"),
        (2, False, "cuda:1", "cuda:1"),
        (2, False, "cpu", "cpu"),
        (0, True, "auto", "mps"),
        (0, True, "mps", "mps"),
    ],
)
def test_the_device_of_a_name(
    monkeypatch: pytest.MonkeyPatch, cards: int, mps: bool, name: str, found: str
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cards > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: cards)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    assert choose_device(name) == torch.device(found)
    with pytest.raises(DeviceError, match=r"Device 'cuda:2' is not available\. Available: .*cpu"):
        choose_device("cuda:2")


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."), True),
        (RuntimeError("MPS backend out of memory (MPS allocated: 8 GB)"), True),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate`"), True),
        (
            RuntimeError(
                "[enforce fail at alloc_cpu.cpp:1] DefaultCPUAllocator: not enough memory"
            ),
            True,
        ),
        (MemoryError(), True),
        (RuntimeError("CUDA error: unspecified launch failure"), False),
        (OSError(errno.ENOMEM, "Cannot allocate memory: out of memory"), False),
    ],
)
def test_want_of_memory_is_known_from_other_failures(error: Exception, expected: bool) -> None:
    assert is_out_of_memory(error) is expected


def test_failures_are_described_in_a_line() -> None:
    assert describe_failure(torch.OutOfMemoryError("a page")) == "ran out of memory"
    message = describe_failure(RuntimeError("CUDA error: lost\nCompile with " + "x" * 500))
    assert message.startswith("failed (CUDA error: lost Compile with")
    assert len(message) < 220


@pytest.mark.parametrize(("native", "expected"), [(True, (torch.bfloat16,)), (False, ())])
def test_a_cpu_is_fast_in_bf16_only_where_that_is_native(
    monkeypatch: pytest.MonkeyPatch, native: bool, expected: object
) -> None:
    known = {"avx512_bf16": native, "avx512_f": True}
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: known, raising=False)
    assert fast_types(CPU) == expected


@pytest.mark.parametrize("native", [True, False])
def test_older_torch_has_other_functions(monkeypatch: pytest.MonkeyPatch, native: bool) -> None:
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False, raising=False)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: native, raising=False)
    assert bool(fast_types(CPU)) is native


def test_accelerators_are_fast_in_half_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: True)
    assert fast_types(torch.device("cuda", 1)) == (torch.float16, torch.bfloat16)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: False)
    assert fast_types(torch.device("cuda")) == (torch.float16,)
    assert fast_types(torch.device("mps")) == (torch.float16,)


def test_memory_is_released_only_if_it_was_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    emptied: list[str] = []
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: emptied.append("cuda"))
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: False)
    release_memory()
    assert not emptied
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    release_memory()
    assert emptied == ["cuda"]


class TestUnusedCard:
    @pytest.fixture(autouse=True)
    def driver(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
        monkeypatch.setattr(
            devices.shutil,
            "which",
            lambda name: "/usr/bin/nvidia-smi" if "nvidia" in name else None,
        )

    @pytest.mark.parametrize(
        ("cuda", "words"), [(None, "built without CUDA"), ("13.0", "finds no usable GPU")]
    )
    def test_it_is_explained(self, monkeypatch: pytest.MonkeyPatch, cuda: Any, words: str) -> None:
        monkeypatch.setattr(torch.version, "cuda", cuda)
        message = unused_gpu_notice(CPU)
        assert message is not None
        assert words in message
        assert "https://pytorch.org" in message

    def test_there_is_no_notice_if_it_is_used_or_hidden_or_absent(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert unused_gpu_notice(torch.device("cuda")) is None
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
        assert unused_gpu_notice(CPU) is None
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
        monkeypatch.setattr(devices, "_has_nvidia_driver", lambda: False)
        assert unused_gpu_notice(CPU) is None
