"""The command line: ``distill``, or ``python -m distill_helpers``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

EXAMPLES = """
examples:
  distill report data.csv --target label --out answer
  distill report visits.csv --target churned --group customer --drop name,phone --out answer
  distill report data.parquet --target y --id row --teacher-probabilities forest.csv \\
      --out-of-fold --out answer
  distill report data.csv --target label --student 16,8 --budget-us 1 --floor 0.9 --out answer
"""


SWEEPS = """
examples:
  distill sweep 09-evidence --grid num_laws=4 --grid random_state=0:2 --out sweep-09
  distill sweep 04-evidence --grid temperature=1,2,3,5,10 --grid random_state=0:20 --out sweep-04
  distill sweep 04-evidence --grid temperature=1,2,3 --out sweep-04 \\
      --scheduler tcp://10.0.0.1:8786

0:20 is 0 to 19. Stopped, or killed: the same command runs what is missing. A grid may grow: what
is done stays done. Exit code 0: all points are done; 1: the command, the folder or the engine was
at fault, or points failed (points.csv says of what).
"""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Say it in one line, with the way out."""
        print(f"distill: {message}; see {self.prog} --help", file=sys.stderr)
        sys.exit(1)


def _names(text: str) -> list[str]:
    return [name for name in text.split(",") if name]


def _widths(text: str) -> list[int]:
    try:
        return [int(width) for width in text.split(",")]
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no list of widths; write it as 64,32"
        ) from None


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="distill", description="Compress an ensemble, or find out that it does not pay."
    )
    commands = parser.add_subparsers(dest="command", required=True, parser_class=_Parser)
    add = commands.add_parser(
        "report",
        help="from a file to a verdict, a page and a student",
        description="Say whether distilling pays on your own data, and hand over a student.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    option: Any = add.add_argument
    option("data", help="CSV, Parquet, NPZ, ARFF or SVMLight")
    option("--target", required=True, metavar="COLUMN", help="the column of labels")
    option("--out", required=True, metavar="DIR", help="a new folder for the page and the student")
    rows = add.add_argument_group("rows and columns")
    rows.add_argument("--group", metavar="COLUMN", help="whose rows they are: never on both sides")
    rows.add_argument("--time", metavar="COLUMN", help="what trains is older than what tests")
    rows.add_argument("--id", metavar="COLUMN", help="the column that names each row")
    rows.add_argument("--drop", type=_names, default=[], metavar="A,B", help="columns to leave out")
    rows.add_argument(
        "--categorical",
        type=_names,
        default=[],
        metavar="A,B",
        help="numbers that are categories, or text of many levels",
    )
    rows.add_argument(
        "--unlabelled", metavar="FILE", help="rows without labels, for students with a teacher"
    )
    rows.add_argument(
        "--format",
        choices=["csv", "parquet", "npz", "arff", "svmlight"],
        help="where the name does not tell",
    )
    rows.add_argument("--delimiter", help="of a CSV")
    rows.add_argument("--encoding", default="utf-8", help="of a CSV (utf-8)")
    rows.add_argument("--index-base", type=int, choices=[0, 1], help="of an SVMLight file")
    who = add.add_argument_group("teacher and student")
    who.add_argument(
        "--teacher",
        default="networks",
        metavar="NAME",
        help="networks (twelve; the default), hist-gradient-boosting or random-forest",
    )
    who.add_argument(
        "--teacher-probabilities",
        metavar="FILE",
        help="one column a class, and the ids; needs --id and one of the next two",
    )
    said = who.add_mutually_exclusive_group()
    said.add_argument(
        "--out-of-fold",
        action="store_true",
        help="each row was answered by a model that had not seen it",
    )
    said.add_argument(
        "--in-sample", action="store_true", help="the model was trained on these rows"
    )
    who.add_argument(
        "--student", type=_widths, default=[64, 32], metavar="W,W", help="hidden widths (64,32)"
    )
    how = add.add_argument_group("how sure, how fast")
    how.add_argument("--repeats", type=int, default=2, help="of six-fold cross-validation (2)")
    how.add_argument(
        "--margin", type=float, default=0.01, help="smallest NLL that matters, in nats (0.01)"
    )
    how.add_argument(
        "--budget-us", type=float, metavar="US", help="microseconds that a prediction may take"
    )
    how.add_argument(
        "--floor",
        type=float,
        metavar="SHARE",
        help="accuracy that the student must surely reach, such as 0.95",
    )
    how.add_argument("--seed", type=int, default=0, help="of splits and networks (0)")
    _add_sweep(commands)
    return parser


def _add_sweep(commands: Any) -> None:
    add = commands.add_parser(
        "sweep",
        help="one chapter at every point of a grid, in parallel",
        description="Run a chapter at every point of a grid and gather its results in one table.",
        epilog=SWEEPS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    option: Any = add.add_argument
    option("chapter", help="such as 04-evidence; it must record results")
    option(
        "--grid",
        action="append",
        default=[],
        metavar="NAME=VALUES",
        help="a parameter and its values: 1,2,3 or 0:20 or [64,32],[16]; once for each parameter",
    )
    option("--out", required=True, metavar="DIR", help="a folder, new or of this sweep")
    option("--workers", type=int, metavar="N", help="processes here (as many as processors)")
    option("--scheduler", metavar="ADDRESS", help="of a Dask cluster, to run there instead")
    option("--retry-failed", action="store_true", help="run points again that failed")
    option("--timeout", type=float, metavar="S", help="seconds that a point may take (no limit)")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; 0, or 1 and one line on the error stream."""
    args = _parser().parse_args(arguments)
    try:
        return {"report": _report, "sweep": _sweep}[args.command](args)
    except (TypeError, ValueError, OSError, ImportError, ArithmeticError, RuntimeError) as error:
        print(f"distill: {' '.join(str(error).split())}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        left = (
            "what is done is kept; run the same command to go on"
            if args.command == "sweep"
            else "nothing was written"
        )
        print(f"distill: stopped; {left}", file=sys.stderr)
        return 130


def _report(args: argparse.Namespace) -> int:
    from distill_helpers.report import check_out, report  # loads torch, so after --help

    check_out(args.out)
    reading = {
        name: value
        for name, value in (
            ("file_format", args.format),
            ("delimiter", args.delimiter),
            ("index_base", args.index_base),
        )
        if value is not None
    }
    made = report(
        args.data,
        args.target,
        groups=args.group,
        time_column=args.time,
        ids=args.id,
        drop=args.drop,
        categorical=args.categorical,
        teacher=args.teacher,
        teacher_probabilities=args.teacher_probabilities,
        out_of_fold=True if args.out_of_fold else False if args.in_sample else None,
        student=args.student,
        unlabelled=args.unlabelled,
        repeats=args.repeats,
        margin=args.margin,
        budget_us=args.budget_us,
        floor=args.floor,
        random_state=args.seed,
        progress=sys.stderr.isatty(),
        encoding=args.encoding,
        **reading,
    )
    made.write(args.out)
    print(made)
    print(f"\nThe page: {args.out}/report.html; the student: student.onnx, student.c, student.py")
    return 0


def _sweep(args: argparse.Namespace) -> int:
    from distill_helpers import sweeps

    outcome = sweeps.sweep(
        args.chapter,
        args.grid,
        args.out,
        workers=args.workers,
        scheduler=args.scheduler,
        retry_failed=args.retry_failed,
        timeout=args.timeout,
        progress=sys.stderr.isatty(),
    )
    if outcome.failed:
        print(f"distill: {outcome}", file=sys.stderr)
        return 1
    print(f"{outcome}\nThe page: {args.out}/index.html; the table: results.csv, results.parquet")
    return 0


if __name__ == "__main__":
    sys.exit(main())
