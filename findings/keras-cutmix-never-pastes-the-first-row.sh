#!/usr/bin/env bash
# keras 3.15.1 (torch 2.13.0 as its backend).
#
# One would guess: keras.layers.CutMix pastes every pixel as often as its mirror image,
#   and the labels hold the shares of the pixels; torchvision's, timm's and kornia's
#   CutMix do so to the last digit.
# What happens: of an image pasted in part, the first row and the first column stay
#   as they were, always; the last ones do not. Where the label gives more than 0.999
#   to the foreign class, (N-1)^2 of the N x N pixels are foreign: 49 of 64 in an image
#   of 8 x 8, 729 of 784 in one of 28 x 28. (The box has fractional edges, the label
#   takes its area, and a pixel is inside if its upper left corner is.)
# Why it matters: with the default factor most draws are near nothing or near all, so
#   it is the common case. On the small images that tiny networks are taught on, the
#   soft labels are off by up to a quarter, more often towards the foreign class.
# Instead: cut with whole-number edges and set the labels to the shares counted.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -q keras==3.15.1 torch==2.13.0 numpy==2.4.6
cat > "$dir/run.py" <<'PY'
import os

os.environ["KERAS_BACKEND"] = "torch"
import keras
import numpy as np

print("keras", keras.__version__)
rows = 64
for side in (8, 28):
    # Image number i has the value i all over and a class of its own.
    images = np.arange(rows, dtype=np.float32).repeat(side * side).reshape(rows, side, side, 1)
    labels = np.eye(rows, dtype=np.float32)
    layer = keras.layers.CutMix(seed=0)
    pasted, said, counted = np.zeros((side, side)), [], []
    for _ in range(100):
        out = layer({"images": images, "labels": labels}, training=True)
        mixed, soft = (keras.ops.convert_to_numpy(out[key]) for key in ("images", "labels"))
        foreign = mixed[..., 0] != np.arange(rows)[:, None, None]
        own = soft[range(rows), range(rows)]
        moved = (own > 0) & (own < 1)  # neither untouched nor replaced as a whole
        pasted += foreign[moved].sum(0)
        said.extend(1 - own[moved])
        counted.extend(foreign[moved].mean((1, 2)))
    said, counted = np.array(said), np.array(counted)
    whole = counted[said > 0.999]
    off = said - counted
    print(f"{side} x {side}, {len(said)} mixed images")
    print(f"  times pasted: first row {pasted[0].sum():.0f}, last row {pasted[-1].sum():.0f}, "
          f"first column {pasted[:, 0].sum():.0f}, last column {pasted[:, -1].sum():.0f}")
    print(f"  label above 0.999 for the foreign class: {len(whole)} images, share of foreign pixels "
          f"{whole.min():.4f} to {whole.max():.4f}; (N-1)^2/N^2 = {(side - 1) ** 2 / side**2:.4f}")
    print(f"  label less pixels: {off.min():.3f} to {off.max():.3f}, mean {off.mean():.4f}")
    assert pasted[0].sum() == pasted[:, 0].sum() == 0
    assert min(pasted[-1].sum(), pasted[:, -1].sum()) > 100 * side
    assert len(whole) > 100 and (abs(whole - (side - 1) ** 2 / side**2) < 1e-6).all()
    assert off.max() > 0.9 * (1 - (side - 1) ** 2 / side**2) and off.mean() > 0.005
PY
"$dir/venv/bin/python" -W ignore "$dir/run.py"
