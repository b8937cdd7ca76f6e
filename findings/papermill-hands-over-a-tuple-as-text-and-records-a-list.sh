#!/usr/bin/env bash
# papermill 2.7.0.
#
# One would guess: execute_notebook(..., parameters={"hidden": (64, 32)}) puts a
#   tuple into the notebook, or a list, or refuses it.
# What happens: the injected cell says hidden = "(64, 32)", a string of eight
#   characters, also where the tuple stands inside a list or a mapping. The
#   metadata of the same finished notebook say [64, 32]. No warning.
# Why it matters: layers, shapes and grids are tuples. `for width in hidden` runs
#   eight times, `len(hidden)` is 8, `hidden[0]` is "(", and whoever reads back
#   which parameters were used, as sweeps do, is told what the notebook never saw.
# Instead: lists; or read parameters out of the injected cell, not the metadata.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -q papermill==2.7.0 ipykernel==7.1.0
cat > "$dir/run.py" <<'PY'
import logging
import os
import sys

import nbformat
import papermill
from nbformat.v4 import new_code_cell, new_notebook

logging.disable(logging.WARNING)
print("papermill", papermill.__version__)
os.chdir(sys.argv[1])
show = "print(type(hidden).__name__, len(hidden), '|', type(grid[0]).__name__, grid[0])"
book = new_notebook(
    cells=[
        new_code_cell("hidden, grid = (8,), [(8,)]", metadata={"tags": ["parameters"]}),
        new_code_cell(show),
    ],
    metadata={"kernelspec": {"name": "python3", "display_name": "Python", "language": "python"}},
)
nbformat.write(book, "in.ipynb")
papermill.execute_notebook(
    "in.ipynb", "out.ipynb", parameters={"hidden": (64, 32), "grid": [(64, 32)]}, progress_bar=False
)
done = nbformat.read("out.ipynb", 4)
injected = next(c.source for c in done.cells if "injected-parameters" in c.metadata.get("tags", []))
seen = done.cells[-1].outputs[0].text.strip()
recorded = done.metadata.papermill.parameters.hidden
print(injected, "the notebook saw: " + seen, f"the metadata say: hidden = {recorded}", sep="\n")
assert seen == "str 8 | str (64, 32)"
assert recorded == [64, 32]
PY
"$dir/venv/bin/python" "$dir/run.py" "$dir" 2> "$dir/log" || { cat "$dir/log"; exit 1; }
