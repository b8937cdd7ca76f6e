"""Chains of tokens: exact quantities against all sequences written out, and against sampling."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distill_helpers import sequences
from distill_helpers.sequences import (
    Chain,
    distil,
    distil_whole_sequences,
    divergence,
    entropy,
    exposure_bias,
    fitted_chain,
    generalized_jsd,
    kl,
    log_likelihood,
    occupancies,
    random_chain,
    sample,
    sampled_tokens_per_logits,
    state_weights,
    stationary_start,
    student_gradient,
    tempered,
    top_k,
    whole_sequence_gradient,
    zen,
)

V, LENGTH = 3, 6


@pytest.fixture(scope="module")
def teacher():
    return random_chain(V, 2, 1.0, seed=1)


def ending(chain, end=0):
    return Chain(chain.table, chain.order, chain.start, end)


def written_out(chain, prompts, length=LENGTH):
    """Yield every prompt and sequence with its chance: ``(prompt, tokens, chance)``."""
    V, order = chain.symbols, prompts.order
    for prompt in itertools.product(range(V), repeat=order):
        begin = prompts.start[prompt] if order else 1.0

        def go_on(tokens, chance, prompt=prompt):
            ended = tokens and prompts.end is not None and tokens[-1] == prompts.end
            if ended or len(tokens) == length:
                yield prompt, tokens, chance
                return
            context = (*prompt, *tokens)
            row = chain.table[context[len(context) - chain.order :]] if chain.order else chain.table
            for v in range(V):
                yield from go_on((*tokens, v), chance * row[v])

        yield from go_on((), begin)


def brute_kl(p, q, prompts):
    return sum(
        a * np.log(a / b)
        for (*_, a), (*_, b) in zip(written_out(p, prompts), written_out(q, prompts), strict=True)
        if a > 0
    )


def random_student(teacher, order, seed):
    rng = np.random.default_rng(seed)
    shape = (teacher.symbols,) * (order + 1)
    table = rng.dirichlet(np.ones(teacher.symbols), size=shape[:-1])
    start = np.full(shape[:-1], 1 / teacher.symbols**order)
    return Chain(table.reshape(shape), order, start, teacher.end)


# -- exact quantities -----------------------------------------------------------------------------


@pytest.mark.parametrize("end", [None, 1])
@pytest.mark.parametrize("order", [0, 1, 2])
def test_divergences_are_those_of_all_sequences(teacher, order, end):
    p = Chain(teacher.table, 2, teacher.start, end)
    q = random_student(p, order, seed=order)
    forward, reverse = kl(p, q, LENGTH)
    assert forward == pytest.approx(brute_kl(p, q, p), abs=1e-10)
    assert reverse == pytest.approx(brute_kl(q, p, p), abs=1e-10)
    assert divergence(p, q, LENGTH).sum() == pytest.approx(float(forward), abs=1e-10)
    own = divergence(p, q, LENGTH, direction="reverse", states=q).sum()
    assert own == pytest.approx(float(reverse), abs=1e-10)


@pytest.mark.parametrize("end", [None, 1])
def test_a_divergence_on_the_states_of_a_longer_memory_is_that_of_all_sequences(end):
    p, walker = (ending(random_chain(V, order, 1.0, seed=order), end) for order in (1, 2))
    q = random_student(p, 0, seed=3)
    prompts = Chain(walker.table, 2, np.broadcast_to(p.start / V, (V, V)), end)  # p reads one token
    rows = {
        "forward": (p.table * np.log(p.table / q.table)).sum(-1),
        "reverse": (q.table * np.log(q.table / p.table)).sum(-1),
    }
    for direction, cost in rows.items():
        brute = np.zeros(LENGTH)
        for prompt, tokens, chance in written_out(walker, prompts):
            last = (*prompt, *tokens)[1:]
            for t in range(len(tokens)):
                brute[t] += chance * cost[last[t]]
        found = divergence(p, q, LENGTH, direction=direction, states=walker)
        assert np.allclose(found, brute, rtol=0, atol=1e-12)


@pytest.mark.parametrize("end", [None, 1])
def test_entropy_and_likelihood_are_those_of_all_sequences(teacher, end):
    p = Chain(teacher.table, 2, teacher.start, end)
    q = random_student(p, 1, seed=5)
    prompts = {context: p.start[context] for context in np.ndindex(V, V)}
    brute = -sum(a * np.log(a / prompts[s]) for s, _, a in written_out(q, p) if a > 0)
    assert entropy(q, LENGTH, p) == pytest.approx(brute, abs=1e-10)
    cross = sum(
        a * np.log(b / prompts[s])
        for (s, _, a), (*_, b) in zip(written_out(q, p), written_out(p, p), strict=True)
    )
    assert log_likelihood(q, p, LENGTH, p) == pytest.approx(cross, abs=1e-10)
    assert -log_likelihood(q, q, LENGTH, p) == pytest.approx(float(entropy(q, LENGTH, p)))


@pytest.mark.parametrize("end", [None, 1])
def test_occupancies_and_both_means_are_those_of_all_sequences(teacher, end):
    p = Chain(teacher.table, 2, teacher.start, end)
    found = np.zeros((LENGTH, V, V))
    by_sequence = np.zeros((V, V))
    for prompt, tokens, chance in written_out(p, p):
        context = (*prompt, *tokens)
        for t in range(len(tokens)):
            found[t][context[t : t + 2]] += chance
            by_sequence[context[t : t + 2]] += chance / len(tokens)
    assert np.allclose(occupancies(p, LENGTH), found, rtol=0, atol=1e-12)
    total = found.sum(0)
    assert np.allclose(state_weights(p, LENGTH), total / total.sum(), rtol=0, atol=1e-12)
    assert np.allclose(state_weights(p, LENGTH, "sequences"), by_sequence, rtol=0, atol=1e-12)


def test_sampling_agrees_within_its_error():
    p = ending(random_chain(4, 2, 0.5, seed=3))
    q = distil(p, 1, 12)
    drawn = sample(p, 12, 40_000, seed=0)
    alive = drawn[:, 2:] >= 0
    share, expected = alive.mean(0), occupancies(p, 12).sum((1, 2))
    error = np.sqrt(expected * (1 - expected) / len(drawn))
    assert (np.abs(share - expected) <= 4.5 * error + 1e-12).all()
    i, j, v = drawn[:, :-2], drawn[:, 1:-1], drawn[:, 2:]
    logs = np.where(v >= 0, np.log(p.table[i, j, v]) - np.log(q.table[j, v]), 0.0).sum(1)
    assert abs(logs.mean() - kl(p, q, 12)[0]) < 4 * logs.std() / np.sqrt(len(logs))
    assert (drawn[:, 2:][:, 1:][~alive[:, 1:]] == -1).all()


def test_a_batch_is_its_laws_one_by_one():
    laws = random_chain(4, 2, 0.5, seed=2, num_laws=3)
    for options in ({}, {"beta": 1.0, "own": 1.0}, {"beta": 0.3, "own": 0.5}):
        together = distil(laws, 1, 9, **options)
        for n in range(3):
            alone = distil(laws[n], 1, 9, **options)
            assert np.allclose(together[n].table, alone.table, rtol=0, atol=1e-9)
            assert kl(laws, together, 9)[0][n] == pytest.approx(float(kl(laws[n], alone, 9)[0]))


def test_a_chain_and_the_same_one_written_at_a_higher_order_are_equal():
    p = random_chain(V, 1, 1.0, seed=4)
    wide = Chain(np.broadcast_to(p.table, (V, V, V)), 2, np.outer(p.start, p.start))
    assert np.allclose(kl(wide, p, 5), 0, atol=1e-12)
    assert entropy(wide, 5) == pytest.approx(float(entropy(p, 5)))


# -- students -------------------------------------------------------------------------------------


def loss(teacher, table, weights, beta):
    """The loss a token of a first-order student, on states with these weights, written out."""
    rows = np.broadcast_to(table[None], teacher.table.shape)
    p = teacher.table
    if beta == 0:
        each = (p * np.log(p / rows)).sum(-1)
    elif beta == 1:
        each = (rows * np.log(rows / p)).sum(-1)
    else:
        each = generalized_jsd(p, rows, beta)
    return float((weights * each).sum())


FIVE = {
    "forward, teacher's states": (0.0, 0.0),
    "forward, own states": (0.0, 1.0),
    "reverse, teacher's states": (1.0, 0.0),
    "reverse, own states": (1.0, 1.0),
    "between": (0.4, 0.5),
}


@pytest.mark.parametrize("name", FIVE)
def test_an_optimum_is_stationary_and_beats_random_students(name):
    beta, own = FIVE[name]
    start = np.full((4, 4), 1 / 16)  # not the teacher's own text, so that own states differ
    p = Chain(random_chain(4, 2, 0.5, seed=7).table, 2, start)
    q = distil(p, 1, 10, beta=beta, own=own)
    gradient = student_gradient(p, q, 10, beta=beta, own=own)
    assert np.abs(gradient).max() < 1e-9
    walked = Chain(np.broadcast_to(q.table, (4, 4, 4)), 2, start)
    weights = (1 - own) * occupancies(p, 10).sum(0) + own * occupancies(walked, 10).sum(0)
    best = loss(p, q.table, weights, beta)
    rng = np.random.default_rng(0)
    logits = np.log(q.table)
    for n in range(1_000):
        size = [1.0, 0.1, 0.01, 1e-3][n % 4]
        other = np.exp(logits + size * rng.normal(size=(4, 4)))
        assert loss(p, other / other.sum(-1, keepdims=True), weights, beta) > best


def test_the_whole_sequence_student_is_stationary_and_beats_random_students():
    p = random_chain(4, 2, 0.5, seed=7)
    q = distil_whole_sequences(p, 1, 10)
    value, gradient, target = whole_sequence_gradient(p, q, 10)
    assert np.abs(gradient).max() < 1e-9
    assert value == pytest.approx(float(kl(p, q, 10)[1]), abs=1e-10)
    apart = np.log(q.table) - target
    assert np.allclose(apart, apart[:, :1], atol=1e-5)  # where it is stationary it is its target
    rng = np.random.default_rng(0)
    for n in range(1_000):
        size = [1.0, 0.1, 0.01, 1e-3][n % 4]
        other = np.exp(np.log(q.table) + size * rng.normal(size=(4, 4)))
        other = Chain(other / other.sum(-1, keepdims=True), 1, q.start)
        assert kl(p, other, 10)[1] > value
    for options in ({}, {"beta": 1.0}, {"beta": 1.0, "own": 1.0}):
        assert kl(p, distil(p, 1, 10, **options), 10)[1] > value


def test_lbfgs_from_other_starts_finds_no_better_whole_sequence_student():
    from scipy.optimize import minimize

    p = random_chain(4, 2, 1.0, seed=8)
    value = float(kl(p, distil_whole_sequences(p, 1, 10), 10)[1])

    def objective(z):
        table = np.exp(z.reshape(4, 4))
        q = Chain(table / table.sum(-1, keepdims=True), 1, np.full(4, 0.25))
        found, gradient, _ = whole_sequence_gradient(p, q, 10)
        return float(found), gradient.ravel()

    rng = np.random.default_rng(0)
    ends = [
        minimize(objective, rng.normal(size=16), jac=True, method="L-BFGS-B").fun for _ in range(20)
    ]
    assert min(ends) == pytest.approx(value, abs=1e-5)


@pytest.mark.parametrize("end", [None, 1])
@pytest.mark.parametrize("order", [0, 1, 2])
def test_the_whole_sequence_gradient_is_that_of_finite_differences(teacher, order, end):
    p = Chain(teacher.table, 2, teacher.start, end)
    q = random_student(p, order, seed=9)
    _, gradient, _ = whole_sequence_gradient(p, q, LENGTH)
    h = 1e-6
    for index in np.ndindex(q.table.shape):
        ends = []
        for sign in (1, -1):
            z = np.log(q.table)
            z[index] += sign * h
            table = np.exp(z) / np.exp(z).sum(-1, keepdims=True)
            ends.append(float(kl(p, Chain(table, order, q.start, end), LENGTH)[1]))
        assert gradient[index] == pytest.approx((ends[0] - ends[1]) / (2 * h), abs=1e-7)


@pytest.mark.parametrize("beta", [0.0, 0.3, 1.0])
def test_the_gradient_on_given_states_is_that_of_finite_differences(teacher, beta):
    q = random_student(teacher, 1, seed=9)
    gradient = student_gradient(teacher, q, LENGTH, beta=beta)
    weights, h = occupancies(teacher, LENGTH).sum(0), 1e-6
    for index in np.ndindex(V, V):
        ends = []
        for sign in (1, -1):
            z = np.log(q.table)
            z[index] += sign * h
            table = np.exp(z) / np.exp(z).sum(-1, keepdims=True)
            ends.append(loss(teacher, table, weights, beta))
        assert gradient[index] == pytest.approx((ends[0] - ends[1]) / (2 * h), abs=1e-8)


def test_the_two_directions_are_the_two_pools(teacher):
    w = state_weights(teacher, LENGTH)[..., None]
    forward = (w * teacher.table).sum(0) / w.sum(0)
    reverse = np.exp((w * np.log(teacher.table)).sum(0) / w.sum(0))
    reverse /= reverse.sum(-1, keepdims=True)
    assert np.allclose(distil(teacher, 1, LENGTH).table, forward, rtol=0, atol=1e-12)
    assert np.allclose(distil(teacher, 1, LENGTH, beta=1.0).table, reverse, rtol=0, atol=1e-12)
    near = [distil(teacher, 1, LENGTH, beta=b).table for b in (1e-3, 1 - 1e-3)]
    assert np.allclose(near[0], forward, atol=2e-3) and np.allclose(near[1], reverse, atol=2e-3)


@pytest.mark.parametrize("order", [2, 3])
@pytest.mark.parametrize("beta", [0.0, 0.5, 1.0])
def test_a_student_that_can_match_does_whatever_the_loss(teacher, order, beta):
    for own in (0.0, 1.0):
        q = distil(teacher, order, LENGTH, beta=beta, own=own)
        assert np.allclose(kl(teacher, q, LENGTH), 0, atol=1e-10)
    assert np.allclose(kl(teacher, distil_whole_sequences(teacher, order, 4), 4), 0, atol=1e-8)


def test_own_states_change_nothing_for_forward_kl_where_prompts_are_the_teachers_text():
    """The forward student of order m - 1 writes the teacher's m-grams: its states are the same."""
    laws = random_chain(5, 2, 0.3, seed=0, num_laws=20)
    off, on = distil(laws, 1, 20), distil(laws, 1, 20, own=1.0)
    assert np.allclose(off.table, on.table, rtol=0, atol=1e-10)
    walked = Chain(np.broadcast_to(off.table[:, None], laws.table.shape), 2, laws.start)
    assert np.allclose(occupancies(walked, 20), occupancies(laws, 20), rtol=0, atol=1e-12)
    assert np.abs(exposure_bias(laws, off, 20)).max() < 1e-10
    # an order lower it is not so
    assert np.abs(distil(laws, 0, 20).table - distil(laws, 0, 20, own=1.0).table).max() > 1e-3
    uneven = Chain(laws.table, 2, np.full((20, 5, 5), 1 / 25))
    assert np.abs(distil(uneven, 1, 20).table - distil(uneven, 1, 20, own=1.0).table).max() > 1e-3


def test_checking_every_token_is_the_students_own_and_none_but_the_first_is_nearly_the_teachers():
    p = random_chain(4, 2, 0.5, seed=7)
    own = distil(p, 1, 10, beta=1.0, own=1.0)
    assert np.allclose(distil(p, 1, 10, beta=1.0, own=1.0, checked=4).table, own.table, atol=1e-10)
    mixed = distil(p, 1, 10, beta=1.0, own=1.0, checked=1)
    q = mixed.table
    top = top_k(p, 1)[0].table > 0
    kept = np.where(top, q[None], 0)
    walked = Chain(kept + (1 - kept.sum(-1, keepdims=True)) * p.table, 2, p.start)
    w = occupancies(walked, 10).sum(0)[..., None]
    pool = np.exp((w * np.log(p.table)).sum(0) / w.sum(0))
    assert np.allclose(q, pool / pool.sum(-1, keepdims=True), atol=1e-9)


# -- losses, teachers, samples ---------------------------------------------------------------------


def test_the_ends_of_the_generalised_divergence():
    rng = np.random.default_rng(0)
    p, q = rng.dirichlet(np.ones(5), size=2)
    forward, reverse = (p * np.log(p / q)).sum(), (q * np.log(q / p)).sum()
    for end in (0.0, 1.0):
        assert generalized_jsd(p, q, end) == pytest.approx(0, abs=1e-15)
    assert generalized_jsd(p, q, 1e-5) / 1e-5 == pytest.approx(forward, rel=1e-3)
    assert generalized_jsd(p, q, 1 - 1e-5) / 1e-5 == pytest.approx(reverse, rel=1e-3)
    m = (p + q) / 2
    middle = ((p * np.log(p / m)).sum() + (q * np.log(q / m)).sum()) / 2
    assert generalized_jsd(p, q, 0.5) == pytest.approx(middle)


def test_tempering_and_top_k(teacher):
    assert np.allclose(tempered(teacher, 1.0).table, teacher.table)
    sharp = tempered(teacher, 0.5).table
    assert np.allclose(sharp, teacher.table**2 / (teacher.table**2).sum(-1, keepdims=True))
    kept, rest = top_k(teacher, 2)
    assert ((kept.table > 0).sum(-1) == 2).all()
    assert np.allclose(rest, teacher.table.min(-1))
    assert np.allclose(top_k(teacher, V)[0].table, teacher.table)
    ties = Chain(np.full((2, 2), 0.5), 1, [0.5, 0.5])
    assert np.array_equal(top_k(ties, 1)[0].table, [[1, 0], [1, 0]])


def test_a_rest_class_keeps_the_mass_that_renormalising_drops(teacher):
    for k in (1, 2, V):
        kept, rest = top_k(teacher, k)
        q = distil(kept, 1, LENGTH, rest=rest)
        dropped = distil(kept, 1, LENGTH)
        if k == V:
            assert np.allclose(q.table, distil(teacher, 1, LENGTH).table, atol=1e-10)
        if k == 1:
            assert np.isinf(kl(teacher, dropped, LENGTH)[0])
            assert np.isfinite(kl(teacher, q, LENGTH)[0])


def test_the_rest_class_is_stationary():
    p = random_chain(4, 2, 0.5, seed=7)
    kept, rest = top_k(p, 2)
    q, h = distil(kept, 1, 10, rest=rest), 1e-5
    w = occupancies(kept, 10).sum(0)
    top = kept.table > 0

    def coarse(table):
        wide = np.broadcast_to(table[None], p.table.shape)
        inside = np.where(top, p.table * np.log(wide), 0).sum(-1)
        return -(w * (inside + rest * np.log(np.where(top, 0, wide).sum(-1)))).sum()

    for index in np.ndindex(4, 4):
        ends = []
        for sign in (1, -1):
            z = np.log(q.table)
            z[index] += sign * h
            ends.append(coarse(np.exp(z) / np.exp(z).sum(-1, keepdims=True)))
        assert (ends[0] - ends[1]) / (2 * h) == pytest.approx(0, abs=1e-6)


def test_one_set_of_logits_is_worth_that_many_sampled_tokens():
    p = random_chain(4, 2, 0.5, seed=7)
    ratio = float(sampled_tokens_per_logits(p, 1, 10))
    rng = np.random.default_rng(0)
    w = state_weights(p, 10)
    black = white = 0.0
    for c in range(4):
        states = rng.choice(4, size=200_000, p=w[:, c] / w[:, c].sum())
        rows = p.table[states, c]
        tokens = (rng.random((len(states), 1)) > rows.cumsum(-1)).sum(-1)
        black += w[:, c].sum() * np.eye(4)[tokens].var(0).sum()
        white += w[:, c].sum() * rows.var(0).sum()
    assert ratio == pytest.approx(black / white, rel=0.02)
    assert sampled_tokens_per_logits(p, 2, 10) == np.inf
    assert ratio > 1


def test_random_chains_are_dirichlet_and_start_where_they_settle():
    laws = random_chain(5, 1, 0.3, seed=0, num_laws=4_000)
    assert laws.table.mean((0, 1)) == pytest.approx(np.full(5, 0.2), abs=0.01)
    variance = 0.2 * 0.8 / (5 * 0.3 + 1)
    assert laws.table.var((0, 1)) == pytest.approx(np.full(5, variance), rel=0.05)
    d = laws.start
    assert np.allclose(np.einsum("la,lab->lb", d, laws.table), d, atol=1e-12)
    flip = stationary_start([[0.0, 1.0], [1.0, 0.0]], 1)  # it has a period
    assert flip == pytest.approx([0.5, 0.5])


def test_a_chain_with_a_period_settles_also_where_its_contexts_are_many():
    """From token 0 to any other and back: half of all time is spent there, by symmetry."""
    symbols = 17
    table = np.zeros((symbols,) * 3)
    table[:, 0, 1:] = 1 / (symbols - 1)
    table[:, 1:, 0] = 1.0
    expected = np.zeros((symbols, symbols))
    expected[0, 1:] = expected[1:, 0] = 0.5 / (symbols - 1)
    assert expected.size > 256  # too many to solve for
    assert np.allclose(stationary_start(table, 2), expected, rtol=0, atol=1e-13)


def test_a_chain_fitted_to_a_text():
    chain, symbols = fitted_chain("abab", 1, end=None)
    prior = (np.array([2, 2]) + 0.5) / 5
    assert symbols == ["a", "b"]
    assert np.allclose(chain.table[0], (np.array([0, 2]) + prior) / 3)
    text = zen()
    assert "beautiful is better than ugly\n" in text and text.endswith("of those\n")
    assert set(text) <= set("abcdefghijklmnopqrstuvwxyz \n") and text.count("\n") == 19
    chain, symbols = fitted_chain(text, 2)
    assert chain.end == symbols.index("\n") and chain.start[chain.end, chain.end] == 1
    firsts = [line[0] for line in text.splitlines()]
    first = chain.table[chain.end, chain.end]
    assert first[symbols.index("i")] > firsts.count("i") / (len(firsts) + 1)


# -- shapes and errors -----------------------------------------------------------------------------


@settings(deadline=None)
@given(
    symbols=st.integers(2, 4),
    order=st.integers(0, 3),
    student=st.integers(0, 3),
    length=st.integers(1, 5),
    seed=st.integers(0, 50),
    laws=st.sampled_from([None, 2]),
)
def test_any_shape(symbols, order, student, length, seed, laws):
    p = random_chain(symbols, order, 0.7, seed, num_laws=laws)
    batch = () if laws is None else (laws,)
    assert p.batch == batch and occupancies(p, length).sum() == pytest.approx(length * (laws or 1))
    for beta in (0.0, 1.0):
        q = distil(p, student, length, beta=beta)
        assert q.table.shape == (*batch, *(symbols,) * (student + 1))
        assert np.allclose(q.table.sum(-1), 1) and np.allclose(q.start.sum(), laws or 1)
        forward, reverse = kl(p, q, length)
        assert forward.shape == batch and (forward >= -1e-12).all() and (reverse >= -1e-12).all()
        if beta == 0:
            least = forward
        assert (forward >= least - 1e-10).all()  # forward KL on the teacher's states is the least


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda p: Chain([[0.5, 0.6], [0.5, 0.5]], 1, [0.5, 0.5]), "table holds rows"),
        (lambda p: Chain(np.full((2, 3), 1 / 3), 1, [0.5, 0.5]), "must be equal"),
        (lambda p: Chain(np.full((2, 2), 0.5), 1, [1.0]), "start has shape"),
        (lambda p: Chain(np.full((2, 2), 0.5), 1, [0.5, 0.6]), "start holds rows"),
        (lambda p: Chain(np.full((2, 2), 0.5), 1, [0.5, 0.5], 2), "end is 2"),
        (lambda p: p[0], "single chain"),
        (lambda p: random_chain(60, 1, 1.0, 0), "symbols is 60"),
        (lambda p: random_chain(50, 5, 1.0, 0), "Use fewer symbols"),
        (lambda p: random_chain(5, 1, 0.0, 0), "concentration is 0.0"),
        (lambda p: tempered(p, 0), "temperature is 0"),
        (lambda p: top_k(p, 9), "k is 9"),
        (lambda p: distil(p, 1, 0), "length is 0"),
        (lambda p: distil(p, 1, 5, beta=2), "beta is 2"),
        (lambda p: distil(p, 1, 5, own=-1), "own is -1"),
        (lambda p: distil(p, 1, 5, mean="rows"), "mean is 'rows'"),
        (lambda p: distil(*top_k(p, 1)[:1], 1, 5, beta=1.0, rest=p.start), "rest goes with"),
        (lambda p: kl(p, random_chain(4, 1, 1.0, 0), 5), "must be equal"),
        (lambda p: generalized_jsd([1.0, 0], [0.5, 0.5], 3), "beta is 3"),
        (lambda p: fitted_chain("aaa", 1), "two different characters"),
        (lambda p: fitted_chain("abc", 1), "which is not in the text"),
        (lambda p: fitted_chain("abc\n", 1, strength=0), "strength is 0"),
        (lambda p: sample(random_chain(3, 1, 1.0, 0, num_laws=2), 5, 5, 0), "holds (2,) laws"),
    ],
)
def test_a_wrong_input_is_told_in_one_line(teacher, call, message):
    with pytest.raises((ValueError, TypeError, IndexError)) as fault:
        call(teacher)
    assert message in str(fault.value) and "\n" not in str(fault.value)


def test_all_that_is_public_is_documented():
    assert all(getattr(sequences, name).__doc__ for name in sequences.__all__)
