"""Measure a student as one C file beside ONNX Runtime, in one run.

Every way answers for the same rows of the article's student (20-64-32-2) on one thread and is
timed in turn, round after round, so that a machine that slows down slows all of them alike. The
ratios are medians over rounds of ratios within a round.
"""

from __future__ import annotations

import argparse
import csv
import ctypes
import functools
import importlib.util
import itertools
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch

from distill_helpers.deployment import export_onnx
from distill_helpers.networks import mlp
from distill_helpers.standalone import COMPILE, compile_c, export_c, export_numpy

SIZES = (20, 64, 32, 2)
RUN, BOUND, C = "ONNX Runtime run()", "ONNX Runtime io_binding", "from C"
HELD, NEW = "cffi, held buffers", "cffi, array in, array out"
TARGETS = [  # rows, way, beside, at least so many times faster
    (1, HELD, RUN, 20.0),
    (1, HELD, BOUND, 10.0),
    (1, C, RUN, 40.0),
    (256, HELD, RUN, 1.0),
    (256, HELD, BOUND, 1.0),
]
LOOP = """
#include "student.c"
void loop(size_t calls, size_t n, const float *x, float *logits);
void loop(size_t calls, size_t n, const float *x, float *logits)
{
    for (size_t k = 0; k < calls; k++) /* another row each time, so that none is left out */
        if (n == 1)
            student_one(x + k % 256 * %d, logits + k % 256 * %d);
        else
            student_rows(n, x, logits);
}
"""

Way = Callable[[int], None]
"""Answer so many times."""


def ways(folder: Path, rows: int, compiler: str) -> dict[str, Way]:
    """Return each way of getting the logits of `rows` rows, its result compared with PyTorch's."""
    torch.manual_seed(0)
    model = mlp(SIZES).eval()
    x = np.random.default_rng(0).standard_normal((256, SIZES[0])).astype(np.float32)
    x = np.ascontiguousarray(x)
    batch = np.ascontiguousarray(x[:rows])
    held = np.zeros((256, SIZES[-1]), np.float32)
    with torch.no_grad():
        expected = model(torch.from_numpy(batch)).numpy()

    session = export_onnx(model, folder / "student.onnx", overwrite=True).session
    bound, result = session.io_binding(), np.zeros((rows, SIZES[-1]), np.float32)
    bound.bind_input("x", "cpu", 0, np.float32, batch.shape, batch.ctypes.data)
    bound.bind_output("logits", "cpu", 0, np.float32, result.shape, result.ctypes.data)
    network = compile_c(export_c(model, folder / "student.c", overwrite=True), compiler=compiler)
    source: dict[str, Any] = {}
    exec(export_numpy(model, folder / "student.py", overwrite=True).read_text(), source)
    loop = _loop(folder, compiler)
    arguments = (rows, x.ctypes, held.ctypes)  # these keep the arrays in memory
    p, q = network.pointer(batch), network.pointer(held)

    def times(call: Callable[[], object]) -> Way:
        def way(calls: int) -> None:
            for _ in itertools.repeat(None, calls):
                call()

        return way

    one, many = network.one, network.rows

    def held_one(calls: int) -> None:
        for _ in itertools.repeat(None, calls):
            one(p, q)

    def held_many(calls: int) -> None:
        for _ in itertools.repeat(None, calls):
            many(rows, p, q)

    found: dict[str, Way] = {
        RUN: times(lambda: session.run(None, {"x": batch})),
        BOUND: times(functools.partial(session.run_with_iobinding, bound)),
        "NumPy, student.py": times(lambda: source["logits"](batch)),
        NEW: times(lambda: network(batch)),
        HELD: held_one if rows == 1 else held_many,
        C: lambda calls: loop(calls, *arguments),
    }
    found[BOUND].result = result  # type: ignore[attr-defined]  # or its memory is freed
    answers = [session.run(None, {"x": batch})[0], network(batch), source["logits"](batch)]
    for way in (BOUND, HELD, C):
        result[:], held[:] = 0, 0
        found[way](1)
        answers.append((result if way == BOUND else held[:rows]).copy())
    for answer in answers:
        np.testing.assert_allclose(answer, expected, rtol=1e-5, atol=1e-6)
    return found


def _loop(folder: Path, compiler: str) -> Callable[..., None]:
    (folder / "loop.c").write_text(LOOP.replace("%d", str(SIZES[0]), 1).replace("%d", "2", 1))
    command = [compiler, *COMPILE, "-shared", "-fPIC", "-o", "loop.so", "loop.c"]
    subprocess.run(command, cwd=folder, check=True)
    loop = ctypes.CDLL(str(folder / "loop.so")).loop
    loop.argtypes = [ctypes.c_size_t, ctypes.c_size_t, ctypes.c_void_p, ctypes.c_void_p]
    loop.restype = None
    return loop


def measure(found: dict[str, Way], rounds: int, seconds: float) -> dict[str, list[float]]:
    """Return microseconds a call for each way, one value a round."""
    calls = {}
    for name, way in found.items():
        way(20)
        count = 20
        while True:  # as many calls as take about so long
            start = time.perf_counter()
            way(count)
            spent = time.perf_counter() - start
            if spent > seconds / 4:
                break
            count *= 4
        calls[name] = max(1, round(count * seconds / spent))
    taken: dict[str, list[float]] = {name: [] for name in found}
    names = list(found)
    for turn in range(rounds):
        first = turn % len(names)  # so that none always runs after the same one
        for name in names[first:] + names[:first]:
            start = time.perf_counter()
            found[name](calls[name])
            taken[name].append((time.perf_counter() - start) / calls[name] * 1e6)
    return taken


def ratio(taken: dict[str, list[float]], way: str, beside: str) -> tuple[float, float, float]:
    """Return how many times faster a way is: median, and the quartiles over rounds."""
    ratios = [b / a for a, b in zip(taken[way], taken[beside], strict=True)]
    low, high = np.quantile(ratios, [0.25, 0.75])
    return median(ratios), float(low), float(high)


def main(argv: list[str] | None = None) -> None:
    """Measure, print the tables, and write them where a folder is named."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="examples:\n  python benchmarks/standalone.py\n"
        "  python benchmarks/standalone.py --quick\n"
        "  python benchmarks/standalone.py --compiler clang --output results",
    )
    parser.add_argument("--rounds", type=int, default=41, help="of every way in turn (41)")
    parser.add_argument("--compiler", default="cc", help="a C compiler (cc)")
    parser.add_argument("--quick", action="store_true", help="three short rounds")
    parser.add_argument("--output", type=Path, help="folder for standalone.csv")
    options = parser.parse_args(argv)
    if options.rounds < 1:
        parser.error(f"--rounds is {options.rounds}; it must be 1 or more, such as 41")
    if options.output and not options.output.is_dir():
        parser.error(f"--output is {options.output}, which is no folder; make it first")
    torch.set_num_threads(1)
    busy = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    if busy > 0.5:
        print(f"WARNING: other programs kept {busy:.1f} cores busy over the last minute")
    if importlib.util.find_spec("cffi") is None:
        print("WARNING: cffi is missing; ctypes stands for it, and a call takes longer")
    rounds, seconds = (3, 0.002) if options.quick else (options.rounds, 0.02)
    table = []
    tables = {}
    with tempfile.TemporaryDirectory() as folder:
        for rows in (1, 256):
            taken = tables[rows] = measure(
                ways(Path(folder), rows, options.compiler), rounds, seconds
            )
            print(f"\n{rows} row{'s' if rows > 1 else ''}: microseconds a call, times faster")
            for way, values in taken.items():
                faster = {name: ratio(taken, way, name)[0] for name in (RUN, BOUND)}
                print(
                    f"  {way:<26} {median(values):9.3f}  {faster[RUN]:6.1f}x than run()"
                    f"  {faster[BOUND]:6.1f}x than io_binding"
                )
                table.append(
                    {
                        "rows": rows,
                        "way": way,
                        "microseconds": f"{median(values):.4g}",
                        "best": f"{min(values):.4g}",
                        "faster_than_run": f"{faster[RUN]:.4g}",
                        "faster_than_io_binding": f"{faster[BOUND]:.4g}",
                    }
                )
    print()
    for rows, way, beside, target in TARGETS:
        middle, low, high = ratio(tables[rows], way, beside)
        verdict = "reached" if middle >= target else "missed"
        print(
            f"{rows} row{'s' if rows > 1 else ''}, {way}: {middle:.1f}x faster than {beside} "
            f"(quartiles {low:.1f} to {high:.1f}; target {target:g}x, {verdict})"
        )
    if options.output:
        target_file = options.output / "standalone.csv"
        with target_file.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(table[0]))
            writer.writeheader()
            writer.writerows(table)
        print(f"wrote {target_file}")


if __name__ == "__main__":
    sys.exit(main())
