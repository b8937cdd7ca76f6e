r"""Text, one token at a time: Markov chains as teachers and students, compared exactly.

A chain of order `m` writes each token from the `m` before it, its *state*. Teacher and student go
on from the same prompt, drawn from the teacher's start. With the occupancy :math:`d_t(s)`, the
chance that the state before token `t` is `s`, the divergence of whole sequences is a sum over
states,

.. math::
   \mathrm{KL}(P \| Q) = \sum_t \sum_s d_t^P(s)\, \mathrm{KL}(P_s \| Q_s), \qquad
   \mathrm{KL}(Q \| P) = \sum_t \sum_s d_t^Q(s)\, \mathrm{KL}(Q_s \| P_s)

(the chain rule; Cover and Thomas 2006, theorem 2.5.3). Nothing here is sampled or trained, but for
`sample`: occupancies come from a recursion, optima from pools, fixed points and exact gradients.

Everything is float64 and in nats. Tables may have leading axes: ``(L, V, V, V)`` is `L` laws of
order 2, treated at once. In chapter 09.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from distill_helpers import _checks

__all__ = [
    "Chain",
    "distil",
    "distil_whole_sequences",
    "divergence",
    "entropy",
    "exposure_bias",
    "fitted_chain",
    "generalized_jsd",
    "kl",
    "log_likelihood",
    "occupancies",
    "random_chain",
    "sample",
    "sampled_tokens_per_logits",
    "state_weights",
    "stationary_start",
    "student_gradient",
    "tempered",
    "top_k",
    "whole_sequence_gradient",
    "zen",
]

Array = NDArray[np.float64]
Mean = Literal["tokens", "sequences"]
_TOLERANCE = 1e-13  # of a fixed point, in log-probabilities
_LARGEST = 20_000_000  # entries of a table, 160 MB


@dataclass(frozen=True, eq=False)
class Chain:
    """A Markov chain over `V` symbols, or a batch of them.

    Attributes
    ----------
    table : array, shape (..., V, ..., V)
        ``table[..., a, b, v]`` is the chance of `v` after `a` and then `b`: `order` axes of
        context, the oldest first, then the next token.
    order : int
        How many tokens the next one depends on, 0 or more.
    start : array, shape (..., V, ..., V)
        Chances of the contexts that prompts end in: `order` axes after those of the batch.
    end : int or None
        The symbol that ends a sequence; None where all have full length.

    Examples
    --------
    >>> coin = Chain([0.5, 0.5], 0, 1.0)
    >>> coin.symbols, coin.order
    (2, 0)
    """

    table: Array
    order: int
    start: Array
    end: int | None = None

    def __init__(
        self, table: ArrayLike, order: int, start: ArrayLike, end: int | None = None
    ) -> None:
        """Refuse what is no chain, in one line."""
        order = _checks.whole("order", order, 0, "Use 2 for a teacher that sees two tokens.")
        rows, begin = np.asarray(table, dtype=np.float64), np.asarray(start, dtype=np.float64)
        sizes = rows.shape[rows.ndim - order - 1 :]
        if rows.ndim < order + 1 or len(set(sizes)) != 1 or sizes[-1] < 2:
            raise ValueError(
                f"table has shape {rows.shape}; the last {order + 1} axes of a chain of order "
                f"{order} must be equal, two symbols or more."
            )
        if rows.size > _LARGEST:
            raise ValueError(
                f"table has {rows.size:,} entries; it must have at most {_LARGEST:,}. "
                "Use fewer symbols or a lower order."
            )
        _distribution(rows, 1, "table")
        batch = rows.shape[: rows.ndim - order - 1]
        if begin.shape != (*batch, *sizes[:order]):
            raise ValueError(
                f"start has shape {begin.shape}; it must be {(*batch, *sizes[:order])}, one chance "
                "for each context."
            )
        _distribution(begin, order, "start")
        if end is not None:
            end = _checks.whole("end", end, 0, "Use the index of a symbol.", sizes[-1] - 1)
        for name, value in (("table", rows), ("order", order), ("start", begin), ("end", end)):
            object.__setattr__(self, name, value)

    @property
    def symbols(self) -> int:
        """How many symbols there are, `V`."""
        return self.table.shape[-1]

    @property
    def batch(self) -> tuple[int, ...]:
        """Leading axes: how many laws are held at once."""
        return self.table.shape[: self.table.ndim - self.order - 1]

    def __getitem__(self, index: int | slice) -> Chain:
        """Take one law, or several, out of a batch."""
        if not self.batch:
            raise IndexError("this is a single chain; only a batch of chains can be indexed.")
        return Chain(self.table[index], self.order, self.start[index], self.end)


# -- chains ---------------------------------------------------------------------------------------


def random_chain(
    symbols: int,
    order: int,
    concentration: float,
    seed: int,
    *,
    num_laws: int | None = None,
) -> Chain:
    """Draw a chain whose rows are independent Dirichlet draws; it starts as it goes on.

    Parameters
    ----------
    symbols : int
        `V`, from 2 to 50.
    order : int
        From 0.
    concentration : float
        Of the symmetric Dirichlet law, above 0; below 1 most of a row lies on few symbols.
    seed : int
        For numpy's generator.
    num_laws : int, optional
        How many at once; a single chain without a leading axis where it is None.

    Returns
    -------
    Chain
        Its start is the stationary law, so prompts are the teacher's own text.

    Examples
    --------
    >>> random_chain(6, 2, 0.3, seed=0).table.shape
    (6, 6, 6)
    """
    symbols = _checks.whole("symbols", symbols, 2, "Use 6.", 50)
    order = _checks.whole("order", order, 0, "Use 2.")
    if not (math.isfinite(concentration) and concentration > 0):
        raise ValueError(f"concentration is {concentration}; it must be above 0, such as 0.3.")
    if (num_laws or 1) * symbols ** (order + 1) > _LARGEST:
        raise ValueError(
            f"{symbols} symbols and order {order} need {symbols ** (order + 1):,} chances a law; "
            f"a table must have at most {_LARGEST:,}. Use fewer symbols or a lower order."
        )
    rng = np.random.default_rng(seed)
    # log-gammas: at small concentrations a gamma draw itself underflows to 0
    shape = (*(() if num_laws is None else (num_laws,)), *(symbols,) * (order + 1))
    logs = np.log(rng.gamma(concentration + 1, size=shape))
    logs += np.log(rng.uniform(size=shape)) / concentration
    table = _softmax(np.maximum(logs - logs.max(-1, keepdims=True), -300.0))
    return Chain(table, order, stationary_start(table, order))


def stationary_start(table: ArrayLike, order: int) -> Array:
    """Return the stationary law of the contexts of a chain that has one alone.

    Parameters
    ----------
    table, order
        As in `Chain`.

    Returns
    -------
    array, shape (..., V, ..., V)
        `order` axes after those of the batch.

    Raises
    ------
    ValueError
        If it does not settle.
    """
    rows = np.asarray(table, dtype=np.float64)
    symbols, batch = rows.shape[-1], rows.shape[: rows.ndim - order - 1]
    flat = rows.reshape(*batch, -1, symbols)
    S = symbols**order
    d = np.full((*batch, S), 1 / S)
    if S <= 256:  # solve for it: some chains settle slowly
        moves = np.zeros((*batch, S, S))
        for token in range(symbols):
            moves[..., np.arange(S), (np.arange(S) * symbols + token) % S] += flat[..., token]
        system = np.swapaxes(moves, -1, -2) - np.eye(S)
        system[..., -1, :] = 1.0
        right = np.zeros((*batch, S, 1))
        right[..., -1, 0] = 1.0
        d = np.maximum(np.linalg.solve(system, right)[..., 0], 0.0)
    else:
        for _ in range(20_000):
            new = _advance(d[..., None] * flat)
            if np.abs(new - d).max() < 1e-15:
                break
            d = (new + d) / 2  # half of the old one: the same law, and no period
        else:
            raise ValueError("the chain does not settle; give a start of your own.")
    return (d / d.sum(-1, keepdims=True)).reshape((*batch, *(symbols,) * order))


def fitted_chain(
    text: str, order: int, *, end: str | None = "\n", strength: float = 1.0
) -> tuple[Chain, list[str]]:
    """Fit a chain of characters to a text, each order smoothed by the one below it.

    ``p_m(v | context) = (count + strength * p_{m-1}(v | shorter context)) / (total + strength)``,
    down to equal chances: MacKay and Peto's hierarchical Dirichlet model with fixed strengths.

    Parameters
    ----------
    text : str
        At least two different characters.
    order : int
        From 0.
    end : str or None
        The character that ends a sequence; it also fills the first context of each.
    strength : float
        How many observations the lower order counts for, above 0.

    Returns
    -------
    chain : Chain
        It starts at the beginning of a sequence; without `end`, as the text does on average.
    symbols : list of str
        In the order of the chain's axes.

    Examples
    --------
    >>> chain, symbols = fitted_chain("abab", 1, end=None)
    >>> symbols, round(float(chain.table[0, 1]), 3)
    (['a', 'b'], 0.833)
    """
    if not isinstance(text, str) or len(set(text)) < 2:
        raise ValueError(f"text is {text!r:.40}; it must hold two different characters or more.")
    if not strength > 0:
        raise ValueError(f"strength is {strength}; it must be above 0, such as 1.")
    if end is not None and end not in text:
        raise ValueError(f"end is {end!r}, which is not in the text; give a character of it.")
    symbols = sorted(set(text))
    place = {symbol: index for index, symbol in enumerate(symbols)}
    lines = [text] if end is None else [line + end for line in text.split(end) if line]
    V = len(symbols)
    table = np.full(V, 1 / V)
    counts = np.zeros(())
    for m in range(order + 1):
        found: Counter[tuple[int, ...]] = Counter()
        for line in lines:
            tokens = [place[c] for c in ("" if end is None else end * m) + line]
            found.update(zip(*(tokens[i:] for i in range(m + 1)), strict=False))
        counts = np.zeros((V,) * (m + 1))
        for gram, count in found.items():
            counts[gram] = count
        lower = np.broadcast_to(table, counts.shape)
        table = (counts + strength * lower) / (counts.sum(-1, keepdims=True) + strength)
    start = np.zeros((V,) * order)
    if end is None:
        start = counts.sum(-1) / counts.sum()
    else:
        start[(place[end],) * order] = 1.0
    return Chain(table, order, start, None if end is None else place[end]), symbols


def zen() -> str:
    """Return The Zen of Python in small letters and spaces, a line an aphorism.

    By Tim Peters; in the public domain (PEP 20). It ships with Python's standard library as the
    module `this`, which prints it when it is imported.
    """
    import codecs
    import contextlib
    import io

    with contextlib.redirect_stdout(io.StringIO()):
        import this

    lines = codecs.decode(this.s, "rot13").lower().split("\n")[2:]
    words = ["".join(c if c.isalpha() else " " for c in line.replace("'", "")) for line in lines]
    return "".join(" ".join(line.split()) + "\n" for line in words)


def tempered(chain: Chain, temperature: float) -> Chain:
    """Soften (above 1) or sharpen (below 1) every row of a chain: ``p ** (1 / T)``, normalised.

    The start stays: it is the prompts', not the teacher's.
    """
    if not (math.isfinite(temperature) and temperature > 0):
        raise ValueError(f"temperature is {temperature}; it must be above 0, such as 0.7.")
    table = _softmax(_log(chain.table) / temperature)
    return Chain(table, chain.order, chain.start, chain.end)


def top_k(chain: Chain, k: int) -> tuple[Chain, Array]:
    """Keep the `k` largest chances of each row, and renormalise them.

    Parameters
    ----------
    chain : Chain
    k : int
        From 1 to `V`.

    Returns
    -------
    kept : Chain
        The renormalised rows: 0 outside of the `k` largest.
    rest : array, shape (..., V, ..., V)
        What each row's others had in sum: `order` axes.
    """
    k = _checks.whole("k", k, 1, "Use 1 for the likeliest token alone.", chain.symbols)
    # by rank, so that ties keep k of them
    ranks = np.argsort(np.argsort(-chain.table, axis=-1, kind="stable"), axis=-1)
    kept = np.where(ranks < k, chain.table, 0.0)
    mass = kept.sum(-1, keepdims=True)
    rest = np.maximum(1 - mass[..., 0], 0.0) if k < chain.symbols else np.zeros(mass.shape[:-1])
    return Chain(kept / mass, chain.order, chain.start, chain.end), rest


# -- where a chain goes ---------------------------------------------------------------------------


def occupancies(chain: Chain, length: int) -> Array:
    """Return the chances of the states before each token, by a forward recursion.

    Parameters
    ----------
    chain : Chain
    length : int
        How many tokens are written, at least 1.

    Returns
    -------
    array, shape (length, ..., V, ..., V)
        Each sums to 1, or to the share of sequences that have not ended.
    """
    flat, d = _flat(chain, chain.order)
    found = _occupied(flat, d, _length(length), chain.end)
    return found.reshape(length, *chain.start.shape)


def state_weights(chain: Chain, length: int, mean: Mean = "tokens") -> Array:
    """Return how much each state counts in a mean over tokens, or over sequences.

    Parameters
    ----------
    chain : Chain
    length : int
        The longest sequence.
    mean : {"tokens", "sequences"}
        ``"tokens"`` adds up all tokens and divides by their number; ``"sequences"`` takes the mean
        of each sequence first, so that a token of a short one counts more.

    Returns
    -------
    array, shape (..., V, ..., V)
        They sum to 1.
    """
    flat, d = _flat(chain, chain.order)
    weights = _weights(flat, d, _length(length), chain.end, mean)
    return (weights / weights.sum(-1, keepdims=True)).reshape(chain.start.shape)


def kl(teacher: Chain, student: Chain, length: int) -> tuple[Array, Array]:
    """Return the exact divergences of whole sequences, KL(P || Q) and KL(Q || P).

    Parameters
    ----------
    teacher, student : Chain
        `P` and `Q`, of any orders over the same symbols. Both start from the teacher's prompts.
    length : int
        How many tokens are written, or at most.

    Returns
    -------
    forward, reverse : array, shape (...)
        In nats a sequence; infinite where one writes what the other cannot.

    Examples
    --------
    >>> teacher = random_chain(3, 1, 1.0, seed=0)
    >>> forward, reverse = kl(teacher, teacher, 10)
    >>> float(forward), float(reverse)
    (0.0, 0.0)
    """
    p, q, d, end = _pair(teacher, student)
    length = _length(length)
    w_p = _occupied(p, d, length, end).sum(0)
    w_q = _occupied(q, d, length, end).sum(0)
    return _weighted(w_p, _row_kl(p, q)), _weighted(w_q, _row_kl(q, p))


def divergence(
    teacher: Chain,
    student: Chain,
    length: int,
    *,
    direction: Literal["forward", "reverse"] = "forward",
    states: Chain | None = None,
) -> Array:
    """Return the divergence at each token, on the states that a chain of your choice goes through.

    Parameters
    ----------
    teacher, student, length
        As in `kl`.
    direction : {"forward", "reverse"}
        ``KL(P_s || Q_s)`` or ``KL(Q_s || P_s)``.
    states : Chain, optional
        Whose states; the teacher's where it is None.

    Returns
    -------
    array, shape (length, ...)
        In nats, of the sequences that have not ended.
    """
    walker = teacher if states is None else states
    order = max(teacher.order, student.order, walker.order)
    p, d = _flat(teacher, order)
    q, walked = _flat(student, order)[0], _flat(walker, order)[0]
    rows = _row_kl(p, q) if direction == "forward" else _row_kl(q, p)
    found = _occupied(walked, d, _length(length), teacher.end)
    return np.stack([_weighted(w, rows) for w in found])


def exposure_bias(teacher: Chain, student: Chain, length: int) -> Array:
    """Return how much more the student errs on its own states than on the teacher's, as a share.

    ``KL(P_s || Q_s)`` on the student's states over the same on the teacher's, minus 1: the excess
    accumulated error of Arora et al. (2022), which Gu et al. (2024) measure.

    Returns
    -------
    array, shape (...)
        0 where the states do not matter.
    """
    own = divergence(teacher, student, length, states=student).sum(0)
    return own / divergence(teacher, student, length).sum(0) - 1


def entropy(chain: Chain, length: int, states: Chain | None = None) -> Array:
    """Return the entropy of whole sequences, in nats; `states` gives the prompts' start and end."""
    source = chain if states is None else states
    order = max(chain.order, source.order)
    rows, d = _flat(chain, order)[0], _flat(source, order)[1]
    weights = _occupied(rows, d, _length(length), source.end).sum(0)
    return _weighted(weights, -(rows * _log(rows)).sum(-1))


def log_likelihood(writer: Chain, reader: Chain, length: int, prompts: Chain) -> Array:
    """Return the mean log-likelihood of what `writer` writes in the eyes of `reader`, in nats.

    With the law as the reader and the student as the writer it is the student's *precision*, the
    other way round its *recall* (Cha and Cho 2025).

    Parameters
    ----------
    writer, reader : Chain
    length : int
    prompts : Chain
        Whose start both go on from.

    Returns
    -------
    array, shape (...)
    """
    order = max(writer.order, reader.order, prompts.order)
    w, r, d = _flat(writer, order)[0], _flat(reader, order)[0], _flat(prompts, order)[1]
    with np.errstate(divide="ignore"):
        rows = np.where(w > 0, w * np.log(r), 0.0).sum(-1)
    return _weighted(_occupied(w, d, _length(length), prompts.end).sum(0), rows)


def sample(chain: Chain, length: int, num_sequences: int, seed: int) -> NDArray[np.int64]:
    """Draw sequences from one chain.

    Parameters
    ----------
    chain : Chain
        A single one.
    length, num_sequences, seed : int

    Returns
    -------
    array of int, shape (num_sequences, order + length)
        The prompt's context, then the tokens; -1 after the end.
    """
    if chain.batch:
        raise ValueError(f"chain holds {chain.batch} laws; take one of them: chain[0].")
    flat, d = _flat(chain, chain.order)
    rng = np.random.default_rng(seed)
    V, order, S = chain.symbols, chain.order, d.shape[-1]
    state = rng.choice(S, size=num_sequences, p=d / d.sum())
    out = np.full((num_sequences, order + _length(length)), -1, dtype=np.int64)
    for i in range(order):
        out[:, i] = state // V ** (order - 1 - i) % V
    edges, alive = flat.cumsum(-1), np.ones(num_sequences, dtype=bool)
    for t in range(order, out.shape[1]):
        drawn = rng.random((num_sequences, 1)) * edges[state, -1:]
        token = np.minimum((drawn >= edges[state]).sum(-1), V - 1)
        out[alive, t] = token[alive]
        if chain.end is not None:
            alive &= token != chain.end
        state = (state * V + token) % S
    return out


# -- students -------------------------------------------------------------------------------------


def distil(
    teacher: Chain,
    order: int,
    length: int,
    *,
    beta: float = 0.0,
    own: float = 0.0,
    checked: int | None = None,
    rest: Array | None = None,
    writer: Chain | None = None,
    mean: Mean = "tokens",
) -> Chain:
    r"""Return the best student of a lower order, for a loss a token and the states it is taken on.

    In the student's context `c` the states `s` that end in `c` are an ensemble of teachers with
    weights :math:`w_s`, their occupancies. The forward KL pools it arithmetically,
    :math:`q_c = \sum_s w_s P_s / \sum_s w_s`, the reverse KL geometrically,
    :math:`q_c \propto \exp(\sum_s w_s \log P_s / \sum_s w_s)`. Between them, at :math:`0 < \beta <
    1`, the optimum of the generalised Jensen-Shannon divergence is the geometric pool of
    :math:`\beta P_s + (1 - \beta)\, q_c`; that is iterated (a mirror step, which never goes up).

    With `own` above 0 the states are partly the student's: the fixed point of *minimise the loss
    under the states of the student that is trained, taking them as data* (Agarwal et al. 2024; no
    gradient goes through the states). With the reverse KL it is a reward a token with a discount of
    zero (Lu et al. 2025).

    Parameters
    ----------
    teacher : Chain
    order : int
        Of the student.
    length : int
        How many tokens are written, or at most.
    beta : float
        0 for the forward KL, 1 for the reverse KL.
    own : float
        Share of the sequences that the student writes.
    checked : int, optional
        Then the student's share is written by both: a token that is not among the teacher's
        `checked` largest is drawn again from the teacher (speculative distillation, Xu et al.).
    rest : array, optional
        What `top_k` returned beside the teacher: the tokens it dropped count as one class. For the
        forward KL.
    writer : Chain, optional
        Who writes what the teacher is asked about, where that is not the teacher itself: the whole
        teacher of a truncated one.
    mean : {"tokens", "sequences"}
        As in `state_weights`.

    Returns
    -------
    Chain
        Contexts that never occur have equal chances. The start is the teacher's, at its order.

    Raises
    ------
    ValueError
        With one line, where an argument is out of range, or a fixed point is not reached.

    Examples
    --------
    >>> teacher = random_chain(6, 2, 0.3, seed=0)
    >>> student = distil(teacher, 2, 20, beta=1.0, own=1.0)
    >>> bool(np.allclose(student.table, teacher.table))
    True
    """
    order = _checks.whole("order", order, 0, "Use 1 for a student that sees one token.")
    length = _length(length)
    for name, value in (("beta", beta), ("own", own)):
        if not 0 <= value <= 1:
            raise ValueError(f"{name} is {value}; it must be from 0 to 1.")
    if rest is not None and beta != 0:
        raise ValueError(f"rest goes with the forward KL; beta is {beta}, use beta=0.")
    high = max(order, teacher.order)
    p, d = _flat(teacher, high)
    flat_rest = None if rest is None else _flat_states(np.asarray(rest), teacher, high)
    accepted = None
    if checked is not None:
        accepted = _flat(top_k(teacher, checked)[0], high)[0] > 0
    text = p if writer is None else _flat(writer, high)[0]
    problem = _Problem(p, text, d, length, teacher.end, mean, order, beta, own, accepted, flat_rest)
    w = problem.teachers()
    if own > 0:
        w = _settled(problem, w)
    return _student(_pool(p, w, order, beta, flat_rest), teacher, order)


def generalized_jsd(p: ArrayLike, q: ArrayLike, beta: float) -> Array:
    r"""Return the generalised Jensen-Shannon divergence of rows (Agarwal et al. 2024).

    .. math:: \beta\, \mathrm{KL}(P \| M) + (1 - \beta)\, \mathrm{KL}(Q \| M),
       \qquad M = \beta P + (1 - \beta)\, Q

    It goes to 0 at both ends; divided by :math:`\beta` it goes to KL(P || Q) at 0, and divided by
    :math:`1 - \beta` to KL(Q || P) at 1.

    Parameters
    ----------
    p, q : array_like, shape (..., V)
        Teacher and student.
    beta : float
        From 0 to 1.

    Returns
    -------
    array, shape (...)
    """
    if not 0 <= beta <= 1:
        raise ValueError(f"beta is {beta}; it must be from 0 to 1.")
    a, b = np.asarray(p, dtype=np.float64), np.asarray(q, dtype=np.float64)
    m = beta * a + (1 - beta) * b
    return np.asarray(beta * _row_kl(a, m) + (1 - beta) * _row_kl(b, m))


def student_gradient(
    teacher: Chain, student: Chain, length: int, *, beta: float = 0.0, own: float = 0.0
) -> Array:
    """Return the gradient of the loss a token to the student's logits, the states taken as data.

    Parameters
    ----------
    teacher, student, length, beta, own
        As in `distil`; `own` states are those of this student.

    Returns
    -------
    array, shape as student.table
        Of the sum over tokens, in nats; for ``0 < beta < 1`` that of `generalized_jsd`.
    """
    p, q, d, end = _pair(teacher, student)
    w = (1 - own) * _occupied(p, d, length, end).sum(0)
    w = w + own * _occupied(q, d, length, end).sum(0)
    if beta == 0:
        gradient = q - p
    else:
        m = p if beta == 1 else beta * p + (1 - beta) * q
        slope = (1 if beta == 1 else 1 - beta) * (_log(q) - _log(m))
        gradient = q * (slope - (q * slope).sum(-1, keepdims=True))
    low = student.symbols**student.order
    return _gather(w[..., None] * gradient, low).reshape(student.table.shape)


def whole_sequence_gradient(
    teacher: Chain, student: Chain, length: int
) -> tuple[Array, Array, Array]:
    r"""Return KL(Q || P) of whole sequences, its gradient, and what would make it zero.

    With the cost to come :math:`J_t(s)` from the last token backwards (the adjoint recursion), a
    token `v` in state `s` costs
    :math:`A_t(s, v) = \log q_v - \log P_{s v} + J_{t + 1}(s v)`, and

    .. math:: \frac{\partial\, \mathrm{KL}(Q \| P)}{\partial z_{c v}} = \sum_t \sum_{s \in c}
       d_t^Q(s)\, q_v \Bigl(A_t(s, v) - \sum_k q_k A_t(s, k)\Bigr)

    This is the policy gradient of Gu et al. (2024), without its variance: the reward of a token is
    its reverse KL, with a discount of one.

    Parameters
    ----------
    teacher, student, length
        As in `kl`.

    Returns
    -------
    value : array, shape (...)
        In nats a sequence.
    gradient : array, shape as student.table
        To the student's logits.
    target : array, shape as student.table
        Log-probabilities, up to a constant a context: where the student's own equal them the
        gradient is zero.
    """
    p, q, d, end = _pair(teacher, student)
    low = student.symbols**student.order
    value, gradient, target = _whole(p, q, d, _length(length), end, low)
    return value, gradient.reshape(student.table.shape), target.reshape(student.table.shape)


def distil_whole_sequences(
    teacher: Chain,
    order: int,
    length: int,
    *,
    starts: Sequence[Chain] = (),
    tolerance: float = 1e-9,
) -> Chain:
    """Return the student of least KL(Q || P) of whole sequences, from the exact gradient.

    It is MiniLLM's objective (Gu et al. 2024), which counts what a token does to all that follow.
    Steps go towards the target of `whole_sequence_gradient`, in log-probabilities: the natural
    gradient, shortened where the objective would rise; Newton's method ends the search. The
    objective is not convex: the search starts from the forward student, the reverse one on the
    student's own states and `starts`, and the best end is returned. Another start may find better.

    Parameters
    ----------
    teacher, order, length
        As in `distil`.
    starts : sequence of Chain
        Students to begin from; where there are any, from them alone.
    tolerance : float
        Of the largest entry of the gradient to the logits, in nats a sequence.

    Returns
    -------
    Chain

    Raises
    ------
    ValueError
        If the tolerance is not reached.
    """
    order = _checks.whole("order", order, 0, "Use 1 for a student that sees one token.")
    length = _length(length)
    begin = list(starts) or [
        distil(teacher, order, length),
        distil(teacher, order, length, beta=1.0, own=1.0),
    ]
    V, low = teacher.symbols, teacher.symbols**order
    p, d = _flat(teacher, max(order, teacher.order))
    S = p.shape[-2]
    p, d = p.reshape(-1, S, V), np.broadcast_to(d, p.shape[:-1]).reshape(-1, S)
    best, least = np.empty((len(p), low, V)), np.full(len(p), np.inf)
    for student in begin:
        q, value = _natural(p, student.table.reshape(-1, low, V), d, length, teacher.end, tolerance)
        better = value < least
        best[better], least[better] = q[better], value[better]
    for law in range(len(p)):
        best[law] = _polished(p[law], best[law], d[law], length, teacher.end, tolerance)
    return _student(best.reshape(*teacher.batch, low, V), teacher, order)


def sampled_tokens_per_logits(teacher: Chain, order: int, length: int) -> Array:
    r"""Return how many sampled tokens tell the student as much as one set of the teacher's logits.

    The best forward student is the mean of :math:`P_s` over the states of a context. From a white
    box each state gives :math:`P_s` itself, from a black box one token drawn from it. By the law of
    total variance a black box has :math:`q_v (1 - q_v)` a token and a white box
    :math:`\mathrm{Var}_s(P_{s v})`; the answer is the ratio of their sums, over tokens and contexts
    (weighted by how often they occur). States count as drawn independently of each other.

    Parameters
    ----------
    teacher, order, length
        As in `distil`.

    Returns
    -------
    array, shape (...)
        At least 1; infinite where the student sees the whole state.
    """
    high = max(order, teacher.order)
    p, d = _flat(teacher, high)
    w = _weights(p, d, _length(length), teacher.end, "tokens")
    low = teacher.symbols**order
    q = _lift(_pool(p, w, order, 0.0, None), p.shape[-2])
    black = _weighted(w, 1 - (q**2).sum(-1))
    white = _weighted(w, ((p - q) ** 2).sum(-1))
    if low >= teacher.symbols**teacher.order:
        return np.full(white.shape, math.inf)
    return np.asarray(black / white)


# -- parts: tables as (..., states, V) ------------------------------------------------------------


def _distribution(value: Array, axes: int, name: str) -> None:
    total = value.sum(axis=tuple(range(value.ndim - axes, value.ndim))) if axes else value
    if not (np.isfinite(value).all() and (value >= 0).all() and np.allclose(total, 1, atol=1e-9)):
        raise ValueError(
            f"{name} holds rows that are no probabilities; they must be 0 or more and sum to 1."
        )


def _length(length: object) -> int:
    return _checks.whole("length", length, 1, "Use 20 tokens.")


def _log(p: Array) -> Array:
    """Return logarithms; of 0 a number that no sum notices beside a chance of 0."""
    return np.log(np.maximum(p, 1e-320))


def _softmax(logits: Array) -> Array:
    e = np.exp(logits - logits.max(-1, keepdims=True))
    return np.asarray(e / e.sum(-1, keepdims=True))


def _row_kl(p: Array, q: Array) -> Array:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(p > 0, p * (np.log(p) - np.log(q)), 0.0).sum(-1)


def _weighted(weights: Array, rows: Array) -> Array:
    with np.errstate(invalid="ignore"):  # what never occurs costs nothing, not even infinity
        return np.asarray(np.where(weights > 0, weights * rows, 0.0).sum(-1))


def _flat_states(values: Array, chain: Chain, order: int) -> Array:
    """Return a number a state as ``(..., states)`` at a higher order."""
    V, batch = chain.symbols, chain.batch
    states = values.reshape(*batch, 1, V**chain.order)
    wide = np.broadcast_to(states, (*batch, V ** (order - chain.order), V**chain.order))
    return wide.reshape(*batch, V**order)


def _flat(chain: Chain, order: int) -> tuple[Array, Array]:
    """Return table and start as ``(..., states, V)`` and ``(..., states)`` at `order` or above."""
    V, low = chain.symbols, chain.symbols**chain.order
    table = _lift(chain.table.reshape(*chain.batch, low, V), V**order)
    return table, _flat_states(chain.start, chain, order) / V ** (order - chain.order)


def _lift(q: Array, states: int) -> Array:
    """Repeat the rows of a student for all states that end in its contexts."""
    *batch, low, V = q.shape
    if states == low:
        return q
    wide = np.broadcast_to(q[..., None, :, :], (*batch, states // low, low, V))
    return wide.reshape(*batch, states, V)


def _gather(values: Array, low: int) -> Array:
    """Add up what belongs to one context of a student: the other way of `_lift`."""
    *batch, states, V = values.shape
    return values.reshape(*batch, states // low, low, V).sum(-3)


def _pair(teacher: Chain, student: Chain) -> tuple[Array, Array, Array, int | None]:
    if teacher.symbols != student.symbols or teacher.batch != student.batch:
        raise ValueError(
            f"teacher has {teacher.symbols} symbols and laws {teacher.batch}, student "
            f"{student.symbols} and {student.batch}; they must be equal."
        )
    order = max(teacher.order, student.order)
    p, d = _flat(teacher, order)
    return p, _flat(student, order)[0], d, teacher.end


def _student(q: Array, teacher: Chain, order: int) -> Chain:
    V, batch = teacher.symbols, teacher.batch
    d = _flat(teacher, max(order, teacher.order))[1]
    start = d.reshape(*batch, -1, V**order).sum(-2)
    table = q / q.sum(-1, keepdims=True)
    shape = (V,) * order
    return Chain(
        table.reshape((*batch, *shape, V)), order, start.reshape((*batch, *shape)), teacher.end
    )


def _advance(joint: Array) -> Array:
    """Sum out the oldest token: from (state, token) to the next state."""
    *batch, states, V = joint.shape
    return joint.reshape(*batch, V, states).sum(-2)


def _ahead(values: Array, V: int) -> Array:
    """Return the next state's number for each (state, token): the adjoint of `_advance`."""
    *batch, states = values.shape
    wide = np.broadcast_to(values[..., None, :], (*batch, V, states))
    return wide.reshape(*batch, states, V)


def _occupied(flat: Array, d: Array, length: int, end: int | None) -> Array:
    d = np.broadcast_to(d, flat.shape[:-1])
    found = np.empty((length, *d.shape))
    if end is not None:
        flat = flat.copy()
        flat[..., end] = 0.0  # what ends goes nowhere
    for t in range(length):
        found[t] = d
        d = _advance(d[..., None] * flat)
    return found


def _weights(flat: Array, d: Array, length: int, end: int | None, mean: Mean) -> Array:
    if mean not in ("tokens", "sequences"):
        raise ValueError(f'mean is {mean!r}; it must be "tokens" or "sequences".')
    found = _occupied(flat, d, length, end)
    if mean == "tokens" or end is None:
        return np.asarray(found.sum(0))
    # the mean of 1 / (final length), given the state before token t, from the last one backwards
    inverse = np.full(found.shape[1:], 1 / length)
    total = found[-1] * inverse
    going_on = flat.copy()
    going_on[..., end] = 0.0
    for t in range(length - 1, 0, -1):
        later = (going_on * _ahead(inverse, flat.shape[-1])).sum(-1)
        inverse = flat[..., end] / t + later
        total = total + found[t - 1] * inverse
    return np.asarray(total)


def _pool(
    p: Array,
    w: Array,
    order: int,
    beta: float,
    rest: Array | None,
    begin: Array | None = None,
) -> Array:
    """Return the best row for each context, given the weights of its states."""
    V = p.shape[-1]
    low = V**order
    mass = _gather(w[..., None], low)
    seen = mass > 0
    safe = np.where(seen, mass, 1.0)

    def average(rows: Array) -> Array:
        return np.asarray(_gather(w[..., None] * rows, low) / safe)

    if rest is not None:
        q = np.full((*mass.shape[:-1], V), 1 / V)
        outside = p == 0
        for _ in range(200_000):
            wide = np.where(outside, _lift(q, p.shape[-2]), 0.0)
            spread = wide / np.maximum(wide.sum(-1, keepdims=True), 1e-320)
            new = average((1 - rest[..., None]) * p + rest[..., None] * spread)
            moved = np.abs(np.where(seen, new - q, 0.0)).max()
            q = np.where(seen, new, 1 / V)
            if moved < _TOLERANCE:
                break
        return q
    if beta == 0:
        return np.where(seen, average(p), 1 / V)
    logs = average(_log(p))
    q = _softmax(logs)
    if beta < 1:
        if begin is not None:
            q = begin
        for _ in range(200_000):
            mixed = beta * p + (1 - beta) * _lift(q, p.shape[-2])
            new = _softmax(average(np.log(mixed)))
            moved = np.abs(np.where(seen, new - q, 0.0)).max()
            q = new
            if moved < _TOLERANCE:
                break
    return np.where(seen, q, 1 / V)


@dataclass(frozen=True)
class _Problem:
    """Which weights a student's states have, given the weights it was trained with."""

    p: Array
    text: Array
    d: Array
    length: int
    end: int | None
    mean: Mean
    order: int
    beta: float
    own: float
    accepted: NDArray[np.bool_] | None
    rest: Array | None

    def of(self, laws: NDArray[np.int64]) -> _Problem:
        """Take some laws of a flat batch."""
        accepted = None if self.accepted is None else self.accepted[laws]
        rest = None if self.rest is None else self.rest[laws]
        return replace(
            self, p=self.p[laws], text=self.text[laws], d=self.d[laws], accepted=accepted, rest=rest
        )

    def spread(self) -> _Problem:
        """Add an axis after the laws, for several weights of one law."""
        accepted = None if self.accepted is None else self.accepted[:, None]
        rest = None if self.rest is None else self.rest[:, None]
        p, text, d = self.p[:, None], self.text[:, None], self.d[:, None]
        return replace(self, p=p, text=text, d=d, accepted=accepted, rest=rest)

    def _walk(self, flat: Array) -> Array:
        w = _weights(flat, self.d, self.length, self.end, self.mean)
        return np.asarray(w / w.sum(-1, keepdims=True))

    def teachers(self) -> Array:
        return self._walk(self.text)

    def change(self, w: Array) -> Array:
        """Return the weights that the best student for `w` brings about, minus `w`."""
        walked = _lift(_pool(self.p, w, self.order, self.beta, self.rest), self.p.shape[-2])
        if self.accepted is not None:
            kept = np.where(self.accepted, walked, 0.0)
            walked = kept + (1 - kept.sum(-1, keepdims=True)) * self.p
        elif walked.ndim < w.ndim + 1:
            walked = np.broadcast_to(walked, (*w.shape, walked.shape[-1]))
        return (1 - self.own) * self.teachers() + self.own * self._walk(walked) - w


def _settled(problem: _Problem, begin: Array) -> Array:
    """Find weights that bring about themselves: steps, then Newton's, then a walk up to `own`.

    *Train to the optimum, write, train again* runs in circles for some laws, so it gets shorter
    steps, and where that does not settle Newton's method does.
    """
    S, V = problem.p.shape[-2:]
    batch = begin.shape[:-1]

    def flat(values: Any, tail: tuple[int, ...]) -> Any:
        return None if values is None else values.reshape(-1, *tail)

    problem = replace(
        problem,
        p=problem.p.reshape(-1, S, V),
        text=problem.text.reshape(-1, S, V),
        d=np.broadcast_to(problem.d, (*batch, S)).reshape(-1, S),
        accepted=flat(problem.accepted, (S, V)),
        rest=flat(problem.rest, (S,)),
    )
    w = begin.reshape(-1, S).copy()
    open_laws = np.arange(len(w))
    for step in [1.0] * 100 + [0.3] * 300:
        change = problem.of(open_laws).change(w[open_laws])
        w[open_laws] += step * change
        open_laws = open_laws[np.abs(change).max(-1) > _TOLERANCE]
        if not open_laws.size:
            break
    for law in open_laws:
        one = problem.of(np.array([law]))
        found = _newton(one, w[law])
        if found is None:
            found = _walk_up(one, begin.reshape(-1, S)[law])
        if found is None:
            found = _elsewhere(one)
        w[law] = found
    return w.reshape(begin.shape)


def _newton(problem: _Problem, w: Array) -> Array | None:
    """Solve `change` = 0 for one law by Newton's method, or return None."""
    spread, small = problem.spread(), 1e-7
    for _ in range(40):
        f = problem.change(w[None])[0]
        size = np.abs(f).max()
        if size < _TOLERANCE:
            return w
        moved = spread.change((w + small * np.eye(len(w)))[None])[0]
        jacobian = (moved - f).T / small
        try:
            step = np.linalg.solve(jacobian, -f)
        except np.linalg.LinAlgError:
            return None
        share = 1.0
        while share > 1e-4:
            new = np.maximum(w + share * step, 0.0)
            new /= new.sum()
            if np.abs(problem.change(new[None])).max() < (1 - 0.1 * share) * size:
                break
            share /= 2
        else:
            return None
        w = new
    return None


def _walk_up(problem: _Problem, w: Array) -> Array | None:
    """Follow the fixed point from the teacher's states to the share `own` of the student's."""
    reached, step = 0.0, problem.own / 8
    while reached < problem.own:
        share = min(reached + step, problem.own)
        found = _newton(replace(problem, own=share), w)
        if found is None:
            step /= 2
            if step < 1e-4:  # its branch turns back here
                return None
        else:
            w, reached, step = found, share, 1.5 * step
    return w


def _elsewhere(problem: _Problem) -> Array:
    """Try Newton's method from the states of random students: there is a fixed point (Brouwer)."""
    rng = np.random.default_rng(0)
    V = problem.p.shape[-1]
    for attempt in range(200):
        rows = rng.dirichlet(np.full(V, 0.1 if attempt % 2 else 1.0), size=V**problem.order)
        walked = _lift(rows[None], problem.p.shape[-2])
        begin = (1 - problem.own) * problem.teachers() + problem.own * problem._walk(walked)
        for _ in range(20):
            begin = begin + 0.3 * problem.change(begin)
        found = _newton(problem, begin[0])
        if found is not None:
            return found
    raise ValueError(
        f"the student's own states do not settle at a share of {problem.own:g}; use a smaller own."
    )


def _whole(
    p: Array, q_low: Array, d: Array, length: int, end: int | None, low: int
) -> tuple[Array, Array, Array]:
    """Return value, gradient and target of the whole-sequence reverse KL; `q_low` may be lifted."""
    V = p.shape[-1]
    q = _lift(q_low, p.shape[-2]) if q_low.shape[-2] != p.shape[-2] else q_low
    found = _occupied(q, d, length, end)
    local = np.where(q > 0, _log(q) - _log(p), 0.0)
    cost = (q * local).sum(-1)
    to_come = np.zeros(q.shape[:-1])
    future = np.zeros(q.shape)
    for t in range(length - 1, -1, -1):
        ahead = _ahead(to_come, V)
        if end is not None:
            ahead = ahead.copy()
            ahead[..., end] = 0.0
        future += found[t][..., None] * ahead
        to_come = cost + (q * ahead).sum(-1)
    w = found.sum(0)
    value = _weighted(found[0], to_come)
    weighted = _gather(w[..., None] * _log(p) - future, low)
    mass = _gather(w[..., None], low)
    rows = q.reshape(*q.shape[:-2], -1, low, V)[..., 0, :, :]
    slope = mass * _log(rows) - weighted
    gradient = rows * (slope - (rows * slope).sum(-1, keepdims=True))
    return value, gradient, weighted / np.where(mass > 0, mass, 1.0)


def _natural(
    p: Array, begin: Array, d: Array, length: int, end: int | None, tolerance: float
) -> tuple[Array, Array]:
    """Go down the natural gradient, each law with steps of its own; return rows and values."""
    low = begin.shape[-2]
    q = np.maximum(begin, 1e-300)
    value, gradient, target = _whole(p, q, d, length, end, low)
    step, laws = np.full((len(p), 1, 1), 0.5), np.arange(len(p))
    for _ in range(1_000):
        size = np.abs(gradient[laws]).max((-2, -1))
        laws = laws[(size > tolerance) & (step[laws, 0, 0] > 1e-6)]
        if not laws.size:
            break
        new = _softmax((1 - step[laws]) * _log(q[laws]) + step[laws] * target[laws])
        v, g, t = _whole(p[laws], new, d[laws], length, end, low)
        down = v <= value[laws] + 1e-12
        step[laws] = np.where(down[:, None, None], np.minimum(1.1 * step[laws], 1), step[laws] / 2)
        good = laws[down]
        q[good], value[good], gradient[good], target[good] = new[down], v[down], g[down], t[down]
    return q, value


def _polished(
    p: Array, q: Array, d: Array, length: int, end: int | None, tolerance: float
) -> Array:
    """End the search by Newton's method on the gradient of one law."""
    low, V = q.shape
    z, small = _log(q), 1e-6

    def gradient(z: Array) -> Array:
        many = _whole(p, _softmax(z), d, length, end, low)[1]
        return np.asarray(many.reshape(*z.shape[:-2], -1))

    g = gradient(z)
    for _ in range(50):
        size = np.abs(g).max()
        if size <= tolerance:
            return _softmax(z)
        shifts = small * np.eye(low * V).reshape(-1, low, V)
        hessian = (gradient(z + shifts) - gradient(z - shifts)) / (2 * small)
        # a constant a context changes nothing: the shortest solution has none
        step = -np.linalg.lstsq(hessian.T, g, rcond=1e-13)[0].reshape(low, V)
        share = 1.0
        while share > 1e-3 and np.abs(gradient(z + share * step)).max() > (1 - 0.1 * share) * size:
            share /= 2
        z = z + share * step
        g = gradient(z)
    raise ValueError(
        f"the gradient is still {np.abs(g).max():.1g}; use a tolerance above that, or other starts."
    )
