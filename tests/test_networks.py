"""Stacks against the networks that they hold: same weights, same logits, same gradients."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn.utils import parametrize, prune

from distill_helpers.networks import Stack, mlp

few = settings(max_examples=30, deadline=None)


@st.composite
def stacks(draw: st.DrawFn) -> tuple[Stack, list[nn.Sequential], int]:
    """Return a stack, its members as single networks in eval mode, and a batch size."""
    sizes = draw(st.lists(st.integers(1, 9), min_size=2, max_size=5))
    rates = draw(
        st.lists(st.sampled_from([0.0, 0.3]), min_size=len(sizes) - 2, max_size=len(sizes) - 2)
    )
    first = draw(st.integers(0, 2**40))
    modules = []
    for seed in range(first, first + draw(st.integers(1, 5))):
        torch.manual_seed(seed)
        modules.append(mlp(sizes, rates).eval())
    return Stack.from_modules(modules), modules, draw(st.integers(1, 7))


def weights(network: nn.Module) -> list[Tensor]:
    return [p.detach() for p in network.parameters()]


def close(actual: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(actual, expected, rtol=1e-5, atol=1e-6)


def same(actual: Sequence[Tensor], expected: Sequence[Tensor]) -> bool:
    return len(actual) == len(expected) and all(map(torch.equal, actual, expected))


# One network


def test_mlp_holds_the_layers_in_order() -> None:
    layers = list(mlp((5, 4, 3, 2), dropout=(0.25, 0.0)))
    kinds = [nn.Linear, nn.ReLU, nn.Dropout, nn.Linear, nn.ReLU, nn.Linear]
    assert [type(layer) for layer in layers] == kinds
    assert isinstance(layers[2], nn.Dropout)
    assert layers[2].p == 0.25


def test_mlp_without_hidden_layers_is_linear() -> None:
    assert [type(layer) for layer in mlp((5, 2), dropout=0.3)] == [nn.Linear]


@pytest.mark.parametrize("sizes", [(), (3,), (3, 0, 2), (-1, 2), (3, 2.5, 2)])
def test_wrong_sizes(sizes: tuple[int, ...]) -> None:
    for make in (mlp, lambda s: Stack.build(s, seeds=[0])):
        with pytest.raises(ValueError, match=r"^sizes is .*two whole numbers of 1 or more"):
            make(sizes)


@pytest.mark.parametrize("rate", [-0.1, 1.0, 1.5, float("nan"), float("inf")])
def test_dropout_out_of_range(rate: float) -> None:
    for make in (
        lambda: mlp((3, 4, 2), rate),
        lambda: mlp((3, 4, 4, 2), [0.0, rate]),
        lambda: Stack.build((3, 4, 2), seeds=[0], dropout=rate),
        lambda: Stack(
            [torch.zeros(1, 4, 3), torch.zeros(1, 2, 4)],
            [torch.zeros(1, 4), torch.zeros(1, 2)],
            rate,
        ),
    ):
        with pytest.raises(ValueError, match=r"^dropout is .*from 0 to below 1$"):
            make()


def test_dropout_for_another_number_of_layers() -> None:
    with pytest.raises(ValueError, match="dropout has 3 values for 2 hidden layers"):
        mlp((3, 4, 4, 2), (0.1, 0.1, 0.1))


# A stack against its members


@few
@given(stacks())
def test_members_come_back_as_they_went_in(case: tuple[Stack, list[nn.Sequential], int]) -> None:
    stack, modules, _ = case
    assert stack.num_members == len(modules)
    assert stack.num_parameters == sum(p.numel() for m in modules for p in m.parameters())
    for index, module in enumerate(modules):
        for number in (index, index - len(modules)):
            member = stack.member(number)
            assert same(weights(member), weights(module))
            assert [str(layer) for layer in member] == [str(layer) for layer in module]


@few
@given(stacks())
def test_logits_are_those_of_each_network_alone(
    case: tuple[Stack, list[nn.Sequential], int],
) -> None:
    stack, modules, batch = case
    features, classes = stack.sizes[0], stack.sizes[-1]
    shared, own = torch.randn(batch, features), torch.randn(len(modules), batch, features)
    for x in (shared, own):
        logits = stack(x)
        assert logits.shape == (len(modules), batch, classes)
        for index, module in enumerate(modules):
            close(logits[index], module(x if x.dim() == 2 else x[index]))


@few
@given(stacks(), st.integers(1, 8))
def test_predict_does_not_depend_on_the_chunk(
    case: tuple[Stack, list[nn.Sequential], int], chunk: int
) -> None:
    stack, modules, batch = case
    for x in (
        torch.randn(batch, stack.sizes[0]),
        torch.randn(len(modules), batch, stack.sizes[0]),
    ):
        logits = stack.predict(x, chunk)
        assert not logits.requires_grad
        close(logits, stack(x))


@few
@given(stacks())
def test_gradients_are_those_of_each_network_alone(
    case: tuple[Stack, list[nn.Sequential], int],
) -> None:
    stack, modules, batch = case
    x = torch.randn(batch, stack.sizes[0])
    wanted = torch.randn(len(modules), batch, stack.sizes[-1])
    (stack(x) * wanted).sum().backward()
    for index, module in enumerate(modules):
        (module(x) * wanted[index]).sum().backward()
        linears = [layer for layer in module if isinstance(layer, nn.Linear)]
        for layer, weight, bias in zip(linears, stack.weights, stack.biases, strict=True):
            for actual, expected in ((weight, layer.weight), (bias, layer.bias)):
                assert actual.grad is not None
                assert expected.grad is not None
                close(actual.grad[index], expected.grad)


def test_a_stack_of_double_precision_stays_so() -> None:
    modules = [mlp((3, 4, 2)).double() for _ in range(2)]
    x = torch.randn(5, 3, dtype=torch.float64)
    logits = Stack.from_modules(modules)(x)
    torch.testing.assert_close(logits[1], modules[1](x), rtol=1e-12, atol=1e-12)


def test_nested_sequentials_and_dropout_are_read() -> None:
    body = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Dropout(0.4))
    stack = Stack.from_modules([nn.Sequential(body, nn.Sequential(nn.Linear(4, 2)))])
    assert stack.sizes == (3, 4, 2)
    assert stack.dropout == (0.4,)


def test_the_stack_answers_as_in_eval_mode() -> None:
    stack = Stack.build((3, 50, 2), seeds=[0], dropout=0.5).train()
    x = torch.randn(4, 3)
    assert torch.equal(stack(x), stack(x))
    close(stack(x)[0], stack.member(0).eval()(x))


def test_weights_are_copied_on_the_way_in_and_out() -> None:
    module = mlp((3, 4, 2))
    before = copy.deepcopy(weights(module))
    stack = Stack.from_modules([module])
    member, part = stack.member(0), stack[[0]]
    with torch.no_grad():
        for parameter in stack.parameters():
            parameter.zero_()
    assert same(weights(module), before)
    assert same(weights(member), before)
    assert same(weights(part.member(0)), before)


def test_part_of_a_stack() -> None:
    stack = Stack.build((3, 4, 2), seeds=range(5), dropout=0.2)
    for members, expected in (
        (slice(1, 4), [1, 2, 3]),
        ([4, 0, 0], [4, 0, 0]),
        (torch.tensor([2]), [2]),
    ):
        part = stack[members]
        assert (part.num_members, part.sizes, part.dropout) == (len(expected), (3, 4, 2), (0.2,))
        for position, index in enumerate(expected):
            assert same(weights(part.member(position)), weights(stack.member(index)))


def test_a_stack_survives_saving() -> None:
    stack, other = (Stack.build((3, 4, 2), seeds=seeds) for seeds in ([1, 2], [3, 4]))
    other.load_state_dict(stack.state_dict())
    assert same(weights(other), weights(stack))


# Initialisation


def test_build_initialises_as_a_seeded_mlp() -> None:
    seeds = [7, 7, 2**40, 0]
    stack = Stack.build((4, 6, 5, 3), seeds=seeds, dropout=(0.1, 0.0))
    for index, seed in enumerate(seeds):
        member = stack.member(index)
        torch.manual_seed(seed)
        assert same(weights(member), weights(mlp((4, 6, 5, 3), (0.1, 0.0))))


def test_build_leaves_the_callers_random_state() -> None:
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    Stack.build((4, 6, 3), seeds=range(3))
    assert torch.equal(torch.rand(4), expected)


def test_member_leaves_the_callers_random_state() -> None:
    stack = Stack.build((4, 6, 3), seeds=[0])
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    stack.member(0)
    assert torch.equal(torch.rand(4), expected)


# What a stack would drop


class Thrice(nn.Sequential):
    """Layers with a forward of their own."""

    def forward(self, x: Tensor) -> Tensor:
        return 3 * super().forward(x)


class ThriceCalled(nn.Sequential):
    """The same, where no look at `forward` sees it."""

    def __call__(self, x: Tensor) -> Tensor:
        return 3 * super().__call__(x)


class FirstCalled(nn.Sequential):
    """One class alone."""

    def __call__(self, x: Tensor) -> Tensor:
        return super().__call__(x)[:, :1]


class LowRank(nn.Linear):
    """A linear layer with an adapter."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) + x.mean()


def parts() -> list[nn.Module]:
    return [nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2)]


def hooked(add: Callable[[nn.Sequential], object]) -> nn.Sequential:
    network = nn.Sequential(*parts())
    add(network)
    return network


def with_own_forward(network: nn.Sequential) -> None:
    network.forward = lambda x: 3 * nn.Sequential.forward(network, x)  # type: ignore[method-assign]


DROPPED: list[tuple[Callable[[], nn.Module], str]] = [
    (lambda: Thrice(*parts()), "a Thrice with its own forward"),
    (lambda: nn.Sequential(Thrice(*parts()[:2]), nn.Linear(4, 2)), "a Thrice with its own forward"),
    (lambda: nn.Sequential(LowRank(3, 4), *parts()[1:]), "a LowRank with its own forward"),
    (lambda: hooked(with_own_forward), "a Sequential with its own forward"),
    (lambda: ThriceCalled(*parts()), "does not give the logits of its layers"),
    (lambda: FirstCalled(*parts()), "does not give the logits of its layers"),
    (
        lambda: hooked(lambda n: n.register_forward_hook(lambda m, x, y: 3 * y)),
        "a Sequential with hooks",
    ),
    (
        lambda: hooked(lambda n: n[1].register_forward_pre_hook(lambda m, x: (3 * x[0],))),
        "a ReLU with hooks",
    ),
    (
        lambda: hooked(lambda n: n[0].register_full_backward_hook(lambda m, i, o: None)),
        "a Linear with hooks",
    ),
    (lambda: hooked(lambda n: n[0].weight.register_hook(lambda g: 0 * g)), "a Linear with hooks"),
    (lambda: hooked(lambda n: nn.utils.weight_norm(n[0])), "a Linear with hooks"),
    (lambda: hooked(lambda n: prune.random_unstructured(n[0], "weight", 1)), "a Linear with hooks"),
    (
        lambda: hooked(lambda n: nn.utils.parametrizations.weight_norm(n[0])),
        "a ParametrizedLinear with parametrizations",
    ),
    (
        lambda: hooked(lambda n: nn.utils.parametrizations.spectral_norm(n[2])),
        "a ParametrizedLinear with parametrizations",
    ),
]


@pytest.mark.filterwarnings("ignore:.*weight_norm.*:FutureWarning")
@pytest.mark.parametrize(("make", "message"), DROPPED)
def test_what_a_stack_would_drop_is_refused(make: Callable[[], nn.Module], message: str) -> None:
    with pytest.raises(ValueError, match=rf"^module 1 (has )?{message}") as caught:
        Stack.from_modules([nn.Sequential(*parts()), make()])
    assert "\n" not in str(caught.value)


@pytest.mark.filterwarnings("ignore:.*weight_norm.*:FutureWarning")
@pytest.mark.parametrize(
    ("add", "remove"),
    [
        (nn.utils.weight_norm, nn.utils.remove_weight_norm),
        (
            lambda layer: prune.random_unstructured(layer, "weight", 1),
            lambda layer: prune.remove(layer, "weight"),
        ),
        (
            nn.utils.parametrizations.weight_norm,
            lambda layer: parametrize.remove_parametrizations(layer, "weight"),
        ),
    ],
)
def test_the_way_out_keeps_the_logits(
    add: Callable[[nn.Module], object], remove: Callable[[nn.Module], object]
) -> None:
    network, x = nn.Sequential(*parts()), torch.randn(7, 3)
    add(network[0])
    before = network(x).detach()
    remove(network[0])
    torch.testing.assert_close(Stack.from_modules([network])(x)[0].detach(), before)


def test_a_layer_that_stands_twice_is_refused() -> None:
    shared = nn.Linear(3, 3)
    tied = nn.Linear(3, 3)
    tied.weight = shared.weight
    for other in (shared, tied):
        with pytest.raises(ValueError, match=r"^module 0 has one weight in two layers; .* its own"):
            Stack.from_modules([nn.Sequential(shared, nn.ReLU(), other)])


def test_a_diverged_network_is_still_its_layers() -> None:
    network = mlp((3, 4, 2))
    with torch.no_grad():
        network[2].bias[0] = torch.nan
        network[0].weight.mul_(1e30)
    assert Stack.from_modules([network])(torch.ones(1, 3)).isnan().tolist() == [[[True, False]]]


def test_an_own_sequential_without_more_is_kept() -> None:
    class Named(nn.Sequential):
        pass

    assert Stack.from_modules([Named(*parts())]).sizes == (3, 4, 2)


def test_reading_a_network_leaves_it_in_its_mode_and_draws_nothing() -> None:
    network = mlp((3, 4, 2), 0.5)
    network[0].eval()
    modes = [module.training for module in network.modules()]
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    Stack.from_modules([network])
    assert torch.equal(torch.rand(4), expected)
    assert [module.training for module in network.modules()] == modes


def test_frozen_weights_stay_frozen() -> None:
    networks = [mlp((3, 4, 2)), mlp((3, 4, 2))]
    networks[1][0].weight.requires_grad_(False)
    stack = Stack.from_modules(networks)
    expected = [False, True, True, True]
    assert [p.requires_grad for p in stack.parameters()] == expected
    assert [p.requires_grad for p in stack[[1]].parameters()] == expected


def test_a_network_of_another_precision() -> None:
    with pytest.raises(ValueError, match=r"^module 1 has .*float64, module 0 .*float32; .* shape$"):
        Stack.from_modules([mlp((3, 4, 2)), mlp((3, 4, 2)).double()])


def test_one_network_is_no_sequence() -> None:
    with pytest.raises(TypeError, match=r"^modules is a Sequential; .* use \[network\]"):
        Stack.from_modules(mlp((3, 2)))  # type: ignore[arg-type]


A, B = torch.zeros(2, 4, 3), torch.zeros(2, 4)


@pytest.mark.parametrize(
    ("weights", "biases", "message"),
    [
        ([], [], "0 weights and 0 biases; a stack needs one of each"),
        ([A], [B, B], "1 weights and 2 biases"),
        ([A[0]], [B[0]], r"layer 0 has weights \(4, 3\)"),
        ([A], [B[:, :3]], r"layer 0 has .* biases \(2, 3\)"),
        ([A, torch.zeros(2, 2, 3)], [B, torch.zeros(2, 2)], "layer 1 has .* the layer before"),
        ([A, torch.zeros(1, 2, 4)], [B, torch.zeros(1, 2)], "layer 1 has .* members"),
        ([A], [B.double()], "layer 0 has .*float64"),
        ([A[:0]], [B[:0]], r"layer 0 has weights \(0, 4, 3\)"),
    ],
)
def test_layers_that_do_not_fit(weights: list[Tensor], biases: list[Tensor], message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        Stack(weights, biases)
    assert "\n" not in str(caught.value)


def test_seeds_that_are_none() -> None:
    for seeds in (3, [0.5], "12"):
        with pytest.raises(TypeError, match=r"^seeds (is|holds) .* Use range"):
            Stack.build((3, 2), seeds=seeds)  # type: ignore[arg-type]


def test_inputs_of_another_precision() -> None:
    stack = Stack.build((3, 4, 2), seeds=[0])
    x = torch.randn(5, 3).double()
    for use in (stack, stack.predict):
        with pytest.raises(TypeError, match=r"^x is torch.float64 .*; use x.to\(torch.float32\)$"):
            use(x)
        with pytest.raises(TypeError, match=r"^x is a ndarray; .*torch.as_tensor\(x\)"):
            use(x.numpy())
    exact = stack.double().predict(x)
    assert exact.dtype == torch.float64 and torch.equal(exact, stack(x))


# Errors


class Odd(nn.Module):
    """A layer that no stack knows."""


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ([nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)], "has Tanh after Linear"),
        ([nn.Linear(3, 4), nn.Linear(4, 2)], "has Linear after Linear"),
        ([nn.ReLU(), nn.Linear(3, 2)], "has ReLU after start"),
        ([nn.Linear(3, 4), nn.Dropout(0.1), nn.Linear(4, 2)], "has Dropout after Linear"),
        ([nn.Linear(3, 4), nn.ReLU(), nn.BatchNorm1d(4), nn.Linear(4, 2)], "has BatchNorm1d after"),
        ([nn.Linear(3, 4), nn.ReLU()], "ends in ReLU, not Linear"),
        ([nn.Linear(3, 4), nn.ReLU(), nn.Dropout(0.1)], "ends in Dropout, not Linear"),
        ([], "ends in start, not Linear"),
        ([Odd()], "has Odd after start"),
        ([nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2, bias=False)], "has a Linear without bias"),
    ],
)
def test_other_layers(layers: list[nn.Module], message: str) -> None:
    good = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
    with pytest.raises(ValueError, match=rf"^module 1 {message}.*a stack takes Linear, ReLU") as e:
        Stack.from_modules([good, nn.Sequential(*layers)])
    assert "\n" not in str(e.value)


@pytest.mark.parametrize(
    "other",
    [mlp((3, 5, 2)), mlp((4, 4, 2)), mlp((3, 4, 3)), mlp((3, 4, 4, 2)), mlp((3, 4, 2), 0.1)],
)
def test_networks_that_differ(other: nn.Sequential) -> None:
    with pytest.raises(ValueError, match=r"^module 2 has sizes .*make one stack for each shape$"):
        Stack.from_modules([mlp((3, 4, 2)), mlp((3, 4, 2)), other])


def test_a_network_that_drops_everything() -> None:
    with pytest.raises(ValueError, match=r"dropout is .*from 0 to below 1"):
        Stack.from_modules(
            [nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Dropout(1.0), nn.Linear(4, 2))]
        )


def test_empty() -> None:
    with pytest.raises(ValueError, match="modules is empty; a stack needs one network or more"):
        Stack.from_modules([])
    with pytest.raises(ValueError, match="seeds is empty; it must hold one whole number"):
        Stack.build((3, 2), seeds=[])


@pytest.mark.parametrize("shape", [(4,), (5, 4), (2, 5, 4), (2, 1, 5, 3)])
def test_inputs_of_another_shape(shape: tuple[int, ...]) -> None:
    stack = Stack.build((3, 4, 2), seeds=[0, 1])
    for use in (stack, stack.predict):
        with pytest.raises(ValueError, match=r"this stack takes \(B, 3\) or \(2, B, 3\)$"):
            use(torch.zeros(shape))


def test_inputs_for_another_number_of_members() -> None:
    stack = Stack.build((3, 4, 2), seeds=[0, 1])
    for members in (1, 3):
        with pytest.raises(ValueError, match=f"x holds {members} members' batches, the stack 2"):
            stack(torch.zeros(members, 5, 3))


@pytest.mark.parametrize("index", [2, -3])
def test_no_such_member(index: int) -> None:
    with pytest.raises(IndexError, match=f"member {index} of a stack of 2; count from 0"):
        Stack.build((3, 2), seeds=[0, 1]).member(index)


def test_one_number_is_no_stack() -> None:
    with pytest.raises(TypeError, match=r"stack\[0\] is one network; take stack\.member\(0\), or"):
        Stack.build((3, 2), seeds=[0, 1])[0]  # type: ignore[index]


@pytest.mark.parametrize("chunk", [0, -1])
def test_chunks_of_nothing(chunk: int) -> None:
    with pytest.raises(ValueError, match=f"chunk is {chunk}; it must be a whole number, 1 or more"):
        Stack.build((3, 2), seeds=[0]).predict(torch.zeros(4, 3), chunk)


@pytest.mark.parametrize("hidden", [(7, 5), (4, 3), (9, 3)])
def test_added_units_say_nothing_and_are_taken_out_again(hidden):
    stack = Stack.build((6, 4, 3, 5), seeds=[0, 1])
    wide = stack.widened(hidden)
    x = torch.randn(11, 6)
    assert wide.sizes == (6, *hidden, 5)
    assert torch.allclose(wide(x), stack(x), atol=1e-6)
    for ours, theirs in zip(wide.narrowed((4, 3)).parameters(), stack.parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_widths_that_do_not_fit_are_refused():
    stack = Stack.build((6, 4, 3, 5), seeds=[0])
    for hidden in [(3, 3), (4,), (4, 3, 2)]:
        with pytest.raises(ValueError, match=r"hidden is \(.*the stack has \(4, 3\)"):
            stack.widened(hidden)
    for hidden in [(5, 3), (4,), (0, 3)]:
        with pytest.raises(ValueError, match=r"hidden is \(.*the stack has \(4, 3\)"):
            stack.narrowed(hidden)
    with pytest.raises(ValueError, match="weights that are not 0"):
        stack.narrowed((4, 2))
    stack.widened((4, 4)).narrowed((4, 3))
    broken = stack.widened((4, 4))
    with torch.no_grad():
        for parameter in broken.parameters():
            parameter.fill_(torch.nan)
    assert broken.narrowed((4, 3)).weights[0].isnan().all()
