"""The article that the book starts from: its published figures, and its run, seed for seed.

"How Knowledge Distillation Compresses Ensemble Intelligence into a Single Deployable AI Model",
MarkTechPost, April 2026, and its public notebook.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from tqdm import tqdm

from distill_helpers import cache
from distill_helpers.experiments import (
    STUDENT_HIDDEN,
    TEACHER_DROPOUT,
    TEACHER_HIDDEN,
    Knobs,
    Lesson,
    blocks_right,
    ladder_arms,
    member_seeds,
    train_students,
    train_teachers,
)
from distill_helpers.losses import distillation_loss
from distill_helpers.metrics import negative_log_likelihood
from distill_helpers.networks import mlp
from distill_helpers.soft_targets import soft_targets
from distill_helpers.studies import Row, Study
from distill_helpers.tasks import Task

BLOCK = 250
"""Test samples that are counted together, so that smaller test sets can be looked at later."""

ENSEMBLE = "the ensemble itself"
"""What the teachers are called beside the students."""


@dataclass(frozen=True)
class Published:
    """What the article reports; accuracies are shares of its 1,000 test samples."""

    teachers: tuple[float, ...] = (
        *(0.978, 0.974, 0.973, 0.971, 0.977, 0.973),
        *(0.977, 0.975, 0.979, 0.975, 0.971, 0.977),
    )
    ensemble: float = 0.978
    epochs: tuple[int, ...] = (10, 20, 30, 40, 50)
    student: tuple[float, ...] = (0.956, 0.970, 0.970, 0.972, 0.972)
    loss: tuple[float, ...] = (0.2580, 0.1106, 0.0609, 0.0414, 0.0324)
    baseline: float = 0.965
    first_soft_target: tuple[float, float] = (0.1382, 0.8618)
    gap_recovered: float = 0.538
    ensemble_parameters: int = 559_896
    student_parameters: int = 3_490
    compression: int = 160


def claim_rows(verdicts: Sequence[Mapping[str, str]], pages: Mapping[str, str]) -> list[list[str]]:
    """Write the verdicts on the article's claims as a table: one row a claim, its halves together.

    Parameters
    ----------
    verdicts : sequence of mapping
        As `distill_helpers.results.read` returns them. The source of each ends in the number of its
        claim: "the article, claim 1".
    pages : mapping of str to str
        By chapter: the page that decides what is left to it. Chapter 00 decides the others.

    Returns
    -------
    list of list of str
        Claim, prediction, result, verdict, and a link to the page that decides; Markdown.

    Examples
    --------
    >>> verdict = {"claim": "It is small.", "source": "the article, claim 8", "verdict": "wrong",
    ...            "prediction": "30", "result": "13.4 (95 % interval: 13 to 14)"}
    >>> claim_rows([verdict], {"00": "evidence.ipynb"})
    [['**8.** It is small.', '30', '13.4 [13, 14]', 'wrong', '[00](evidence.ipynb)']]
    """
    claims: dict[str, list[Mapping[str, str]]] = {}
    for verdict in verdicts:
        claims.setdefault(verdict["source"].rpartition(" ")[2], []).append(verdict)
    rows = []
    for number, halves in claims.items():
        cells = []
        for key in ("claim", "prediction", "result", "verdict"):
            texts = [
                re.sub(r"\(95 % interval: (.+?) to (.+?)\)", r"[\1, \2]", h[key]) for h in halves
            ]
            if len(texts) > 1:
                texts = [f"({letter}) {text}" for letter, text in zip("ab", texts, strict=True)]
            cells.append(("; " if key != "claim" else " ").join(texts))
        left_to = re.fullmatch(r"see chapter (\d\d)", halves[0]["verdict"])
        if left_to and cells[1] == f"judged in chapter {left_to.group(1)}":
            cells[1] = ""  # as the verdict says
        chapter = left_to.group(1) if left_to else "00"
        rows.append([f"**{number}.** {cells[0]}", *cells[1:], f"[{chapter}]({pages[chapter]})"])
    return rows


@dataclass(frozen=True)
class Replay:
    """What the article's run leaves.

    Attributes
    ----------
    train_logits, test_logits : Tensor
        Of the teachers, ``(M, N, C)``.
    targets : Tensor
        Soft targets on the training inputs, ``(N, C)``.
    checkpoints, loss : Tensor
        Epochs at which the student was looked at, ``(E,)``, and its mean loss in each.
    student_logits : Tensor
        On the test inputs at each checkpoint, ``(E, N, C)``.
    baseline_logits : Tensor
        On the test inputs, ``(N, C)``.
    """

    train_logits: Tensor
    test_logits: Tensor
    targets: Tensor
    checkpoints: Tensor
    loss: Tensor
    student_logits: Tensor
    baseline_logits: Tensor


def replay(
    task: Task,
    *,
    random_state: int = 42,
    ensemble_size: int = 12,
    teacher_epochs: int = 30,
    student_epochs: int = 50,
    hidden: Sequence[int] = STUDENT_HIDDEN,
    temperature: float = 3.0,
    alpha: float = 0.7,
) -> Replay:
    """Run the article's procedure with its random numbers in its order; cached.

    One network after another in plain PyTorch. The global random state is seeded as the article
    seeds it, and put back at the end. Student and baseline start from whatever state is left, so
    whatever draws a number on the way changes them. The order used here, in which looking at test
    accuracy draws none, is the one that comes nearest to the published figures.

    Parameters
    ----------
    task : Task
        `distill_helpers.tasks.article_task`.
    random_state, ensemble_size, teacher_epochs, student_epochs, hidden, temperature, alpha
        The article's, where left out.

    Returns
    -------
    Replay
    """
    settings = {
        "random_state": random_state,
        "ensemble_size": ensemble_size,
        "teacher_epochs": teacher_epochs,
        "student_epochs": student_epochs,
        "hidden": list(hidden),
        "temperature": temperature,
        "alpha": alpha,
    }

    def compute() -> dict[str, Tensor]:
        threads = torch.get_num_threads()
        torch.set_num_threads(1)  # networks this small, one at a time, lose by a second one
        try:
            with torch.random.fork_rng(devices=[]):
                run = _run(task, **settings)  # type: ignore[arg-type]
        finally:
            torch.set_num_threads(threads)
        return {field.name: getattr(run, field.name) for field in fields(Replay)}

    return Replay(
        **cache.load_or_compute(
            "replay", {"x": task.x_train, "y": task.y_train, **settings}, compute
        )
    )


def loader_order(num_rows: int) -> Tensor:
    """Draw an epoch's order as ``DataLoader(shuffle=True)`` draws it from the global state.

    The batches are the same, without collating them sample by sample.
    """
    torch.empty((), dtype=torch.int64).random_()  # DataLoader draws a seed for its workers first
    seed = int(torch.empty((), dtype=torch.int64).random_().item())
    return torch.randperm(num_rows, generator=torch.Generator().manual_seed(seed))


def _run(
    task: Task,
    random_state: int,
    ensemble_size: int,
    teacher_epochs: int,
    student_epochs: int,
    hidden: Sequence[int],
    temperature: float,
    alpha: float,
) -> Replay:
    features, classes = task.x_train.shape[1], task.num_classes
    x, y = task.x_train, task.y_train
    torch.manual_seed(random_state)
    teachers = []
    show = os.environ.get("DISTILL_PROGRESS") != "off"
    for seed in tqdm(range(ensemble_size), "the article's teachers", leave=False, disable=not show):
        torch.manual_seed(seed)
        teacher = mlp((features, *TEACHER_HIDDEN, classes), TEACHER_DROPOUT)
        for _ in _train(teacher, x, lambda z, rows: cross_entropy(z, y[rows]), teacher_epochs, 0.0):
            pass
        teachers.append(teacher.eval())
    with torch.no_grad():
        train_logits = torch.stack([teacher(x) for teacher in teachers])
        test_logits = torch.stack([teacher(task.x_test) for teacher in teachers])
    targets = soft_targets(train_logits, temperature, "logits")

    def distil(z: Tensor, rows: Tensor) -> Tensor:
        return distillation_loss(z, targets[rows], y[rows], temperature=temperature, alpha=alpha)

    sizes = (features, *hidden, classes)
    student = mlp(sizes)
    checkpoints = sorted({max(1, round(student_epochs * part / 5)) for part in range(1, 6)})
    losses, looks = [], []
    for epoch, loss in enumerate(_train(student, x, distil, student_epochs, 1e-4), start=1):
        if epoch in checkpoints:
            losses.append(loss)
            with torch.no_grad():
                looks.append(student(task.x_test))
    baseline = mlp(sizes)
    for _ in _train(baseline, x, lambda z, rows: cross_entropy(z, y[rows]), student_epochs, 1e-4):
        pass
    with torch.no_grad():
        baseline_logits = baseline(task.x_test)
    return Replay(
        train_logits,
        test_logits,
        targets,
        torch.tensor(checkpoints),
        torch.tensor(losses),
        torch.stack(looks),
        baseline_logits,
    )


def _train(
    network: nn.Module,
    x: Tensor,
    loss_of: Callable[[Tensor, Tensor], Tensor],
    epochs: int,
    weight_decay: float,
) -> Iterator[float]:
    """Train as the article does; yield the mean loss of each epoch."""
    # `foreach` gives the bits of the plain loop, and takes a tenth less of the time.
    optimiser = torch.optim.Adam(
        network.parameters(), lr=1e-3, weight_decay=weight_decay, foreach=True
    )
    for _ in range(epochs):
        batches = loader_order(len(x)).split(64)
        total = 0.0
        for rows in batches:
            optimiser.zero_grad()
            loss = loss_of(network(x[rows]), rows)
            loss.backward()
            optimiser.step()
            total += loss.item()
        yield total / len(batches)


@dataclass(frozen=True)
class Scored:
    """What the K students of one arm do on a test sample.

    Attributes
    ----------
    right : ndarray
        Share of samples classified right in each block of `BLOCK`, ``(K, B)``.
    confidence : ndarray
        Mean of the largest probability, ``(K,)``.
    negative_log_likelihood : ndarray
        In nats, ``(K,)``.
    """

    right: np.ndarray
    confidence: np.ndarray
    negative_log_likelihood: np.ndarray


def teacher_set(
    task: Task,
    index: int,
    names: Sequence[str],
    *,
    random_state: int = 42,
    ensemble_size: int = 12,
    epochs: int = 30,
    student_epochs: int = 50,
    hidden: Sequence[int] = STUDENT_HIDDEN,
    temperature: float = 3.0,
    alpha: float = 0.7,
    num_students: int = 20,
    num_test: int = 100_000,
    progress: str | None = None,
) -> dict[str, Scored]:
    """Train one teacher set and its students on some rungs; score all on a test sample of its own.

    Parameters
    ----------
    task : Task
        `distill_helpers.tasks.article_task`.
    index : int
        Which set: its seeds, its students' and its test sample follow from it.
    names : sequence of str
        Rungs of `distill_helpers.experiments.LADDER`.
    random_state, ensemble_size, epochs, student_epochs, hidden, temperature, alpha
        The article's, where left out.
    num_students : int
        Students on each rung, paired across rungs.
    num_test : int
        Fresh test samples, `BLOCK` or more; what fills no block counts for all but `right`.
    progress : str, optional
        Label of a progress bar.

    Returns
    -------
    dict of str to Scored
        By rung; with `ENSEMBLE`, of which K is 1.

    Notes
    -----
    Used in chapter 00.
    """
    teachers = train_teachers(
        task,
        ensemble_size=ensemble_size,
        epochs=epochs,
        random_state=random_state,
        set_index=index,
    )
    lesson = Lesson(task, teachers.predict(task.x_train), seed=index)
    students = train_students(
        task,
        ladder_arms(lesson, Knobs(temperature=temperature, alpha=alpha), names),
        seeds=member_seeds(random_state, "student", index, num_students),
        hidden=hidden,
        epochs=student_epochs,
        progress=progress,
    )
    x, y = task.sample(num_test, seed=index)
    logits = {name: stack.predict(x) for name, stack in students.items()}
    logits[ENSEMBLE] = teachers.predict(x).mean(0, keepdim=True)
    return {
        name: Scored(
            blocks_right(answer, y, BLOCK),
            answer.softmax(2).amax(2).double().mean(1).numpy(),
            negative_log_likelihood(answer, y, members=True).numpy(),
        )
        for name, answer in logits.items()
    }


def to_rows(index: int, scored: Mapping[str, Scored]) -> list[Row]:
    """Write a teacher set as rows of a study, one a student; see `from_rows`.

    Examples
    --------
    >>> two_blocks = Scored(np.array([[1.0, 0.98]]), np.array([0.9]), np.array([0.1]))
    >>> to_rows(3, {"ensemble": two_blocks})[0]["wrong"]
    '0 5'
    """
    return [
        {
            "replicate": index,
            "arm": name,
            "student": k,
            "confidence": float(scores.confidence[k]),
            "negative_log_likelihood": float(scores.negative_log_likelihood[k]),
            # A count for each block; few of a block's samples are wrong, so this is the shorter.
            "wrong": " ".join(str(round(BLOCK * (1 - share))) for share in scores.right[k]),
        }
        for name, scores in scored.items()
        for k in range(len(scores.right))
    ]


def from_rows(study: Study) -> list[dict[str, Scored]]:
    """Read the teacher sets of a study back, in order.

    Examples
    --------
    >>> one = Scored(np.array([[1.0, 0.98]]), np.array([0.9]), np.array([0.1]))
    >>> from_rows(Study(to_rows(0, {"ensemble": one}), {}))[0]["ensemble"].right
    array([[1.  , 0.98]])
    """
    sets: dict[int, dict[str, list[Row]]] = {}
    for row in study.rows:
        sets.setdefault(row["replicate"], {}).setdefault(row["arm"], []).append(row)
    return [
        {
            name: Scored(
                # Right over all, not 1 less wrong over all: so the shares are the same bits.
                np.array(
                    [[(BLOCK - int(w)) / BLOCK for w in str(r["wrong"]).split()] for r in rows]
                ),
                np.array([row["confidence"] for row in rows]),
                np.array([row["negative_log_likelihood"] for row in rows]),
            )
            for name, rows in arms.items()
        }
        for _, arms in sorted(sets.items())
    ]
