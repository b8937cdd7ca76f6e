"""Measure how fast many small networks train: `distill_helpers` beside its peers, in one run.

Every way trains the same networks on the same rows with the same settings and is timed in turn,
round after round, so that a machine that slows down slows all of them alike. Times are
milliseconds for one epoch of one member.
"""

from __future__ import annotations

import argparse
import csv
import importlib.util
import itertools
import math
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, median
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from scipy import stats
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from distill_helpers.networks import Stack, mlp
from distill_helpers.tasks import Task, article_task
from distill_helpers.training import Distillation, HardLabels, Objective, fit

BATCH = 64
LEARNING_RATE = 1e-3
TEMPERATURE, ALPHA = 3.0, 0.7
HERE = Path(__file__).parent
LIMIT_MB = 2000

Run = Callable[[int], float]
"""Train for some epochs more; return the mean loss over the last epoch's batches."""


@dataclass(frozen=True)
class Job:
    """Networks to train, as the article sets them, on some rows of its training part.

    Students learn from soft targets as well. These are the labels softened, for what they say
    does not change the time that they take.
    """

    name: str
    sizes: tuple[int, ...]
    dropout: tuple[float, ...]
    members: int
    weight_decay: float
    distils: bool
    target: float
    task: Task
    rows: int

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """Inputs ``(N, D)``, labels ``(N,)`` and, for students, soft targets ``(N, C)``."""
        x, y = self.task.x_train[: self.rows], self.task.y_train[: self.rows]
        return (x, y, self.soft_targets[: self.rows]) if self.distils else (x, y)

    @property
    def soft_targets(self) -> Tensor:
        """The task's labels, softened ``(N, C)``."""
        return 0.7 * F.one_hot(self.task.y_train, self.task.num_classes).float() + 0.15

    def networks(self, count: int) -> list[nn.Module]:
        """Make the first networks, each from its own seed."""
        made: list[nn.Module] = []
        for seed in range(count):
            torch.manual_seed(seed)
            made.append(mlp(self.sizes, self.dropout))
        return made

    def loss(self, z: Tensor, y: Tensor, soft: Tensor | None = None) -> Tensor:
        """Compute the loss of one network, or the sum over a stack ``(M, B, C)``."""
        z, y, batch = z.reshape(-1, z.shape[-1]), y.reshape(-1), z.shape[-2]
        hard = F.cross_entropy(z, y, reduction="sum") / batch
        if soft is None:
            return hard
        log_q = F.log_softmax(z / TEMPERATURE, -1)
        kl = F.kl_div(log_q, soft.reshape(z.shape), reduction="sum") / batch
        return ALPHA * TEMPERATURE**2 * kl + (1 - ALPHA) * hard

    @property
    def flops(self) -> int:
        """Floating-point operations of one epoch of one member: 6 x parameters x rows."""
        parameters = sum(a * b + b for a, b in itertools.pairwise(self.sizes))
        return 6 * parameters * self.rows


def dataloader_loop(job: Job) -> Run:
    """Train one network as the article does: a DataLoader, Adam as it comes."""
    (network,) = job.networks(1)
    optimiser = torch.optim.Adam(
        network.parameters(), lr=LEARNING_RATE, weight_decay=job.weight_decay
    )
    loader = DataLoader(TensorDataset(*job.tensors), batch_size=BATCH, shuffle=True)

    def run(epochs: int) -> float:
        for _ in range(epochs):
            total = 0.0
            for x, *targets in loader:
                optimiser.zero_grad()
                loss = job.loss(network(x), *targets)
                loss.backward()
                optimiser.step()
                total += loss.item()
        return total / len(loader)

    return run


def one_at_a_time(job: Job) -> Run:
    """Train one network on tensors that are indexed batch by batch, with fused Adam."""
    (network,) = job.networks(1)
    optimiser = _adam(job, list(network.parameters()))
    x, *targets = job.tensors

    def run(epochs: int) -> float:
        for _ in range(epochs):
            total = torch.zeros(())
            batches = torch.randperm(job.rows).split(BATCH)
            for batch in batches:
                optimiser.zero_grad()
                loss = job.loss(network(x[batch]), *(t[batch] for t in targets))
                loss.backward()
                optimiser.step()
                total += loss.detach()
        return float(total) / len(batches)

    return run


def vmap_stack(job: Job) -> Run:
    """Train all members with torch.func: vmap over grad of a functional call."""
    networks = job.networks(job.members)
    parameters, _ = torch.func.stack_module_state(networks)
    optimiser = _adam(job, list(parameters.values()))
    x, *targets = job.tensors
    skeleton = networks[0]

    def member_loss(own: dict[str, Tensor], inputs: Tensor, *own_targets: Tensor) -> Tensor:
        return job.loss(torch.func.functional_call(skeleton, own, (inputs,)), *own_targets)

    step = torch.func.vmap(torch.func.grad_and_value(member_loss), randomness="different")

    def run(epochs: int) -> float:
        for _ in range(epochs):
            total = torch.zeros(())
            batches = _orders(job).split(BATCH, 1)
            for batch in batches:
                detached = {name: value.detach() for name, value in parameters.items()}
                gradients, losses = step(detached, x[batch], *(t[batch] for t in targets))
                for name, value in parameters.items():
                    value.grad = gradients[name]
                optimiser.step()
                total += losses.mean()
        return float(total) / len(batches)

    return run


def baddbmm_stack(job: Job) -> Run:
    """Train all members with batched matrix products and autograd, torch's own dropout."""
    stack = Stack.from_modules(job.networks(job.members))
    weights = [w.detach().transpose(1, 2).contiguous().requires_grad_() for w in stack.weights]
    biases = [b.detach().unsqueeze(1).requires_grad_() for b in stack.biases]
    optimiser = _adam(job, [*weights, *biases])
    x, *targets = job.tensors

    def run(epochs: int) -> float:
        for _ in range(epochs):
            total = torch.zeros(())
            batches = _orders(job).split(BATCH, 1)
            for batch in batches:
                optimiser.zero_grad()
                z = x[batch]
                for depth, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
                    z = torch.baddbmm(bias, z, weight)
                    if depth < len(job.dropout):
                        z = F.relu(z)
                        if job.dropout[depth]:
                            z = F.dropout(z, job.dropout[depth])
                loss = job.loss(z, *(t[batch] for t in targets))
                loss.backward()
                optimiser.step()
                total += loss.detach() / job.members
        return float(total) / len(batches)

    return run


def ours(job: Job) -> Run:
    """Train all members with `distill_helpers.training.fit`, its set-up included."""
    stack = Stack.from_modules(job.networks(job.members))
    objective: Objective = HardLabels(job.task.y_train)
    if job.distils:
        objective = Distillation(
            job.soft_targets, job.task.y_train, temperature=TEMPERATURE, alpha=ALPHA
        )

    def run(epochs: int) -> float:
        history = fit(
            stack,
            job.task,
            objective,
            epochs=epochs,
            batch_size=BATCH,
            learning_rate=LEARNING_RATE,
            weight_decay=job.weight_decay,
            seeds=range(job.members),
            rows=torch.arange(job.rows),
        )
        return float(history.loss[-1].mean())

    return run


def jax_scan(job: Job) -> Run:
    """Train all members with JAX: an epoch is one compiled program, jit(vmap(scan))."""
    import jax
    import jax.numpy as jnp

    stack = Stack.from_modules(job.networks(job.members))
    parameters = [
        (jnp.asarray(w.detach().transpose(1, 2).numpy()), jnp.asarray(b.detach().numpy()))
        for w, b in zip(stack.weights, stack.biases, strict=True)
    ]
    x, *targets = (jnp.asarray(t.numpy()) for t in job.tensors)

    def loss_of(parameters: Any, key: Any, batch: Any) -> Any:
        z = x[batch]
        for depth, (weight, bias) in enumerate(parameters):
            z = z @ weight + bias
            if depth < len(job.dropout):
                z = jax.nn.relu(z)
                if job.dropout[depth]:
                    key, own = jax.random.split(key)
                    keep = 1 - job.dropout[depth]
                    z = jnp.where(jax.random.bernoulli(own, keep, z.shape), z / keep, 0)
        labels = targets[0][batch]
        hard = -jnp.take_along_axis(jax.nn.log_softmax(z), labels[:, None], 1).mean()
        if not job.distils:
            return hard
        p = targets[1][batch]
        kl = (p * (jnp.log(p) - jax.nn.log_softmax(z / TEMPERATURE))).sum(-1).mean()
        return ALPHA * TEMPERATURE**2 * kl + (1 - ALPHA) * hard

    def step(state: Any, batch: Any) -> Any:
        parameters, first, second, count, key = state
        key, own = jax.random.split(key)
        loss, gradients = jax.value_and_grad(loss_of)(parameters, own, batch)
        count = count + 1
        tree = jax.tree.map
        if job.weight_decay:
            gradients = tree(lambda g, w: g + job.weight_decay * w, gradients, parameters)
        first = tree(lambda m, g: 0.9 * m + 0.1 * g, first, gradients)
        second = tree(lambda v, g: 0.999 * v + 0.001 * g * g, second, gradients)
        rate, root = LEARNING_RATE / (1 - 0.9**count), jnp.sqrt(1 - 0.999**count)
        parameters = tree(
            lambda w, m, v: w - rate * m / (jnp.sqrt(v) / root + 1e-8), parameters, first, second
        )
        return (parameters, first, second, count, key), loss

    def epoch(state: Any, order: Any) -> Any:
        full = job.rows // BATCH
        state, losses = jax.lax.scan(step, state, order[: full * BATCH].reshape(full, BATCH))
        if job.rows % BATCH:  # scan wants equal batches, so the smaller last one follows it
            state, last = step(state, order[full * BATCH :])
            losses = jnp.append(losses, last)
        return state, losses.mean()

    compiled = jax.jit(jax.vmap(epoch), donate_argnums=0)
    state = (
        parameters,
        jax.tree.map(jnp.zeros_like, parameters),
        jax.tree.map(jnp.zeros_like, parameters),
        jnp.zeros(job.members),
        jax.random.split(jax.random.key(0), job.members),
    )

    def run(epochs: int) -> float:
        nonlocal state
        for _ in range(epochs):
            # Shuffled outside, as for the others: XLA sorts slowly on a CPU.
            state, losses = compiled(state, _orders(job).numpy().astype(np.int32))
        return float(losses.mean())

    return run


def _adam(job: Job, parameters: list[Tensor]) -> torch.optim.Adam:
    return torch.optim.Adam(parameters, lr=LEARNING_RATE, weight_decay=job.weight_decay, fused=True)


def _orders(job: Job) -> Tensor:
    """Shuffle the rows for each member ``(M, N)``."""
    return torch.stack([torch.randperm(job.rows) for _ in range(job.members)])


WAYS: dict[str, tuple[Callable[[Job], Run], bool]] = {
    "DataLoader loop": (dataloader_loop, False),
    "one at a time, indexed": (one_at_a_time, False),
    "torch.func.vmap": (vmap_stack, True),
    "baddbmm, autograd": (baddbmm_stack, True),
    "distill_helpers fit": (ours, True),
    "JAX jit(vmap(scan))": (jax_scan, True),
}
"""Each way, and whether it trains all members at once."""

LOOP, OURS, JAX = "DataLoader loop", "distill_helpers fit", "JAX jit(vmap(scan))"


@dataclass
class Timing:
    """What was measured for one way of one job: ms a member epoch, one value a round."""

    job: Job
    way: str
    threads: int
    run: Run
    loss: float
    rounds: list[float]

    @property
    def label(self) -> str:
        """The way, with its threads where it is timed at several."""
        return self.way if WAYS[self.way][1] else f"{self.way}, {_threads(self.threads)}"

    def measure(self, epochs: int) -> None:
        """Time some epochs, and add a round."""
        torch.set_num_threads(self.threads)
        start = time.perf_counter()
        self.run(epochs)
        seconds = time.perf_counter() - start
        members = self.job.members if WAYS[self.way][1] else 1
        self.rounds.append(1000 * seconds / epochs / members)


@dataclass(frozen=True)
class Ratio:
    """A median of ratios taken round by round, with its interval at 95 % or more."""

    value: float
    low: float
    high: float

    def verdict(self, target: float) -> str:
        """Say whether the target is reached, or that the rounds differ too much to tell."""
        if self.low >= target:
            return "met"
        if self.high < target:
            return "not met"
        return "cannot tell: too few rounds" if self.high == math.inf else "too noisy to tell"


def ratio(slower: Sequence[float], faster: Sequence[float]) -> Ratio:
    """How many times faster, round by round, with the interval of a median's order statistics.

    Fewer than six rounds bound nothing.
    """
    values = sorted(s / f for s, f in zip(slower, faster, strict=True))
    cut = int(stats.binom.ppf(0.025, len(values), 0.5))
    if cut == 0:
        return Ratio(median(values), 0.0, math.inf)
    return Ratio(median(values), values[cut - 1], values[-cut])


def peak_gflops(size: int, repeats: int = 5) -> float:
    """Multiply two square float32 matrices on all threads; the best rate in GFLOP/s."""
    a, b = torch.randn(size, size), torch.randn(size, size)
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        torch.mm(a, b)
        seconds.append(time.perf_counter() - start)
    return 2 * size**3 / min(seconds) / 1e9


def peak_memory_mb(members: int) -> float | None:
    """Train students in a process of its own for an epoch; its peak memory in MB."""
    if importlib.util.find_spec("resource") is None:  # Windows
        return None
    command = [sys.executable, __file__, "--memory-of", str(members)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def _print_memory(members: int) -> None:
    import resource

    ours(jobs(article_task(), 4000, members)[1])(1)
    unit = 1 if platform.system() == "Darwin" else 1024  # bytes there, kilobytes elsewhere
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6)


def jobs(task: Task, rows: int, num_students: int = 100) -> list[Job]:
    """Return the article's teachers and students."""
    teachers = Job(
        "teachers", (20, 256, 128, 64, 2), (0.3, 0.3, 0.0), 12, 0.0, False, 6.0, task, rows
    )
    students = Job(
        "students", (20, 64, 32, 2), (0.0, 0.0), num_students, 1e-4, True, 25.0, task, rows
    )
    return [teachers, students]


def prepare(job: Job, threads: int) -> list[Timing]:
    """Set up every way and train one epoch untimed, which warms up and gives the loss."""
    timings = []
    for way, (make, stacked) in WAYS.items():
        if way == JAX and importlib.util.find_spec("jax") is None:
            continue
        for count in [threads] if stacked else sorted({1, threads}):
            torch.set_num_threads(count)
            run = make(job)
            timings.append(Timing(job, way, count, run, run(1), []))
    return timings


def report(timings: Sequence[Timing], peaks: Sequence[float], memory: float | None) -> list[dict]:
    """Print the tables and verdicts; return the rows of the CSV file."""
    peak = median(peaks)
    rows: list[dict] = []
    for job in dict.fromkeys(timing.job for timing in timings):
        mine = [timing for timing in timings if timing.job is job]
        loop = min((t for t in mine if t.way == LOOP), key=lambda t: median(t.rounds))
        print(f"\n{job.members} {job.name}, {'-'.join(map(str, job.sizes))}, {job.rows} rows")
        print(f"  {'way':<36}{'median ms':>10}{'best':>8}{'faster':>9}{'of peak':>9}{'loss':>8}")
        for t in mine:
            faster = ratio(loop.rounds, t.rounds)
            share = job.flops / (median(t.rounds) * 1e6) / peak
            rows.append(
                {
                    "networks": job.name,
                    "way": t.label,
                    "threads": t.threads,
                    "unit": "ms per member epoch",
                    "median": round(median(t.rounds), 3),
                    "best": round(min(t.rounds), 3),
                    "faster": round(faster.value, 2),
                    "faster_low": round(faster.low, 2),
                    "faster_high": round(faster.high, 2),
                    "share_of_peak": round(share, 4),
                    "first_epoch_loss": round(t.loss, 4),
                }
            )
            print(
                f"  {t.label:<36}{median(t.rounds):>10.2f}{min(t.rounds):>8.2f}"
                f"{faster.value:>8.1f}x{share:>9.1%}{t.loss:>8.3f}"
            )
        by_way = {t.way: t for t in mine if WAYS[t.way][1]}
        own = by_way[OURS]
        _print_verdict(f"against {loop.label}", ratio(loop.rounds, own.rounds), job.target)
        if JAX in by_way:
            _print_verdict("against JAX", ratio(by_way[JAX].rounds, own.rounds), 1.0)
        else:
            print("  JAX is not installed: pip install -r benchmarks/requirements.txt")
        odd = [t.label for t in mine if abs(t.loss / fmean(o.loss for o in mine) - 1) > 0.1]
        if odd:
            print(f"  WARNING: the loss after one epoch is unlike the others' for: {odd}")
    rows.append(
        {
            "networks": "machine",
            "way": "square matrix product",
            "threads": max(t.threads for t in timings),
            "unit": "GFLOP/s",
            "median": round(peak, 1),
            "best": round(max(peaks), 1),
        }
    )
    print(f"\nmatrix products: {peak:.0f} GFLOP/s (median; best {max(peaks):.0f})")
    print("'of peak' is 6 x parameters x rows / time / that: 2 forward and 4 backward for each")
    print("parameter and row; 'faster' is against the loop at its better thread count.")
    if memory is not None:
        rows.append(
            {
                "networks": "1000 students",
                "way": OURS,
                "threads": max(t.threads for t in timings),
                "unit": "MB peak memory",
                "median": round(memory),
                "best": round(memory),
            }
        )
        verdict = "met" if memory <= LIMIT_MB else "not met"
        print(f"1,000 students at once: {memory:.0f} MB at most, limit {LIMIT_MB} MB: {verdict}")
    return rows


def _print_verdict(what: str, found: Ratio, target: float) -> None:
    print(
        f"  fit {what}: {found.value:.2f}x ({found.low:.2f} to {found.high:.2f}), "
        f"target {target:g}x: {found.verdict(target)}"
    )


def _threads(count: int) -> str:
    return f"{count} thread" if count == 1 else f"{count} threads"


def write(rows: list[dict], folder: Path) -> None:
    """Write `training.csv` and `training.png`."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "training.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, fieldnames=list(rows[0]))
        table.writeheader()
        table.writerows(rows)
    plot(rows, folder / "training.png")


def plot(rows: list[dict], path: Path) -> None:
    """Draw the times as horizontal bars on a log scale."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    panels = {"teachers": "A teacher, twelve at once", "students": "A student, 100 at once"}
    figure = Figure(figsize=(8, 6.4), layout="constrained")
    FigureCanvasAgg(figure)
    for axes, (name, title) in zip(figure.subplots(2, 1), panels.items(), strict=True):
        bars = [row for row in rows if row["networks"] == name]
        # Okabe and Ito's blue and grey: apart in brightness too.
        colours = ["#0072B2" if row["way"] == OURS else "#B8B8B8" for row in bars]
        times = [row["median"] for row in bars]
        labels = [f"{row['median']:.3g} ms  ({row['faster']:.3g}x)" for row in bars]
        drawn = axes.barh([row["way"] for row in bars], times, color=colours)
        axes.bar_label(drawn, labels, padding=4)
        axes.set(xscale="log", xlim=(min(times) / 3, max(times) * 4), title=title)
        axes.xaxis.set_major_formatter("{x:g}")
        axes.set_xlabel("milliseconds for one epoch of one member (log scale)")
        axes.invert_yaxis()
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=150)


def main(argv: Sequence[str] | None = None) -> None:
    """Read the options, measure, print and write."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=(
            "examples:\n"
            "  python benchmarks/training.py               all of it; training.csv, training.png\n"
            "  python benchmarks/training.py --rounds 31   narrower intervals\n"
            "  python benchmarks/training.py --quick       does it run? its times mean little\n"
            "  OMP_NUM_THREADS=1 taskset -c 0 python benchmarks/training.py    on one core\n"
        ),
    )
    parser.add_argument("--rounds", type=int, default=15, help="times each way is timed (15)")
    parser.add_argument(
        "--quick", action="store_true", help="one short round; writes nothing without --output"
    )
    parser.add_argument("--output", type=Path, help="folder for table and plot (benchmarks/)")
    parser.add_argument("--memory-of", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    if options.memory_of:
        _print_memory(options.memory_of)
        return
    if options.rounds < 1:
        parser.error(f"--rounds is {options.rounds}; it must be 1 or more, such as 15")
    rounds, epochs, rows, size = options.rounds, 3, 4000, 2048
    if options.quick:
        rounds, epochs, rows, size = 1, 1, 300, 512

    threads = torch.get_num_threads()
    settings = ("ATEN_CPU_CAPABILITY", "MKL_CBWR", "ONEDNN_MAX_CPU_ISA")
    held = " ".join(f"{name}={os.environ.get(name, 'unset')}" for name in settings)
    print(f"torch {torch.__version__}, {_threads(threads)}, {held}")
    busy = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    if busy > 0.5:
        print(f"WARNING: other programs kept {busy:.1f} cores busy over the last minute")
    # First, for on Linux a child's peak starts from that of its parent.
    memory = None if options.quick else peak_memory_mb(1000)
    timings = [timing for job in jobs(article_task(), rows) for timing in prepare(job, threads)]
    peaks = []
    for turn in range(rounds):
        first = turn % len(timings)  # so that none always runs after the same one
        for timing in timings[first:] + timings[:first]:
            timing.measure(epochs)
        torch.set_num_threads(threads)
        peaks.append(peak_gflops(size))
        print(f"round {turn + 1} of {rounds}", file=sys.stderr, flush=True)
    table = report(timings, peaks, memory)
    if max(peaks) > 1.2 * min(peaks):
        print(
            f"WARNING: matrix products ran at {min(peaks):.0f} to {max(peaks):.0f} GFLOP/s in "
            "different rounds; the machine was too noisy for more than the rough picture"
        )
    if options.output or not options.quick:
        folder = options.output or HERE
        write(table, folder)
        print(f"wrote {folder / 'training.csv'} and {folder / 'training.png'}")


if __name__ == "__main__":
    main()
