"""Export, quantisation and measurement: against independent arithmetic, and a clock of our own."""

from __future__ import annotations

import copy
import errno
import itertools
import json
import logging
import math
import os
import warnings

import numpy as np
import onnx
import pytest
import torch
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from onnx import numpy_helper
from onnx.reference import ReferenceEvaluator

from distill_helpers import deployment
from distill_helpers.deployment import (
    OPSET,
    TOLERANCE,
    compile_network,
    export_onnx,
    largest_difference,
    load_onnx,
    quantize,
)
from distill_helpers.networks import Stack, mlp
from distill_helpers.tasks import gaussian_mixture_task
from distill_helpers.training import HardLabels, fit

FOLDER = settings(
    deadline=None,
    max_examples=25,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def network(sizes=(20, 64, 32, 2), seed=0, scale=1.0):
    torch.manual_seed(seed)
    made = mlp(sizes).eval()
    with torch.no_grad():
        for parameter in made.parameters():
            parameter *= scale
    return made


def by_hand(model, x):
    """The same network in float64, with numpy alone."""
    value = x.double().numpy()
    layers = [layer for layer in model if isinstance(layer, torch.nn.Linear)]
    for depth, layer in enumerate(layers):
        value = value @ layer.weight.detach().double().numpy().T
        value = value + layer.bias.detach().double().numpy()
        if depth < len(layers) - 1:
            value = np.where(value < 0, 0, value)  # NaN stays
    return torch.from_numpy(value)


def inputs(n, features=20, seed=1, scale=1.0):
    return scale * torch.randn(n, features, generator=torch.Generator().manual_seed(seed))


# -- export ---------------------------------------------------------------------------------------


@FOLDER
@given(
    features=st.integers(1, 30),
    hidden=st.lists(st.integers(1, 40), max_size=3),
    classes=st.sampled_from([2, 3, 10, 1000]),
    scale=st.sampled_from([0.0, 1e-3, 1.0, 10.0]),
    seed=st.integers(0, 5),
)
@example(features=11, hidden=[1, 4], classes=2, scale=10.0, seed=0)  # its terms cancel
def test_an_exported_network_is_the_network(tmp_path, features, hidden, classes, scale, seed):
    model = network((features, *hidden, classes), seed, scale)
    made = export_onnx(model, tmp_path / "a.onnx", overwrite=True)
    many = inputs(2000, features, seed)
    own = largest_difference(model(many), by_hand(model, many), many)
    assert own < 1e-4, "float32 itself is no worse"
    for x in (inputs(1, features, seed), inputs(37, features, seed, 1e4), inputs(0, features)):
        assert made(x).shape == (len(x), classes)
        assert largest_difference(made(x), by_hand(model, x), x) <= max(TOLERANCE, 8 * own)


def test_rounding_is_no_excuse(tmp_path, monkeypatch):
    """Where weights are ordinary the tolerance is 1e-5, and never infinite."""
    assert deployment._rounding(Stack.from_modules([network()])) < 2e-6
    assert deployment._rounding(Stack.from_modules([network((5, 3, 2), scale=1e20)])) < 1e-3
    wrong = network()
    with torch.no_grad():
        wrong[4].bias[0] += 3e-5
    built, other = deployment._graph, Stack.from_modules([wrong])
    monkeypatch.setattr(deployment, "_graph", lambda stack, about: built(other, about))
    with pytest.raises(ArithmeticError, match=r"by [1-3]\.\de-05"):
        export_onnx(network(), tmp_path / "a.onnx")


@pytest.mark.parametrize("batch", [1, 4096])
@pytest.mark.parametrize("scale", [0.0, 1e-39, 1.0, 1e4, 1e30])
def test_any_batch_and_extreme_inputs(tmp_path, batch, scale):
    model = network()
    made = export_onnx(model, tmp_path / "a.onnx")
    x = inputs(batch, scale=scale)
    z = made(x)
    assert z.dtype == torch.float32
    assert largest_difference(z, by_hand(model, x), x) <= TOLERANCE
    if scale <= 1:
        assert (z - model(x)).abs().max() <= 1e-5  # plainly, where logits are ordinary


def test_what_is_not_finite_stays_visible(tmp_path):
    made = export_onnx(network(), tmp_path / "a.onnx")
    x = torch.zeros(3, 20)
    x[0, 3], x[1, 3] = math.nan, math.inf
    z = made(x)
    assert z[0].isnan().all() and not z[1].isfinite().any() and z[2].isfinite().all()


@FOLDER
@given(members=st.integers(1, 5), hidden=st.lists(st.integers(1, 20), max_size=2))
def test_an_exported_ensemble_is_the_mean_of_its_members(tmp_path, members, hidden):
    stack = Stack.build((6, *hidden, 3), seeds=range(members))
    made = export_onnx(stack, tmp_path / "a.onnx", overwrite=True)
    x = inputs(19, 6)
    mean = torch.stack([by_hand(stack.member(m), x) for m in range(members)]).mean(0)
    assert largest_difference(made(x), mean, x) <= TOLERANCE
    assert made.about["members"] == members
    assert made.about["parameters"] == stack.num_parameters


def test_the_file_means_the_same_to_another_implementation(tmp_path):
    model = network((5, 7, 3))
    stack = Stack.build((5, 7, 3), seeds=[0, 1])
    x = inputs(11, 5)
    for made, expected in (
        (export_onnx(model, tmp_path / "one.onnx"), by_hand(model, x)),
        (export_onnx(stack, tmp_path / "two.onnx"), stack(x).mean(0)),
    ):
        (z,) = ReferenceEvaluator(str(made.path)).run(None, {"x": x.numpy()})
        assert largest_difference(torch.from_numpy(z), expected, x) <= TOLERANCE


def test_dropout_leaves_no_trace(tmp_path):
    torch.manual_seed(0)
    model = mlp((4, 8, 2), dropout=0.5).eval()
    made = export_onnx(model, tmp_path / "a.onnx")
    assert (made(inputs(9, 4)) - model(inputs(9, 4))).abs().max() <= 1e-5


def test_the_file_says_what_it_is(tmp_path):
    made = export_onnx(
        network(), tmp_path / "a.onnx", about={"classes": ["no", "yes"], "scale": [1.5]}
    )
    expected = {
        "sizes": [20, 64, 32, 2],
        "members": 1,
        "parameters": 3490,
        "opset": OPSET,
        "torch": torch.__version__,
        "precision": "float32",
        "classes": ["no", "yes"],
        "scale": [1.5],
    }
    assert made.about == expected
    assert load_onnx(made.path).about == expected
    file = onnx.load(made.path)
    assert [(o.domain, o.version) for o in file.opset_import] == [("", OPSET)]
    assert file.ir_version == deployment.IR_VERSION
    assert file.producer_name == "distill_helpers"
    assert {node.op_type for node in file.graph.node} == {"Gemm", "Relu"}
    assert made.num_bytes == made.path.stat().st_size
    assert 4 * 3490 < made.num_bytes < 4 * 3490 + 1000


def test_equal_weights_give_equal_bytes(tmp_path):
    one = export_onnx(network(seed=3), tmp_path / "one.onnx").path.read_bytes()
    assert one == export_onnx(network(seed=3), tmp_path / "two.onnx").path.read_bytes()
    assert one != export_onnx(network(seed=4), tmp_path / "three.onnx").path.read_bytes()


def test_a_loaded_file_answers_the_same_on_more_threads(tmp_path):
    made = export_onnx(network(), tmp_path / "a.onnx")
    x = inputs(300)
    for threads in {1, np.int64(1), min(2, os.cpu_count() or 1)}:
        assert torch.equal(load_onnx(made.path, threads=threads)(x), made(x))


def test_a_graph_that_differs_is_not_written(tmp_path, monkeypatch):
    wrong = network()
    with torch.no_grad():
        wrong[0].bias[0] += 0.05
    built = deployment._graph
    other = Stack.from_modules([wrong])
    monkeypatch.setattr(deployment, "_graph", lambda stack, about: built(other, about))
    with pytest.raises(ArithmeticError, match=r"^ONNX Runtime differs from PyTorch by .*not wri"):
        export_onnx(network(), tmp_path / "a.onnx")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("special", [math.nan, math.inf, -math.inf])
def test_a_graph_that_hides_what_is_not_finite_is_not_written(tmp_path, monkeypatch, special):
    def hides(self, x):
        return torch.where(x.isfinite().all(1, keepdim=True), model(x), torch.zeros(1))

    model = network()
    monkeypatch.setattr(deployment.OnnxNetwork, "__call__", torch.no_grad()(hides))
    with pytest.raises(ArithmeticError, match="differs from PyTorch by inf"):
        export_onnx(model, tmp_path / "a.onnx")


class Tripled(torch.nn.Sequential):
    """Has a forward of its own."""

    def forward(self, x):
        return 3 * super().forward(x)


class Named(torch.nn.Module):
    """Its layers lie one floor down, and something may be done to what they say."""

    def __init__(self, factor=1):
        super().__init__()
        self.layers, self.factor = network((6, 8, 3)), factor

    def forward(self, x):
        return self.factor * self.layers(x)


class TripledStack(Stack):
    """An ensemble with a forward of its own."""

    def forward(self, x):
        return 3 * super().forward(x)


def tripled():
    return Tripled(*network((6, 8, 3))).eval()


def hooked():
    model = network((6, 8, 3))
    model.register_forward_hook(lambda module, x, z: 3 * z)
    return model


def hooked_inside():
    model = network((6, 8, 3))
    model[1].register_forward_hook(lambda module, x, h: h.clamp(max=1))
    return model


def tripled_inside():
    return torch.nn.Sequential(Tripled(*network((6, 8, 3)))).eval()


def softened():
    model = network((6, 8, 3))
    model.register_forward_hook(lambda module, x, z: {"logits": z})
    return model


def noisy():
    model = network((6, 8, 3))
    model.register_forward_pre_hook(lambda module, x: (x[0] + torch.randn(x[0].shape),))
    return model


def tripled_stack():
    stack = Stack.build((6, 8, 3), seeds=[0, 1])
    return TripledStack(list(stack.weights), list(stack.biases))


OWN = [tripled, hooked, hooked_inside, tripled_inside, softened, noisy, tripled_stack]


@pytest.mark.parametrize("make", OWN)
def test_an_export_is_held_to_the_model_and_not_to_its_layers(tmp_path, make):
    try:
        export_onnx(make(), tmp_path / "a.onnx")
    except ValueError as error:
        assert "\n" not in str(error)
    else:
        pytest.fail("what the model does beside its layers was dropped")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("make", [tripled, hooked, tripled_stack])
def test_what_is_told_about_a_forward_of_its_own_leads_to_an_export(tmp_path, make, monkeypatch):
    """Stacking may refuse such a model by itself; the check must not depend on it."""
    model = make()
    if not isinstance(model, Stack):
        monkeypatch.setattr(
            deployment, "_layers", lambda m: Stack.from_modules([torch.nn.Sequential(*m)])
        )
    with pytest.raises(ValueError, match=r"^the model answers otherwise than its layers") as told:
        export_onnx(model, tmp_path / "a.onnx")
    x = inputs(9, 6)
    expected = deployment._answer(model, x)
    with torch.no_grad():
        if isinstance(model, Stack):
            last = model.weights[-1], model.biases[-1]
        else:
            last = model[2].weight, model[2].bias
        for parameter in last:
            parameter *= 3
    plain = str(told.value).rpartition("hand over ")[2].removesuffix(", without hooks")
    made = export_onnx(
        eval(plain, {"nn": torch.nn, "Stack": Stack, "model": model}), tmp_path / "a.onnx"
    )
    assert largest_difference(made(x), expected, x) <= TOLERANCE


@pytest.mark.parametrize(
    "wrap",
    [
        torch.nn.DataParallel,
        torch.compile,
        torch.optim.swa_utils.AveragedModel,
        lambda model: Named(),
    ],
)
def test_a_wrapped_network_is_told_what_to_hand_over(tmp_path, wrap):
    model = wrap(network((6, 8, 3))).eval()
    with pytest.raises(ValueError, match=r"^model is a .*Hand over model\.\w+, if that ") as told:
        export_onnx(model, tmp_path / "a.onnx")
    assert "\n" not in str(told.value) and "module 0" not in str(told.value)
    inside = str(told.value).partition("Hand over ")[2].partition(",")[0]
    made = export_onnx(eval(inside, {"model": model}), tmp_path / "a.onnx")
    x = inputs(9, 6)
    assert largest_difference(made(x), by_hand(eval(inside, {"model": model}), x), x) <= TOLERANCE


@pytest.mark.parametrize(
    ("make", "cause"),
    [
        (tripled, "with its own forward"),
        (hooked, "with hooks"),
        (
            lambda: torch.nn.Sequential(torch.nn.utils.parametrizations.weight_norm(linear())),
            "with par",
        ),
    ],
)
def test_no_advice_drops_what_a_model_does_beside_its_layers(tmp_path, make, cause):
    with pytest.raises(ValueError, match=rf"What is in the way: has a \w+ {cause}"):
        export_onnx(make().eval(), tmp_path / "a.onnx")


def linear():
    return torch.nn.Linear(6, 3)


def test_layers_beyond_the_few_are_named_with_a_way_out(tmp_path):
    linear, last = torch.nn.Linear(6, 8), torch.nn.Linear(8, 2)
    model = torch.nn.Sequential(linear, torch.nn.ReLU(), torch.nn.Identity(), last).eval()
    with pytest.raises(
        ValueError, match=r"^model is a Sequential of Linear, ReLU, Identity, L.*Ident"
    ):
        export_onnx(model, tmp_path / "a.onnx")
    made = export_onnx(
        torch.nn.Sequential(linear, torch.nn.ReLU(), last).eval(), tmp_path / "a.onnx"
    )
    x = inputs(9, 6)
    assert largest_difference(made(x), model(x), x) <= TOLERANCE


def spoilt(value):
    model = network()
    with torch.no_grad():
        model[2].weight[1, 1] = value
    return model


@pytest.mark.parametrize(
    ("make", "error", "line"),
    [
        (lambda: network().train(), ValueError, "the model is in train mode, .* model.eval"),
        (lambda: spoilt(math.nan), ValueError, "the model has weights that are not finite; "),
        (lambda: spoilt(math.inf), ValueError, "the model has weights that are not finite; "),
        (lambda: network().double(), TypeError, "the model is torch.float64; .*float()"),
        (
            lambda: torch.nn.Conv1d(1, 1, 1).eval(),
            ValueError,
            "model is a Conv1d; export_onnx takes",
        ),
        (lambda: torch.zeros(3), TypeError, "model is a Tensor; it must be a network"),
    ],
)
def test_what_cannot_be_exported_says_so_in_one_line(tmp_path, make, error, line):
    with pytest.raises(error, match=f"^{line}") as caught:
        export_onnx(make(), tmp_path / "a.onnx")
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "error", "line"),
    [
        ("a.pt", ValueError, "path is .*a.pt; it must end in .onnx"),
        ("none/a.onnx", FileNotFoundError, ".*none is no folder; make it"),
        ("folder.onnx", FileExistsError, ".*folder.onnx is a folder; name a file"),
        ("there.onnx", FileExistsError, ".*there.onnx is there already; .*overwrite=True"),
    ],
)
def test_where_it_cannot_be_written_says_so_in_one_line(tmp_path, name, error, line):
    (tmp_path / "folder.onnx").mkdir()
    (tmp_path / "there.onnx").write_bytes(b"old")
    source = export_onnx(network(), tmp_path / "source.onnx")
    before = sorted(tmp_path.rglob("*"))
    for write in (
        lambda: export_onnx(network(), tmp_path / name),
        lambda: quantize(source, tmp_path / name),
    ):
        with pytest.raises(error, match=f"^{line}") as caught:
            write()
        assert "\n" not in str(caught.value)
    assert sorted(tmp_path.rglob("*")) == before
    assert (tmp_path / "there.onnx").read_bytes() == b"old"


def test_overwriting_replaces(tmp_path):
    export_onnx(network(seed=1), tmp_path / "a.onnx")
    second = export_onnx(network(seed=2), tmp_path / "a.onnx", overwrite=True)
    x = inputs(3)
    assert torch.equal(load_onnx(tmp_path / "a.onnx")(x), second(x))
    assert [path.name for path in tmp_path.iterdir()] == ["a.onnx"]


@pytest.mark.parametrize("old", [None, b"old"])
def test_a_full_disk_leaves_what_was(tmp_path, old):
    resource = pytest.importorskip("resource")
    path = tmp_path / "a.onnx"
    if old:
        path.write_bytes(old)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5000, limits[1]))  # less than the file
    try:
        with pytest.raises(OSError, match=r"a.onnx cannot be written \(.*\); free space") as caught:
            export_onnx(network(), path, overwrite=True)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert caught.value.errno == errno.EFBIG
    assert [p.name for p in tmp_path.iterdir()] == (["a.onnx"] if old else [])
    assert not old or path.read_bytes() == old


@pytest.mark.parametrize(
    ("about", "line"),
    [
        ({"mean": np.float32(1)}, "about cannot be written as JSON"),
        ({"mean": math.nan}, "about cannot be written as JSON"),
        ({"sizes": [1]}, "about has 'sizes', which the exporter writes itself"),
    ],
)
def test_about_must_be_json_and_not_ours(tmp_path, about, line):
    with pytest.raises(ValueError, match=f"^{line}"):
        export_onnx(network(), tmp_path / "a.onnx", about=about)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("x", "error", "line"),
    [
        (torch.zeros(20), ValueError, r"has shape \(20,\); a.onnx takes \(B, 20\)."),
        (torch.zeros(2, 19), ValueError, r"has shape \(2, 19\); a.onnx takes \(B, 20\)."),
        (torch.zeros(2, 2, 20), ValueError, r"has shape \(2, 2, 20\); a.onnx takes"),
        (torch.zeros(2, 20).double(), TypeError, "is torch.float64; a.onnx takes torch.float32"),
        (
            [1.0],
            TypeError,
            r"is a list; a.onnx takes a torch.float32 tensor: use torch.as_tensor\(",
        ),
    ],
)
def test_wrong_inputs_say_so_in_one_line(tmp_path, x, error, line):
    made = export_onnx(network(), tmp_path / "a.onnx")
    for name, call in (
        ("x", lambda: made(x)),
        ("calibration", lambda: quantize(made, tmp_path / "b.onnx", calibration=x)),
    ):
        with pytest.raises(error, match=f"^{name} {line}") as caught:
            call()
        assert "\n" not in str(caught.value)
    assert not (tmp_path / "b.onnx").exists()


def test_loading_what_is_no_file_of_ours(tmp_path):
    with pytest.raises(FileNotFoundError, match="is no file; export_onnx writes one"):
        load_onnx(tmp_path / "a.onnx")
    (tmp_path / "b.onnx").write_bytes(b"no graph")
    foreign = onnx.load(export_onnx(network(), tmp_path / "c.onnx").path)
    onnx.helper.set_model_props(foreign, {"author": "somebody"})
    onnx.save(foreign, tmp_path / "d.onnx")
    onnx.helper.set_model_props(foreign, {"author": json.dumps("somebody")})
    onnx.save(foreign, tmp_path / "e.onnx")
    renamed = onnx.load(tmp_path / "c.onnx")
    renamed.graph.input[0].name = renamed.graph.node[0].input[0] = "pixels"
    onnx.save(renamed, tmp_path / "f.onnx")
    for name, why in (
        ("b.onnx", ".*"),
        ("d.onnx", "it takes x and tells nothing of members, .*torch"),
        ("e.onnx", "it takes x and tells nothing of members, .*torch"),
        ("f.onnx", "it takes pixels, not x"),
    ):
        with pytest.raises(ValueError, match=rf"{name} cannot be loaded \({why}\); write") as bad:
            load_onnx(tmp_path / name)
        assert "\n" not in str(bad.value)
    with pytest.raises(ValueError, match=r"^threads is 0; it must be a whole number, 1 or more"):
        load_onnx(tmp_path / "c.onnx", threads=0)
    with pytest.raises(
        ValueError, match=r"^threads is 1000; this machine has \d+ processors, .*Pa"
    ):
        load_onnx(tmp_path / "c.onnx", threads=1000)
    for threads in (1.5, True, "2"):
        with pytest.raises(TypeError, match=r"^threads is .*; it must be a whole number, 1 or m"):
            load_onnx(tmp_path / "c.onnx", threads=threads)


@given(st.floats(-5, 5), st.floats(0.1, 1e6))
def test_largest_difference_takes_out_the_scale(step, scale):
    x, z = torch.zeros(1, 2).double(), torch.tensor([[scale, 0.0]]).double()
    moved = z + torch.tensor([0.0, step])
    assert largest_difference(moved, z, x) == pytest.approx(abs(step) / max(1, scale))
    assert largest_difference(z, z, x) == 0


def test_largest_difference_of_what_is_not_finite():
    x = torch.tensor([[math.inf, 0.0]])
    nan, inf = torch.tensor([[math.nan, 0.0]]), torch.tensor([[math.inf, 0.0]])
    assert largest_difference(nan, nan, x) == largest_difference(inf, inf, x) == 0
    for one, other in itertools.permutations((nan, inf, -inf, torch.ones(1, 2)), 2):
        assert largest_difference(one, other, x) == math.inf
    assert largest_difference(torch.ones(1, 2), torch.zeros(1, 2), x) == 1
    assert largest_difference(torch.zeros(0, 2), torch.zeros(0, 2), torch.zeros(0, 2)) == 0


# -- quantisation ---------------------------------------------------------------------------------


def integers_by_hand(path, x):
    """Run a statically quantised chain with numpy: scales and zero points from the file.

    Returns the logits, and what one step of the last hidden layer can change in them.
    """
    file = onnx.load(path)
    values = {w.name: numpy_helper.to_array(w) for w in file.graph.initializer}
    values["x"] = x.double().numpy()

    def step(node):
        scale, zero = (values[name] for name in node.input[1:3])
        return scale.astype(float), zero.astype(float), np.iinfo(zero.dtype)

    for node in file.graph.node:
        if node.op_type == "QuantizeLinear":
            scale, zero, limits = step(node)
            rounded = np.round(values[node.input[0]] / scale) + zero  # half to even, as ONNX
            made = np.clip(rounded, limits.min, limits.max)
        elif node.op_type == "DequantizeLinear":
            scale, zero, _ = step(node)
            made = (values[node.input[0]].astype(float) - zero) * scale
        elif node.op_type == "Relu":
            made = np.maximum(values[node.input[0]], 0)
        else:
            assert node.op_type == "Gemm"
            a, weight, bias = (values[name] for name in node.input)
            made = a @ weight.T + bias
        values[node.output[0]] = made
    last = [node for node in file.graph.node if node.op_type == "QuantizeLinear"][-1]
    return torch.from_numpy(values["logits"]), step(last)[0] * abs(weight).max()


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """A network in float32, and its two quantised forms."""
    folder = tmp_path_factory.mktemp("quantised")
    source = export_onnx(network(), folder / "float.onnx", about={"classes": ["a", "b"]})
    return (
        source,
        quantize(source, folder / "static.onnx", calibration=inputs(500, seed=2)),
        quantize(source, folder / "dynamic.onnx"),
    )


def test_static_integers_are_what_the_formula_says(pair):
    _, static, _ = pair
    x = inputs(400, seed=3)
    expected, step = integers_by_hand(static.path, x)
    apart = (static(x).double() - expected).abs()
    # A sum that lies between two integers may be rounded either way, by float32 or float64.
    assert apart.max() <= 2.02 * step
    assert (apart < 1e-3 * step).double().mean() > 0.9


def test_weights_are_off_by_half_a_step_at_most(pair):
    source, static, _ = pair
    exact = {w.name: numpy_helper.to_array(w) for w in onnx.load(source.path).graph.initializer}
    file = onnx.load(static.path)
    stored = {w.name: numpy_helper.to_array(w) for w in file.graph.initializer}
    for name in ("w0", "w1", "w2"):
        integers, scale = stored[f"{name}_quantized"], stored[f"{name}_scale"]
        assert integers.dtype == np.int8 and scale.size == 1
        off = integers.astype(float) * scale - exact[name]
        assert abs(off).max() <= 0.5001 * scale
        assert abs(integers).max() == 127  # the whole range is used


def test_quantised_networks_are_near_and_smaller(pair):
    source, static, dynamic = pair
    x = inputs(2000, seed=4)
    z = source(x)
    for made in (static, dynamic):
        assert made.num_bytes < source.num_bytes / 2
        assert (made(x) - z).abs().max() < 0.1 * z.abs().max()
        assert (made(x).argmax(1) == z.argmax(1)).double().mean() > 0.97


def test_static_answers_do_not_depend_on_the_batch_and_dynamic_ones_do(pair):
    _, static, dynamic = pair
    x = inputs(64, seed=5)
    x[7] *= 20  # one unusual sample
    for made, same in ((static, True), (dynamic, False)):
        alone = torch.cat([made(row.unsqueeze(0)) for row in x])
        assert torch.equal(alone, made(x)) is same


def test_static_cuts_off_and_hides_what_is_not_finite(pair):
    _, static, _ = pair
    huge, larger = inputs(1, scale=1e6), inputs(1, scale=1e7)
    assert torch.equal(static(huge), static(larger))
    assert static(torch.full((1, 20), math.nan)).isfinite().all()


def test_quantised_files_keep_what_was_said_of_them(pair):
    source, static, dynamic = pair
    for made, kind in ((static, "int8, static"), (dynamic, "int8, dynamic")):
        about = dict(made.about)
        assert ("against_float32" in about) is (made is static)
        about.pop("against_float32", None)
        assert about == source.about | {"precision": kind}
        assert load_onnx(made.path).about == made.about


def test_quantising_is_quiet_and_leaves_nothing(tmp_path, caplog, capfd):
    handlers = list(logging.getLogger().handlers)
    source = export_onnx(network(), tmp_path / "a.onnx")
    before = source.path.read_bytes()
    quantize(source, tmp_path / "b.onnx", calibration=inputs(50))
    quantize(source, tmp_path / "c.onnx")
    assert not caplog.records and logging.getLogger().handlers == handlers
    assert capfd.readouterr() == ("", "")
    assert source.path.read_bytes() == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.onnx", "b.onnx", "c.onnx"]


def test_equal_weights_give_equal_integers(tmp_path):
    source = export_onnx(network(), tmp_path / "a.onnx")
    made = [
        quantize(source, tmp_path / f"{n}.onnx", calibration=inputs(50)).path.read_bytes()
        for n in range(2)
    ]
    assert made[0] == made[1]


@pytest.mark.parametrize(
    ("rows", "line"),
    [
        (torch.zeros(0, 20), "calibration has 0 rows"),
        (torch.full((3, 20), math.nan), "calibration has 3 rows, or values that are not finite"),
        (torch.zeros(5, 20), "calibration has 5 rows and shows no range"),
        (inputs(1), "calibration has 1 rows and shows no range"),
        (inputs(1).repeat(9, 1), "calibration has 9 rows and shows no range"),
        (3 + 1e-5 * inputs(9), "calibration has 9 rows and shows no range"),
        (1e-5 * inputs(9), "calibration has 9 rows and shows no range"),
    ],
)
def test_calibration_must_show_a_range(tmp_path, rows, line):
    source = export_onnx(network(), tmp_path / "a.onnx")
    with pytest.raises(ValueError, match=f"^{line}.*; give rows as the network will meet") as bad:
        quantize(source, tmp_path / "b.onnx", calibration=rows)
    assert "\n" not in str(bad.value) and not (tmp_path / "b.onnx").exists()
    quantize(source, tmp_path / "b.onnx", calibration=inputs(200))  # as it was told


@pytest.fixture(scope="module")
def learnt():
    """A student with something to lose: half of its decisions are far from the boundary."""
    task = gaussian_mixture_task(num_train=2000, num_test=100)
    stack = Stack.build((task.x_train.shape[1], 64, 32, 2), seeds=[0])
    fit(stack, task, HardLabels(task.y_train), epochs=5, seeds=[0])
    return stack.member(0).eval(), task.x_train


def test_int8_is_compared_with_float32_on_the_calibration_rows(tmp_path, learnt):
    model, rows = learnt
    source = export_onnx(model, tmp_path / "a.onnx")
    made = quantize(source, tmp_path / "b.onnx", calibration=rows)
    found = load_onnx(made.path).about["against_float32"]
    z, reference = made(rows).double(), by_hand(model, rows)
    was, now = reference.argmax(1), z.argmax(1)
    assert found["rows"] == 2000
    assert found["agreement"] == (was == now).double().mean() >= 0.99
    counts = {(old, new): int(((was == old) & (now == new)).sum()) for old, new in ((0, 1), (1, 0))}
    assert found["changed"] == [[*pair, n] for pair, n in counts.items() if n]
    assert found["largest_change"] == pytest.approx((z - reference).abs().max().item(), abs=1e-4)
    assert found["ties"] == (z[:, 0] == z[:, 1]).double().mean()


def test_changes_are_counted_in_each_direction_and_ties_seen():
    z = torch.tensor([[1.0, 0.0, 0.0], [0.0, 2.0, 2.0], [3.0, 3.0, 0.0], [0.0, 0.0, 5.0]])
    reference = torch.tensor([[0.0, 1.0, 0.0], [0.0, 2.0, 1.0], [1.0, 2.0, 0.0], [9.0, 0.0, 5.0]])
    assert deployment._against_float32(z, reference) == {
        "rows": 4,
        "agreement": 0.25,
        "changed": [[0, 2, 1], [1, 0, 2]],
        "largest_change": 9.0,
        "ties": 0.5,
    }


def test_ties_of_logits_on_256_steps_are_counted(tmp_path, learnt):
    """In eight bits two logits are equal now and then, and argmax gives the first class."""
    model, rows = learnt
    made = quantize(export_onnx(model, tmp_path / "a.onnx"), tmp_path / "b.onnx", calibration=rows)
    z = made(rows)
    tied = z[:, 0] == z[:, 1]
    assert len(z.unique()) <= 256 and tied.any()
    assert made.about["against_float32"]["ties"] == tied.double().mean()
    assert (z[tied].argmax(1) == 0).all()


def test_many_ties_are_warned_of(tmp_path):
    """Two logits that are nearly one tie in eight bits, and always decide for the first."""
    model = network()
    last = next(layer for layer in reversed(list(model)) if isinstance(layer, torch.nn.Linear))
    with torch.no_grad():
        last.weight[1] = last.weight[0] + 1e-4 * last.weight[1]
        last.bias[1] = last.bias[0] - 1e-3
    source = export_onnx(model, tmp_path / "a.onnx")
    with pytest.warns(RuntimeWarning, match=r"and ties on \d+\.\d%"):
        quantize(source, tmp_path / "b.onnx", calibration=inputs(500))


def one_outlier(model, rows):
    rows = rows.clone()
    rows[7, 3] = 1e3
    return model, rows


def one_feature_in_thousands(model, rows):
    model = copy.deepcopy(model)
    with torch.no_grad():
        model[0].weight[:, 3] /= 3000
    return model, rows * torch.where(torch.arange(rows.shape[1]) == 3, 3000.0, 1.0)


def one_large_weight(model, rows):
    model = copy.deepcopy(model)
    with torch.no_grad():
        model[0].weight[0, 0] = 300.0
    return model, rows


@pytest.mark.parametrize("spoil", [one_outlier, one_feature_in_thousands, one_large_weight])
def test_int8_that_no_longer_agrees_warns_in_one_line(tmp_path, learnt, spoil):
    model, rows = spoil(*learnt)
    source = export_onnx(model, tmp_path / "a.onnx")
    with pytest.warns(RuntimeWarning, match=r"^b.onnx decides otherwise than float32 on ") as told:
        made = quantize(source, tmp_path / "b.onnx", calibration=rows)
    (line,) = (str(warning.message) for warning in told)
    assert "\n" not in line and "2,000 calibration rows" in line
    assert told[0].filename == __file__, "it points at the caller"
    assert made.about["against_float32"]["agreement"] < 0.99
    if spoil is one_outlier:
        assert "row 7 reaches 1e+03" in line
    if spoil is one_large_weight:
        return  # no advice on rows helps; float32 is there
    with warnings.catch_warnings():  # as it was told
        warnings.simplefilter("error")
        if spoil is one_outlier:
            rows = rows[torch.arange(len(rows)) != 7]
            source = export_onnx(learnt[0], tmp_path / "c.onnx")
        else:
            rows, source = learnt[1], export_onnx(learnt[0], tmp_path / "c.onnx")
        quantize(source, tmp_path / "d.onnx", calibration=rows)


def test_one_changed_row_of_a_few_is_no_alarm(tmp_path, learnt, monkeypatch):
    model, rows = learnt
    source = export_onnx(model, tmp_path / "a.onnx")
    compare = deployment._against_float32
    for changed, warns in ((1, False), (2, True)):
        monkeypatch.setattr(
            deployment,
            "_against_float32",
            lambda z, reference, n=changed: compare(z, reference) | {"changed": [[0, 1, n]]},
        )
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always")
            quantize(source, tmp_path / "b.onnx", calibration=rows[:50], overwrite=True)
        assert bool(seen) is warns


@pytest.mark.parametrize("thing", [network(), None, "a.onnx"])
def test_what_was_not_exported_is_not_quantised(tmp_path, thing):
    with pytest.raises(
        TypeError, match=r"^network is a .*; quantize takes an exported .* returns$"
    ):
        quantize(thing, tmp_path / "b.onnx")


@pytest.mark.parametrize("thing", [None, 3, b"a.onnx"])
def test_what_is_no_path_says_so_in_one_line(thing):
    for call in (lambda: export_onnx(network(), thing), lambda: load_onnx(thing)):
        with pytest.raises(TypeError, match=r"^path is .*; it must be a path: a string, or a path"):
            call()


@pytest.mark.parametrize("rows", [None, inputs(2000, 4, seed=8)])
def test_a_quantised_ensemble_is_the_mean_of_its_quantised_members(tmp_path, rows):
    stack = Stack.build((4, 9, 6, 3), seeds=range(3))
    whole = quantize(
        export_onnx(stack, tmp_path / "a.onnx"), tmp_path / "int8.onnx", calibration=rows
    )
    alone = [
        quantize(
            export_onnx(stack.member(m).eval(), tmp_path / f"{m}.onnx"),
            tmp_path / f"{m}-int8.onnx",
            calibration=rows,
        )
        for m in range(3)
    ]
    x = inputs(100, 4, seed=9)
    apart = whole(x) - torch.stack([member(x) for member in alone]).mean(0)
    assert apart.abs().max() <= 1e-5
    assert whole.about["members"] == 3


@pytest.mark.parametrize("gone", [True, False])
def test_what_is_quantised_is_the_network_and_not_what_lies_at_its_path_by_now(tmp_path, gone):
    path = tmp_path / "a.onnx"
    source = export_onnx(network((20, 8, 2), seed=1), path)
    before = quantize(source, tmp_path / "before.onnx", calibration=inputs(50))
    if gone:
        path.unlink()
    else:
        export_onnx(network((20, 4, 2), seed=2), path, overwrite=True)
    after = quantize(source, tmp_path / "after.onnx", calibration=inputs(50))
    assert after.content == before.content == after.path.read_bytes()


def test_integer_products_are_exact_whatever_the_processor(pair):
    """Weights and inputs at their largest, so that 16 bits would not hold two products."""
    _, static, _ = pair
    x = torch.full((5, 20), 50.0) * torch.tensor([1.0, -1.0]).repeat(10)
    expected, step = integers_by_hand(static.path, x)
    assert (static(x).double() - expected).abs().max() <= 1.01 * step


@pytest.mark.parametrize("saturates", [True, False])
def test_exact_kernels_are_asked_for_only_where_the_fast_ones_saturate(
    tmp_path, monkeypatch, saturates
):
    monkeypatch.setattr(deployment, "_saturates", lambda: saturates)
    options = export_onnx(network(), tmp_path / "a.onnx").session.get_session_options()
    if saturates:
        assert options.get_session_config_entry("session.x64quantprecision") == "1"
    else:
        with pytest.raises(RuntimeError, match="x64quantprecision"):  # not set
            options.get_session_config_entry("session.x64quantprecision")


@pytest.mark.parametrize(("product", "saturates"), [(64 * 255 * 127, False), (32 * 32767, True)])
def test_saturation_is_seen_in_a_product(monkeypatch, product, saturates):
    class Session:
        def __init__(self, content, providers):
            (weight,) = onnx.load_from_string(content).graph.initializer
            self.weight = numpy_helper.to_array(weight)

        def run(self, names, feed):
            exact = feed["x"].astype(np.int64) @ self.weight.astype(np.int64)
            assert (exact == 64 * 255 * 127).all()
            return [np.full_like(exact, product)]

    monkeypatch.setattr("onnxruntime.InferenceSession", Session)
    assert deployment._saturates.__wrapped__() is saturates


def test_a_quantised_network_is_not_quantised_again(tmp_path, pair):
    with pytest.raises(ValueError, match=r"^static.onnx is int8, static already"):
        quantize(pair[1], tmp_path / "b.onnx")
    assert not (tmp_path / "b.onnx").exists()


# -- compilers -----------------------------------------------------------------------------------


def test_no_compiler_is_one_line(monkeypatch):
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(RuntimeError, match=r"needs a C\+\+ compiler and finds no-such-compiler; i"):
        compile_network(network(), inputs(1))
    monkeypatch.delenv("CXX")
    monkeypatch.setenv("PATH", "")
    with pytest.raises(RuntimeError, match=r"needs a C\+\+ compiler and finds none; install g\+\+"):
        compile_network(network(), inputs(1))


def test_a_compiler_that_fails_is_one_line(monkeypatch):
    def fails(model):
        raise ValueError("two\nlines")

    monkeypatch.setattr(torch, "compile", fails)
    monkeypatch.setenv("CXX", "python3")
    with pytest.raises(RuntimeError, match=r"^torch.compile failed \(two lines\); see that py"):
        compile_network(network(), inputs(1))


@pytest.mark.parametrize(
    ("x", "error", "line"),
    [
        (
            torch.zeros(2, 19),
            ValueError,
            r"x has shape \(2, 19\) and dtype torch.float32, which the",
        ),
        (
            torch.zeros(2, 20).double(),
            ValueError,
            r"x has shape \(2, 20\) and dtype torch.float64,",
        ),
        ([0.0], TypeError, "x is a list; it must be a tensor, such as"),
    ],
)
def test_a_batch_that_does_not_fit_is_not_the_compilers_fault(monkeypatch, x, error, line):
    monkeypatch.setattr(torch, "compile", None)
    with pytest.raises(error, match=f"^{line}") as caught:
        compile_network(network(), x)
    assert "\n" not in str(caught.value)


@pytest.mark.slow
def test_a_compiled_network_is_the_network():
    model, x = network(), inputs(1)
    compiled = compile_network(model, x)
    with torch.inference_mode():
        for batch in (x, inputs(64), inputs(7)):
            assert (compiled(batch) - model(batch)).abs().max() <= 1e-5
