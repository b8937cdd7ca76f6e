"""Run what is too long for chapter 06: what each way of serving costs, and what int8 loses.

Three tables, written beside this file:

  costs    a replicate is a fresh process that times every way of serving in turns, and one fresh
           process for each program whose memory is measured (batch 0); the article's networks.
           `calls` holds every call of one sample: seconds to two digits, and how often
  members  a replicate is a fresh process that times one answer of twelve, four and one network of
           the teachers' shape and of the student's; `times` is against one student, within rounds.
           The networks are not trained: that changes no product's time
  quality  a replicate is a training set (or a split of the digits) with its own teachers, students
           and test sample; how good each way's answers are

A timed call takes an array that is there and returns logits: no scaler, no queue, no network.
Times mean something on a quiet machine alone; `unrest` tells how quiet it was. Examples:

  python studies/deployment.py quality
  python studies/deployment.py costs --replicates 1 --output try.csv
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from distill_helpers import costs, deployment, metrics, studies
from distill_helpers import experiments as ex
from distill_helpers.networks import Stack
from distill_helpers.soft_targets import soft_targets
from distill_helpers.tasks import Task, article_task, digits_task, gaussian_mixture_task

RANDOM_STATE = 42
TASKS = ("article", "overlap", "digits")
ENSEMBLE = 12
TEMPERATURE, ALPHA = 3.0, 0.7
NUM_TEST = 20_000

# Batch: rounds, calls of a slow way in a round, calls of a fast one.
BLOCKS = {1: (20, 60, 200), 16: (10, 20, 50), 256: (20, 4, 30), 4096: (8, 2, 6)}
BATCHES_OF_MEMORY = (1, 256, 4096)
TEACHER, STUDENT = (20, 256, 128, 64, 2), (20, 64, 32, 2)
ENSEMBLES = {  # members, and sizes of their layers
    "twelve": (12, TEACHER),
    "four": (4, TEACHER),
    "one teacher": (1, TEACHER),
    "twelve students": (12, STUDENT),
    "four students": (4, STUDENT),
    "student": (1, STUDENT),
}
FILES = {
    "twelve": "twelve",
    "twelve, int8": "twelve-int8",
    "one teacher": "teacher",
    "one teacher, int8": "teacher-int8",
    "student": "student",
    "student, int8": "student-int8",
}
PROGRAMS = {
    "Python alone": "pass",
    "student | NumPy": """
import numpy as np
weights = np.load("student.npz")
h = np.zeros((BATCH, 20), np.float32)
for layer in range(3):
    h = h @ weights[f"w{layer}"].T + weights[f"b{layer}"]
    h = np.maximum(h, 0) if layer < 2 else h
""",
    **{
        f"{model} | ONNX Runtime": f"""
import numpy as np, onnxruntime
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
session = onnxruntime.InferenceSession("{file}.onnx", options)
session.run(None, {{"x": np.zeros((BATCH, 20), np.float32)}})
"""
        for model, file in FILES.items()
    },
    **{
        f"{model} | PyTorch": f"""
import torch
from torch import nn
torch.set_num_threads(1)
def layers(*sizes):
    made = [nn.Linear(a, b) for a, b in zip(sizes, sizes[1:])]
    return nn.Sequential(*[part for layer in made for part in (layer, nn.ReLU())][:-1])
networks = [layers(*{sizes}) for _ in range({count})]
for network, state in zip(networks, torch.load("{model}.pt")):
    network.load_state_dict(dict(zip(network.state_dict(), state)))
with torch.inference_mode():
    torch.stack([network(torch.zeros(BATCH, 20)) for network in networks]).mean(0)
"""
        for model, count, sizes in (
            ("student", 1, (20, 64, 32, 2)),
            ("twelve", 12, (20, 256, 128, 64, 2)),
        )
    },
}


# -- quality ------------------------------------------------------------------------------------


def task_of(name: str, index: int) -> Task:
    """Return a training set of a law, or a split of the digits."""
    if name == "digits":
        return digits_task(ex.member_seeds(RANDOM_STATE, "split", index, 1)[0])
    if name == "article":
        return article_task(RANDOM_STATE).with_fresh_data(index)
    law = gaussian_mixture_task(3, 10, 0.2, clusters_per_class=2, random_state=RANDOM_STATE)
    return law.with_fresh_data(index, num_train=1000)


def test_sample(task: Task, index: int) -> tuple[Tensor, Tensor]:
    """Return inputs, and the exact posterior where it is known, else the labels."""
    if not task.has_law:
        return task.x_test, task.y_test
    x, _ = task.sample(NUM_TEST, seed=index)
    return x, task.posterior(x)


def trained(task: Task, index: int, students: int) -> tuple[Stack, dict[str, Stack]]:
    """Train one teacher set, and students of its soft targets and of smoothed labels."""
    teachers = ex.train_teachers(
        task, ensemble_size=ENSEMBLE, random_state=RANDOM_STATE, set_index=index
    )
    targets = soft_targets(teachers.predict(task.x_train), TEMPERATURE, "logits")
    arms = {
        "student": ex.Arm(targets, TEMPERATURE, ALPHA),
        "student of smoothed labels": ex.Arm(
            ex.smoothed_labels(task.y_train, task.num_classes, 0.1)
        ),
    }
    seeds = ex.member_seeds(RANDOM_STATE, "student", index, students)
    return teachers, ex.train_students(task, arms, seeds=seeds)


def integer_logits(
    models: list[nn.Module], calibration: Tensor | None, x: Tensor, batch: int = 256
) -> Tensor:
    """Return the logits ``(M, N, C)`` of models in int8; dynamic where nothing calibrates."""
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for index, model in enumerate(models):
            source = deployment.export_onnx(model, Path(folder) / f"{index}.onnx")
            path = Path(folder) / f"{index}-int8.onnx"
            made = deployment.quantize(source, path, calibration=calibration)
            found.append(torch.cat([made(rows) for rows in x.split(batch)]))
    return torch.stack(found)


def members_of(stack: Stack) -> list[nn.Module]:
    """Return a stack's members as models of their own."""
    return [stack.member(m).eval() for m in range(stack.num_members)]


def quality_replicate(index: int, students: int) -> list[studies.Row]:
    """One training set of each task; scores are means over members or students."""
    rows = []
    for name in TASKS:
        task = task_of(name, index)
        x, truth = test_sample(task, index)
        teachers, taught = trained(task, index, students)
        v = teachers.predict(x)
        logits = {"twelve": v.mean(0, keepdim=True), "one teacher": v}
        logits |= {arm: stack.predict(x) for arm, stack in taught.items()}
        students_of_soft_targets = members_of(taught["student"])
        for arm, models, rows_seen in (
            ("student, int8 static", students_of_soft_targets, task.x_train),
            ("student, int8 dynamic", students_of_soft_targets, None),
            ("one teacher, int8 static", members_of(teachers), task.x_train),
            ("twelve, int8 static", [teachers], task.x_train),
        ):
            logits[arm] = integer_logits(models, rows_seen, x)
        for arm, z in logits.items():
            reference = logits[arm.partition(", int8")[0]]
            rows.append(
                {
                    "replicate": index,
                    "task": name,
                    "arm": arm,
                    **{
                        name: score(z, other, members=True).mean().item()
                        for name, score, other in (
                            ("accuracy", metrics.accuracy, truth),
                            ("negative_log_likelihood", metrics.negative_log_likelihood, truth),
                            ("calibration_error", metrics.expected_calibration_error, truth),
                            ("agreement_with_float32", metrics.agreement, reference),
                            ("agreement_with_twelve", metrics.agreement, logits["twelve"][0]),
                        )
                    },
                }
            )
    return rows


# -- costs --------------------------------------------------------------------------------------


def store_networks(folder: Path) -> None:
    """Train the networks of the first training set and leave them in every form."""
    task = task_of("article", 0)
    teachers, taught = trained(task, 0, 1)
    student = taught["student"]
    for name, model in (
        ("student", student.member(0).eval()),
        ("teacher", teachers.member(0).eval()),
        ("twelve", teachers),
    ):
        made = deployment.export_onnx(model, folder / f"{name}.onnx")
        deployment.quantize(made, folder / f"{name}-int8.onnx", calibration=task.x_train)
    # As many operators as the twelve, and hardly any arithmetic.
    narrow = Stack.build((20, 1, 1, 1, 2), seeds=range(ENSEMBLE))
    deployment.export_onnx(narrow, folder / "narrow.onnx")
    state = {"x": task.x_test}
    for name, stack in (("twelve", teachers), ("student", student)):
        members = [stack.member(m).eval() for m in range(stack.num_members)]
        torch.save(
            [list(member.state_dict().values()) for member in members], folder / f"{name}.pt"
        )
        state |= {f"{name} {key}": value for key, value in stack.state_dict().items()}
    save_file(state, folder / "networks.safetensors")
    np.savez(
        folder / "student.npz",
        **{f"w{k}": w[0].detach().numpy() for k, w in enumerate(student.weights)},
        **{f"b{k}": b[0].detach().numpy() for k, b in enumerate(student.biases)},
    )


def ways(folder: Path, batch: int) -> dict[str, Callable[[], object]]:
    """Return each way of serving, as a function that answers one batch."""
    state = load_file(folder / "networks.safetensors")
    x = state.pop("x").repeat(5, 1)[:batch].contiguous()
    inputs = {"x": x.numpy()}
    stacks = {}
    for name, sizes in (("twelve", (20, 256, 128, 64, 2)), ("student", (20, 64, 32, 2))):
        own = {k.split(" ", 1)[1]: v for k, v in state.items() if k.startswith(f"{name} ")}
        stacks[name] = Stack.build(sizes, seeds=range(len(own["weights.0"])))
        stacks[name].load_state_dict(own)
    twelve, student = stacks["twelve"], stacks["student"].member(0).eval()
    members = [twelve.member(m).eval() for m in range(twelve.num_members)]
    layers = [
        (w[0].detach().numpy().T.copy(), b[0].detach().numpy())
        for w, b in zip(stacks["student"].weights, stacks["student"].biases, strict=True)
    ]

    def by_hand() -> object:
        h = inputs["x"]
        for weight, bias in layers[:-1]:
            h = np.maximum(h @ weight + bias, 0)
        return h @ layers[-1][0] + layers[-1][1]

    def served(file: str) -> Callable[[], object]:
        session = deployment.load_onnx(folder / f"{file}.onnx").session
        return lambda: session.run(None, inputs)

    found: dict[str, Callable[[], object]] = {
        "twelve in a loop | PyTorch": lambda: torch.stack([m(x) for m in members]).mean(0),
        "twelve as a stack | PyTorch": lambda: twelve.predict(x).mean(0),
        "one teacher | PyTorch": lambda: members[0](x),
        "student | PyTorch": lambda: student(x),
        "student | NumPy": by_hand,
        **{f"{name} | ONNX Runtime": served(file) for name, file in FILES.items()},
        "twelve of width 1 | ONNX Runtime": served("narrow"),
    }
    torch.compiler.reset()  # else a second batch size gets a kernel for any size
    try:
        compiled = deployment.compile_network(student, x)
        found["student | torch.compile"] = lambda: compiled(x)
    except RuntimeError as error:
        print(error, file=sys.stderr)
    return found


def counted(seconds: NDArray[np.float64]) -> str:
    """Write calls in one line: seconds to two digits, a colon, how often."""
    counts = Counter(f"{call:.1e}" for call in seconds.ravel())
    return " ".join(f"{call}:{count}" for call, count in sorted(counts.items()))


def time_ways(folder: Path) -> list[dict[str, Any]]:
    """Time every way at every batch, in this process."""
    torch.set_num_threads(1)
    rows = []
    for batch, (rounds, slow, fast) in BLOCKS.items():
        candidates = ways(folder, batch)
        calls = {name: slow if name.startswith("twelve") else fast for name in candidates}
        found = costs.measure_latency(
            candidates, rounds=rounds, calls=calls, warm_up=max(2, slow // 4)
        )
        rows += [
            {
                "batch": batch,
                "arm": name,
                "median": found.quantile(name).value,
                "p99": found.quantile(name, 0.99).value,
                "unrest": found.unrest(name),
                "memory": 0,
                "calls": counted(found.seconds[name]) if batch == 1 else "",
            }
            for name in candidates
        ]
    return rows


def programs(folder: Path) -> dict[str, str]:
    """Return each program whose memory is measured: at one sample, in ONNX Runtime at more too."""
    return {
        arm if batch == 1 else f"{arm}, {batch} at once": (
            f"import os\nos.chdir({str(folder)!r})\nBATCH = {batch}\n{code}"
        )
        for arm, code in PROGRAMS.items()
        for batch in (BATCHES_OF_MEMORY if "ONNX" in arm and "int8" not in arm else (1,))
    }


def store_ensembles(folder: Path) -> None:
    """Leave ensembles of each size in the folder, untrained."""
    for name, (count, sizes) in ENSEMBLES.items():
        deployment.export_onnx(Stack.build(sizes, seeds=range(count)), folder / f"{name}.onnx")


def ensembles(folder: Path) -> dict[str, Callable[[], object]]:
    """Return ensembles of each size as functions that answer one sample, and the old way."""
    x = torch.randn(1, TEACHER[0], generator=torch.Generator().manual_seed(0))
    inputs = {"x": x.numpy()}
    found: dict[str, Callable[[], object]] = {}
    for name in ENSEMBLES:
        session = deployment.load_onnx(folder / f"{name}.onnx").session
        found[f"{name} | ONNX Runtime"] = lambda session=session: session.run(None, inputs)
    members = members_of(Stack.build(TEACHER, seeds=range(ENSEMBLE)))
    found["twelve in a loop | PyTorch"] = lambda: torch.stack([m(x) for m in members]).mean(0)
    return found


def time_ensembles(folder: Path) -> list[dict[str, Any]]:
    """Time one answer of each ensemble, in this process."""
    torch.set_num_threads(1)
    candidates = ensembles(folder)
    calls = {name: 40 if name.startswith("twelve") else 200 for name in candidates}
    found = costs.measure_latency(candidates, rounds=30, calls=calls, warm_up=20)
    return [
        {
            "arm": name,
            "median": found.quantile(name).value,
            "times": found.ratio(name, "student | ONNX Runtime").value,
            "unrest": found.unrest(name),
        }
        for name in candidates
    ]


def fresh_process(what: str, folder: Path) -> list[dict[str, Any]]:
    """Run a child of this script; return its rows."""
    done = subprocess.run(
        [sys.executable, __file__, what, "--output", str(folder)],
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    print(done.stderr, end="", file=sys.stderr)
    rows: list[dict[str, Any]] = json.loads(done.stdout.splitlines()[-1])
    return rows


def members_replicate(index: int, folder: Path) -> list[studies.Row]:
    """Time ensembles of each size in one fresh process."""
    return [{"replicate": index, **row} for row in fresh_process("child-members", folder)]


def costs_replicate(index: int, folder: Path) -> list[studies.Row]:
    """Time in one fresh process; measure the memory of one fresh process a program (batch 0)."""
    rows = fresh_process("child", folder)
    for arm, program in programs(folder).items():
        empty = {"median": 0, "p99": 0, "unrest": 0, "calls": ""}
        rows.append({"batch": 0, "arm": arm, **empty, "memory": costs.peak_memory(program)})
    return [{"replicate": index, **row} for row in rows]


REPLICATES = {"costs": (12, 1), "members": (12, 1), "quality": (12, 4)}
STORE = {"costs": store_networks, "members": store_ensembles}
CHILDREN = {"child": time_ways, "child-members": time_ensembles}


def main() -> None:
    """Read the command line, run, save after each replicate."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("study", choices=[*REPLICATES, *CHILDREN])
    parser.add_argument("--replicates", type=int, help="processes, or training sets")
    parser.add_argument("--threads", type=int, default=2, help="of training; all times are of one")
    parser.add_argument("--output", type=Path, help="where the table goes")
    args = parser.parse_args()
    if args.study in CHILDREN:
        print(json.dumps(CHILDREN[args.study](args.output)))
        return
    usual, students = REPLICATES[args.study]
    replicates = usual if args.replicates is None else args.replicates
    if min(replicates, args.threads) < 1:
        parser.error("counts must be 1 or more")
    output = args.output or Path(__file__).with_name(f"deployment-{args.study}.csv")
    command = f"python studies/deployment.py {args.study} --replicates {replicates}"
    writer = studies.Writer(output, command, "replicate", script=__file__)
    torch.set_num_threads(args.threads)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if args.study in STORE:
            STORE[args.study](folder)
        for index in writer.missing(replicates):
            start = time.perf_counter()
            if args.study == "quality":
                writer.add(quality_replicate(index, students))
            elif args.study == "members":
                writer.add(members_replicate(index, folder))
            else:
                writer.add(costs_replicate(index, folder))
            print(f"replicate {index}: {time.perf_counter() - start:.0f} s", flush=True)
    writer.finish()
    print(f"wrote {output}")


if __name__ == "__main__":
    main()
