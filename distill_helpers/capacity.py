"""Why a student falls short: capacity, data, optimisation, or its teacher.

For chapter 05. A student is mended in up to four ways, in every combination: a 2^k factorial.
`diagnose` turns the losses into effects with intervals and into answers; `diagnose_gap` trains and
diagnoses.
"""

from __future__ import annotations

import itertools
import math
import operator
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor
from tqdm import tqdm

from distill_helpers import _checks
from distill_helpers.experiments import (
    STUDENT_HIDDEN,
    TEACHER_DROPOUT,
    TEACHER_HIDDEN,
    Arm,
    Scores,
    member_seeds,
    score,
    train_students,
    train_teachers,
)
from distill_helpers.soft_targets import soft_targets
from distill_helpers.statistics import Estimate, mean_estimate, nadeau_bengio
from distill_helpers.tasks import Task

FACTORS = ("wider", "longer", "more samples", "better teacher")
"""The ways to mend a student; they stand for capacity, optimisation, data and teacher."""

METRICS = ("negative_log_likelihood", "accuracy")
"""What a loss is made from: nats as they are, or the share that is wrong."""

BATCH_SIZE = 64  # that of `distill_helpers.training.fit`
TEST_SHARE = 0.2  # of the training part, where the law is unknown

Mended = frozenset[str]
"""The factors that are mended in one arm."""


def _whole(name: str, value: object) -> int:
    try:
        if isinstance(value, bool | np.bool_):
            raise TypeError
        number = operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        raise TypeError(
            f"{name} is {value!r}; it must be a whole number of 1 or more. Use an int."
        ) from None
    if number < 1:
        raise ValueError(f"{name} is {value}; it must be a whole number of 1 or more. Use 1.")
    return number


def _widths(name: str, value: Sequence[int]) -> tuple[int, ...]:
    if isinstance(value, int | str):
        raise TypeError(f"{name} is {value!r}; it must be a tuple of widths. Use ({value},).")
    return tuple(_whole(f"a width in {name}", width) for width in value)


@dataclass(frozen=True)
class Teacher:
    """How the soft targets are made.

    Attributes
    ----------
    ensemble_size : int
        Members; their logits are averaged.
    hidden : tuple of int
        Hidden widths.
    dropout : tuple of float
        Rate after each hidden layer.
    epochs : int
        Passes over its rows.
    num_train : int
        Rows that it is trained on.
    own_rows : bool
        Where the law is known: whether these are samples that no student sees. False is everyday
        practice, the student's first rows.

    Raises
    ------
    TypeError, ValueError
        If a value is not allowed.
    """

    ensemble_size: int = 12
    hidden: tuple[int, ...] = TEACHER_HIDDEN
    dropout: tuple[float, ...] = TEACHER_DROPOUT
    epochs: int = 30
    num_train: int = 1000
    own_rows: bool = True

    def __post_init__(self) -> None:
        """Refuse what cannot be trained."""
        object.__setattr__(self, "hidden", _widths("hidden", self.hidden))
        object.__setattr__(self, "dropout", tuple(self.dropout))
        for name in ("ensemble_size", "epochs", "num_train"):
            object.__setattr__(self, name, _whole(name, getattr(self, name)))
        if len(self.dropout) != len(self.hidden) or not all(0 <= d < 1 for d in self.dropout):
            raise ValueError(
                f"dropout is {self.dropout}; it must be one rate from 0 to below 1 for each of "
                f"{len(self.hidden)} hidden layers. Use {(0.0,) * len(self.hidden)} for none."
            )


@dataclass(frozen=True)
class Setup:
    """How a student is made.

    Attributes
    ----------
    hidden : tuple of int
        Hidden widths.
    num_train : int
        Rows that it sees.
    epochs : int
        Passes over them.
    teacher : Teacher or str
        ``"posterior"`` is the oracle: the exact posterior of a task whose law is known.
    temperature, alpha, learning_rate : float
        Of the objective and of Adam.

    Raises
    ------
    TypeError, ValueError
        If a value is not allowed.
    """

    hidden: tuple[int, ...] = STUDENT_HIDDEN
    num_train: int = 1000
    epochs: int = 50
    teacher: Teacher | str = Teacher()
    temperature: float = 3.0
    alpha: float = 0.7
    learning_rate: float = 1e-3

    def __post_init__(self) -> None:
        """Refuse what cannot be trained."""
        object.__setattr__(self, "hidden", _widths("hidden", self.hidden))
        for name in ("num_train", "epochs"):
            object.__setattr__(self, name, _whole(name, getattr(self, name)))
        if not isinstance(self.teacher, Teacher) and self.teacher != "posterior":
            raise ValueError(
                f'teacher is {self.teacher!r}; it must be a Teacher, or "posterior". '
                "Use Teacher() for the article's."
            )
        _checks.temperature(self.temperature)
        _checks.alpha(self.alpha)
        if not (math.isfinite(self.learning_rate) and self.learning_rate > 0):
            raise ValueError(
                f"learning_rate is {self.learning_rate}; it must be a finite number above 0. "
                "Use 1e-3."
            )

    @property
    def steps(self) -> int:
        """Steps of the optimiser: passes times batches a pass."""
        return self.epochs * math.ceil(self.num_train / BATCH_SIZE)


def mended(setup: Setup, better: Setup) -> dict[Mended, Setup]:
    """List what each combination of mended factors trains.

    - ``"wider"`` takes the hidden widths of `better`.
    - ``"longer"`` takes its epochs, as passes over the rows of `setup`: more optimiser steps.
    - ``"more samples"`` takes its rows at as many *steps*, so that data alone change. Whole passes
      are trained, so that the number of steps is the nearest that can be. Where the steps are too
      few for one pass, it is one pass over as many rows as they reach, and the steps are equal. So
      with both mended the epochs are fewer than those of `better`.
    - ``"better teacher"`` takes its teacher.

    A factor whose levels are equal is left out.

    Parameters
    ----------
    setup, better : Setup
        The student as it is, and with everything mended.

    Returns
    -------
    dict of Setup
        By mended factors, from none to all: 2^k for k factors.

    Raises
    ------
    ValueError
        If the two are equal, `better` is not the one with more, or they differ in what is no
        factor.

    Examples
    --------
    >>> arms = mended(Setup(num_train=100, epochs=50), Setup(num_train=1000, epochs=100))
    >>> for factors, arm in arms.items():
    ...     print(sorted(factors), arm.num_train, arm.epochs, arm.steps)
    [] 100 50 100
    ['longer'] 100 100 200
    ['more samples'] 1000 6 96
    ['longer', 'more samples'] 1000 12 192
    """
    factors = _factors(setup, better)
    found = {}
    for size in range(len(factors) + 1):
        for chosen in itertools.combinations(factors, size):
            epochs = (better if "longer" in chosen else setup).epochs
            num_train = setup.num_train
            if "more samples" in chosen:
                num_train, epochs = _at_equal_steps(num_train, epochs, better.num_train)
            found[frozenset(chosen)] = replace(
                setup,
                hidden=(better if "wider" in chosen else setup).hidden,
                teacher=(better if "better teacher" in chosen else setup).teacher,
                num_train=num_train,
                epochs=epochs,
            )
    return found


def factorial(
    task: Task,
    setup: Setup,
    better: Setup,
    *,
    index: int,
    students: int = 2,
    num_test: int = 10_000,
    random_state: int = 42,
) -> dict[Mended, Scores]:
    """Train and score every combination of mended factors: one replicate.

    Students of equal seed and width start from the same weights whatever their arm. A smaller set
    of rows is the beginning of a larger one, for students and for teachers.

    Where the law is known (`task.has_law`), a replicate is a fresh training set, scaled as a whole.
    The sample factor does not change the teacher, which keeps its rows: some that no student sees,
    or the first of the students' (`Teacher.own_rows`). Scores are against the exact posterior of
    fresh test samples.

    Where it is not, a replicate is a random split of the task's training part: a fifth is tested
    on, and students and teachers learn from the rest, both from its first row on, as in everyday
    practice. The task's own test part stays untouched.

    Parameters
    ----------
    task : Task
        Its law, or its training part.
    setup, better : Setup
        See `mended`.
    index : int
        Which replicate, from 0; gives, with `random_state`, all data and seeds.
    students : int
        In each arm.
    num_test : int
        Fresh test samples, where the law is known.
    random_state : int
        Root of the seeds.

    Returns
    -------
    dict of Scores
        ``(students,)`` each, by mended factors.

    Raises
    ------
    TypeError, ValueError
        If an argument is not allowed, or there are too few rows; before anything trains.
    """
    arms = mended(setup, better)
    _check_task(task, setup, better)
    _whole("students", students)
    _whole("num_test", num_test)
    sample = _draw(task, setup, better, index, num_test, random_state)
    targets = {
        teacher: _targets(sample, teacher, setup.temperature, index, random_state)
        for teacher in dict.fromkeys(arm.teacher for arm in arms.values())
    }
    groups: dict[tuple[tuple[int, ...], int, int], dict[Mended, Arm]] = {}
    for factors, arm in arms.items():
        groups.setdefault((arm.hidden, arm.num_train, arm.epochs), {})[factors] = Arm(
            targets[arm.teacher],
            arm.temperature,
            arm.alpha,
            arm.learning_rate,
            rows=sample.student_rows[: arm.num_train],
        )
    seeds = member_seeds(random_state, "student", index, students)
    scores = {}
    for (hidden, _, epochs), group in groups.items():
        stacks = train_students(sample.task, group, seeds=seeds, hidden=hidden, epochs=epochs)
        for factors, stack in stacks.items():
            scores[factors] = score(stack.predict(sample.x), sample.truth)
    return {factors: scores[factors] for factors in arms}


@dataclass(frozen=True)
class Diagnosis:
    """What each factor costs, and which are causes; see `diagnose`.

    Attributes
    ----------
    factors : tuple of str
        Those that were varied.
    margin : float
        Smallest loss that matters, in the unit of the losses.
    whole : Estimate
        The loss as it is minus the loss with all mended.
    left : dict of Estimate
        By factor: the loss with all mended but this, minus with all mended. What it costs when it
        alone is left.
    alone : dict of Estimate
        What mending it alone brings.
    masked : dict of Estimate
        `left` minus `alone`: how much of what it costs other faults hide.
    main : dict of Estimate
        What mending it brings, averaged over all settings of the others.
    interactions : dict of Estimate
        By pair: how much more mending the first brings where the second is mended, averaged over
        the others. Below 0 the two can stand in for one another.
    additive : bool
        Whether every interaction, and the whole minus the sum of `main`, is shown to lie within
        the margin. Then `main` splits the whole.
    answers : dict of str
        By factor: ``"cause"``, ``"no cause"`` or ``"cannot tell"``.
    verdict : str
        The causes, ``"no gap"``, ``"no single cause"`` or ``"cannot tell"``.
    """

    factors: tuple[str, ...]
    margin: float
    whole: Estimate
    left: dict[str, Estimate]
    alone: dict[str, Estimate]
    masked: dict[str, Estimate]
    main: dict[str, Estimate]
    interactions: dict[tuple[str, str], Estimate]
    additive: bool
    answers: dict[str, str]
    verdict: str

    @property
    def causes(self) -> tuple[str, ...]:
        """The factors whose answer is "cause"."""
        return tuple(f for f in self.factors if self.answers[f] == "cause")

    def __str__(self) -> str:
        """Return a report: verdict, a table of effects, and what hides or adds up."""
        return "\n".join(_report(self))


def diagnose(
    losses: Mapping[Mended, ArrayLike],
    *,
    margin: float,
    level: float = 0.95,
    split: tuple[int, int] | None = None,
    unit: str = "",
) -> Diagnosis:
    r"""Turn the losses of a factorial into effects, answers and a verdict.

    With :math:`L(S)` the loss where the factors in :math:`S` are mended, :math:`F` all k of them,

    .. math::

        \begin{aligned}
        \text{whole} &= L(\emptyset) - L(F) \\
        \text{left}_f &= L(F \setminus f) - L(F) \\
        \text{alone}_f &= L(\emptyset) - L(f) \\
        \text{main}_f &= 2^{1-k} \sum_{S \not\ni f} \bigl[L(S) - L(S \cup f)\bigr] \\
        \text{interaction}_{fg} &= 2^{2-k} \sum_{S \not\ni f, g}
            \bigl[L(S \cup g) - L(S \cup f, g) - L(S) + L(S \cup f)\bigr]
        \end{aligned}

    each a contrast taken replicate by replicate, with a t interval over replicates.

    **What names a cause.** Causes hide one another: a student of two hidden units does not suffer
    from few samples, so mending either alone brings little. What a factor costs shows where nothing
    else is at fault, so `left`, and not `alone` or `main`, names causes. It is relative to
    `better`: a factor that is at fault in both levels is never found.

    **The rule.** A factor is a *cause* where :math:`\text{left}_f` is at least the margin and its
    interval lies above 0 (twice the one-sided p is at most 1 - level). It is *no cause* where
    :math:`\text{left}_f` is below the margin by a one-sided test at 1 - level. Else the data
    *cannot tell*. A factor is tested for the one of the two that its estimate leans to, and the p
    of all factors go through one Holm correction. A cause that costs nothing, or no cause that
    costs the margin or more, is a false answer; a factor can earn one kind alone, so at most the
    share 1 - level of diagnoses should hold any (simulated in the tests). A true cost between 0 and
    the margin may get any answer: it is real, and smaller than what matters.

    **The verdict.** The causes, where there are any. ``"no gap"`` where `whole` is below the margin
    by a one-sided test. ``"no single cause"`` where the whole is at least the margin and above 0,
    yet no factor is a cause: costs below the margin add up, or several factors can mend the same
    loss, each in place of the others. Else ``"cannot tell"``. The whole is tested by itself.

    Parameters
    ----------
    losses : mapping of array_like
        By mended factors (names from `FACTORS`), one loss a replicate ``(S,)``, two or more; paired
        by position. All combinations of the factors that occur.
    margin : float
        Smallest loss that matters, above 0, in the unit of the losses.
    level : float
        Confidence level.
    split : tuple of int, optional
        Rows of the training and the test part, where replicates are random splits of one data set:
        the interval is then `distill_helpers.statistics.nadeau_bengio`'s.
    unit : str
        Of the losses.

    Returns
    -------
    Diagnosis

    Raises
    ------
    ValueError
        If a combination is missing, a name is unknown, shapes differ, values are not finite, or
        there are fewer than two replicates.

    Notes
    -----
    The contrasts are those of a two-level factorial: Box, Hunter and Hunter (2005), *Statistics
    for Experimenters*, chapter 5; here without the half that they put before an interaction. Used
    in chapter 05.

    Examples
    --------
    >>> wide, long = frozenset({"wider"}), frozenset({"longer"})
    >>> found = diagnose(
    ...     {frozenset(): [0.52, 0.50, 0.53], wide: [0.42, 0.40, 0.42],
    ...      long: [0.51, 0.50, 0.54], wide | long: [0.41, 0.41, 0.42]},
    ...     margin=0.03, unit="nats")
    >>> found.answers
    {'wider': 'cause', 'longer': 'no cause'}
    >>> print(found)
    wider: capacity
    gap 0.103 [0.075, 0.132] nats, 3 replicates, margin 0.03
    wider: cause
        left alone    0.103 [0.065, 0.141]
        mended alone  0.103 [0.089, 0.118]
        average       0.103 [0.077, 0.129]
    longer: no cause
        left alone    0.000 [-0.025, 0.025]
        mended alone  0.000 [-0.025, 0.025]
        average       0.000 [-0.022, 0.022]
    All interactions lie within the margin: the averages split the gap.
    """
    table, factors = _checked_losses(losses)
    _check_rule(margin, level)
    everything = frozenset(factors)
    nothing: Mended = frozenset()

    def estimate(differences: NDArray[np.float64]) -> Estimate:
        if split is None:
            return mean_estimate(differences, level=level, unit=unit)
        return nadeau_bengio(differences, *split, level=level, unit=unit)

    def mending(f: str, given: Mended) -> NDArray[np.float64]:
        return table[given] - table[given | {f}]

    left = {f: mending(f, everything - {f}) for f in factors}
    alone = {f: mending(f, nothing) for f in factors}
    main = {f: np.mean([mending(f, s) for s in _subsets(factors, f)], 0) for f in factors}
    interactions = {
        (f, g): np.mean([mending(f, s | {g}) - mending(f, s) for s in _subsets(factors, f, g)], 0)
        for f, g in itertools.combinations(factors, 2)
    }
    whole = table[nothing] - table[everything]
    total = estimate(whole)
    costs = {f: estimate(left[f]) for f in factors}
    answers = _answers(costs, margin, 1 - level)
    pairs = {pair: estimate(values) for pair, values in interactions.items()}
    beyond_pairs = estimate(whole - np.sum(list(main.values()), 0))
    additive = all(
        _at_most(max(e.p_greater(-margin), e.p_less(margin)), 1 - level)
        for e in (*pairs.values(), beyond_pairs)
    )
    return Diagnosis(
        factors,
        margin,
        total,
        costs,
        {f: estimate(alone[f]) for f in factors},
        {f: estimate(left[f] - alone[f]) for f in factors},
        {f: estimate(main[f]) for f in factors},
        pairs,
        additive,
        answers,
        _verdict(total, answers, margin, 1 - level),
    )


def diagnose_gap(
    task: Task,
    setup: Setup,
    better: Setup,
    *,
    replicates: int = 8,
    students: int = 2,
    margin: float = 0.01,
    metric: str = "negative_log_likelihood",
    level: float = 0.95,
    num_test: int = 10_000,
    random_state: int = 42,
    progress: str | None = None,
) -> Diagnosis:
    """Train every combination of mended factors, and tell which factors are causes of the gap.

    Parameters
    ----------
    task, setup, better, students, num_test, random_state
        See `factorial`.
    replicates : int
        How many, two or more.
    margin, level : float
        See `diagnose`; the margin in nats, or as a share of samples.
    metric : str
        One of `METRICS`.
    progress : str, optional
        Label of a progress bar, shown from the second second on; none where it is left out or
        where ``DISTILL_PROGRESS`` is ``off``.

    Returns
    -------
    Diagnosis

    Raises
    ------
    TypeError, ValueError
        If an argument is not allowed; before anything trains.

    Examples
    --------
    >>> from distill_helpers.tasks import gaussian_mixture_task
    >>> task = gaussian_mixture_task(2, 5, 0.1, clusters_per_class=2)
    >>> narrow = Setup(hidden=(1,), epochs=20, teacher="posterior", learning_rate=1e-2)
    >>> found = diagnose_gap(
    ...     task, narrow, replace(narrow, hidden=(16,)), replicates=4, num_test=1000)
    >>> found.verdict
    'wider'
    """
    _check_rule(margin, level)
    if metric not in METRICS:
        raise ValueError(
            f"metric is {metric!r}; it must be one of {', '.join(map(repr, METRICS))}. "
            f"Use {METRICS[0]!r} if unsure."
        )
    if _whole("replicates", replicates) < 2:
        raise ValueError(f"replicates is {replicates}; an interval needs 2 or more. Use 8.")
    bar = tqdm(
        range(replicates),
        desc=progress,
        unit="replicate",
        delay=2,
        leave=False,
        disable=progress is None or os.environ.get("DISTILL_PROGRESS") == "off",
    )
    found = [
        factorial(
            task,
            setup,
            better,
            index=index,
            students=students,
            num_test=num_test,
            random_state=random_state,
        )
        for index in bar
    ]
    losses = {
        factors: np.array([_loss(scores[factors], metric) for scores in found])
        for factors in found[0]
    }
    return diagnose(
        losses,
        margin=margin,
        level=level,
        split=None if task.has_law else _split(task),
        unit="nats" if metric == "negative_log_likelihood" else "",
    )


# Training -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Sample:
    """The data of one replicate: rows of a task to learn from, and a test sample."""

    task: Task
    student_rows: Tensor
    teacher_rows: Tensor
    x: Tensor
    truth: Tensor


def _draw(
    task: Task, setup: Setup, better: Setup, index: int, num_test: int, random_state: int
) -> _Sample:
    data_seed, test_seed = member_seeds(random_state, "diagnosis data", index, 2)
    if not task.has_law:
        shuffled = torch.from_numpy(np.random.default_rng(data_seed).permutation(len(task.y_train)))
        learn, test = shuffled.split(_split(task))
        return _Sample(task, learn, learn, task.x_train[test], task.y_train[test])
    teachers = [t for t in (setup.teacher, better.teacher) if isinstance(t, Teacher)]
    shared = (t.num_train for t in teachers if not t.own_rows)
    own = max(setup.num_train, better.num_train, *shared)
    rows = torch.arange(own + max((t.num_train for t in teachers if t.own_rows), default=0))
    fresh = task.with_fresh_data(data_seed, num_train=len(rows))
    x, _ = fresh.sample(num_test, seed=test_seed)
    return _Sample(fresh, rows[:own], rows[own:], x, fresh.posterior(x))


def _targets(
    sample: _Sample, teacher: Teacher | str, temperature: float, index: int, random_state: int
) -> Tensor:
    task = sample.task
    if isinstance(teacher, str):
        return soft_targets(task.log_posterior(task.x_train), temperature).float()
    stack = train_teachers(
        task,
        ensemble_size=teacher.ensemble_size,
        epochs=teacher.epochs,
        random_state=random_state,
        set_index=index,
        rows=(sample.teacher_rows if teacher.own_rows else sample.student_rows)[
            : teacher.num_train
        ],
        hidden=teacher.hidden,
        dropout=teacher.dropout,
    )
    return soft_targets(stack.predict(task.x_train), temperature, "logits")


def _at_equal_steps(num_train: int, epochs: int, more: int) -> tuple[int, int]:
    """Return rows and passes, up to `more` rows, that take about as many steps."""
    steps = epochs * math.ceil(num_train / BATCH_SIZE)
    in_a_pass = math.ceil(more / BATCH_SIZE)
    if steps < in_a_pass:
        return steps * BATCH_SIZE, 1
    passes = steps // in_a_pass
    return more, passes + (2 * (steps - passes * in_a_pass) > in_a_pass)


def _loss(scores: Scores, metric: str) -> float:
    if metric == "accuracy":
        return 1 - float(scores.accuracy.mean())
    return float(scores.negative_log_likelihood.mean())


def _split(task: Task) -> tuple[int, int]:
    """Return how many training rows are learned from and tested on, where the law is unknown."""
    test = round(TEST_SHARE * len(task.y_train))
    return len(task.y_train) - test, test


def _teacher_rows(setup: Setup) -> int:
    return setup.teacher.num_train if isinstance(setup.teacher, Teacher) else 0


def _factors(setup: Setup, better: Setup) -> tuple[str, ...]:
    """Return the factors whose levels differ, or raise where the two are no such pair."""
    for name in ("temperature", "alpha", "learning_rate"):
        one, other = getattr(setup, name), getattr(better, name)
        if one != other:
            raise ValueError(
                f"{name} is {one} in setup and {other} in better; it is no factor and must be "
                "equal in both. Diagnose one value at a time."
            )
    for factor, name in (("longer", "epochs"), ("more samples", "num_train")):
        one, other = getattr(setup, name), getattr(better, name)
        if other < one:
            raise ValueError(
                f"{name} is {one} in setup and {other} in better; better must have as many or "
                f'more. Exchange the two, or leave "{factor}" out with equal values.'
            )
    levels = zip(FACTORS, *map(_levels, (setup, better)), strict=True)
    factors = tuple(factor for factor, one, other in levels if one != other)
    if not factors:
        raise ValueError(
            "setup and better are equal; at least one of hidden, epochs, num_train and teacher "
            "must differ. Mend something in better."
        )
    return factors


def _levels(setup: Setup) -> tuple[object, ...]:
    return setup.hidden, setup.epochs, setup.num_train, setup.teacher


def _check_task(task: Task, setup: Setup, better: Setup) -> None:
    """Refuse what this task cannot give."""
    if task.has_law:
        return
    if "posterior" in (setup.teacher, better.teacher):
        raise ValueError(
            f'teacher is "posterior", and the law behind {task.name!r} is unknown; that needs a '
            "task whose law is known. Use a Teacher."
        )
    rows, test = _split(task)
    for name, asked in (
        ("num_train", better.num_train),
        ("num_train of the teacher", max(map(_teacher_rows, (setup, better)))),
    ):
        if asked > rows:
            raise ValueError(
                f"{name} is {asked}; {task.name!r} has {rows} rows to learn from, {test} more are "
                f"tested on. Ask for {rows} or fewer; with equal num_train in setup and better "
                '"more samples" is left out.'
            )


# Answers --------------------------------------------------------------------------------------


def _answers(costs: Mapping[str, Estimate], margin: float, alpha: float) -> dict[str, str]:
    """Return each factor's answer: the one that its cost leans to, where Holm lets it pass."""
    leaning, p = {}, {}
    for f, cost in costs.items():
        if cost.value >= margin:
            leaning[f], p[f] = "cause", 2 * cost.p_greater(0)
        else:
            leaning[f], p[f] = "no cause", cost.p_less(margin)
    answers, reached = dict.fromkeys(costs, "cannot tell"), 0.0
    for step, f in enumerate(sorted(p, key=p.__getitem__)):
        reached = max(reached, (len(p) - step) * p[f])
        if _at_most(reached, alpha):
            answers[f] = leaning[f]
    return answers


def _verdict(whole: Estimate, answers: Mapping[str, str], margin: float, alpha: float) -> str:
    causes = [f for f, answer in answers.items() if answer == "cause"]
    if causes:
        return " and ".join(causes)
    if _at_most(whole.p_less(margin), alpha):
        return "no gap"
    large = whole.value >= margin and _at_most(2 * whole.p_greater(0), alpha)
    if large and set(answers.values()) == {"no cause"}:
        return "no single cause"
    return "cannot tell"


def _at_most(p: float, alpha: float) -> bool:
    return p <= alpha * (1 + 1e-12)  # 1 - 0.95 is a little more than 0.05


_STANDS_FOR = dict(zip(FACTORS, ("capacity", "optimisation", "data", "teacher"), strict=True))
_REMARKS = {
    "no gap": "mending everything brings less than the margin",
    "no single cause": "each factor costs less than the margin where all others are mended; small "
    "costs add up, or one mends what another would",
    "cannot tell": "the intervals are too wide for the margin; take more replicates",
}


def _report(d: Diagnosis) -> Iterator[str]:
    remark = " and ".join(_STANDS_FOR[f] for f in d.causes) or _REMARKS[d.verdict]
    yield f"{d.verdict}: {remark}"
    whole = replace(d.whole, caution="")
    yield f"gap {whole}, {d.whole.n} replicates, margin {d.margin:g}"
    kinds = {"left alone": d.left, "mended alone": d.alone, "average": d.main}
    for f in d.factors:
        yield f"{f}: {d.answers[f]}"
        yield from (f"    {kind:12}  {_plain(costs[f])}" for kind, costs in kinds.items())
    for f in d.factors:
        masked = d.masked[f]
        if abs(masked.value) >= d.margin and not masked.contains(0):
            how = "hide" if masked.value > 0 else "add to"
            yield f"Other faults {how} {f}: left minus mended alone is {_plain(masked)}."
    if len(d.factors) == 1:
        return
    if d.additive:
        yield "All interactions lie within the margin: the averages split the gap."
        return
    for (f, g), e in d.interactions.items():
        if abs(e.value) >= d.margin and not e.contains(0):
            yield f"Interaction of {f} and {g}: {_plain(e)}."
    yield "Interactions are not shown to lie within the margin: the gap has no additive split."


def _plain(estimate: Estimate) -> str:
    """Write it for a row of a table, where there is no room for more."""
    return str(replace(estimate, unit="", caution=""))


# Checks ---------------------------------------------------------------------------------------


def _check_rule(margin: float, level: float) -> None:
    if not (math.isfinite(margin) and margin > 0):
        raise ValueError(
            f"margin is {margin}; it must be above 0, the smallest loss that matters. Use 0.01."
        )
    if not 0 < level < 1:
        raise ValueError(f"level is {level}; it must lie between 0 and 1. Use 0.95 for 95 %.")


def _checked_losses(
    losses: Mapping[Mended, ArrayLike],
) -> tuple[dict[Mended, NDArray[np.float64]], tuple[str, ...]]:
    named = frozenset().union(*losses)
    unknown = sorted(named - set(FACTORS))
    if unknown:
        raise ValueError(
            f"{unknown[0]!r} is no factor; the factors are {', '.join(FACTORS)}. Give keys such "
            f"as frozenset({{{FACTORS[0]!r}}})."
        )
    factors = tuple(f for f in FACTORS if f in named)
    if not factors:
        raise ValueError("losses names no factor; it must hold every combination of one or more.")
    missing = [s for s in _subsets(factors) if s not in losses]
    if missing:
        raise ValueError(
            f"losses lacks {_name(missing[0])}; {len(factors)} factors need all "
            f"{2 ** len(factors)} combinations. Train that arm too, or drop a factor."
        )
    table = {}
    for key, values in losses.items():
        array = np.asarray(values, dtype=np.float64)
        if array.ndim != 1 or len(array) < 2:
            raise ValueError(
                f"losses of {_name(key)} have shape {array.shape}; they must be (replicates,), two "
                "or more. Average students first."
            )
        if not np.isfinite(array).all():
            raise ValueError(
                f"losses of {_name(key)} hold {array[~np.isfinite(array)][0]}; they must be "
                "finite. Find the run that broke."
            )
        table[key] = array
    sizes = {len(array) for array in table.values()}
    if len(sizes) > 1:
        raise ValueError(
            f"losses have {sorted(sizes)} replicates; arms are paired by position and need equally "
            "many. Drop replicates that are not in every arm."
        )
    return table, factors


def _subsets(factors: Sequence[str], *without: str) -> list[Mended]:
    others = [f for f in factors if f not in without]
    return [
        frozenset(chosen)
        for size in range(len(others) + 1)
        for chosen in itertools.combinations(others, size)
    ]


def _name(mended: Mended) -> str:
    return " + ".join(f for f in FACTORS if f in mended) or "nothing mended"
