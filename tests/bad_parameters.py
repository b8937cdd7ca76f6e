"""More than sixty sets of parameters that no chapter may run with, over all chapters.

`python tests/bad_parameters.py` puts each through plain papermill and through the command line,
and says how long the slowest took and what was not refused with one line. On a busy machine the
processor's seconds tell more than the clock's.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

# chapter, papermill's flag, name, text; the command line knows -p alone
SETS = [
    ("00", "-p", "temprature", "4"),
    ("00", "-p", "_temperature", "3"),
    ("00", "-p", "check", "3"),
    ("00", "-p", "In", "3"),
    ("00", "-p", "temperature", "0"),
    ("00", "-p", "temperature", "nan"),
    ("00", "-p", "temperature", "1e-400"),
    ("00", "-y", "student_hidden", "[]"),
    ("00-evidence", "-p", "alpha", "1.5"),
    ("00-evidence", "-p", "alpha", "-1e-30"),
    ("00-evidence", "-p", "alpha", "True"),
    ("00-evidence", "-y", "alpha", "no"),
    ("00-evidence", "-y", "student_hidden", "[64, 0]"),
    ("00-evidence", "-p", "student_hidden", "abc"),
    ("00-evidence", "-p", "num_test", "999"),
    ("01", "-p", "num_training_sets", "1e400"),
    ("01", "-p", "num_training_sets", "3"),
    ("01", "-p", "task", "overlap"),  # a parameter of the evidence alone
    ("01", "-p", "ensemble_size", "1e-30"),
    ("01", "-p", "random_state", "-1"),
    ("01-evidence", "-p", "task", "mnist"),
    ("01-evidence", "-p", "task", "3"),
    ("01-evidence", "-y", "task", "[overlap]"),
    ("01-evidence", "-p", "epochs", "2.5"),
    ("01-evidence", "-p", "random_state", "4294967296"),
    ("02", "-p", "temperature", "-3"),
    ("02", "-p", "temperature", "inf"),
    ("02", "-r", "temperature", "warm"),
    ("02", "-p", "num_seeds", "None"),
    ("02", "-p", "Temperature", "3"),
    ("02-evidence", "-p", "temperature", "-3"),
    ("03", "-p", "alpha", "nan"),
    ("03", "-p", "num_training_sets", "1"),
    ("03", "-p", "rival", "forward KL"),
    ("03", "-y", "alpha", "0,5"),
    ("03", "-p", "Out", "3"),
    ("03-evidence", "-p", "num-seeds", "3"),
    ("03-evidence", "-p", "num_seeds", "1e1"),
    ("04", "-p", "optimiser", "Adam"),
    ("04", "-p", "optimizer", "adam"),
    ("04", "-p", "learning_rate", "0"),
    ("04", "-p", "learning_rate", "1e30"),
    ("04-evidence", "-p", "temperature", "10001"),
    ("04-evidence", "-y", "temperature", "off"),
    ("04-evidence", "-p", "num_seeds", "101"),
    ("05", "-y", "student_hidden", "[4, 2.5]"),
    ("05", "-y", "student_hidden", "[4, 4, 4, 4, 4]"),
    ("05", "-y", "student_hidden", "[true]"),
    ("05", "-p", "num_train", "0"),
    ("05", "-p", "print", "3"),
    ("05", "-p", "globals", "3"),
    ("05", "-p", "lambda", "3"),
    ("05", "-p", "task", "digits"),
    ("05-evidence", "-y", "student_hidden", "[4, 2.5]"),
    ("05-evidence", "-p", "task", "mnist"),
    ("06", "-p", "torch_compile", "stored"),
    ("06-evidence", "-p", "torch_compile", "True"),
    ("06-evidence", "-p", "num_seeds", "9" * 60),
    ("06", "-p", "ensemble_size", "-12"),
    ("07", "-p", "task", "breast_cancer"),
    ("07", "-p", "task", "no/such/file.csv"),
    ("07", "-p", "target", " "),
    ("07", "-p", "margin", "0"),
    ("07", "-p", "repeats", "21"),
    ("07-evidence", "-p", "dataset", "mnist"),
    ("08", "-p", "overlap", "1"),
    ("08", "-p", "label_noise", "nan"),
    ("08", "-p", "rows", "59"),
    ("08", "-p", "teacher_rows", "5"),
    ("08", "-p", "training_set", "3"),
    ("08-evidence", "-p", "points", "[400]"),
    ("08-evidence", "-p", "points", "[]"),
    ("09", "-p", "concentration", "1e-30"),
    ("09", "-p", "num_symbols", "6.5"),
    ("09", "-y", "length", "null"),
    ("09-evidence", "-p", "num_laws", "3"),
    ("09-evidence", "-p", "get_ipython", "3"),
    ("what-soft-targets-buy", "-p", "replicate", "12"),
    ("what-soft-targets-buy", "-p", "task", "article_4000"),
    ("rules-of-evidence", "-y", "num_families", "1_0"),
    ("rules-of-evidence", "-p", "num_families", "1e-30"),
    ("museum", "-p", "num_train", "63"),
    ("museum", "-p", "alpha", "-0.1"),
    ("should-you-distil", "-p", "student", "64"),
]


def through_papermill(chapter, flag, name, text, folder):
    """The command that runs it with plain papermill."""
    from distill_helpers.runs import find

    source = find(chapter)
    given = [f"{name}: {text}"] if flag == "-y" else [name, text]
    run = [sys.executable, "-m", "papermill", str(source), str(Path(folder) / "out.ipynb")]
    return [*run, "-k", "python3", "--cwd", str(source.parent), flag, *given]


def through_distill(chapter, flag, name, text, folder):
    """The command that runs it with this package."""
    run = [sys.executable, "-m", "distill_helpers", "run", chapter]
    return [*run, "-p", name, text, "--out", str(Path(folder) / "runs")]


def faults(code, told, name):
    """What is wrong with how a run ended: its code, or the last line of its error stream."""
    last = (told.strip().splitlines() or [""])[-1]
    found = [f"exit code {code}"] if code != 1 else []
    if f"{name} is " not in last or not last.endswith("."):
        found.append(f"last line: {last}")
    return found


def main():
    """Measure all of them, both ways."""
    for way in (through_papermill, through_distill):
        used, waited, failed = {}, {}, 0
        for entry in SETS:
            with tempfile.TemporaryDirectory() as folder:
                start, before = time.monotonic(), os.times()
                run = subprocess.run(
                    way(*entry, folder), capture_output=True, encoding="utf-8", check=False
                )
                after = os.times()
                waited[entry] = time.monotonic() - start
                used[entry] = (
                    after.children_user
                    + after.children_system
                    - before.children_user
                    - before.children_system
                )
            wrong = faults(run.returncode, run.stderr, entry[2])
            failed += bool(wrong)
            if wrong:
                print(*entry, *wrong, flush=True)
        print(f"{way.__name__}: {failed} of {len(SETS)} not refused as they should be", flush=True)
        for what, seconds in (("of the processor", used), ("by the clock", waited)):
            slowest = max(seconds, key=seconds.get)
            print(f"  slowest {seconds[slowest]:.1f} s {what} ({' '.join(slowest)})", flush=True)


if __name__ == "__main__":
    main()
