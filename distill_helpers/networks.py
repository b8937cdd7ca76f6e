"""Networks: an ordinary multilayer perceptron, and many of one shape held as one stack."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterable, Iterator, Sequence

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from distill_helpers import _checks


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

    Raises
    ------
    TypeError, ValueError
        If there is no layer, or one does not fit the layer or the biases before it.

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
        _check_layers(weights, biases)
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
        seeds: Iterable[int],
        dropout: float | Sequence[float] = 0.0,
    ) -> Stack:
        """Make one member for each seed, initialised as ``torch.manual_seed(seed); mlp(sizes)``.

        The caller's random state is left as it was.

        Raises
        ------
        TypeError, ValueError
            If `seeds` are not whole numbers of 0 or more, or there is none; or if `sizes` or
            `dropout` are not those of an `mlp`.
        """
        seeds = _checks.seeds(seeds)
        _check_architecture(sizes, dropout)
        modules = []
        with torch.random.fork_rng(devices=[]):
            for seed in seeds:
                torch.manual_seed(seed)
                modules.append(mlp(sizes, dropout))
        return cls._of([_read_plan(module, index) for index, module in enumerate(modules)])

    @classmethod
    def from_modules(cls, modules: Sequence[nn.Module]) -> Stack:
        """Stack networks made by `mlp`, or any ``nn.Sequential`` of the same layers.

        Parameters
        ----------
        modules : sequence of nn.Module
            Linear layers with biases, ReLU after each but the last, Dropout after any ReLU; all
            of the same sizes, dropout and dtype. Their weights are copied, and a weight that is
            frozen in any of them (``requires_grad=False``) is frozen in the stack.

        Raises
        ------
        TypeError, ValueError
            If there is no module, a module has another layer, or something that a stack would
            drop (a ``forward`` or hooks of its own, parametrizations, a layer that stands twice),
            or two differ in shape. Also if a member does not give its module's logits, in
            eval mode and float64 to 1e-9 of the largest, on 64 normal rows.
        """
        if isinstance(modules, nn.Module):
            raise TypeError(
                f"modules is a {type(modules).__name__}; it must be a sequence of networks. For "
                f"one network use [network]."
            )
        if len(modules) == 0:
            raise ValueError("modules is empty; a stack needs one network or more. Use [network].")
        stack = cls._of([_read_plan(module, index) for index, module in enumerate(modules)])
        x = torch.randn(
            64, stack.sizes[0], generator=torch.Generator().manual_seed(0), dtype=torch.float64
        )
        for index, (module, ours) in enumerate(
            zip(modules, copy.deepcopy(stack).double().predict(x), strict=True)
        ):
            with torch.no_grad():
                theirs = copy.deepcopy(module).double().eval()(x)
            largest = float(ours.nan_to_num(0, 0, 0).abs().max())
            same = theirs.shape == ours.shape
            if not same or not torch.allclose(theirs, ours, 1e-9, 1e-9 * largest, equal_nan=True):
                raise ValueError(
                    f"module {index} does not give the logits of its layers; a stack holds the "
                    f"layers alone. Use nn.Sequential(*layers)."
                )
        return stack

    @classmethod
    def _of(cls, plans: Sequence[_Plan]) -> Stack:
        """Stack the layers of networks that were read."""
        sizes, rates, dtype = plans[0][1:]
        for index, (_, *shape) in enumerate(plans):
            if tuple(shape) != (sizes, rates, dtype):
                raise ValueError(
                    f"module {index} has sizes {shape[0]}, dropout {shape[1]} and {shape[2]}, "
                    f"module 0 has {sizes}, {rates} and {dtype}; a stack holds networks of one "
                    "shape: make one stack for each shape"
                )
        layers = [plan[0] for plan in plans]
        depths = range(len(sizes) - 1)
        stack = cls(
            [torch.stack([m[depth].weight for m in layers]) for depth in depths],
            [torch.stack([m[depth].bias for m in layers]) for depth in depths],
            rates,
        )
        for depth in depths:
            stack.weights[depth].requires_grad_(all(m[depth].weight.requires_grad for m in layers))
            stack.biases[depth].requires_grad_(all(m[depth].bias.requires_grad for m in layers))
        return stack

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
        part = Stack(
            [weight[members] for weight in self.weights],
            [bias[members] for bias in self.biases],
            self.dropout,
        )
        for ours, theirs in zip(part.parameters(), self.parameters(), strict=True):
            ours.requires_grad_(theirs.requires_grad)
        return part

    def widened(self, hidden: Sequence[int]) -> Stack:
        """Return the same networks with hidden units added whose weights are all 0.

        Such a unit says nothing and learns nothing: with no weight out of it its own get no
        gradient, and with an answer of 0 neither do those out of it. So networks of several widths
        train as one stack, each as it would alone, and `narrowed` takes the units out again.

        Parameters
        ----------
        hidden : sequence of int
            Widths, none below the stack's.

        Raises
        ------
        ValueError
            If there is another number of widths, or one is below the stack's.

        Examples
        --------
        >>> narrow = Stack.build((20, 4, 2), seeds=[0])
        >>> wide, x = narrow.widened([64]), torch.ones(3, 20)
        >>> wide.sizes, bool(torch.allclose(wide(x), narrow(x)))
        ((20, 64, 2), True)
        """
        self._check_widths(hidden, above=True)
        return self._resized(hidden)

    def narrowed(self, hidden: Sequence[int]) -> Stack:
        """Return the networks without the units that `widened` added.

        Raises
        ------
        ValueError
            If there is another number of widths, one is above the stack's, or a unit that would go
            has a weight that is not 0.
        """
        self._check_widths(hidden, above=False)
        made = self._resized(hidden)
        # Where training diverged the added weights may be NaN, and so are the others.
        kept, before = (
            sum(int((p.isfinite() & (p != 0)).sum()) for p in stack.parameters())
            for stack in (made, self)
        )
        if kept < before:
            raise ValueError(
                f"the stack has hidden widths {self.sizes[1:-1]}, and units beyond "
                f"{tuple(hidden)} have {before - kept} weights that are not 0; take widths of "
                "before it was widened"
            )
        return made

    def _check_widths(self, hidden: Sequence[int], *, above: bool) -> None:
        own = self.sizes[1:-1]
        pairs = list(zip(hidden, own, strict=False))
        fits = all(width >= mine if above else 1 <= width <= mine for width, mine in pairs)
        if len(hidden) != len(own) or not fits:
            rule = "above" if above else "below"
            raise ValueError(
                f"hidden is {tuple(hidden)}; the stack has {own}, and must be given as many "
                f"widths, none of them {'below' if above else 'above'}. Use {own} or {rule}."
            )

    def _resized(self, hidden: Sequence[int]) -> Stack:
        """Cut layers, or fill them up with zeros."""
        sizes = (self.sizes[0], *hidden, self.sizes[-1])
        weights, biases = [], []
        for depth, (fan_in, fan_out) in enumerate(itertools.pairwise(sizes)):
            weight, bias = self.weights[depth].detach(), self.biases[depth].detach()
            more_out, more_in = fan_out - weight.shape[1], fan_in - weight.shape[2]
            weights.append(nn.functional.pad(weight, (0, more_in, 0, more_out)))
            biases.append(nn.functional.pad(bias, (0, more_out)))
        return Stack(weights, biases, self.dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Map inputs ``(B, D)``, shared, or ``(M, B, D)``, one batch a member, to ``(M, B, C)``.

        Raises
        ------
        ValueError
            If `x` has another number of features or members.
        TypeError
            If `x` is no tensor, or of another dtype than the weights.
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
        TypeError, ValueError
            If `x` does not fit the stack, or `chunk` is no whole number of 1 or more.
        """
        self._check_inputs(x)
        chunk = _checks.whole("chunk", chunk, 1, "Use 128.")
        logits = torch.empty(self.num_members, x.shape[-2], self.sizes[-1], dtype=x.dtype)
        for start in range(0, x.shape[-2], chunk):
            logits[:, start : start + chunk] = self(x[..., start : start + chunk, :])
        return logits

    def _check_inputs(self, x: Tensor) -> None:
        members = self.num_members
        dtype = self.weights[0].dtype
        if _checks.tensor(x, "x").dtype != dtype:
            raise TypeError(f"x is {x.dtype} and the stack {dtype}; use x.to({dtype})")
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
    whole = [_checks.index(size) for size in sizes] if isinstance(sizes, Iterable) else []
    if len(whole) < 2 or any(size is None or size < 1 for size in whole):
        raise ValueError(
            f"sizes is {sizes!r:.80}; it must hold two whole numbers of 1 or more at least: "
            "features in, hidden widths, classes out. Use (20, 64, 32, 2)."
        )
    hidden = len(whole) - 2
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


_HOOKS = (
    *("_forward_pre_hooks", "_forward_hooks", "_backward_pre_hooks", "_backward_hooks"),
    "_post_accumulate_grad_hooks",
)
"""Where torch keeps what else is to happen in a pass through a module or to a parameter."""

_Plan = tuple[list[nn.Linear], tuple[int, ...], tuple[float, ...], torch.dtype]


def _check_layers(weights: Sequence[Tensor], biases: Sequence[Tensor]) -> None:
    """Let through ``(M, out, in)`` and ``(M, out)`` for each layer, each fitting the one before."""
    if len(weights) == 0 or len(biases) != len(weights):
        raise ValueError(
            f"there are {len(weights)} weights and {len(biases)} biases; a stack needs one of each "
            "for every layer, and one layer or more: see Stack.build"
        )
    width = None
    for depth, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
        _checks.tensor(weight, f"weights[{depth}]")
        _checks.tensor(bias, f"biases[{depth}]")
        fits = weight.dim() == 3 and weight.numel() > 0 and bias.shape == weight.shape[:2]
        fits = fits and len(weight) == len(weights[0]) and width in (None, weight.shape[2])
        if not fits or not weight.dtype == bias.dtype == weights[0].dtype:
            raise ValueError(
                f"layer {depth} has weights {tuple(weight.shape)} of {weight.dtype} and biases "
                f"{tuple(bias.shape)} of {bias.dtype}; they must be (M, out, in) and (M, out), "
                "with the members and dtype of layer 0 and the width of the layer before"
            )
        width = weight.shape[1]


def _check_plain(module: nn.Module, kind: type[nn.Module], index: int) -> None:
    """Refuse a layer that does, or may do, more than its kind."""
    name = type(module).__name__
    rule = "a stack would drop it"
    if parametrize.is_parametrized(module):
        raise ValueError(
            f"module {index} has a {name} with parametrizations; {rule}. Bake them in: "
            f"torch.nn.utils.parametrize.remove_parametrizations(layer, tensor_name)."
        )
    holders = [module, *module.parameters(recurse=False)]
    if any(getattr(holder, hooks, None) for holder in holders for hooks in _HOOKS):
        raise ValueError(
            f"module {index} has a {name} with hooks; {rule}. Remove them: handle.remove(), "
            f"torch.nn.utils.remove_weight_norm(layer) or prune.remove(layer, 'weight')."
        )
    if "forward" in vars(module) or type(module).forward is not kind.forward:
        raise ValueError(
            f"module {index} has a {name} with its own forward; {rule}. Write it with "
            f"nn.{kind.__name__}."
        )


def _read_plan(module: nn.Module, index: int) -> _Plan:
    """Read an `mlp` back: linear layers, sizes, dropout after each hidden one, dtype."""
    rule = "a stack takes Linear, ReLU, optional Dropout, ..., Linear, as distill_helpers' mlp"
    linears: list[nn.Linear] = []
    rates: list[float] = []
    previous = "start"
    for layer in _flatten(module, index):
        if isinstance(layer, nn.Linear) and previous in ("start", "ReLU", "Dropout"):
            _check_plain(layer, nn.Linear, index)
            if layer.bias is None:
                raise ValueError(f"module {index} has a Linear without bias; {rule} makes them")
            if any(layer.weight is o.weight or layer.bias is o.bias for o in linears):
                raise ValueError(
                    f"module {index} has one weight in two layers; a stack would make two of it. "
                    f"Give each layer its own."
                )
            linears.append(layer)
            previous = "Linear"
        elif isinstance(layer, nn.ReLU) and previous == "Linear":
            _check_plain(layer, nn.ReLU, index)
            rates.append(0.0)
            previous = "ReLU"
        elif isinstance(layer, nn.Dropout) and previous == "ReLU":
            _check_plain(layer, nn.Dropout, index)
            rates[-1] = float(layer.p)
            previous = "Dropout"
        else:
            kind = type(layer).__name__
            raise ValueError(f"module {index} has {kind} after {previous}; {rule} makes them")
    if previous != "Linear":
        raise ValueError(f"module {index} ends in {previous}, not Linear; {rule} makes them")
    sizes = (linears[0].in_features, *(linear.out_features for linear in linears))
    return linears, sizes, tuple(rates), linears[0].weight.dtype


def _flatten(module: nn.Module, index: int) -> Iterator[nn.Module]:
    """Yield the layers of a module in order, those of nested Sequentials included."""
    if isinstance(module, nn.Sequential):
        _check_plain(module, nn.Sequential, index)
        for child in module:
            yield from _flatten(child, index)
    else:
        yield module
