"""Networks: an ordinary multilayer perceptron, and many of one shape held as one stack."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn


def mlp(sizes: Sequence[int], dropout: float | Sequence[float] = 0.0) -> nn.Sequential:
    """Make one multilayer perceptron with ReLU between its layers.

    Parameters
    ----------
    sizes : sequence of int
        Features in, hidden widths, classes out: ``(20, 64, 32, 2)`` is the article's student.
    dropout : float or sequence of float
        Probability of dropping a hidden unit, for every hidden layer or one value for each;
        where it is 0 there is no dropout layer.

    Returns
    -------
    nn.Sequential
        Maps ``(B, sizes[0])`` to logits ``(B, sizes[-1])``.

    Raises
    ------
    ValueError
        If there are fewer than two sizes, a size is below 1, or a dropout is outside [0, 1).

    Examples
    --------
    >>> student = mlp((20, 64, 32, 2))
    >>> sum(parameter.numel() for parameter in student.parameters())
    3490
    >>> teacher = mlp((20, 256, 128, 64, 2), dropout=(0.3, 0.3, 0.0))
    >>> sum(parameter.numel() for parameter in teacher.parameters())
    46658
    """
    rates = _check_architecture(sizes, dropout)
    layers: list[nn.Module] = []
    for depth, (fan_in, fan_out) in enumerate(itertools.pairwise(sizes)):
        layers.append(nn.Linear(fan_in, fan_out))
        if depth < len(rates):
            layers.append(nn.ReLU())
            if rates[depth]:
                layers.append(nn.Dropout(rates[depth]))
    return nn.Sequential(*layers)


class Stack(nn.Module):
    """M multilayer perceptrons of one shape, held as one tensor program.

    Layer ``l`` of all members is one tensor, ``weights[l]`` of shape ``(M, out, in)`` and
    ``biases[l]`` of shape ``(M, out)``, so a step of all members is a few batched matrix
    products instead of M Python loops. A member is not changed by its company: it gives
    the logits that it gives alone.

    Parameters
    ----------
    weights, biases : sequence of Tensor
        ``(M, out, in)`` and ``(M, out)`` for each layer, as in ``nn.Linear`` with a leading
        member axis.
    dropout : float or sequence of float
        Probability of dropping a unit, for every hidden layer or one value for each. It is
        applied while `training.fit` trains; the stack itself always answers as in eval mode.

    Examples
    --------
    >>> twelve = Stack.build((20, 256, 128, 64, 2), seeds=range(12), dropout=(0.3, 0.3, 0.0))
    >>> twelve(torch.zeros(5, 20)).shape
    torch.Size([12, 5, 2])
    >>> twelve.num_parameters
    559896
    """

    def __init__(
        self,
        weights: Sequence[Tensor],
        biases: Sequence[Tensor],
        dropout: float | Sequence[float] = 0.0,
    ) -> None:
        super().__init__()
        self.weights = nn.ParameterList(weight.detach().clone() for weight in weights)
        self.biases = nn.ParameterList(bias.detach().clone() for bias in biases)
        self.sizes: tuple[int, ...] = (
            weights[0].shape[2],
            *(weight.shape[1] for weight in weights),
        )
        self.dropout: tuple[float, ...] = _check_architecture(self.sizes, dropout)

    @classmethod
    def build(
        cls,
        sizes: Sequence[int],
        *,
        seeds: Sequence[int],
        dropout: float | Sequence[float] = 0.0,
    ) -> Stack:
        """Make one member for each seed, initialised as ``torch.manual_seed(seed); mlp(sizes)``.

        The caller's random state is left as it was.

        Raises
        ------
        ValueError
            If `seeds` is empty, or `sizes` or `dropout` are not those of an `mlp`.
        """
        if len(seeds) == 0:
            raise ValueError("seeds is empty; a stack needs one seed a member, such as range(12)")
        _check_architecture(sizes, dropout)
        modules = []
        with torch.random.fork_rng(devices=[]):
            for seed in seeds:
                torch.manual_seed(seed)
                modules.append(mlp(sizes, dropout))
        return cls.from_modules(modules)

    @classmethod
    def from_modules(cls, modules: Sequence[nn.Module]) -> Stack:
        """Stack networks made by `mlp`, or any ``nn.Sequential`` of the same layers.

        Parameters
        ----------
        modules : sequence of nn.Module
            Linear layers with biases, ReLU after each but the last, Dropout after any ReLU; all
            of the same sizes and dropout. Their weights are copied.

        Raises
        ------
        ValueError
            If there is no module, a module has another layer, or two differ in shape.
        """
        if len(modules) == 0:
            raise ValueError("modules is empty; a stack needs one network or more")
        plans = [_read_plan(module, index) for index, module in enumerate(modules)]
        sizes, rates = plans[0][1:]
        for index, (_, other_sizes, other_rates) in enumerate(plans):
            if (other_sizes, other_rates) != (sizes, rates):
                raise ValueError(
                    f"module {index} has sizes {other_sizes} and dropout {other_rates}, module 0 "
                    f"has {sizes} and {rates}; a stack holds networks of one shape: make one "
                    "stack for each shape"
                )
        layers = [plan[0] for plan in plans]
        return cls(
            [torch.stack([m[depth].weight for m in layers]) for depth in range(len(sizes) - 1)],
            [torch.stack([m[depth].bias for m in layers]) for depth in range(len(sizes) - 1)],
            rates,
        )

    @property
    def num_members(self) -> int:
        """How many networks the stack holds (M)."""
        return self.weights[0].shape[0]

    @property
    def num_parameters(self) -> int:
        """Weights and biases of all members together."""
        return sum(parameter.numel() for parameter in self.parameters())

    def member(self, index: int) -> nn.Sequential:
        """Return member `index` as an ordinary network with a copy of its weights.

        It is in train mode, as every new network: call ``.eval()`` where it has dropout.

        Raises
        ------
        IndexError
            If there is no such member.
        """
        if not -self.num_members <= index < self.num_members:
            raise IndexError(f"member {index} of a stack of {self.num_members}; count from 0")
        with torch.random.fork_rng(devices=[]):  # the first weights are thrown away
            network = mlp(self.sizes, self.dropout)
        linears = [layer for layer in network if isinstance(layer, nn.Linear)]
        with torch.no_grad():
            for linear, weight, bias in zip(linears, self.weights, self.biases, strict=True):
                linear.weight.copy_(weight[index])
                linear.bias.copy_(bias[index])
        return network

    def __getitem__(self, members: slice | Sequence[int] | Tensor) -> Stack:
        """Return a new stack with a copy of some members; for one network see `member`."""
        if isinstance(members, int):
            raise TypeError(
                f"stack[{members}] is one network; take stack.member({members}), or "
                f"stack[[{members}]] for a stack of it alone"
            )
        return Stack(
            [weight[members] for weight in self.weights],
            [bias[members] for bias in self.biases],
            self.dropout,
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map inputs ``(B, D)``, shared, or ``(M, B, D)``, one batch a member, to ``(M, B, C)``.

        Raises
        ------
        ValueError
            If `x` has another number of features or members.
        """
        self._check_inputs(x)
        hidden = x.transpose(-1, -2)
        if x.dim() == 2:
            hidden = hidden.expand(self.num_members, -1, -1)
        for depth, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            hidden = torch.baddbmm(bias.unsqueeze(2), weight, hidden)
            if depth < len(self.dropout):
                hidden = hidden.relu()
        return hidden.transpose(1, 2)

    @torch.no_grad()
    def predict(self, x: Tensor, chunk: int = 128) -> Tensor:
        """Compute the logits of many samples without gradients, `chunk` samples at a time.

        Parameters
        ----------
        x : Tensor
            ``(N, D)``, shared, or ``(M, N, D)``.
        chunk : int
            Samples held at once; so few that the hidden layers stay in the processor's cache.

        Returns
        -------
        Tensor
            Logits ``(M, N, C)``.

        Raises
        ------
        ValueError
            If `x` does not fit the stack, or `chunk` is below 1.
        """
        self._check_inputs(x)
        if chunk < 1:
            raise ValueError(f"chunk is {chunk}; it must be 1 or more, such as 128")
        logits = torch.empty(self.num_members, x.shape[-2], self.sizes[-1])
        for start in range(0, x.shape[-2], chunk):
            logits[:, start : start + chunk] = self(x[..., start : start + chunk, :])
        return logits

    def _check_inputs(self, x: Tensor) -> None:
        members = self.num_members
        if x.dim() not in (2, 3) or x.shape[-1] != self.sizes[0]:
            raise ValueError(
                f"x has shape {tuple(x.shape)}; this stack takes (B, {self.sizes[0]}) or "
                f"({members}, B, {self.sizes[0]})"
            )
        if x.dim() == 3 and x.shape[0] != members:
            raise ValueError(
                f"x holds {x.shape[0]} members' batches, the stack {members} members; give one "
                "batch a member, or one (B, D) batch that all share"
            )


def _check_architecture(
    sizes: Sequence[int], dropout: float | Sequence[float]
) -> tuple[float, ...]:
    """Check sizes and dropout; return one dropout rate a hidden layer."""
    if len(sizes) < 2 or any(int(size) != size or size < 1 for size in sizes):
        raise ValueError(
            f"sizes is {tuple(sizes)}; it must hold two whole numbers of 1 or more at least: "
            "features in, hidden widths, classes out"
        )
    hidden = len(sizes) - 2
    rates = tuple(dropout) if isinstance(dropout, Sequence) else (float(dropout),) * hidden
    if len(rates) != hidden:
        raise ValueError(
            f"dropout has {len(rates)} values for {hidden} hidden layers; give one number, or one "
            "for each hidden layer"
        )
    if not all(0.0 <= rate < 1.0 for rate in rates):
        raise ValueError(
            f"dropout is {dropout}; it is a probability of dropping, from 0 to below 1"
        )
    return rates


def _read_plan(
    module: nn.Module, index: int
) -> tuple[list[nn.Linear], tuple[int, ...], tuple[float, ...]]:
    """Read an `mlp` back: its linear layers, their sizes, dropout after each hidden one."""
    rule = "a stack takes Linear, ReLU, optional Dropout, ..., Linear, as distill_helpers' mlp"
    linears: list[nn.Linear] = []
    rates: list[float] = []
    previous = "start"
    for layer in _flatten(module):
        kind = type(layer).__name__
        if isinstance(layer, nn.Linear) and previous in ("start", "ReLU", "Dropout"):
            if layer.bias is None:
                raise ValueError(f"module {index} has a Linear without bias; {rule} makes them")
            linears.append(layer)
        elif isinstance(layer, nn.ReLU) and previous == "Linear":
            rates.append(0.0)
        elif isinstance(layer, nn.Dropout) and previous == "ReLU":
            rates[-1] = float(layer.p)
        else:
            raise ValueError(f"module {index} has {kind} after {previous}; {rule} makes them")
        previous = kind
    if previous != "Linear":
        raise ValueError(f"module {index} ends in {previous}, not Linear; {rule} makes them")
    sizes = (linears[0].in_features, *(linear.out_features for linear in linears))
    return linears, sizes, tuple(rates)


def _flatten(module: nn.Module) -> Iterator[nn.Module]:
    """Yield the layers of a module in order, those of nested Sequentials included."""
    if isinstance(module, nn.Sequential):
        for child in module:
            yield from _flatten(child)
    else:
        yield module
