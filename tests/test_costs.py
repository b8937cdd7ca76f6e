"""What a network costs: times by a clock of our own, intervals by simulation, memory by ballast."""

from __future__ import annotations

import gc
import math

import numpy as np
import pytest
import torch

from distill_helpers.costs import Latencies, measure_latency, peak_memory

# -- time -----------------------------------------------------------------------------------------


class Clock:
    """A clock that moves only when a candidate says so; nanoseconds."""

    def __init__(self):
        self.now = 0

    def __call__(self):
        return self.now

    def takes(self, durations):
        durations = iter(durations)

        def call():
            self.now += next(durations)

        return call


def measured(seconds):
    return Latencies({name: np.asarray(values, dtype=float) for name, values in seconds.items()})


def test_calls_are_timed_one_by_one_and_warm_up_is_not_counted():
    clock = Clock()
    # Two warm-up calls, three that count; twice.
    durations = [900, 900, 1, 2, 3, 900, 900, 4, 5, 6]
    found = measure_latency(
        {"a": clock.takes(durations)}, rounds=2, calls=3, warm_up=2, clock=clock
    )
    assert found.seconds["a"] == pytest.approx(np.array([[1, 2, 3], [4, 5, 6]]) * 1e-9)


def test_candidates_take_turns_in_a_new_order_each_round():
    called = []
    candidates = {name: (lambda name=name: called.append(name)) for name in "abc"}
    found = measure_latency(candidates, rounds=60, calls={"a": 2, "b": 1, "c": 1}, warm_up=0)
    rounds = [called[4 * k : 4 * k + 4] for k in range(60)]
    assert all(sorted(names) == ["a", "a", "b", "c"] for names in rounds)
    assert all("aa" in "".join(names) for names in rounds), "a block is not torn apart"
    orders = {"".join(dict.fromkeys(names)) for names in rounds}
    assert len(orders) == 6, "each order comes, so each has each before it"
    assert {name: values.shape for name, values in found.seconds.items()} == {
        "a": (60, 2),
        "b": (60, 1),
        "c": (60, 1),
    }
    first = list(called)
    called.clear()
    measure_latency(candidates, rounds=60, calls={"a": 2, "b": 1, "c": 1}, warm_up=0)
    assert called == first


def test_what_is_held_during_a_measurement_is_put_back():
    seen = []

    def look():
        seen.append((torch.get_num_threads(), gc.isenabled(), torch.is_inference_mode_enabled()))

    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        measure_latency({"a": look}, rounds=2, calls=1, warm_up=0, threads=1)
        assert seen == [(1, False, True)] * 2
        with pytest.raises(ZeroDivisionError):
            measure_latency({"a": lambda: 1 / 0}, rounds=2, calls=1)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    assert gc.isenabled() and not torch.is_inference_mode_enabled()
    gc.disable()
    try:
        measure_latency({"a": look}, rounds=2, calls=1)
        assert not gc.isenabled()
    finally:
        gc.enable()


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"candidates": {}}, "candidates is empty"),
        ({"rounds": 1}, "rounds is 1; it must be a whole number, 2 or more"),
        ({"calls": 0}, "calls of 'a' is 0; it must be a whole number, 1 or more"),
        ({"calls": {"b": 3}}, "calls of 'a' is 0; it must be a whole number, 1 or more"),
        ({"warm_up": -1}, "warm_up is -1; it must be a whole number, 0 or more"),
        ({"threads": 0}, "threads is 0; it must be a whole number, 1 or more"),
        ({"threads": 1000}, "threads is 1000; this machine has"),
        ({"threads": "2"}, "threads is '2'; it must be a whole number"),
        ({"candidates": {"a": 3}}, "candidate 'a' is 3; it must be a function of no arguments"),
        ({"calls": 2.5}, "calls of 'a' is 2.5; it must be a whole number, 1 or more"),
        ({"calls": True}, "calls of 'a' is True; it must be a whole number, 1 or more"),
        ({"calls": {"a": None}}, "calls of 'a' is None; it must be a whole number, 1 or more"),
        ({"rounds": 2.0}, "rounds is 2.0; it must be a whole number, 2 or more"),
    ],
)
def test_a_measurement_that_cannot_be_is_refused_before_it_starts(changes, line):
    called = []
    arguments = {"candidates": {"a": lambda: called.append(1)}} | changes
    with pytest.raises((TypeError, ValueError), match=f"^{line}"):
        measure_latency(**arguments)
    assert not called


def test_quantiles_of_a_known_sample():
    found = measured({"a": np.arange(1, 1001).reshape(10, 100, order="F")})
    assert found.quantile("a", 0.5).value == 500
    assert found.quantile("a", 0.99).value == 990
    # Every round has the same share below: only the independent term is left.
    half = 2.262157 * math.sqrt(0.25 / 1000)
    median = found.quantile("a", 0.5)
    assert (median.low, median.high) == (
        math.floor(1000 * (0.5 - half)),
        math.ceil(1000 * (0.5 + half)) + 1,
    )
    assert (median.n, median.level, median.unit) == (10, 0.95, "s")
    with pytest.raises(ValueError, match=r"no p-value"):
        median.p_greater(0)


def test_an_end_beyond_all_calls_is_open():
    found = measured({"a": np.arange(1, 21).reshape(4, 5)})
    assert found.quantile("a", 0.99).high == math.inf
    assert found.quantile("a", 0.01).low == 0


def test_rounds_that_differ_widen_the_interval():
    rng = np.random.default_rng(0)
    alike = rng.lognormal(size=(20, 100))
    found = measured({"alike": alike, "apart": alike * rng.lognormal(0, 1, size=(20, 1))})
    widths = {
        name: math.log(found.quantile(name).high / found.quantile(name).low)
        for name in found.seconds
    }
    assert widths["apart"] > 3 * widths["alike"]


@pytest.mark.parametrize("q", [0.5, 0.99])
@pytest.mark.parametrize("between", [0.0, 0.5])
def test_intervals_of_quantiles_cover(q, between):
    """95 % intervals hold the truth in 93 % of simulated runs or more, whatever rounds share."""
    rng = np.random.default_rng(1)
    truth = math.exp(math.sqrt(1 + between**2) * 2.3263478740 * (q == 0.99))
    hits = 0
    for _ in range(800):
        shared = rng.normal(0, between, size=(20, 1)) if between else 0
        found = measured({"a": np.exp(rng.normal(size=(20, 200)) + shared)})
        interval = found.quantile("a", q)
        hits += interval.low <= truth <= interval.high
    assert hits / 800 > 0.93


def test_a_ratio_is_taken_within_rounds():
    drift = np.linspace(1, 10, 20)[:, None]  # the machine slows down tenfold
    rng = np.random.default_rng(2)
    found = measured(
        {
            "slow": 7 * drift * rng.uniform(0.99, 1.01, (20, 50)),
            "fast": drift * rng.uniform(0.99, 1.01, (20, 50)),
        }
    )
    ratio = found.ratio("slow", "fast")
    assert ratio.value == pytest.approx(7, rel=0.01)
    assert 6.9 < ratio.low < ratio.high < 7.1
    inverse = found.ratio("fast", "slow")
    assert inverse.low == pytest.approx(1 / ratio.high)


@pytest.mark.parametrize(
    ("rounds", "ranks"), [(5, None), (6, (1, 6)), (10, (2, 9)), (20, (6, 15)), (30, (10, 21))]
)
def test_the_sign_tests_ranks(rounds, ranks):
    """The ranks of the tables, such as those of Conover's Practical Nonparametric Statistics."""
    ratios = np.arange(1.0, rounds + 1)
    found = measured({"a": ratios[:, None], "b": np.ones((rounds, 1))})
    ratio = found.ratio("a", "b")
    expected = (0.0, math.inf) if ranks is None else ranks
    assert (ratio.low, ratio.high) == expected
    assert ratio.value == np.median(ratios)


def test_intervals_of_ratios_cover():
    rng = np.random.default_rng(3)
    hits = 0
    for _ in range(800):
        speed = rng.lognormal(0, 1, (20, 1))
        found = measured(
            {
                "a": 2 * speed * rng.lognormal(0, 0.3, (20, 1)) * np.ones((1, 3)),
                "b": speed * rng.lognormal(0, 0.3, (20, 1)) * np.ones((1, 3)),
            }
        )
        ratio = found.ratio("a", "b")
        hits += ratio.low <= 2 <= ratio.high
    assert hits / 800 > 0.94


def test_a_restless_machine_is_called_noisy():
    rng = np.random.default_rng(4)
    calls = rng.uniform(0.99, 1.01, (20, 50))
    assert not measured({"a": calls}).noisy
    assert measured({"a": calls}).unrest("a") < 1.01
    drift = np.linspace(1, 2, 20)[:, None]
    restless = measured({"a": calls * drift, "b": calls * drift, "c": calls})
    assert restless.noisy
    assert restless.unrest("a") == pytest.approx(1.75 / 1.25, rel=0.03)
    assert not measured({"a": calls * drift, "b": calls, "c": calls}).noisy
    stalls = calls.copy()
    stalls[:, 0] = 1000  # a tail is no unrest
    assert not measured({"a": stalls}).noisy


def test_unknown_names_and_quantiles():
    found = measured({"a": np.ones((2, 2))})
    for ask in (lambda: found.quantile("b"), lambda: found.ratio("a", "b")):
        with pytest.raises(KeyError, match="'b' was not measured; there are a"):
            ask()
    for q in (0, 1, 1.5):
        with pytest.raises(ValueError, match="q is"):
            found.quantile("a", q)


def test_real_calls_are_timed():
    found = measure_latency(
        {"little": lambda: None, "much": lambda: sum(range(20_000))}, rounds=6, calls=5
    )
    ratio = found.ratio("much", "little")
    assert ratio.value > 10 and ratio.low > 1


# -- memory ---------------------------------------------------------------------------------------


def test_memory_is_that_of_the_program_and_not_of_its_parent():
    ballast = np.ones(60_000_000)  # 480 MB here
    little = peak_memory("pass")
    much = peak_memory("block = b'1' * 100_000_000")
    released = peak_memory("block = b'1' * 100_000_000\ndel block")
    assert 2e6 < little < 1e8
    assert 0.9e8 < much - little < 1.2e8
    assert 0.9e8 < released - little < 1.2e8, "the peak counts, not the end"
    assert ballast.size


def test_a_program_that_fails_or_hangs_says_so():
    for code, line in (
        ("1 / 0", r"the program failed \(ZeroDivisionError: division by zero\); code must run as"),
        ("import sys; sys.exit(0)", "the program ended before its peak was asked for; .*leave out"),
        (
            "import os; print('peak', flush=True); os._exit(0)",
            ".*ended before its peak .*; .*leave out",
        ),
    ):
        with pytest.raises(RuntimeError, match=f"^{line}") as caught:
            peak_memory(code)
        assert "\n" not in str(caught.value)
    with pytest.raises(RuntimeError, match=r"^timeout is 0.5 s and .*; pass a longer timeout"):
        peak_memory("import time; time.sleep(30)", timeout=0.5)


def test_a_system_that_does_not_tell_says_so():
    empty = "import io, builtins\nbuiltins.open = lambda *a, **k: io.StringIO('VmRSS: 3 kB')"
    with pytest.raises(RuntimeError, match=r"^this system does not tell .*VmHWM.*; measure it on"):
        peak_memory(empty)


def test_without_proc_the_systems_own_count_is_taken():
    missing = (
        "import builtins, resource\nclass Used: ru_maxrss = 4321\n"
        "resource.getrusage = lambda who: Used\n"
        "def no(*a, **k): raise FileNotFoundError\nbuiltins.open = no\n"
    )
    assert peak_memory(missing + "import sys; sys.platform = 'linux'") == 4321 * 1024
    assert peak_memory(missing + "import sys; sys.platform = 'darwin'") == 4321


def test_a_program_may_print():
    assert peak_memory("print('peak 3')") > 1e6
