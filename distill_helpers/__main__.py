"""The command line: ``distill``, or ``python -m distill_helpers``."""

from __future__ import annotations

import argparse
import ast
import contextlib
import csv
import io
import os
import re
import shlex
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

FIRST_EXAMPLES = """
examples:
  distill report data.csv --target label --out answer
  distill list
  distill run 09-evidence -p num_laws 4 --html

distill COMMAND --help has more of each.
"""
EXAMPLES = """
examples:
  distill report data.csv --target label --out answer
  distill report visits.csv --target churned --group customer --drop name,phone --out answer
  distill report data.parquet --target y --id row --teacher-probabilities forest.csv \\
      --out-of-fold --out answer
  distill report data.csv --target label --student 16,8 --budget-us 1 --floor 0.9 --out answer

Until the report is there, what is done is kept in DIR.part. Stopped or killed: the same command
runs what is missing.
"""


RUN_EXAMPLES = """
examples:
  distill run 09-evidence -p num_laws 4 --html
  distill run 09 -p concentration 1 -p length 5 --out shift --timeout 600

A value is read by its parameter's declared type (distill params CHAPTER), not guessed from its
text. DIR gets CHAPTER.ipynb, and CHAPTER.html with --html, once the run has reached its end; a run
that failed leaves CHAPTER.failed.ipynb beside an earlier good one.

exit codes:
  0    the chapter ran to its end
  1    refused before it began, and nothing was written: the last line says what would do
  2    a cell failed, its kernel died or the time ran out: the last line says where
  130  stopped from the keyboard
"""
PARAMS_EXAMPLES = """
examples:
  distill params 00
  distill params what-soft-targets-buy
"""
LIST_EXAMPLES = """
examples:
  distill list
"""
SWEEP_EXAMPLES = """
examples:
  distill sweep 09-evidence --grid num_laws=4 --grid random_state=0:2 --out sweep-09
  distill sweep 04-evidence --grid temperature=1,2,3,5,10 --grid random_state=0:20 --out sweep-04
  distill sweep 04-evidence --grid temperature=1,2,3 --out sweep-04 \\
      --scheduler tcp://10.0.0.1:8786

0:20 is 0 to 19. DIR gets results.csv and results.parquet (one row for each result of each point),
points.csv, index.html and each executed notebook. Stopped or killed: the same command runs what is
missing. A grid may grow: what is done stays done.

exit codes:
  0    all points are done
  1    refused before it began: the last line says what would do
  2    points failed (points.csv says of what), or the scheduler went away; the rest is kept
  130  stopped from the keyboard; what is done is kept
"""
STUDY_EXAMPLES = """
examples:
  distill study
  distill study verdict-rule --out try.csv -- --settings 4 --families 500
  distill study deciding-overlap3-500 --workers 2
  distill study deciding-overlap3-500 --scheduler tcp://10.0.0.1:8786

Each replicate is a point; the table is the one that the study's script writes (studies/, `python
studies/SCRIPT.py --help` says what it is about). What follows -- is the script's own. Until all
replicates are there, rows are in FILE.part. Stopped or killed: the same command runs what is
missing, and so does the script.

exit codes:
  0    the table is there
  1    refused before it began: the last line says what would do
  2    replicates failed (FILE.failed says of what), or the scheduler went away; the rest is kept
  130  stopped from the keyboard; what is done is kept
"""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Say it in one line, with the way out."""
        if message.startswith("unrecognized"):
            message += ' (a value with spaces needs quotes: "64, 32")'
        print(f"distill: {message}; see {self.prog} --help", file=sys.stderr)
        sys.exit(1)


def _names(text: str) -> list[str]:
    # A name may hold a comma, in quotes, or be empty: pandas writes its row numbers so.
    return next(csv.reader([text], skipinitialspace=True)) or [""]


def _delimiter(text: str) -> str:
    return "\t" if text == r"\t" else text  # which no shell turns into a tab


def _widths(text: str) -> list[int]:
    try:
        return [int(width) for width in text.split(",")]
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no list of widths; write it as 64,32"
        ) from None


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="distill",
        description="Compress an ensemble, or find out that it does not pay.",
        epilog=FIRST_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
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
    rows.add_argument(
        "--drop",
        type=_names,
        action="extend",
        default=[],
        metavar="A,B",
        help="columns to leave out",
    )
    rows.add_argument(
        "--categorical",
        type=_names,
        action="extend",
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
    rows.add_argument(
        "--delimiter",
        type=_delimiter,
        help="of a CSV; \\t is a tab (files beside the table are read by their own headers)",
    )
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
    add.set_defaults(does=_report)
    _add_runs(commands)
    return parser


def _add_runs(commands: Any) -> None:
    """Add the commands for the book's own chapters."""

    def command(name: str, does: Any, help: str, examples: str) -> Any:
        made = commands.add_parser(
            name,
            help=help,
            description=f"{help[0].upper()}{help[1:]}.",
            epilog=examples,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        made.set_defaults(does=does)
        return made

    run = command("run", _run, "execute one chapter with parameters of your own", RUN_EXAMPLES)
    run.add_argument("chapter", help="as distill list names it: 00, or 00-evidence")
    run.add_argument(
        *("-p", "--parameter"),
        nargs=2,
        action="append",
        default=[],
        metavar=("NAME", "VALUE"),
        help="once for each parameter; the others keep their defaults",
    )
    run.add_argument("--html", action="store_true", help="render the page too, as one file")
    run.add_argument("--out", default="runs", metavar="DIR", help="where to write (runs)")
    run.add_argument("--timeout", type=float, metavar="S", help="seconds the run may take")
    for flag in ("-y", "-r"):  # papermill's, which guess a type, or none
        run.add_argument(flag, nargs="+", action=_Guessing, help=argparse.SUPPRESS)
    params = command("params", _params, "show what a chapter may be given", PARAMS_EXAMPLES)
    params.add_argument("chapter", help="as distill list names it: 00, or 00-evidence")
    sweep = _add_sweep(command)
    every = command("list", _list, "show the chapters that can be run", LIST_EXAMPLES)
    _add_study(command)
    for made in (run, every, sweep):
        made.add_argument(
            "--notebooks", metavar="DIR", help="the book's notebooks, where they are not found"
        )


def _add_sweep(command: Any) -> Any:
    sweep = command("sweep", _sweep, "run one chapter at every point of a grid", SWEEP_EXAMPLES)
    option: Any = sweep.add_argument
    option("chapter", help="as distill list names it; it must record results: 04-evidence")
    option(
        "--grid",
        action="append",
        default=[],
        metavar="NAME=VALUES",
        help="a parameter and its values: 1,2,3 or 0:20 or [64,32],[16]; once for each parameter",
    )
    option("--out", required=True, metavar="DIR", help="a folder, new or of this sweep")
    _add_engine(sweep)
    option("--retry-failed", action="store_true", help="run points again that failed")
    option("--timeout", type=float, metavar="S", help="seconds a point may take (no limit)")
    return sweep


def _add_study(command: Any) -> None:
    study = command("study", _study, "run the replicates of one study of the book", STUDY_EXAMPLES)
    option: Any = study.add_argument
    option("name", nargs="?", help="as its table is called; left out: show the studies")
    option("--out", metavar="FILE", help="the table (the study's own, in studies/)")
    _add_engine(study)
    option("--studies", metavar="DIR", help="the studies' scripts, where they are not found")


def _add_engine(made: Any) -> None:
    made.add_argument(
        "--workers", type=int, metavar="N", help="processes here (as many as processors)"
    )
    made.add_argument("--scheduler", metavar="ADDRESS", help="of a Dask cluster, to run there")


class _Guessing(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> NoReturn:
        """Refuse an option of papermill's."""
        parser.error(
            f"{self.option_strings[0]} is papermill's; write -p NAME VALUE, which is read by the "
            "parameter's declared type"
        )


def _values_whole(arguments: Sequence[str]) -> list[str]:
    """Mark names and values of -p, so that one that begins with a hyphen is no option."""
    made, left = [], 0
    for argument in arguments:
        made.append("=" + argument if left else argument)
        left = left - 1 if left else 2 * (argument in ("-p", "--parameter"))
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; 0, or another number and one line on the error stream."""
    if isinstance(sys.stdout, io.TextIOWrapper):  # a letter that a terminal lacks ends no report
        sys.stdout.reconfigure(errors="backslashreplace")
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given[:1] == ["run"]:
        given = _values_whole(given)
    options: list[str] = []
    if given[:1] == ["study"] and "--" in given:
        cut = given.index("--")
        given, options = given[:cut], given[cut + 1 :]
    args = _parser().parse_args(given)
    args.options = options
    try:
        return int(args.does(args))
    except (TypeError, ValueError, OSError, ImportError, ArithmeticError) as error:
        said = _in_options(str(error)) if args.does is _report else str(error)
        for line in said.splitlines() if args.does in (_run, _sweep, _study) else [said]:
            print(f"distill: {' '.join(line.split())}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        left = (
            "what is done is kept; run the same command to go on"
            if args.command in ("sweep", "study")
            or (args.command == "report" and _part(args.out).exists())
            else "nothing was written"
        )
        print(f"distill: stopped; {left}", file=sys.stderr)
        return 130


def _part(out: str) -> Path:
    """Return where a report keeps what is done, beside its folder."""
    folder = Path(out).resolve()
    return folder.with_name(folder.name + ".part")


_OPTIONS = {
    "groups": "--group",
    "time": "--time",
    "ids": "--id",
    "drop": "--drop",
    "categorical": "--categorical",
    "unlabelled": "--unlabelled",
    "file_format": "--format",
    "delimiter": "--delimiter",
    "encoding": "--encoding",
    "index_base": "--index-base",
    "teacher_probabilities": "--teacher-probabilities",
    "out_of_fold": "--out-of-fold or --in-sample",
    "budget_us": "--budget-us",
    "random_state": "--seed",
}
"""What `report` calls its arguments, and the command line its options."""


def _in_options(text: str) -> str:
    """Put a message for callers of Python into the command line's words.

    Examples
    --------
    >>> _in_options("leave it out, drop=['a b'], or pass groups='who'; index_base is 2")
    "leave it out, --drop 'a b', or pass --group who; --index-base is 2"
    """
    names = "|".join(_OPTIONS)
    word = r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\""""
    value = rf"\[(?:{word})\]|{word}|\d+|True|False|\.\.\."
    # A path is nobody's argument, whatever its folders are called.
    text = re.sub(rf"(?<![\w'\"/])({names}|max_levels)=({value})(?![\w/])", _as_option, text)
    # Words that are English too are arguments only where a sentence speaks of them as such.
    bare = (
        r"(?<![\w'\"/.-])(?:(?P<a>\w+_\w+)(?![./]\w)|(?P<b>\w+)(?= is ['\d-])"
        r"|(?<=[Ll]eave )(?P<c>\w+)(?= out)|(?<=as )(?P<d>groups)"
        r"|(?P<e>time|groups)(?= (?:and groups )?are both given))"
    )
    return re.sub(bare, lambda found: _OPTIONS.get(found[0], found[0]), text)


def _as_option(found: re.Match[str]) -> str:
    name, value = found[1], found[2]
    if name == "max_levels":  # no option: --categorical says as much
        return value
    if name == "out_of_fold":
        return "--out-of-fold" if value == "True" else "--in-sample"
    if value == "...":
        return f"{_OPTIONS[name]} COLUMN"
    given = ast.literal_eval(value)
    if isinstance(given, list):  # of names, which `_names` reads
        line = io.StringIO()
        csv.writer(line, lineterminator="").writerow(given)
        given = line.getvalue()
    word = r"\t" if given == "\t" else str(given)
    return f"{_OPTIONS[name]}{'=' if word.startswith('-') else ' '}{shlex.quote(word)}"


@contextlib.contextmanager
def _alone(out: str) -> Iterator[None]:
    """Hold a report's folder for this process; the system lets go of it however that ends."""
    try:
        import fcntl
    except ImportError:  # Windows
        yield
        return
    part = _part(out)
    lock = part.with_name(part.name + ".lock")  # a name that nobody else has
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise FileExistsError(
                f"out is {out}, for which process {file.read()} is making a report; wait for it, "
                "or name another folder"
            ) from None
        except OSError:  # a file system without locks
            pass
        if not lock.exists() or not os.path.samestat(os.fstat(file.fileno()), lock.stat()):
            raise FileExistsError(f"out is {out}, where a report has just ended; say it again")
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        try:
            yield
        finally:
            lock.unlink(missing_ok=True)


def _report(args: argparse.Namespace) -> int:
    from distill_helpers.report import check_out  # loads torch, so after --help

    check_out(args.out)
    with _alone(args.out):
        check_out(args.out)  # another run may have ended in between
        return _make_report(args)


def _make_report(args: argparse.Namespace) -> int:
    from distill_helpers.report import report

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
        tell=lambda line: print(line, flush=True),
        keep=_part(args.out),
        encoding=args.encoding,
        **reading,
    )
    made.found["flags"] = [_in_options(flag) for flag in made.found["flags"]]
    made.write(args.out)
    _part(args.out).unlink()
    print(made)
    print(f"\nThe page: {args.out}/report.html; the student: student.onnx, student.c, student.py")
    return 0


def _sweep(args: argparse.Namespace) -> int:
    from distill_helpers import sweeps

    try:
        outcome = sweeps.sweep(
            _chapter(args.chapter),
            args.grid,
            args.out,
            workers=args.workers,
            scheduler=args.scheduler,
            retry_failed=args.retry_failed,
            timeout=args.timeout,
            folder=Path(args.notebooks) if args.notebooks else None,
            progress=sys.stderr.isatty(),
        )
    except sweeps.Stopped as error:
        print(f"distill: {error}", file=sys.stderr)
        return 2
    if outcome.failed:
        print(f"distill: {outcome}", file=sys.stderr)
        return 2
    print(f"{outcome}\nThe page: {args.out}/index.html; the table: results.csv, results.parquet")
    return 0


def _study(args: argparse.Namespace) -> int:
    from distill_helpers import runs, sweeps

    folder = Path(args.studies) if args.studies else None
    if args.name is None:
        return _show_studies(folder)
    for name, value in runs.stored_bits().items():
        os.environ.setdefault(name, value)
    try:
        outcome = sweeps.study(
            args.name,
            args.out,
            options=args.options,
            workers=args.workers,
            scheduler=args.scheduler,
            folder=folder,
            progress=sys.stderr.isatty(),
        )
    except sweeps.Stopped as error:
        print(f"distill: {error}", file=sys.stderr)
        return 2
    if outcome.errors:
        print(f"distill: {outcome}", file=sys.stderr)
        return 2
    print(outcome)
    return 0


def _show_studies(folder: Path | None) -> int:
    from distill_helpers import sweeps

    found = sweeps.find_studies(folder)
    if not found:
        raise ValueError(
            f"there are no scripts of the book's studies in {folder or 'sight'}; "
            "name their folder: distill study --studies DIR"
        )
    width = max(map(len, found))
    for name, (script, arguments) in found.items():
        print(
            f"{name:{width}}  {' '.join(['python', f'studies/{script.name}', arguments])}".rstrip()
        )
    return 0


def _run(args: argparse.Namespace) -> int:
    from distill_helpers import parameters  # nothing else until they have been checked

    chapter = _chapter(args.chapter)
    texts: dict[str, str] = {}
    for name, value in ((name[1:], value[1:]) for name, value in args.parameter):
        if name in texts:
            raise ValueError(
                f"{name} is given twice, as {texts[name]} and {value}; it must be given once."
            )
        texts[name] = value
    values = parameters.parse(chapter, texts)

    from distill_helpers import runs

    folder = Path(args.notebooks) if args.notebooks else None
    runs.find(chapter, folder)
    runs.can_run(html=args.html)
    out = Path(args.out)
    out.mkdir(parents=True, exist_ok=True)
    kept, failed = out / f"{chapter}.ipynb", out / f"{chapter}.failed.ipynb"
    start = time.monotonic()
    try:
        notebook = runs.execute(
            chapter,
            values,
            timeout=args.timeout,
            folder=folder,
            progress=sys.stderr.isatty(),
        )
    except runs.RunFailed as error:
        _replace(failed, error.notebook)
        print(f"distill: {error}; what ran is in {failed}", file=sys.stderr)
        return 2
    written = [(kept, notebook)]
    if args.html:
        written.append((kept.with_suffix(".html"), runs.page(notebook).encode("utf-8")))
    for path, content in written:
        _replace(path, content)
    if not args.html:
        kept.with_suffix(".html").unlink(missing_ok=True)  # of an earlier run's parameters
    failed.unlink(missing_ok=True)
    print(f"{' and '.join(str(path) for path, _ in written)}: {time.monotonic() - start:.0f} s")
    return 0


def _replace(path: Path, content: bytes) -> None:
    """Write a file beside its place and move it there whole."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.write_bytes(content)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def _chapter(name: str) -> str:
    """Return the key of a chapter; ValueError with the way out where there is none."""
    from distill_helpers import parameters

    if name in parameters.CHAPTERS:
        return name
    if name.endswith(".ipynb"):
        raise ValueError(
            f"chapter is {name!r}, a file; give the chapter's name, such as 00, and all of its "
            "parameters again (distill list shows the names)"
        )
    raise ValueError(
        f"chapter is {name!r}; it must be one of {', '.join(parameters.CHAPTERS)} "
        "(distill list says what they are)"
    )


def _params(args: argparse.Namespace) -> int:
    from distill_helpers.parameters import CHAPTERS, typed

    entries = CHAPTERS[_chapter(args.chapter)]
    name_width = max(map(len, entries))
    width = max(len(typed(entry.default)) for entry in entries.values())
    print(f"chapter {args.chapter}: each parameter, its default, what it may be and what it is\n")
    for name, entry in entries.items():
        print(f"{name:{name_width}}  {typed(entry.default):{width}}  {entry.rule}")
        print(f"{'':{name_width}}  {'':{width}}  {entry.help}")
    return 0


def _list(args: argparse.Namespace) -> int:
    from distill_helpers import runs

    found = runs.chapters(Path(args.notebooks) if args.notebooks else None)
    if not found:
        raise ValueError(
            f"there are no notebooks of the book in {args.notebooks or 'sight'}; "
            "name their folder: distill list --notebooks DIR"
        )
    width = max(map(len, found))
    for chapter, path in found.items():
        print(f"{chapter:{width}}  {runs.title(path)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
