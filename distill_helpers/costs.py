"""What a network costs its user: time, measured so that the numbers mean something, and memory.

Chapter 06 uses it.
"""

from __future__ import annotations

import gc
import math
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import stdtrit
from scipy.stats import binom

from distill_helpers import _checks
from distill_helpers.statistics import Estimate

Array = NDArray[np.float64]

NOISY = 1.1
"""Above this, rounds lie too far apart; see `Latencies.noisy`."""


@dataclass(frozen=True, eq=False)
class Latencies:
    """What `measure_latency` saw.

    Attributes
    ----------
    seconds : dict of str to ndarray, shape (rounds, calls)
        Every call of every candidate.
    """

    seconds: dict[str, Array]

    def quantile(self, name: str, q: float = 0.5, level: float = 0.95) -> Estimate:
        r"""Return a quantile of a candidate's calls, with an order-statistic interval.

        Let :math:`F_r` be the share of round r's calls at or below the quantile. Its spread over
        rounds says how sure the share q is, and the ends are the quantiles at (Woodruff 1952)

        .. math:: q \pm t_{R-1} \max\Bigl(\mathrm{sd}(F_r) / \sqrt R,\; \sqrt{q (1 - q) / n}\Bigr)

        So calls of one round may resemble each other. The second term is what independent calls
        would have, and keeps few rounds from looking too sure. An end beyond all calls is infinite
        (above) or 0 (below).

        Parameters
        ----------
        name : str
            Of the candidate.
        q : float
            0.5 for the median, 0.99 for the 99th percentile.
        level : float
            Confidence level.

        Returns
        -------
        Estimate
            In seconds. It has no p-value.
        """
        calls = self._calls(name)
        if not 0 < q < 1:
            raise ValueError(f"q is {q}; a quantile lies between 0 and 1, such as 0.99")
        ordered = np.sort(calls.ravel())
        rounds, n = len(calls), ordered.size
        value = float(np.quantile(ordered, q, method="inverted_cdf"))
        shares = (calls <= value).mean(axis=1)
        spread = float(shares.std(ddof=1)) / math.sqrt(rounds)
        error = max(spread, math.sqrt(q * (1 - q) / n))
        half = float(stdtrit(rounds - 1, (1 + level) / 2)) * error
        low, high = math.floor(n * (q - half)), math.ceil(n * (q + half))
        return Estimate(
            value,
            float(ordered[low - 1]) if low >= 1 else 0.0,
            float(ordered[high]) if high < n else math.inf,
            level,
            rounds,
            math.nan,
            math.nan,
            "s",
        )

    def ratio(self, slow: str, fast: str, level: float = 0.95) -> Estimate:
        """Return how many times longer one candidate takes than another: medians, within rounds.

        The value is the median over rounds of the ratio of the two medians of a round: what slows
        a round down slows both. The interval is the sign test's, which holds for any distribution
        of independent rounds; below six rounds it has no ends at 95 %.

        Parameters
        ----------
        slow, fast : str
            Candidates.
        level : float
            Confidence level.

        Returns
        -------
        Estimate
            A bare number. It has no p-value.
        """
        top, bottom = (np.median(self._calls(name), axis=1) for name in (slow, fast))
        ratios = np.sort(top / bottom)
        rounds = len(ratios)
        # The largest k with P(fewer than k of the rounds lie on one side) <= (1 - level) / 2.
        k = int(binom.ppf((1 - level) / 2, rounds, 0.5))
        if binom.cdf(k, rounds, 0.5) > (1 - level) / 2:
            k -= 1
        low, high = (0.0, math.inf) if k < 0 else (ratios[k], ratios[rounds - 1 - k])
        return Estimate(
            float(np.median(ratios)),
            float(low),
            float(high),
            level,
            rounds,
            math.nan,
            math.nan,
        )

    def unrest(self, name: str) -> float:
        """Return the third quartile of a candidate's medians of rounds, over the first.

        1 on a machine that does nothing else.
        """
        first, third = np.quantile(np.median(self._calls(name), axis=1), [0.25, 0.75])
        return float(third / first)

    @property
    def noisy(self) -> bool:
        """Whether the machine was too noisy to tell small differences.

        So it is where half of the candidates or more are restless by a tenth, `NOISY`. One alone
        may be so by itself.
        """
        return float(np.median([self.unrest(name) for name in self.seconds])) > NOISY

    def _calls(self, name: str) -> Array:
        if name not in self.seconds:
            raise KeyError(f"{name!r} was not measured; there are {', '.join(self.seconds)}")
        return self.seconds[name]


def measure_latency(
    candidates: Mapping[str, Callable[[], object]],
    *,
    rounds: int = 20,
    calls: int | Mapping[str, int] = 100,
    warm_up: int = 20,
    threads: int = 1,
    clock: Callable[[], int] = time.perf_counter_ns,
) -> Latencies:
    """Time single calls of several candidates, in turns, in one run.

    Each round gives every candidate one block of calls, in a new random order (the same in every
    run): what changes in the machine meets all alike, no candidate has the same one before it each
    time, and ratios are taken within a round. Each block begins with calls that are not counted,
    for the caches have forgotten it meanwhile. All run in torch's inference mode, without Python's
    garbage collector, torch on `threads`; a session of ONNX Runtime has a number of its own.

    Parameters
    ----------
    candidates : mapping of str to callable
        Each answers one request; what it needs is bound to it.
    rounds : int
        Blocks of each candidate: 2 or more, and 6 or more for an interval of a ratio.
    calls : int, or mapping of str to int
        Calls counted in a block; one number, or one a candidate.
    warm_up : int
        Calls not counted, before each block.
    threads : int
        Of torch.
    clock : callable
        Nanoseconds; another one for tests.

    Returns
    -------
    Latencies

    Raises
    ------
    TypeError, ValueError
        If there is no candidate, or a count is no whole number or too small; before anything is
        called.
    """
    if not candidates:
        raise ValueError("candidates is empty; give one function or more to time")
    counts = {
        name: calls.get(name, 0) if isinstance(calls, Mapping) else calls for name in candidates
    }
    for name, candidate in candidates.items():
        if not callable(candidate):
            raise TypeError(
                f"candidate {name!r} is {candidate!r:.80}; it must be a function of no arguments, "
                "such as lambda: network(x)"
            )
    for name, value, least in (
        ("rounds", rounds, 2),
        ("warm_up", warm_up, 0),
        *((f"calls of {name!r}", count, 1) for name, count in counts.items()),
    ):
        _checks.whole(name, value, least, f"Use {max(least, 3)}.")
    _checks.threads(threads)
    names = list(candidates)
    order = np.random.default_rng(0)
    seconds = {name: np.zeros((rounds, counts[name])) for name in names}
    with _steady(threads):
        for index in range(rounds):
            for name in order.permutation(names).tolist():
                call = candidates[name]
                for _ in range(warm_up):
                    call()
                for k in range(counts[name]):
                    begin = clock()
                    call()
                    seconds[name][index, k] = (clock() - begin) * 1e-9
    return Latencies(seconds)


def peak_memory(code: str, *, timeout: float = 120.0) -> int:
    """Return the most memory, in bytes, that a fresh Python process holds while it runs `code`.

    Its resident set: the interpreter, every library it loads, and what shared libraries it touches,
    whose pages other processes may share.

    Parameters
    ----------
    code : str
        Python; a whole program, imports included, that runs to its end.
    timeout : float
        Seconds after which it is given up.

    Raises
    ------
    RuntimeError
        If the program fails or ends early, takes too long, or the system does not tell (Windows).

    Examples
    --------
    >>> 10e6 < peak_memory("block = bytes(10_000_000)") < 1e9
    True
    """
    # On Linux `ru_maxrss` starts from the parent's size; the kernel's high-water mark does not.
    tell = """
def _peak():
    try:
        for line in open("/proc/self/status", encoding="ascii"):
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
        return 0
    except OSError:
        try:
            import resource, sys
        except ImportError:
            return 0
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return most if sys.platform == "darwin" else most * 1024
print("\\npeak", _peak())
"""
    try:
        done = subprocess.run(
            [sys.executable, "-c", f"{code}\n{tell}"],
            capture_output=True,
            encoding="utf-8",
            timeout=timeout,
        )
    except subprocess.TimeoutExpired:
        raise RuntimeError(
            f"timeout is {timeout:g} s and the program took longer; pass a longer timeout"
        ) from None
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise RuntimeError(
            f"the program failed ({last}); code must run as `python -c` does: run it so to fix it"
        )
    word, _, told = (done.stdout.splitlines() or [""])[-1].partition(" ")
    if word != "peak" or not told.isdigit():
        raise RuntimeError(
            "the program ended before its peak was asked for; code must run to its end: leave out "
            "sys.exit and os._exit"
        )
    if not int(told):
        raise RuntimeError(
            "this system does not tell a process's peak memory (no VmHWM in /proc/self/status); "
            "measure it on an ordinary Linux or macOS"
        )
    return int(told)


@contextmanager
def _steady(threads: int) -> Iterator[None]:
    """Hold what would disturb a measurement, and put it back."""
    collected, before = gc.isenabled(), torch.get_num_threads()
    gc.collect()
    gc.disable()
    torch.set_num_threads(threads)
    try:
        with torch.inference_mode():
            yield
    finally:
        torch.set_num_threads(before)
        if collected:
            gc.enable()
