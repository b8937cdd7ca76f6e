"""Settings every test shares; they must be in place before torch starts."""

from __future__ import annotations

import os
import platform

if platform.machine() in ("x86_64", "AMD64"):  # other values only warn elsewhere
    for name, value in {
        "ATEN_CPU_CAPABILITY": "avx2",
        "MKL_CBWR": "AVX2",
        "ONEDNN_MAX_CPU_ISA": "AVX2",
    }.items():
        os.environ.setdefault(name, value)
