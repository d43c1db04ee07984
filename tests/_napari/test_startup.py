from __future__ import annotations

import subprocess
import sys

IN_A_THREAD = """
import gc, sys, threading
from napari_clip_heatmap._napari.startup import import_torch_and_open_clip
thread = threading.Thread(target=import_torch_and_open_clip)
thread.start()
thread.join()
assert "open_clip" in sys.modules
assert gc.isenabled()
import torch
assert torch.ones(2).sum() == 2
import_torch_and_open_clip()  # again costs nothing
"""

IN_TWO_THREADS = """
import sys
from concurrent.futures import ThreadPoolExecutor
from napari_clip_heatmap._napari.startup import import_torch_and_open_clip
with ThreadPoolExecutor(2) as pool:
    for done in [pool.submit(import_torch_and_open_clip) for _ in range(2)]:
        done.result()
assert "open_clip" in sys.modules
"""


def test_imports_in_a_thread_and_leaves_python_as_it_was():
    subprocess.run([sys.executable, "-c", IN_A_THREAD], check=True, timeout=120)


def test_two_threads_may_import_at_once():
    subprocess.run([sys.executable, "-c", IN_TWO_THREADS], check=True, timeout=120)
