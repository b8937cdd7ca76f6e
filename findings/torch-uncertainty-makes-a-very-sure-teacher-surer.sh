#!/usr/bin/env bash
# torch-uncertainty 0.13.0 (torch 2.14.1).
#
# One would guess: TemperatureScaler finds the one temperature that minimises a
#   convex loss in its inverse, or says that it did not.
# What happens: with logits up to 5 times too large the answer is exact. At 8
#   times it is 1e-6 or so, or negative: the network becomes sure of one class
#   on every row and its NLL rises from 3 to a million or more. A positive
#   answer of this kind raises and logs nothing. Too small logits are no trouble.
# Why it matters: small networks trained to zero loss are that sure, and those
#   are the teachers that get a temperature fitted before they teach.
# Instead: divide the logits by their standard deviation first, or fit the
#   logarithm of the temperature within bounds; compare the NLL before and after.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -q "torch-uncertainty[cpu]==0.13.0" lightning==2.6.6 torch==2.14.1 torchvision==0.29.1 scikit-learn==1.9.1
cat > "$dir/run.py" <<'PY'
from importlib.metadata import version

import torch
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, TensorDataset
from torch_uncertainty.post_processing import TemperatureScaler

print("torch-uncertainty", version("torch-uncertainty"), "torch", torch.__version__)


class Scaled(torch.nn.Module):
    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        return self.factor * z


torch.manual_seed(0)
z = 2 * torch.randn(5000, 100)
labels = torch.multinomial(z.softmax(1), 1)[:, 0]  # so the best temperature is the factor
rows = DataLoader(TensorDataset(z, labels), batch_size=500)
found = {}
for factor in (0.1, 1.0, 5.0, 8.0):
    scaler = TemperatureScaler(model=Scaled(factor))
    scaler.fit(rows, progress=False)
    with torch.no_grad():
        before = cross_entropy(factor * z, labels).item()
        after = cross_entropy(scaler(z), labels).item()
    found[factor] = float(scaler.temperature[0]), before, after
    print(f"factor {factor:g}: T = {found[factor][0]:.3g}, NLL {before:.3f} -> {after:.4g}")
for factor in (0.1, 1.0, 5.0):
    assert abs(found[factor][0] / factor - 1) < 0.05
assert 0 < found[8.0][0] < 0.01 and found[8.0][2] > 1e3 * found[8.0][1]
PY
"$dir/venv/bin/python" -W ignore "$dir/run.py"
