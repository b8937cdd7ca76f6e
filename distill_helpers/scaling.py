r"""A pocket scaling law: a student's loss from the numbers of parameters of student and teacher.

A `Law` is fitted on some cells (student size, teacher size) of a measured grid, is judged on the
cells held out, and says which teacher to train for a student. `nearest` is the naive rule that it
has to beat. The loss is an excess risk in nats: the student's NLL less the entropy of the law of
the data, so that zero is the best there is. Fits are least squares on its logarithm.

Busbridge et al. (2025) fit a law of this kind to language models. Theirs predicts a student's
cross-entropy from its size, its number of tokens and its *teacher's cross-entropy*: a power law in
size and tokens, and a broken one in the teacher's loss, so that too good a teacher can hurt a
student that cannot follow. Ours leaves out two of the three: the number of samples, which is one
for the whole grid, and the teacher's loss, for which its size stands in. So two teachers of one
size get one prediction, however they were trained, and no compute budget can be split with it.

Used in chapter 05.
"""

from __future__ import annotations

import math
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import least_squares, nnls

__all__ = ["FORMS", "Law", "Nearest", "Rule", "fit", "held_out_error", "nearest", "regret"]

Array = NDArray[np.float64]

FAR = 4.0
"""Beyond this factor outside the sizes that it was fitted on, a rule warns."""

TIE = 1e-9
"""Losses, and distances, whose logarithms differ by less are equal but for rounding."""

STEEPEST = 50.0
"""A power's largest fall in log loss over the sizes measured; beyond it only the smallest counts"""


# Rules ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Rule(ABC):
    """What predicts a student's loss from two sizes, and so chooses a teacher.

    Attributes
    ----------
    student_range, teacher_range : tuple of float
        Smallest and largest number of parameters that it was fitted on.
    """

    student_range: tuple[float, float]
    teacher_range: tuple[float, float]

    def predict(self, student_parameters: ArrayLike, teacher_parameters: ArrayLike) -> Array:
        """Return the loss predicted, in the unit of the losses fitted.

        Parameters
        ----------
        student_parameters, teacher_parameters : array_like
            Numbers of parameters, of shapes that broadcast.

        Returns
        -------
        ndarray
            Losses, of the common shape. A fit on log loss predicts the median: where noise is
            large, the mean loss is larger.

        Raises
        ------
        TypeError, ValueError
            Sizes that are no finite numbers above 0.

        Warns
        -----
        UserWarning
            Once a call, where a size is more than a factor of 4 outside those fitted.
        """
        log_losses = self._log_losses(student_parameters, teacher_parameters)
        with np.errstate(over="ignore", under="ignore"):  # far outside a law may say anything
            return np.exp(log_losses)

    def choose_teacher(self, student_parameters: float, among: ArrayLike) -> float:
        """Return the teacher's size of smallest predicted loss; of equal ones the smallest.

        Parameters
        ----------
        student_parameters : float
            The student's number of parameters.
        among : array_like, shape (n,)
            Sizes of the teachers to choose from.

        Returns
        -------
        float
            One of `among`.

        Raises
        ------
        TypeError, ValueError
            Sizes that are no finite numbers above 0, several students, no teacher.

        Warns
        -----
        UserWarning
            As `predict`.
        """
        if np.ndim(student_parameters) > 0:
            raise ValueError(
                f"student_parameters has shape {np.shape(student_parameters)}; it must be one "
                "number. Choose for one student at a time."
            )
        _positive(among, "among")
        candidates = np.asarray(among)  # to return a size of the type that it came in
        if candidates.ndim != 1 or candidates.size == 0:
            raise ValueError(
                f"among has shape {candidates.shape}; it must hold one teacher's size or more, in "
                "one axis."
            )
        losses = self._log_losses(student_parameters, among, "among")
        return min(candidates[losses <= losses.min() + TIE].tolist())

    def _log_losses(
        self, student: ArrayLike, teacher: ArrayLike, name: str = "teacher_parameters"
    ) -> Array:
        students, teachers = _positive(student, "student_parameters"), _positive(teacher, name)
        try:
            students, teachers = np.broadcast_arrays(students, teachers)
        except ValueError:
            raise ValueError(
                f"student_parameters has shape {students.shape} and {name} {teachers.shape}; they "
                "must broadcast. Use students[:, None] for a table of all pairs."
            ) from None
        far = [
            f"{axis} {worst:,.6g} where {low:,.6g} to {high:,.6g} were measured"
            for axis, sizes, (low, high) in (
                ("student_parameters", students, self.student_range),
                (name, teachers, self.teacher_range),
            )
            for worst in _far(sizes, low, high)
        ]
        if far:
            warnings.warn(
                f"asked for {' and '.join(far)}: more than a factor of {FAR:g} outside, the "
                "prediction is a guess.",
                stacklevel=3,  # who called predict or choose_teacher
            )
        return self._log_loss(np.log(students), np.log(teachers))

    @abstractmethod
    def _log_loss(self, log_student: Array, log_teacher: Array) -> Array:
        """Return the log of the loss predicted, from logs of the sizes in one shape."""


@dataclass(frozen=True)
class Law(Rule):
    """A law of one of the `FORMS` with its coefficients; made by `fit`.

    Attributes
    ----------
    form : str
        Its name in `FORMS`.
    coefficients : dict
        By name, as in the form's formula; the sizes there are over the smallest measured.
    cells : int
        Distinct cells it was fitted on.
    left_out_error : float
        Root mean squared error of log loss, each cell predicted from all others: 0.1 is about
        10 %. Infinite where leaving a cell out leaves the form undetermined.
    """

    form: str
    coefficients: dict[str, float]
    cells: int
    left_out_error: float

    def _log_loss(self, log_student: Array, log_teacher: Array) -> Array:
        return FORMS[self.form].log_loss(
            np.array(list(self.coefficients.values())),
            log_student - math.log(self.student_range[0]),
            log_teacher - math.log(self.teacher_range[0]),
        )

    def __str__(self) -> str:
        """Return the formula with its numbers, and how far off cells left out were."""
        numbers = {name: f"{value:.3g}" for name, value in self.coefficients.items()}
        text = FORMS[self.form].text.format(
            **numbers, n=f"{self.student_range[0]:,.6g}", m=f"{self.teacher_range[0]:,.6g}"
        )
        text = text.replace("+ -", "- ")
        return f"{text} ({self.cells} cells; log loss off by {self.left_out_error:.2g} left out)"


@dataclass(frozen=True, eq=False)  # arrays have no one answer to ==
class Nearest(Rule):
    """The loss of the nearest cell measured; made by `nearest`.

    Attributes
    ----------
    log_cells : ndarray, shape (n, 3)
        Logs of student size, teacher size and loss, in rising order of the sizes.
    """

    log_cells: Array

    def _log_loss(self, log_student: Array, log_teacher: Array) -> Array:
        students, teachers, losses = self.log_cells.T
        apart = np.hypot(log_student[..., None] - students, log_teacher[..., None] - teachers)
        # The first of the nearest, and so the smaller sizes of a tie.
        first = (apart <= apart.min(axis=-1, keepdims=True) + TIE).argmax(axis=-1)
        return losses[first]

    def __str__(self) -> str:
        """Return what it is and how many cells it knows."""
        return f"the loss of the nearest of {len(self.log_cells)} cells, in log sizes"


# Forms ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Form:
    """A formula that a `Law` may have.

    Attributes
    ----------
    coefficients : tuple of str
        Their names.
    per : tuple of (int, int)
        For each coefficient the powers of log sizes, student's and teacher's, in its unit's
        denominator.
    sizes : int
        Distinct sizes that it needs on each axis.
    text : str
        To print, with the coefficients and the smallest sizes `n` and `m` to fill in.
    terms : callable
        ``(x, y)`` to columns that the cells must keep apart, or the form is undetermined.
    solve : callable
        ``(x, y, log_loss)`` to the coefficients, in least squares of log loss. `x` and `y`
        are log sizes, scaled to run from 0 to 1.
    log_loss : callable
        ``(coefficients, x, y)`` to log loss.
    """

    coefficients: tuple[str, ...]
    per: tuple[tuple[int, int], ...]
    sizes: int
    text: str
    terms: Callable[[Array, Array], Array]
    solve: Callable[[Array, Array, Array], Array]
    log_loss: Callable[[Array, Array, Array], Array]


def _log_power(coefficients: Array, x: Array, y: Array) -> Array:
    """Return log(E + A e^(-a x) + B e^(-b y)), which may be far outside what floats hold."""
    with np.errstate(divide="ignore"):  # a coefficient of 0 has the log -inf
        E, A, B = np.log(coefficients[:3])
    a, b = coefficients[3:]
    return np.logaddexp(E, np.logaddexp(A - a * x, B - b * y))


def _solve_power(x: Array, y: Array, log_loss: Array) -> Array:
    """Fit E, A, B, a, b >= 0: starts on a grid of exponents, and descent from the best of them."""
    centre = log_loss.mean()  # the descent's distance from its bounds has a scale
    target = log_loss - centre
    loss = np.exp(target)

    def residuals(p: Array) -> Array:
        return _log_power(p, x, y) - target

    def slopes(p: Array) -> Array:
        _, A, B, a, b = p
        X, Y = np.exp(-a * x), np.exp(-b * y)
        columns = np.stack([np.ones_like(x), X, Y, -x * A * X, -y * B * Y], axis=1)
        return columns / np.exp(_log_power(p, x, y))[:, None]

    # For given exponents E, A and B are a linear problem, if the error is relative, not log.
    starts = []
    for a in (0.3, 1.0, 3.0, 10.0, 30.0):
        for b in (0.3, 1.0, 3.0, 10.0, 30.0):
            columns = np.stack([np.ones_like(x), np.exp(-a * x), np.exp(-b * y)], axis=1)
            linear, _ = nnls(columns / loss[:, None], np.ones_like(x))
            start = np.array([*linear, a, b])
            starts.append((float(np.square(residuals(start)).sum()), start))
    starts.sort(key=lambda pair: pair[0])
    tight = 1e-13
    fits = [
        least_squares(
            residuals,
            start,
            slopes,
            bounds=(np.zeros(5), np.array([np.inf, np.inf, np.inf, STEEPEST, STEEPEST])),
            ftol=tight,
            xtol=tight,
            gtol=tight,
        )
        for _, start in starts[:3]
    ]
    E, A, B, a, b = min(fits, key=lambda found: found.cost).x
    # The descent only nears a bound. What changes no cell's loss by a millionth is 0.
    nothing = 1e-6 * loss.min()
    if A * -math.expm1(-a) < nothing:
        E, A, a = E + A, 0.0, 0.0
    if B * -math.expm1(-b) < nothing:
        E, B, b = E + B, 0.0, 0.0
    if nothing > E:
        E = 0.0
    return np.array([E, A, B, a, b]) * np.exp(centre * np.array([1, 1, 1, 0, 0]))


def _log_quadratic(coefficients: Array, x: Array, y: Array) -> Array:
    return _conic(x, y) @ coefficients


def _solve_quadratic(x: Array, y: Array, log_loss: Array) -> Array:
    solution, *_ = np.linalg.lstsq(_conic(x, y), log_loss)
    return np.asarray(solution, dtype=np.float64)


def _plane(x: Array, y: Array) -> Array:
    return np.stack([np.ones_like(x), x, y], axis=-1)


def _conic(x: Array, y: Array) -> Array:
    return np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=-1)


# No docstring, for the API page would show the functions' addresses.
FORMS: dict[str, _Form] = {
    "power": _Form(
        coefficients=("E", "A", "B", "a", "b"),
        per=((0, 0), (0, 0), (0, 0), (1, 0), (0, 1)),
        sizes=2,
        text="loss = {E} + {A} (N_S / {n})^-{a} + {B} (N_T / {m})^-{b}",
        terms=_plane,
        solve=_solve_power,
        log_loss=_log_power,
    ),
    "quadratic": _Form(
        coefficients=("c", "s", "t", "ss", "st", "tt"),
        per=((0, 0), (1, 0), (0, 1), (2, 0), (1, 1), (0, 2)),
        sizes=3,
        text="ln loss = {c} + {s} s + {t} t + {ss} s^2 + {st} s t + {tt} t^2, "
        "s = ln(N_S / {n}), t = ln(N_T / {m})",
        terms=_conic,
        solve=_solve_quadratic,
        log_loss=_log_quadratic,
    ),
}


# Fits -----------------------------------------------------------------------------------------


def fit(
    student_parameters: ArrayLike,
    teacher_parameters: ArrayLike,
    loss: ArrayLike,
    *,
    form: str = "auto",
) -> Law:
    r"""Fit a law to measured cells, by least squares on log loss.

    With :math:`n` and :math:`m` the smallest student and teacher measured, the form ``"power"`` is

    .. math::

        L = E + A \left(\frac{N_S}{n}\right)^{-a} + B \left(\frac{N_T}{m}\right)^{-b},
        \quad E, A, B, a, b \ge 0,

    so :math:`A` is what the smallest student adds to the loss. It falls on both axes: its best
    teacher is the largest for every student, so it knows no capacity mismatch. The form
    ``"quadratic"``, with :math:`s = \ln(N_S / n)` and :math:`t = \ln(N_T / m)`, is

    .. math:: \ln L = c + c_s s + c_t t + c_{ss} s^2 + c_{st} s t + c_{tt} t^2,

    which can have a best teacher inside the grid, at :math:`t = -(c_t + c_{st} s) / 2 c_{tt}` where
    :math:`c_{tt} > 0`.

    Parameters
    ----------
    student_parameters, teacher_parameters : array_like, shape (n,)
        Numbers of parameters, one pair a measurement; a pair may come several times.
    loss : array_like, shape (n,)
        The student's excess risk, above 0, in nats.
    form : str
        ``"power"``, ``"quadratic"``, or ``"auto"`` for the one of smaller `Law.left_out_error`
        among those that the cells allow.

    Returns
    -------
    Law

    Raises
    ------
    TypeError, ValueError
        What is no number, not finite or not above 0, lengths that differ, a form that is not
        known, too few cells or sizes for it.

    Notes
    -----
    ``"power"`` is the law of Hoffmann et al. (2022) with the teacher's size in the place of the
    tokens. With two sizes on an axis it fits those two, and says nothing of its exponent. It is
    found by descent from the best three points of a fixed grid, so it is the same every time.

    A cell left out of a grid lies mostly between others, so `Law.left_out_error` speaks of the
    inside of the grid; it is too small for sizes beyond it, and for the form chosen by it.

    Used in chapter 05.

    Examples
    --------
    >>> students, teachers = np.meshgrid([50, 200, 800], [100, 1000, 10_000])
    >>> loss = 0.02 + 0.3 * (students / 50) ** -0.5 + 0.1 * (teachers / 100) ** -0.25
    >>> law = fit(students.ravel(), teachers.ravel(), loss.ravel(), form="power")
    >>> str(law).split(" (9 cells")[0]
    'loss = 0.02 + 0.3 (N_S / 50)^-0.5 + 0.1 (N_T / 100)^-0.25'
    >>> law.predict(800, [100, 1000]).round(4)
    array([0.195 , 0.1512])
    >>> law.choose_teacher(800, among=[100, 1000, 10_000])
    10000
    """
    students, teachers, losses = _cells(student_parameters, teacher_parameters, loss)
    if form != "auto" and form not in FORMS:
        raise ValueError(
            f'form is {form!r:.40}; it must be "auto" or one of {", ".join(FORMS)}. '
            'Use "auto" to let the cells choose.'
        )
    log_student, log_teacher, log_loss = np.log(students), np.log(teachers), np.log(losses)
    # One size alone has no width; _complaint says so in a moment.
    width_x, width_y = np.ptp(log_student) or 1.0, np.ptp(log_teacher) or 1.0
    x = (log_student - log_student.min()) / width_x
    y = (log_teacher - log_teacher.min()) / width_y
    pairs, cell = np.unique(np.stack([students, teachers], 1), axis=0, return_inverse=True)
    cell = cell.ravel()
    names = [form] if form != "auto" else list(FORMS)
    complaints = {name: _complaint(name, x, y, len(pairs)) for name in names}
    names = [name for name in names if complaints[name] is None]
    if not names:
        raise ValueError(next(iter(complaints.values())))
    errors = {name: _left_out_error(FORMS[name], x, y, log_loss, cell) for name in names}
    best = min(names, key=errors.__getitem__)
    units = [width_x**-i * width_y**-j for i, j in FORMS[best].per]
    found = FORMS[best].solve(x, y, log_loss) * units
    return Law(
        student_range=(float(students.min()), float(students.max())),
        teacher_range=(float(teachers.min()), float(teachers.max())),
        form=best,
        coefficients=dict(zip(FORMS[best].coefficients, found.tolist(), strict=True)),
        cells=len(pairs),
        left_out_error=errors[best],
    )


def nearest(
    student_parameters: ArrayLike, teacher_parameters: ArrayLike, loss: ArrayLike
) -> Nearest:
    """Return the naive rule: the loss of the nearest cell measured.

    Nearest in the plane of log sizes; of equally near ones the smaller student, then the smaller
    teacher. Measurements of one cell are averaged, their logs as in `fit`.

    Parameters
    ----------
    student_parameters, teacher_parameters, loss : array_like, shape (n,)
        As in `fit`; one cell is enough.

    Returns
    -------
    Nearest

    Raises
    ------
    TypeError, ValueError
        What is no number, not finite or not above 0, lengths that differ.

    Notes
    -----
    Used in chapter 05.

    Examples
    --------
    >>> rule = nearest([10, 10, 40], [100, 400, 100], [0.3, 0.2, 0.1])
    >>> rule.predict(11, [150, 350]).round(3)
    array([0.3, 0.2])
    >>> rule.choose_teacher(10, among=[100, 400])
    400
    """
    students, teachers, losses = _cells(student_parameters, teacher_parameters, loss)
    pairs, cell = np.unique(np.stack([students, teachers], 1), axis=0, return_inverse=True)
    cell = cell.ravel()
    means = np.bincount(cell, np.log(losses)) / np.bincount(cell)
    return Nearest(
        student_range=(float(students.min()), float(students.max())),
        teacher_range=(float(teachers.min()), float(teachers.max())),
        log_cells=np.column_stack([np.log(pairs), means]),
    )


# Judging --------------------------------------------------------------------------------------


def held_out_error(
    rule: Rule, student_parameters: ArrayLike, teacher_parameters: ArrayLike, loss: ArrayLike
) -> float:
    r"""Return the root mean squared error of log loss, on cells that the rule has not seen.

    .. math:: \sqrt{\tfrac{1}{n} \sum_i \bigl(\ln \hat L_i - \ln L_i\bigr)^2}

    0.1 is about 10 %. Noise of the losses is part of it: no rule gets below.

    Parameters
    ----------
    rule : Rule
        From `fit` or `nearest`.
    student_parameters, teacher_parameters, loss : array_like, shape (n,)
        As in `fit`.

    Returns
    -------
    float

    Raises
    ------
    TypeError, ValueError
        What is no number, not finite or not above 0, lengths that differ.

    Notes
    -----
    Used in chapter 05.

    Examples
    --------
    >>> rule = nearest([10, 40], [100, 100], [0.3, 0.1])
    >>> round(held_out_error(rule, [10, 40], [100, 100], [0.33, 0.11]), 4)
    0.0953
    """
    students, teachers, losses = _cells(student_parameters, teacher_parameters, loss)
    apart = rule._log_losses(students, teachers) - np.log(losses)
    return math.sqrt(np.square(apart).mean())


def regret(
    rule: Rule, student_parameters: ArrayLike, teacher_parameters: ArrayLike, loss: ArrayLike
) -> float:
    r"""Return what following the rule's choice of teacher costs, a mean over students, in nats.

    For each student size the rule chooses among the teachers measured with it,

    .. math::

        \frac{1}{|S|} \sum_{N_S \in S} \Bigl( L(N_S, \text{chosen}) - \min_{N_T} L(N_S, N_T) \Bigr).

    Students with one teacher have no choice and do not count. The best of noisy losses is too good
    by chance, so a perfect rule has a regret above 0 too: compare rules on one grid.

    Parameters
    ----------
    rule : Rule
        From `fit` or `nearest`.
    student_parameters, teacher_parameters, loss : array_like, shape (n,)
        As in `fit`. Measurements of one cell are averaged.

    Returns
    -------
    float
        0 or more.

    Raises
    ------
    TypeError, ValueError
        What is no number, not finite or not above 0, lengths that differ, no student with two
        teachers.

    Notes
    -----
    Used in chapter 05.

    Examples
    --------
    >>> rule = nearest([10], [100], [0.3])  # takes all teachers for equal, and so the smallest
    >>> round(regret(rule, [10, 10, 20, 20], [100, 400, 100, 400], [0.3, 0.2, 0.1, 0.2]), 3)
    0.05
    """
    students, teachers, losses = _cells(student_parameters, teacher_parameters, loss)
    costs = []
    for student in np.unique(students):
        own = students == student
        among, place = np.unique(teachers[own], return_inverse=True)
        if len(among) > 1:
            means = np.bincount(place.ravel(), losses[own]) / np.bincount(place.ravel())
            chosen = rule.choose_teacher(student, among)
            costs.append(means[among == chosen].item() - means.min())
    if not costs:
        raise ValueError(
            f"the {len(losses)} cells hold no student with two teachers, so there is no choice to "
            "judge. Give whole rows of the grid."
        )
    return float(np.mean(costs))


# Checks ---------------------------------------------------------------------------------------


def _left_out_error(form: _Form, x: Array, y: Array, log_loss: Array, cell: NDArray) -> float:
    """Predict each cell from all others, its repeats left out with it."""
    apart = np.empty_like(log_loss)
    for number in range(cell.max() + 1):
        out = cell == number
        if not _determined(form, x[~out], y[~out]):
            return math.inf
        found = form.solve(x[~out], y[~out], log_loss[~out])
        apart[out] = form.log_loss(found, x[out], y[out]) - log_loss[out]
    return math.sqrt(np.square(apart).mean())


def _determined(form: _Form, x: Array, y: Array) -> bool:
    terms = form.terms(x, y)
    return bool(np.linalg.matrix_rank(terms, rtol=1e-9) == terms.shape[1])


def _complaint(name: str, x: Array, y: Array, cells: int) -> str | None:
    """Return why a form cannot be fitted to these cells, if so."""
    form = FORMS[name]
    other = "use nearest()" if name == "power" else 'use form="power"'
    for axis, values in (("student_parameters", x), ("teacher_parameters", y)):
        distinct = len(np.unique(values))
        if distinct < form.sizes:
            return (
                f'{axis} holds {distinct} distinct sizes; the form "{name}" needs {form.sizes} or '
                f"more. Measure other sizes, or {other}."
            )
    need = len(form.coefficients) + 1
    if cells < need:
        return (
            f'there are {cells} distinct cells; the form "{name}" has {need - 1} coefficients and '
            f"needs {need} or more. Measure more cells, or {other}."
        )
    if not _determined(form, x, y):
        curve = "line" if name == "power" else "curve of second order"
        return (
            f"the {cells} cells lie on one {curve} in log sizes, which leaves the form "
            f'"{name}" undetermined. Measure cells off it, or {other}.'
        )
    return None


def _far(sizes: Array, low: float, high: float) -> list[float]:
    """Return the size that is farthest outside, if it is far, or nothing."""
    factors = np.maximum(low / sizes, sizes / high)
    if factors.size == 0 or factors.max() <= FAR:
        return []
    return [float(sizes.flat[factors.argmax()])]


def _cells(student: ArrayLike, teacher: ArrayLike, loss: ArrayLike) -> tuple[Array, Array, Array]:
    arrays = {
        "student_parameters": _positive(student, "student_parameters"),
        "teacher_parameters": _positive(teacher, "teacher_parameters"),
        "loss": _positive(loss, "loss"),
    }
    shapes = {array.shape for array in arrays.values()}
    if len(shapes) > 1 or len(next(iter(shapes))) != 1 or shapes == {(0,)}:
        listed = ", ".join(f"{name} {array.shape}" for name, array in arrays.items())
        raise ValueError(
            f"the shapes are {listed}; they must be one axis of equal length, one entry a "
            "measurement. Use ravel() on the three of a full grid."
        )
    return arrays["student_parameters"], arrays["teacher_parameters"], arrays["loss"]


def _positive(value: ArrayLike, name: str) -> Array:
    try:
        array = np.asarray(value)
    except ValueError:  # rows of unequal length
        array = np.array(None)
    if array.dtype.kind not in "iuf":
        raise TypeError(f"{name} is {value!r:.60}; it must be an array of numbers, all above 0.")
    array = array.astype(np.float64)
    wrong = array[~((array > 0) & np.isfinite(array))]
    if wrong.size:
        rule = "a finite number above 0. Leave such cells out."
        if name == "loss":  # an excess risk may be below 0 by chance
            rule = "finite and above 0, for its log is fitted. Measure such cells on more samples."
        raise ValueError(f"{name} holds {wrong.flat[0]:g}; each must be {rule}")
    return array
