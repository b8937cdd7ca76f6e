"""Tasks: data to train and test on and, where it is known, the exact law behind them.

A `Task` holds a training and a test part, standardised on the training part alone. For the
article's data, for `gaussian_mixture_task` and for `multi_view_task` it also holds the law, a
`GaussianMixtureLaw`: from it come the exact posterior P(y | x), the Bayes classifier, and fresh
samples without end.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from scipy.optimize import brentq
from scipy.special import ndtri
from sklearn.datasets import load_digits, make_classification
from sklearn.model_selection import StratifiedKFold, train_test_split
from sklearn.preprocessing import StandardScaler
from sklearn.utils.random import sample_without_replacement
from torch import Tensor

from distill_helpers import _checks
from distill_helpers._checks import whole

Array = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

# One stream of random numbers a purpose: equal seeds in two of them share nothing.
_SAMPLE, _FRESH_DATA, _MIXTURE, _SEARCH, _BAYES_ERROR, _VIEWS, _VIEW_SEARCH = range(7)
_CHUNK = 1 << 12  # rows at a time: the working arrays stay in the processor's cache


def _by_chunks(function: Callable[[Array], Array], x: Array) -> Array:
    """Apply a row-wise function to a chunk of rows at a time."""
    starts = range(0, max(len(x), 1), _CHUNK)
    return np.concatenate([function(x[start : start + _CHUNK]) for start in starts])


def _check_rows(x: Array, num_features: int) -> None:
    if x.ndim != 2 or x.shape[1] != num_features:
        raise ValueError(
            f"x has shape {x.shape}; it must be (N, {num_features}). "
            "Give one row a sample, x[None] for a single one."
        )
    if not np.isfinite(x).all():
        raise ValueError("x holds NaN or infinity; it must be finite. Drop or mend those rows.")


def _rng(seed: int, purpose: int) -> np.random.Generator:
    # SFC64 is the fastest of NumPy's generators, and fresh samples are mostly random numbers.
    return np.random.Generator(np.random.SFC64(np.random.SeedSequence(seed, spawn_key=(purpose,))))


def _number(name: str, value: object, rule: str, holds: Callable[[float], bool], out: str) -> float:
    """Return `value` as a float for which `holds` is true, or raise in one line."""
    if isinstance(value, bool | np.bool_) or not isinstance(value, int | float | np.number):
        raise TypeError(f"{name} is {value!r}; it must be a number {rule}. {out}")
    if not holds(float(value)):  # NaN fails every comparison
        raise ValueError(f"{name} is {value!r}; it must be a number {rule}. {out}")
    return float(value)


def _seed(name: str, value: object) -> int:
    return whole(name, value, 0, "Use 0, 1, 2, ...", 2**32 - 1)


def _fraction(name: str, value: object, out: str) -> float:
    return _number(name, value, "from 0 to 1", lambda v: 0 <= v <= 1, out)


@dataclass(frozen=True, eq=False)
class GaussianMixtureLaw:
    r"""The law of data drawn from Gaussian clusters, some of its features redundant or pure noise.

    A sample is drawn in five steps:

    1. a cluster :math:`k` with probability :math:`w_k`; it belongs to the class :math:`c_k`;
    2. the informative features :math:`u = z A_k + \mu_k` with :math:`z \sim N(0, I)`;
    3. the redundant features :math:`u B`, and noise features :math:`N(0, I)`;
    4. :math:`x`, all of these with their columns permuted;
    5. the label: :math:`c_k`, or with probability :math:`\eta` one drawn uniformly over all C
       classes, :math:`c_k` among them.

    With :math:`z_k = (u - \mu_k) A_k^{-1}` the posterior is

    .. math::

        P(y = j \mid x) = (1 - \eta) \, \frac{\sum_{k: c_k = j} w_k e^{-\|z_k\|^2 / 2} / |\det A_k|}
                                              {\sum_k w_k e^{-\|z_k\|^2 / 2} / |\det A_k|}
                          + \frac{\eta}{C}.

    Redundant and noise features say nothing that the informative ones do not, and cancel.

    Parameters
    ----------
    num_classes : int
        How many classes, C.
    weights : ndarray, shape (K,)
        The clusters' probabilities :math:`w_k`; only their ratios matter.
    labels : ndarray of int64, shape (K,)
        The clusters' classes :math:`c_k`.
    centroids : ndarray, shape (K, d)
        :math:`\mu_k`.
    mixing : ndarray, shape (K, d, d)
        :math:`A_k`; the covariance of cluster k is :math:`A_k^\top A_k`.
    redundant : ndarray, shape (d, R)
        The matrix B.
    num_noise : int
        How many noise features.
    order : ndarray of int64, shape (D,)
        Column j of x is column ``order[j]`` of (informative, redundant, noise).
    label_noise : float
        :math:`\eta`, from 0 to 1.

    Notes
    -----
    Where x lies off the law's support (redundant features that do not equal :math:`u B`), the
    posterior is the formula above, which reads the informative features alone.
    """

    num_classes: int
    weights: Array = field(repr=False)
    labels: IntArray = field(repr=False)
    centroids: Array = field(repr=False)
    mixing: Array = field(repr=False)
    redundant: Array = field(repr=False)
    num_noise: int
    order: IntArray = field(repr=False)
    label_noise: float

    @property
    def num_features(self) -> int:
        """D, the number of columns of x."""
        return len(self.order)

    @property
    def informative(self) -> IntArray:
        """The columns of x that hold the d informative features, in the order of u, shape (d,)."""
        return np.argsort(self.order)[: self.centroids.shape[1]]

    def log_posterior(self, x: npt.ArrayLike) -> Array:
        """Return log P(y | x) in natural logarithms: the logits of the exact posterior.

        Finite for any finite x when there is label noise; without it finite as long as each class
        has a cluster of positive weight. Sums are taken by log-sum-exp, so that a point far from
        every cluster is as exact as one inside.

        Parameters
        ----------
        x : array_like, shape (N, D)
            Samples as `sample` returns them, not standardised.

        Returns
        -------
        ndarray of float64, shape (N, C)

        Raises
        ------
        ValueError
            If x has another shape, or values that are not finite.
        """
        x = np.asarray(x, dtype=np.float64)
        _check_rows(x, self.num_features)
        unmixing = np.linalg.inv(self.mixing)
        log_det = np.linalg.slogdet(self.mixing)[1]
        with np.errstate(divide="ignore"):  # log 0 = -inf is what is meant
            log_weights = np.log(self.weights)
            log_kept, log_noise = np.log(1 - self.label_noise), np.log(self.label_noise)
        cluster_offset = log_weights - log_det
        noise_floor = log_noise - math.log(self.num_classes)

        def of_rows(rows: Array) -> Array:
            u = rows[:, self.informative].T  # (d, N)
            joint = np.empty((len(self.weights), len(rows)))  # log of weight times density
            for k, centroid in enumerate(self.centroids):
                z = unmixing[k].T @ (u - centroid[:, None])
                joint[k] = cluster_offset[k] - 0.5 * np.einsum("dn,dn->n", z, z)
            joint -= joint.max(axis=0)  # or far away the sums below would round to their maximum
            logits = np.stack(
                [np.logaddexp.reduce(joint[self.labels == j]) for j in range(self.num_classes)]
            )
            logits -= np.logaddexp.reduce(logits)
            return np.logaddexp(log_kept + logits, noise_floor).T

        return _by_chunks(of_rows, x)

    def posterior(self, x: npt.ArrayLike) -> Array:
        """Return P(y | x); its argmax is the Bayes classifier. See `log_posterior`.

        Parameters
        ----------
        x : array_like, shape (N, D)
            Samples as `sample` returns them, not standardised.

        Returns
        -------
        ndarray of float64, shape (N, C)
            Rows sum to 1.
        """
        return np.exp(self.log_posterior(x))

    def sample(self, n: int, seed: int = 0) -> tuple[Array, IntArray]:
        """Draw n independent samples.

        Parameters
        ----------
        n : int
            At least 1.
        seed : int
            The same seed and n give the same samples.

        Returns
        -------
        x : ndarray of float64, shape (n, D)
        y : ndarray of int64, shape (n,)
        """
        n = whole("n", n, 1, "Ask for at least one sample.")
        return self._draw(n, _rng(_seed("seed", seed), _SAMPLE))

    def _draw(self, n: int, rng: np.random.Generator) -> tuple[Array, IntArray]:
        sizes = [min(_CHUNK, n - start) for start in range(0, n, _CHUNK)]
        x, y = zip(*(self._draw_chunk(size, rng) for size in sizes), strict=True)
        return np.concatenate(x), np.concatenate(y)

    def _draw_chunk(self, n: int, rng: np.random.Generator) -> tuple[Array, IntArray]:
        d, num_redundant = self.redundant.shape
        position = np.argsort(self.order)  # column i of (u, uB, noise) goes to position[i]
        cumulative = np.cumsum(self.weights)
        cluster = np.searchsorted(cumulative, rng.random(n) * cumulative[-1], side="right")
        u = rng.standard_normal((n, d))
        for k, (centroid, mixing) in enumerate(zip(self.centroids, self.mixing, strict=True)):
            here = np.flatnonzero(cluster == k)
            u[here] = u[here] @ mixing + centroid
        x = np.empty((n, self.num_features))
        x[:, position[:d]] = u
        x[:, position[d : d + num_redundant]] = u @ self.redundant
        x[:, position[d + num_redundant :]] = rng.standard_normal((n, self.num_noise))
        redraw = rng.random(n) < self.label_noise
        y = np.where(redraw, rng.integers(self.num_classes, size=n), self.labels[cluster])
        return x, y

    def bayes_error(self, n: int = 1_000_000, seed: int = 0) -> tuple[float, float]:
        r"""Estimate the Bayes error :math:`E[1 - \max_j P(y = j \mid x)]`, label noise included.

        No classifier does better. The mean runs over fresh x; the labels are integrated out with
        the exact posterior, which leaves less variance than counting errors.

        Parameters
        ----------
        n : int
            Fresh samples, 2 or more.
        seed : int
            Of their own stream: they are not the samples of `sample`.

        Returns
        -------
        value : float
            From 0 to 1 - 1 / C.
        standard_error : float
            Of the Monte-Carlo mean.
        """
        n = whole("n", n, 2, "100,000 or more is sensible.")
        rng = _rng(_seed("seed", seed), _BAYES_ERROR)
        sizes = [min(_CHUNK, n - start) for start in range(0, n, _CHUNK)]
        loss = np.concatenate(
            [1 - self.posterior(self._draw_chunk(size, rng)[0]).max(axis=1) for size in sizes]
        )
        return float(loss.mean()), float(loss.std(ddof=1) / math.sqrt(n))


def _hypercube(samples: int, dimensions: int, rng: np.random.RandomState) -> npt.NDArray[np.uint8]:
    """Draw distinct vertices of the unit hypercube as `make_classification` does."""
    if dimensions > 30:
        first = rng.randint(2, size=(samples, dimensions - 30))
        return np.hstack([first, _hypercube(samples, 30, rng)])
    drawn = sample_without_replacement(2**dimensions, samples, random_state=rng)
    bits = np.unpackbits(drawn.astype(">u4").view(">u1")).reshape(-1, 32)
    return bits[:, -dimensions:]


def replay_make_classification(
    n_samples: int = 100,
    n_features: int = 20,
    *,
    n_informative: int = 2,
    n_redundant: int = 2,
    n_classes: int = 2,
    n_clusters_per_class: int = 2,
    weights: Sequence[float] | None = None,
    flip_y: float = 0.01,
    class_sep: float = 1.0,
    random_state: int = 0,
) -> tuple[Array, IntArray, GaussianMixtureLaw]:
    """Draw what `sklearn.datasets.make_classification` draws, and keep the law it hides.

    Consumes the same random numbers in the same order, so that X and y come out bit for bit.
    Arguments, names and defaults are scikit-learn's (`random_state` must be an int here).

    The law belongs to this call alone: scikit-learn draws the samples before the mixing matrices,
    so another `n_samples` gives other matrices, and with the same `random_state` another law.
    Nor are scikit-learn's rows independent: it fixes the number of samples in each cluster. The
    law's weights are those numbers over `n_samples`, which is the exact law of any one row.

    Parameters
    ----------
    n_samples, n_features, n_informative, n_redundant, n_classes, n_clusters_per_class : int
        As in scikit-learn.
    weights : sequence of float, optional
        Class proportions, C or C - 1 of them, summing to at most 1; equal where None.
    flip_y : float
        Probability with which a label is drawn anew, uniformly over the classes: about
        ``flip_y * (C - 1) / C`` of the labels change.
    class_sep : float
        Half the side of the hypercube on whose vertices the centroids lie.
    random_state : int
        From 0 to 2**32 - 1.

    Returns
    -------
    X : ndarray of float64, shape (n_samples, n_features)
    y : ndarray of int64, shape (n_samples,)
    law : GaussianMixtureLaw

    Raises
    ------
    TypeError, ValueError
        If an argument is of the wrong type or out of range.

    References
    ----------
    I. Guyon, "Design of experiments for the NIPS 2003 variable selection benchmark", 2003.
    The order of the draws is read in scikit-learn 1.9, ``sklearn/datasets/_samples_generator.py``.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import make_classification
    >>> X, y, law = replay_make_classification(200, random_state=7)
    >>> their_X, their_y = make_classification(200, random_state=7)
    >>> np.array_equal(X, their_X) and np.array_equal(y, their_y)
    True
    >>> law.posterior(X).shape
    (200, 2)
    """
    n = whole("n_samples", n_samples, 1, "The article draws 5000.")
    d = whole("n_informative", n_informative, 1, "The article has 10.")
    num_redundant = whole("n_redundant", n_redundant, 0, "The article has 5.")
    num_features = whole(
        "n_features", n_features, d + num_redundant, "It counts informative and redundant features."
    )
    num_classes = whole("n_classes", n_classes, 1, "The article has 2.")
    per_class = whole("n_clusters_per_class", n_clusters_per_class, 1, "The article has 2.")
    num_clusters = num_classes * per_class
    if num_clusters > 2**d:
        raise ValueError(
            f"n_classes * n_clusters_per_class is {num_clusters}; it must be at most "
            f"2**n_informative = {2**d}, one vertex a cluster. Raise n_informative."
        )
    flip_y = _fraction("flip_y", flip_y, "The article has 0.01.")
    class_sep = _number("class_sep", class_sep, "that is finite", math.isfinite, "Use 1.0.")
    rng = np.random.RandomState(_seed("random_state", random_state))

    shares = [1.0 / num_classes] * num_classes
    if weights is not None:
        shares = [float(w) for w in weights]
        if len(shares) == num_classes - 1:
            shares.append(1.0 - sum(shares))
        total_ok = len(shares) == num_classes and 0 < sum(shares) < 1 + 1e-9
        if not (total_ok and min(shares) >= 0):
            raise ValueError(
                f"weights is {weights!r}; it must be {num_classes} or {num_classes - 1} numbers, "
                "none below 0, with a sum above 0 and at most 1. Leave it out for equal classes."
            )
    counts = [int(n * shares[k % num_classes] / per_class) for k in range(num_clusters)]
    for i in range(n - sum(counts)):
        counts[i % num_clusters] += 1

    # From here on every draw, and the order of every product, is scikit-learn's.
    centroids = _hypercube(num_clusters, d, rng).astype(float)
    centroids *= 2 * class_sep
    centroids -= class_sep
    X = np.zeros((n, num_features))
    y = np.zeros(n, dtype=int)
    X[:, :d] = rng.standard_normal(size=(n, d))
    mixing = np.empty((num_clusters, d, d))
    stop = 0
    for k, centroid in enumerate(centroids):
        start, stop = stop, stop + counts[k]
        y[start:stop] = k % num_classes
        mixing[k] = 2 * rng.uniform(size=(d, d)) - 1
        X_k = X[start:stop, :d]
        X_k[...] = np.dot(X_k, mixing[k])
        X_k += centroid
    redundant = np.zeros((d, 0))
    if num_redundant:
        redundant = 2 * rng.uniform(size=(d, num_redundant)) - 1
        X[:, d : d + num_redundant] = np.dot(X[:, :d], redundant)
    num_noise = num_features - d - num_redundant
    if num_noise:
        X[:, -num_noise:] = rng.standard_normal(size=(n, num_noise))
    flipped = rng.uniform(size=n) < flip_y
    y[flipped] = rng.randint(num_classes, size=flipped.sum())
    rows = np.arange(n)
    rng.shuffle(rows)
    order = np.arange(num_features)
    rng.shuffle(order)

    law = GaussianMixtureLaw(
        num_classes=num_classes,
        weights=np.array(counts) / n,
        labels=np.arange(num_clusters) % num_classes,
        centroids=centroids,
        mixing=mixing,
        redundant=redundant,
        num_noise=num_noise,
        order=order,
        label_noise=flip_y,
    )
    return X[rows][:, order], y[rows].astype(np.int64), law


@dataclass(frozen=True, eq=False)
class Task:
    """A training and a test part, standardised on the training part, and the law where known.

    Made by `article_task`, `digits_task`, `gaussian_mixture_task`, `multi_view_task` and
    `task_from_arrays`.

    Parameters
    ----------
    name : str
        What to call it in a table.
    num_classes : int
        How many classes, C.
    x_train, x_test : Tensor of float32, shape (N, D)
        Each feature has mean 0 and variance 1 over the training part.
    y_train, y_test : Tensor of int64, shape (N,)
        From 0 to C - 1.
    classes : tuple
        The labels as they were given, in the order of 0 to C - 1.
    mean, scale : ndarray of float64, shape (D,)
        ``x = (raw - mean) / scale``, taken from the training part.
    law : GaussianMixtureLaw, optional
        The law of the raw samples, before standardising.
    """

    name: str
    num_classes: int
    x_train: Tensor = field(repr=False)
    y_train: Tensor = field(repr=False)
    x_test: Tensor = field(repr=False)
    y_test: Tensor = field(repr=False)
    classes: tuple[object, ...] = field(repr=False)
    mean: Array = field(repr=False)
    scale: Array = field(repr=False)
    law: GaussianMixtureLaw | None = field(default=None, repr=False)

    @property
    def has_law(self) -> bool:
        """Whether the law is known, and so `posterior`, `sample` and `with_fresh_data` work."""
        return self.law is not None

    def _known_law(self) -> GaussianMixtureLaw:
        if self.law is None:
            raise ValueError(
                f"the law behind {self.name!r} is unknown; this needs a task whose law is known. "
                "Use article_task() or gaussian_mixture_task()."
            )
        return self.law

    def standardise(self, raw: npt.ArrayLike) -> Tensor:
        """Return raw samples as the networks get them: scaled in float64, then float32.

        Parameters
        ----------
        raw : array_like, shape (N, D)

        Returns
        -------
        Tensor of float32, shape (N, D)

        Raises
        ------
        ValueError
            If raw has another shape, or values that are not finite.
        """
        raw = np.asarray(raw, dtype=np.float64)
        _check_rows(raw, len(self.mean))
        return torch.from_numpy(
            _by_chunks(lambda part: ((part - self.mean) / self.scale).astype(np.float32), raw)
        )

    def log_posterior(self, x: Tensor) -> Tensor:
        """Return log P(y | x), the logits of the exact posterior. See `posterior`."""
        law = self._known_law()
        rows = x.detach().cpu().numpy()
        _check_rows(rows, len(self.mean))
        raw = _by_chunks(lambda part: part * self.scale + self.mean, rows)
        return torch.from_numpy(law.log_posterior(raw))

    def posterior(self, x: Tensor) -> Tensor:
        """Return the exact posterior P(y | x); its argmax is the Bayes classifier.

        Parameters
        ----------
        x : Tensor, shape (N, D)
            Standardised like `x_train`.

        Returns
        -------
        Tensor of float64, shape (N, C)
            Rows sum to 1.

        Raises
        ------
        ValueError
            If the law is unknown, or x has another shape or values that are not finite.
        """
        return self.log_posterior(x).exp()

    def sample(self, n: int, seed: int = 0) -> tuple[Tensor, Tensor]:
        """Draw n fresh, independent samples of the law, scaled like the training part.

        Tasks of one law (`with_fresh_data`) draw the same raw samples from the same seed; only
        their scaling differs. So comparisons across training sets are paired.

        Parameters
        ----------
        n : int
            At least 1.
        seed : int
            The same seed and n give the same samples.

        Returns
        -------
        x : Tensor of float32, shape (n, D)
        y : Tensor of int64, shape (n,)

        Raises
        ------
        ValueError
            If the law is unknown.
        """
        raw, y = self._known_law().sample(n, seed)
        return self.standardise(raw), torch.from_numpy(y)

    def with_fresh_data(self, seed: int, *, num_train: int | None = None) -> Task:
        """Return a task of the same law with new training and test parts.

        Both parts are drawn independently, and standardised on the new training part.

        Parameters
        ----------
        seed : int
            One training set a seed; none of them shares draws with `sample`.
        num_train : int, optional
            Size of the training part; as large as this one's where None.

        Returns
        -------
        Task
            Named after this one and the seed.

        Raises
        ------
        ValueError
            If the law is unknown.
        """
        rng = _rng(_seed("seed", seed), _FRESH_DATA)
        size = len(self.y_train)
        if num_train is not None:
            size = whole("num_train", num_train, 1, "The article has 4000.")
        name = f"{self.name}, training set {seed}"
        return _draw_task(self._known_law(), size, len(self.y_test), rng, name)

    def folds(self, k: int, seed: int = 0) -> list[tuple[Tensor, Tensor]]:
        """Split the training part into k folds, each with the same share of every class.

        Parameters
        ----------
        k : int
            From 2 to the size of the smallest class in the training part.
        seed : int
            Shuffles before splitting.

        Returns
        -------
        list of (fit_rows, held_out_rows)
            k pairs of int64 tensors, row numbers of `x_train`. The held-out rows of all folds
            together are the training part, each row once.

        Raises
        ------
        ValueError
            If a class has fewer than k training samples.
        """
        k = whole("k", k, 2, "5 or 10 are usual.")
        counts = torch.bincount(self.y_train, minlength=self.num_classes)
        rarest = int(counts.argmin())
        if counts[rarest] < k:
            raise ValueError(
                f"k is {k}; it must be at most the smallest class's training samples, "
                f"{int(counts[rarest])} of {self.classes[rarest]!r}. Use fewer folds."
            )
        splitter = StratifiedKFold(k, shuffle=True, random_state=_seed("seed", seed))
        labels = self.y_train.numpy()
        return [
            (torch.from_numpy(fit), torch.from_numpy(held_out))
            for fit, held_out in splitter.split(np.zeros(len(labels)), labels)
        ]


def _make_task(
    name: str,
    train: tuple[Array, IntArray],
    test: tuple[Array, IntArray],
    classes: tuple[object, ...],
    law: GaussianMixtureLaw | None = None,
) -> Task:
    scaler = StandardScaler().fit(train[0])
    x_train, x_test = (
        torch.from_numpy(scaler.transform(x).astype(np.float32)) for x in (train[0], test[0])
    )
    y_train, y_test = (torch.from_numpy(y.astype(np.int64)) for y in (train[1], test[1]))
    return Task(
        name=name,
        num_classes=len(classes),
        x_train=x_train,
        y_train=y_train,
        x_test=x_test,
        y_test=y_test,
        classes=classes,
        mean=scaler.mean_,
        scale=scaler.scale_,
        law=law,
    )


def _draw_task(
    law: GaussianMixtureLaw, num_train: int, num_test: int, rng: np.random.Generator, name: str
) -> Task:
    x, y = law._draw(num_train + num_test, rng)
    train, test = (x[:num_train], y[:num_train]), (x[num_train:], y[num_train:])
    return _make_task(name, train, test, tuple(range(law.num_classes)), law)


def article_task(random_state: int = 42) -> Task:
    """Return the article's task: 4,000 training and 1,000 test samples, 20 features, 2 classes.

    Data and split are the article's, made by scikit-learn itself; `random_state` seeds both of
    them, as 42 does there. The law is recovered by replaying the draws.

    The posterior is as exact as its argument. Given float64 samples it is within 1e-12 of the true
    value. Standardised samples are float32; their rounding, made worse by mixing matrices with
    condition numbers of 14 to 48, moves P(y | x) by 1e-9 on average and by some 1e-6 at most (the
    worst of 100,000 samples; up to 1e-5 for other values of `random_state`).

    Parameters
    ----------
    random_state : int
        From 0 to 2**32 - 1.

    Returns
    -------
    Task

    Raises
    ------
    RuntimeError
        If this scikit-learn draws otherwise than the one the replay was written for.

    Examples
    --------
    >>> task = article_task()
    >>> task.x_train.shape, task.x_test.shape
    (torch.Size([4000, 20]), torch.Size([1000, 20]))
    >>> x, y = task.sample(100_000, seed=1)
    >>> bool((task.posterior(x).argmax(1) == y).double().mean() > 0.985)
    True
    """
    seed = _seed("random_state", random_state)
    X, y = make_classification(5000, 20, n_informative=10, n_redundant=5, random_state=seed)
    replayed_X, replayed_y, law = replay_make_classification(
        5000, 20, n_informative=10, n_redundant=5, random_state=seed
    )
    # A tolerance, since a BLAS may round by memory alignment; the tests ask for equal bits.
    if not (np.array_equal(y, replayed_y) and np.allclose(X, replayed_X, rtol=1e-9, atol=1e-9)):
        raise RuntimeError(
            "make_classification draws otherwise than the replay; the law would be wrong. "
            "Install scikit-learn 1.9 as in requirements.txt."
        )
    x_train, x_test, y_train, y_test = train_test_split(X, y, test_size=0.2, random_state=seed)
    name = "article" if seed == 42 else f"article, random_state {seed}"
    return _make_task(name, (x_train, y_train), (x_test, y_test), (0, 1), law)


def digits_task(random_state: int = 0) -> Task:
    """Return scikit-learn's 1,797 digits of 8 x 8 pixels: 1,437 to train on, 360 to test on.

    Ten classes; the split is stratified. The law is unknown.

    Parameters
    ----------
    random_state : int
        Seeds the split.

    Returns
    -------
    Task

    Examples
    --------
    >>> task = digits_task()
    >>> task.x_train.shape, task.num_classes
    (torch.Size([1437, 64]), 10)
    """
    digits = load_digits()
    return task_from_arrays(digits.data, digits.target, random_state=random_state, name="digits")


def _radius(centres: Array, num_classes: int, overlap: float, random_state: int) -> float:
    """Return by what factor to move the centres apart so that the Bayes error is `overlap`.

    Unit-variance clusters with equal weights; cluster k belongs to class k mod C.
    """
    if len(centres) == 2:  # two clusters a distance r apart: the Bayes error is Phi(-r / 2)
        return float(-2 * ndtri(overlap) / np.linalg.norm(centres[0] - centres[1]))
    rng = _rng(random_state, _SEARCH)
    n = 1 << 17
    cluster = np.arange(n) % len(centres)
    inner = (centres @ centres.T)[cluster]  # of the drawn cluster's centre with every centre
    noise = rng.standard_normal((n, centres.shape[1])) @ centres.T
    squares = 0.5 * (centres**2).sum(axis=1)

    def excess(radius: float) -> float:
        # The same draws at every radius, so that this is a smooth function of it.
        joint = radius**2 * (inner - squares) + radius * noise
        joint = np.exp(joint - joint.max(axis=1, keepdims=True))
        by_class = joint.reshape(n, -1, num_classes).sum(axis=1)
        return float(1 - (by_class.max(axis=1) / by_class.sum(axis=1)).mean() - overlap)

    far = 1.0
    while excess(far) > 0:
        far *= 2
    return float(brentq(excess, 0, far, rtol=1e-5))


def _overlap_and_sizes(
    num_classes: int, overlap: float, num_train: int, num_test: int, random_state: int
) -> tuple[float, int, int, int]:
    """Check what every made-up mixture is given."""
    highest = 1 - 1 / num_classes
    overlap = _number(
        "overlap",
        overlap,
        f"above 0 and below {highest:.3g}, the error of guessing among {num_classes} classes",
        lambda v: 0 < v < highest,
        "Use 0.1 for a Bayes error of 10 %.",
    )
    num_train = whole("num_train", num_train, 1, "The default is 4000.")
    num_test = whole("num_test", num_test, 1, "The default is 1000.")
    return overlap, num_train, num_test, _seed("random_state", random_state)


def _round_clusters(
    num_classes: int, weights: Array, labels: IntArray, centres: Array, label_noise: float = 0.0
) -> GaussianMixtureLaw:
    """Return the law of clusters with unit covariance, all of their features informative."""
    num_clusters, dimension = centres.shape
    return GaussianMixtureLaw(
        num_classes=num_classes,
        weights=weights,
        labels=labels,
        centroids=centres,
        mixing=np.stack([np.eye(dimension)] * num_clusters),
        redundant=np.zeros((dimension, 0)),
        num_noise=0,
        order=np.arange(dimension),
        label_noise=label_noise,
    )


def gaussian_mixture_task(
    num_classes: int = 2,
    dimension: int = 10,
    overlap: float = 0.1,
    label_noise: float = 0.0,
    *,
    clusters_per_class: int = 1,
    num_train: int = 4000,
    num_test: int = 1000,
    random_state: int = 0,
) -> Task:
    r"""Return a task of Gaussian clusters whose Bayes error is chosen.

    Every class has `clusters_per_class` clusters with unit covariance and equal weights. The
    centres are drawn from a normal law and moved apart by one factor, so that the best classifier
    errs on a share `overlap` of the samples. For two classes of one cluster each that factor is
    exact: centres :math:`\delta` apart give a Bayes error of :math:`\Phi(-\delta / 2)`. Otherwise
    it is found on 131,072 samples, which leaves a standard error below 0.001.

    With probability :math:`\eta` = `label_noise` a label is drawn anew, uniformly over the C
    classes. The Bayes classifier stays the same, and its error becomes
    :math:`(1 - \eta) \cdot` `overlap` :math:`+ \, \eta (C - 1) / C`.

    Parameters
    ----------
    num_classes : int
        C, 2 or more.
    dimension : int
        D, 1 or more; all features are informative.
    overlap : float
        Bayes error before label noise, above 0 and below 1 - 1 / C.
    label_noise : float
        :math:`\eta`, from 0 to 1.
    clusters_per_class : int
        With 1 the Bayes classifier is linear.
    num_train, num_test : int
        Sizes of the two parts, drawn independently.
    random_state : int
        Seeds the centres and the samples.

    Returns
    -------
    Task

    Raises
    ------
    TypeError, ValueError
        If an argument is of the wrong type or out of range.

    Examples
    --------
    >>> task = gaussian_mixture_task(num_classes=2, overlap=0.2)
    >>> error, standard_error = task.law.bayes_error(n=100_000)
    >>> abs(error - 0.2) < 4 * standard_error
    True
    """
    num_classes = whole("num_classes", num_classes, 2, "Use 2 for two classes.")
    dimension = whole("dimension", dimension, 1, "The default is 10.")
    overlap, num_train, num_test, random_state = _overlap_and_sizes(
        num_classes, overlap, num_train, num_test, random_state
    )
    label_noise = _fraction("label_noise", label_noise, "Use 0 for clean labels.")
    per_class = whole("clusters_per_class", clusters_per_class, 1, "Use 1 for a linear boundary.")

    num_clusters = num_classes * per_class
    rng = _rng(random_state, _MIXTURE)
    centres = rng.standard_normal((num_clusters, dimension))
    law = _round_clusters(
        num_classes,
        np.full(num_clusters, 1 / num_clusters),
        np.arange(num_clusters) % num_classes,
        centres * _radius(centres, num_classes, overlap, random_state),
        label_noise,
    )
    name = f"Gaussian mixture, {num_classes} classes, overlap {overlap:g}"
    if label_noise:
        name += f", label noise {label_noise:g}"
    return _draw_task(law, num_train, num_test, rng, name)


def _strength(
    shape: tuple[int, int], single: float, faint: float, overlap: float, random_state: int
) -> float:
    """Return how strong a seen view is, in standard deviations, where the Bayes error is `overlap`.

    `shape` is (C, V). Views are orthogonal, so the sample's C V coordinates along them are all that
    tells classes apart.
    """
    num_classes, views = shape
    rng = _rng(random_state, _VIEW_SEARCH)
    n = 1 << 16
    rows = np.arange(n)
    label = rows % num_classes
    seen = np.zeros((n, *shape))  # strength of each view, where a seen one has 1
    seen[rows, label] = 1
    alone = np.flatnonzero(rng.random(n) < single)
    seen[alone, label[alone]] = np.eye(views)[rng.integers(views, size=len(alone))]
    other = (label + rng.integers(1, num_classes, size=n)) % num_classes
    seen[rows, other, rng.integers(views, size=n)] = faint
    noise = rng.standard_normal((n, *shape))
    with np.errstate(divide="ignore"):  # log 0 = -inf is what is meant
        log_all, log_one = np.log(1 - single), np.log(single / views)

    def excess(r: float) -> float:
        # The same draws at every strength, so that this is a smooth function of it.
        u = r * seen + noise
        strong, weak = (k * r * u - (k * r) ** 2 / 2 for k in (1, faint))  # log density ratios
        own = np.logaddexp(
            log_all + strong.sum(axis=2), log_one + np.logaddexp.reduce(strong, axis=2)
        )
        of_class = np.logaddexp.reduce(weak, axis=2)
        of_others = np.stack(
            [
                np.logaddexp.reduce(np.delete(of_class, c, axis=1), axis=1)
                for c in range(num_classes)
            ],
            axis=1,
        )
        joint = own + of_others
        joint = np.exp(joint - joint.max(axis=1, keepdims=True))
        return float(1 - (joint.max(axis=1) / joint.sum(axis=1)).mean() - overlap)

    far = 1.0
    while excess(far) > 0:
        far *= 2
    return float(brentq(excess, 0, far, rtol=1e-5))


def multi_view_task(
    num_classes: int = 4,
    dimension: int = 20,
    overlap: float = 0.05,
    *,
    views: int = 2,
    single: float = 0.2,
    faint: float = 0.3,
    num_train: int = 4000,
    num_test: int = 1000,
    random_state: int = 0,
) -> Task:
    r"""Return a task in which several features, its *views*, each tell a class by themselves.

    Class c has V orthonormal directions :math:`v_{c1}, ..., v_{cV}`, its views, in D dimensions. A
    sample of class y shows a set S of its views, all of them or, with probability :math:`\mu`, one
    alone (each of them equally often), and faintly one view of another class, drawn uniformly:

    .. math::

        x = r \Big( \sum_{j \in S} v_{yj} + \varphi \, v_{y'j'} \Big) + \varepsilon,
        \qquad \varepsilon \sim N(0, I)

    So the law is a Gaussian mixture of C (V + 1) (C - 1) V clusters, or C (C - 1) with one view,
    and its posterior is exact. The strength r is found on 65,536 samples so that the best
    classifier errs on a share `overlap`, which leaves a standard error of 0.001 at most.

    After the data of Allen-Zhu and Li, which chapter 08 puts to the test: there too most samples
    show several views of their class and some a single one, and views of other classes come in
    weakly. But their inputs are patches, each with one view at most, their networks two-layer
    convolutions over these, and their other views come independently.

    Parameters
    ----------
    num_classes, overlap, num_train, num_test : int, float, int, int
        As for `gaussian_mixture_task`; no label is drawn anew.
    dimension : int
        D, at least C V.
    views : int
        V, 1 or more. With one, `single` means nothing.
    single : float
        :math:`\mu`, from 0 to 1: share of samples that show one view of their class alone.
    faint : float
        :math:`\varphi`, from 0 to below 1: strength of the other class's view, as a share of r.
    random_state : int
        Seeds the directions and the samples.

    Returns
    -------
    Task
        The clusters of its law are ordered by class, then by the views seen (all, then each one
        alone), then by the faint view.

    Raises
    ------
    TypeError, ValueError
        If an argument is of the wrong type or out of range.

    References
    ----------
    Z. Allen-Zhu, Y. Li, "Towards understanding ensemble, knowledge distillation and
    self-distillation in deep learning", ICLR 2023.

    Examples
    --------
    >>> task = multi_view_task(num_classes=3, overlap=0.1, single=0.3)
    >>> error, standard_error = task.law.bayes_error(n=20_000)
    >>> abs(error - 0.1) < 4 * standard_error
    True
    """
    num_classes = whole("num_classes", num_classes, 2, "Use 2 for two classes.")
    views = whole("views", views, 1, "Use 2 for two views of each class.")
    needed = num_classes * views
    dimension = whole(
        "dimension", dimension, needed, "Views are orthogonal: give one column for each."
    )
    overlap, num_train, num_test, random_state = _overlap_and_sizes(
        num_classes, overlap, num_train, num_test, random_state
    )
    single = _fraction("single", single, "Use 0.2 for one sample in five.")
    faint = _number(
        "faint",
        faint,
        "from 0 to below 1",
        lambda v: 0 <= v < 1,
        "Use 0 for none of other classes.",
    )

    shape = (num_classes, views)
    draws = _rng(random_state, _VIEWS).standard_normal((dimension, needed))
    directions = np.linalg.qr(draws)[0].T.reshape(*shape, dimension)
    shown = [(1.0, np.ones(1))]
    if views > 1:
        alone = [(single / views, one) for one in np.eye(views)]
        shown = [(1 - single, np.ones(views)), *alone]
    clusters = [
        (weight, c, which @ directions[c] + faint * other)
        for c in range(num_classes)
        for weight, which in shown
        for other in np.delete(directions, c, axis=0).reshape(-1, dimension)
    ]
    weights, labels, centres = zip(*clusters, strict=True)
    law = _round_clusters(
        num_classes,
        np.array(weights),
        np.array(labels),
        np.stack(centres) * _strength(shape, single, faint, overlap, random_state),
    )
    many = "one view" if views == 1 else f"{views} views"
    name = f"{many}, {num_classes} classes, overlap {overlap:g}"
    return _draw_task(law, num_train, num_test, rng=_rng(random_state, _MIXTURE), name=name)


def _array(name: str, value: object, dtype: type | None = None) -> npt.NDArray[Any]:
    """Return an array, with nothing masked, and of a type of its own unless one is asked for."""
    if isinstance(value, Tensor):
        value = value.detach().cpu()
        # numpy has no bfloat16.
        return (value.double() if value.is_floating_point() else value).numpy()
    if np.ma.is_masked(value):
        raise ValueError(
            f"{name} is masked in places; nothing may be missing. Drop those rows or fill them in."
        )
    try:
        return np.asarray(value, dtype)
    except ValueError:  # rows of unequal length
        raise ValueError(
            f"{name} has rows of unequal length; every row must hold as much as the others. Drop "
            "rows or fill them up."
        ) from None


def _checked_features(x: object) -> Array:
    raw = _array("x", x)
    if raw.dtype.kind == "O" and raw.ndim == 0:
        raise TypeError(
            f"x is a {type(x).__name__}; it must be a table of numbers. Use x.toarray() for a "
            "sparse one."
        )
    if raw.dtype.kind not in "biuf":
        raise TypeError(
            f"x has dtype {raw.dtype}; it must be numbers. "
            "Encode text columns as numbers, then x.astype(float)."
        )
    if raw.ndim != 2 or 0 in raw.shape:
        raise ValueError(
            f"x has shape {raw.shape}; it must be (samples, features), neither of them 0. "
            "Use x.reshape(len(x), -1)."
        )
    values = raw.astype(np.float64)
    bad = np.argwhere(~np.isfinite(values))
    if len(bad):
        row, column = bad[0]
        raise ValueError(
            f"x is {values[row, column]} at row {row}, column {column}, the first of {len(bad)} "
            "such values; all must be finite. Drop those rows or fill them in."
        )
    return values


def _kind_of_label(label: object) -> str:
    """Say what a label is: one of the first three may be a class."""
    if isinstance(label, str):
        return "missing" if label == "nan" else "text"  # numpy writes NaN so among text
    if isinstance(label, bool | np.bool_):
        return "true or false"
    if isinstance(label, numbers.Integral):
        return "whole numbers"
    if isinstance(label, numbers.Real):
        if not math.isfinite(label):
            return "missing"
        whole_number = float(label).is_integer() and abs(float(label)) <= 2**53
        return "whole numbers" if whole_number else "continuous"
    if label is None or type(label).__name__ in ("NAType", "NaTType") or label != label:
        return "missing"
    return type(label).__name__


def _checked_labels(y: object, num_samples: int) -> npt.NDArray[Any]:
    # Objects, for numpy would make text of a mixture, and of a missing label.
    labels = _array("y", y, object)
    if labels.shape != (num_samples,):
        raise ValueError(
            f"y has shape {labels.shape}; it must be ({num_samples},), one label for each row of "
            f"x. {_labels_way_out(labels, num_samples)}"
        )
    rule = "labels must be all text, all true or false, or all whole numbers, none missing"
    items = [v.item() if isinstance(v, np.generic | Tensor) else v for v in labels]
    kinds = [_kind_of_label(item) for item in items]
    for row, (item, kind) in enumerate(zip(items, kinds, strict=True)):
        if kind == kinds[0] and kind in ("text", "true or false", "whole numbers"):
            continue
        if kind == "missing":
            way_out = "Drop rows without a label."
            if item == "nan":
                way_out += " If 'nan' is a class, give it another name."
        elif kind == "continuous":
            way_out = "Sort a continuous target into classes first."
        elif kind in ("text", "true or false", "whole numbers"):
            way_out = f"The first is {items[0]!r:.40}. Make them all text: [str(v) for v in y]."
        elif kind == "bytes":
            way_out = "Make them text: [v.decode() for v in y]."
        elif kind in ("list", "tuple", "set"):
            way_out = "Several labels a row are not covered: take one label at a time."
        else:
            way_out = "Make them text, [str(v) for v in y], or sort them into classes first."
        raise ValueError(f"y holds {item!r:.40} at row {row}, {kind}; {rule}. {way_out}")
    if kinds[0] != "whole numbers":
        return np.array(items)
    whole_numbers = [int(item) for item in items]
    fit = all(-(2**63) <= number < 2**63 for number in whole_numbers)
    return np.array(whole_numbers, np.int64 if fit else object)


def _labels_way_out(labels: npt.NDArray[Any], num_samples: int) -> str:
    """Say what to do with labels of a wrong shape."""
    if labels.size == num_samples and labels.ndim > 1:
        return "Use y.ravel()."
    if labels.ndim == 2 and len(labels) == num_samples:
        known = np.isin(labels, [0, 1]).all()
        columns = torch.as_tensor((labels == 1).astype(np.int64)) if known else torch.empty(0)
        advice = _checks.one_or_several(columns, labels.shape[1], "y", "y[:, 0]")
        if advice:
            return advice
    if labels.ndim == 0:
        return "Give an array or a list of them."
    return "Take x and y from the same rows."


def task_from_arrays(
    x: npt.ArrayLike | Tensor,
    y: npt.ArrayLike | Tensor,
    *,
    test_size: float = 0.2,
    random_state: int = 0,
    name: str = "your data",
) -> Task:
    """Return a task made of your own samples and labels, with a stratified split.

    Parameters
    ----------
    x : array_like, shape (N, D)
        Finite numbers.
    y : array_like, shape (N,)
        Text or whole numbers. They become 0 to C - 1 in sorted order; `Task.classes` remembers
        them.
    test_size : float
        Share of the test part, above 0 and below 1.
    random_state : int
        Seeds the split.
    name : str
        What to call it.

    Returns
    -------
    Task
        Its law is unknown.

    Raises
    ------
    TypeError, ValueError
        If x is not numeric or not finite, shapes do not match, labels are missing or continuous,
        there is one class alone, or a class is too small to be in both parts.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.arange(40.0).reshape(20, 2)
    >>> task = task_from_arrays(x, ["cat"] * 10 + ["dog"] * 10, name="pets")
    >>> task
    Task(name='pets', num_classes=2)
    >>> task.classes
    ('cat', 'dog')
    >>> torch.bincount(task.y_train).tolist(), torch.bincount(task.y_test).tolist()
    ([8, 8], [2, 2])
    """
    features = _checked_features(x)
    labels = _checked_labels(y, len(features))
    share = _number("test_size", test_size, "above 0, below 1", lambda v: 0 < v < 1, "Use 0.2.")
    seed = _seed("random_state", random_state)
    classes, codes, counts = np.unique(labels, return_inverse=True, return_counts=True)
    if len(classes) < 2:
        raise ValueError(
            f"y holds one class alone, {classes.tolist()[0]!r}; two or more are needed. "
            "Add samples of another class."
        )
    least = max(2, math.ceil(round(1 / share, 9)), math.ceil(round(1 / (1 - share), 9)))
    rarest = int(counts.argmin())
    if counts[rarest] < least:
        raise ValueError(
            f"class {classes.tolist()[rarest]!r} has only {counts[rarest]} of the {least} samples "
            f"that each class needs at test_size {share:g}. Merge or drop rare classes."
        )
    x_train, x_test, y_train, y_test = train_test_split(
        features, codes, test_size=share, random_state=seed, stratify=codes
    )
    with np.errstate(over="ignore", invalid="ignore"):
        task = _make_task(name, (x_train, y_train), (x_test, y_test), tuple(classes.tolist()))
    if not (np.isfinite(task.scale).all() and task.x_test.isfinite().all()):
        raise ValueError(
            f"x reaches {np.abs(features).max():.3g}; its columns are too far apart for float32 "
            "after standardising. Rescale or clip the outliers."
        )
    return task
