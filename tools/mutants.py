"""Keep what the mutation test found, as the table that the page on trust reads.

Takes the output of ``mutmut results --all true`` and writes one row a function. Example:

  python -m mutmut results --all true | python tools/mutants.py benchmarks/mutants.csv
"""

from __future__ import annotations

import argparse
import csv
import re
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

NOTICED = ("killed", "timeout", "segfault", "caught by type check")
UNNOTICED = ("survived", "no tests")
LINE = re.compile(r"(?P<module>[\w.]+)\.x[_ǁ](?P<function>\w+?)__mutmut_\d+: (?P<end>.+)")


def count(lines: Iterable[str]) -> list[dict[str, str | int]]:
    """Return how many mutants each function had, and how many made a test fail.

    Raises ValueError where one was not run to its end.
    """
    made: Counter[tuple[str, str]] = Counter()
    noticed: Counter[tuple[str, str]] = Counter()
    for line in lines:
        if found := LINE.fullmatch(line.strip()):
            where = found["module"], found["function"].replace("ǁ", ".")  # a class's own
            made[where] += 1
            if found["end"] not in (*NOTICED, *UNNOTICED):
                raise ValueError(
                    f"{found['function']} has a mutant that is {found['end']!r}; every mutant must "
                    "have been run. Run mutmut without names, to its end."
                )
            noticed[where] += found["end"] in NOTICED
    return [
        {"module": module, "function": function, "mutants": n, "noticed": noticed[module, function]}
        for (module, function), n in made.items()
    ]


def main() -> None:
    """Read the results from standard input, write the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("table", type=Path, help="the CSV file to write")
    args = parser.parse_args()
    try:
        rows = count(sys.stdin)
    except ValueError as error:
        parser.error(str(error))
    if not rows:
        parser.error("no mutant in the input; give it what `mutmut results --all true` prints")
    with args.table.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0].keys(), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    made, noticed = (sum(int(row[name]) for row in rows) for name in ("mutants", "noticed"))
    print(f"{noticed} of {made} mutants noticed; wrote {args.table}")


if __name__ == "__main__":
    main()
