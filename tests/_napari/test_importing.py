from __future__ import annotations

import subprocess
import sys

IN_A_THREAD = """
import gc, sys, threading
from napari_clip_heatmap._napari.importing import import_towers
thread = threading.Thread(target=import_towers)
thread.start()
thread.join()
assert "open_clip" in sys.modules
assert sys.modules.get("triton", True) is not None
assert gc.isenabled()
import torch
assert torch.ones(2).sum() == 2
import_towers()  # again costs nothing
"""


def test_imports_in_a_thread_and_leaves_python_as_it_was():
    subprocess.run([sys.executable, "-c", IN_A_THREAD], check=True, timeout=120)
