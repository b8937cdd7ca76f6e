"""How stored outputs are compared: exactly, or within intervals on another kind of machine.

nbval compares exact text. Trained numbers come out equal, bit for bit, on machines with one
fingerprint (`distill_helpers.results.fingerprint`), no further. So where this machine's
fingerprint differs from the one stored in a notebook,

- cells tagged `trained` are compared by `trained_faults`: each recorded result within its stored
  interval, verdicts word for word, other text with its numbers masked;
- drawings (SVG, Vega-Lite), whose last digits depend on the machine too, are left out;
- everything else is compared exactly, as ever.

Either way outputs are gathered by kind: stdout, stderr, each MIME type, in their order. So where a
stream stands among the displays is not compared, nor whether a value was displayed or returned,
metadata, tracebacks, or bitmaps (PNG, JPEG). Which of the two ran is printed at the end.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbval.plugin import IPyNbCell

from distill_helpers.results import METADATA_KEY, MIME, fingerprint

DRAWINGS = (
    "image/svg+xml",
    "application/vnd.vegalite.v5+json",
    "application/vnd.vegalite.v6+json",
)
NUMBER = re.compile(r"[-+]?\d[\d,]*(?:\.\d+)?(?:e[-+]?\d+)?")
PACKED = re.compile(r"[A-Za-z0-9+/]{60,}=*|student-[0-9a-f]{8}")  # weights in a page, their digest


def differences(notebook: Any) -> list[str] | None:
    """Say how this machine's fingerprint differs from the stored one; None where none is stored."""
    stored = notebook["metadata"].get(METADATA_KEY, {}).get("fingerprint")
    if stored is None:
        return None
    here = fingerprint()
    return [
        f"{key} is {here.get(key, 'unknown')} here, {stored.get(key, 'unknown')} there"
        for key in sorted(here.keys() | stored.keys())
        if here.get(key) != stored.get(key)
    ]


def trained_faults(stored: Sequence[Any], new: Sequence[Any]) -> list[str]:
    """Compare the outputs of a trained cell on another kind of machine; one line a fault."""
    before, after = _gathered(stored), _gathered(new)
    counts = [{kind: len(contents) for kind, contents in side.items()} for side in (before, after)]
    if counts[0] != counts[1]:
        return [f"the cell has outputs {counts[1]}; {counts[0]} are stored"]
    faults = []
    for kind in before:
        if kind.startswith("image/") or kind in DRAWINGS:
            continue
        for old, fresh in zip(before[kind], after[kind], strict=True):
            if kind == MIME:
                faults += results_faults(old, fresh)
            elif (was := _masked(old)) != (now := _masked(fresh)):
                faults.append(
                    f"the words of {kind} changed, numbers aside:\n  stored: {was}\n  now:    {now}"
                )
    return faults


def results_faults(stored: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Compare two results outputs: values within the stored intervals, all else but ends equal."""
    faults = []
    old_names = [entry["name"] for entry in stored["results"]]
    new_names = [entry["name"] for entry in new["results"]]
    if (stored["chapter"], old_names) != (new["chapter"], new_names):
        return [f"results are {new_names}; stored are {old_names}"]
    for old, fresh in zip(stored["results"], new["results"], strict=True):
        name = old["name"]
        faults += [
            f"{key} of {name!r} is {fresh[key]!r}; stored is {old[key]!r}"
            for key in ("level", "n", "unit")
            if old[key] != fresh[key]
        ]
        value, low, high = fresh["value"], old["low"], old["high"]
        if low is None and high is None and old["level"] is None:
            if value != old["value"]:
                faults.append(
                    f"{name!r} is {value}; stored is {old['value']}, with no interval to lie in"
                )
        elif (low is not None and value < low) or (high is not None and value > high):
            faults.append(f"{name!r} is {value}; the stored interval is {low} to {high}")
    old_verdicts = [_judged(entry) for entry in stored["verdicts"]]
    new_verdicts = [_judged(entry) for entry in new["verdicts"]]
    if old_verdicts != new_verdicts:
        faults.append(f"verdicts are {new_verdicts}; stored are {old_verdicts}")
    return faults


def _judged(entry: Mapping[str, str]) -> dict[str, str]:
    """Return a verdict without its numbers."""
    return dict(entry) | {"result": _masked(entry["result"])}


def _gathered(outputs: Sequence[Any]) -> dict[str, list[Any]]:
    """Gather outputs by kind, in order, as nbval does: what lies between them does not count."""
    found: dict[str, list[Any]] = {}
    for output in outputs:
        if output["output_type"] == "stream":
            found.setdefault(output["name"], []).append(output["text"])
        elif output["output_type"] == "error":
            found.setdefault("error", []).append(f"{output['ename']}: {output['evalue']}")
        else:
            # the texts beside results are a table of the same
            data = output["data"]
            for kind in [MIME] if MIME in data else data:
                found.setdefault(kind, []).append(data[kind])
    return found


def _masked(text: Any) -> str:
    """Return a text with numbers as #, and without the spaces and rules that follow their width."""
    text = NUMBER.sub("#", PACKED.sub("#", str(text)))
    return re.sub(r"-{2,}", "--", " ".join(text.split()))


def _compare_trained(cell: IPyNbCell, new: Sequence[Any], stored: Sequence[Any]) -> bool:
    cell.comparison_traceback = trained_faults(stored, new)
    return not cell.comparison_traceback


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give trained cells their own comparison where the fingerprint differs."""
    for item in items:
        if not isinstance(item, IPyNbCell) or not differences(item.parent.nb):
            continue
        if "trained" in item.cell.metadata.get("tags", []):
            item.compare_outputs = functools.partial(_compare_trained, item)
        else:
            item.compare_outputs = functools.partial(
                item.compare_outputs, skip_compare=(*item.parent.skip_compare, *DRAWINGS)
            )


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Print which comparison each notebook had; from the reports, so under xdist too."""
    if not config.getoption("nbval", default=False):
        return
    notebooks = sorted(
        {
            report.nodeid.partition("::")[0]
            for reports in terminalreporter.stats.values()
            for report in reports
            if ".ipynb::" in getattr(report, "nodeid", "")
        }
    )
    for name in notebooks:
        found = differences(nbformat.read(Path(config.rootpath) / name, as_version=4))
        if found is None:
            how = "all cells exactly; no fingerprint is stored (make outputs stores it)"
        elif not found:
            how = "all cells exactly; the fingerprint is the stored one"
        else:
            how = f"trained cells within their intervals, the rest exactly; {'; '.join(found)}"
        terminalreporter.write_line(f"{name} compared: {how}")
