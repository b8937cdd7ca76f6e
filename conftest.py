"""What every test run shares, `pytest --nbval notebooks/` included (so it lies at the root).

The settings hold machines with wider vectors to AVX2, so that training gives the same bits; they
must be in place before torch starts, and kernels inherit them.
"""

from __future__ import annotations

import os
import platform
import sys
from pathlib import Path

from hypothesis import settings

# The same examples in every run: a change passes or fails for good. To explore:
# pytest --hypothesis-profile=default
settings.register_profile("repeatable", derandomize=True)
settings.load_profile("repeatable")

if platform.machine() in ("x86_64", "AMD64"):  # elsewhere they only warn
    for name, value in {
        "ATEN_CPU_CAPABILITY": "avx2",
        "MKL_CBWR": "AVX2",
        "ONEDNN_MAX_CPU_ISA": "AVX2",
    }.items():
        os.environ.setdefault(name, value)

sys.path.insert(0, str(Path(__file__).parent / "tests"))
pytest_plugins = ["nbval_support"]
