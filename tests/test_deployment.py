"""Export, quantisation and measurement: against independent arithmetic, and a clock of our own."""

from __future__ import annotations

import errno
import gc
import itertools
import json
import logging
import math

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
    Latencies,
    compile_network,
    export_onnx,
    largest_difference,
    load_onnx,
    measure_latency,
    peak_memory,
    quantize,
)
from distill_helpers.networks import Stack, mlp

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
    for threads in (1, 2):
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
        (lambda: torch.nn.Conv1d(1, 1, 1).eval(), ValueError, "module 0 has Conv1d after start"),
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
    with pytest.raises(ValueError, match=r"^threads is 0; it must be 1 or more"):
        load_onnx(tmp_path / "c.onnx", threads=0)
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
    """Run a statically quantised chain with numpy: scales and zero points from the file."""
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
        else:
            assert node.op_type == "Gemm"  # Relu is in the range of what follows it
            a, weight, bias = (values[name] for name in node.input)
            made = a @ weight.T + bias
        values[node.output[0]] = made
    return torch.from_numpy(values["logits"]), scale


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
    assert apart.max() <= 1.01 * step
    assert (apart < 1e-3 * step).double().mean() > 0.95


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
        assert made.about == source.about | {"precision": kind}
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
    ],
)
def test_calibration_must_be_finite_and_there(tmp_path, rows, line):
    source = export_onnx(network(), tmp_path / "a.onnx")
    with pytest.raises(ValueError, match=f"^{line}"):
        quantize(source, tmp_path / "b.onnx", calibration=rows)


@pytest.mark.parametrize("rows", [None, inputs(200, 4, seed=8)])
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
    # A static mean is stored in eight bits too: its range, over 255.
    assert apart.abs().max() <= (1e-5 if rows is None else np.ptp(whole(x).numpy()) / 255)
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


# -- time -----------------------------------------------------------------------------------------


class Clock:
    """A clock that moves only when a candidate says so; nanoseconds."""

    def __init__(self):
        self.now = 0

    def __call__(self):
        return self.now

    def takes(self, durations):
        durations = iter(durations)

        def call():
            self.now += next(durations)

        return call


def measured(seconds):
    return Latencies({name: np.asarray(values, dtype=float) for name, values in seconds.items()})


def test_calls_are_timed_one_by_one_and_warm_up_is_not_counted():
    clock = Clock()
    # Two warm-up calls, three that count; twice.
    durations = [900, 900, 1, 2, 3, 900, 900, 4, 5, 6]
    found = measure_latency(
        {"a": clock.takes(durations)}, rounds=2, calls=3, warm_up=2, clock=clock
    )
    assert found.seconds["a"] == pytest.approx(np.array([[1, 2, 3], [4, 5, 6]]) * 1e-9)


def test_candidates_take_turns_in_a_new_order_each_round():
    called = []
    candidates = {name: (lambda name=name: called.append(name)) for name in "abc"}
    found = measure_latency(candidates, rounds=60, calls={"a": 2, "b": 1, "c": 1}, warm_up=0)
    rounds = [called[4 * k : 4 * k + 4] for k in range(60)]
    assert all(sorted(names) == ["a", "a", "b", "c"] for names in rounds)
    assert all("aa" in "".join(names) for names in rounds), "a block is not torn apart"
    orders = {"".join(dict.fromkeys(names)) for names in rounds}
    assert len(orders) == 6, "each order comes, so each has each before it"
    assert {name: values.shape for name, values in found.seconds.items()} == {
        "a": (60, 2),
        "b": (60, 1),
        "c": (60, 1),
    }
    first = list(called)
    called.clear()
    measure_latency(candidates, rounds=60, calls={"a": 2, "b": 1, "c": 1}, warm_up=0)
    assert called == first


def test_what_is_held_during_a_measurement_is_put_back():
    seen = []

    def look():
        seen.append((torch.get_num_threads(), gc.isenabled(), torch.is_inference_mode_enabled()))

    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        measure_latency({"a": look}, rounds=2, calls=1, warm_up=0, threads=1)
        assert seen == [(1, False, True)] * 2
        with pytest.raises(ZeroDivisionError):
            measure_latency({"a": lambda: 1 / 0}, rounds=2, calls=1)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    assert gc.isenabled() and not torch.is_inference_mode_enabled()
    gc.disable()
    try:
        measure_latency({"a": look}, rounds=2, calls=1)
        assert not gc.isenabled()
    finally:
        gc.enable()


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"candidates": {}}, "candidates is empty"),
        ({"rounds": 1}, "rounds is 1; it must be 2 or more"),
        ({"calls": 0}, "calls of 'a' is 0; it must be 1 or more"),
        ({"calls": {"b": 3}}, "calls of 'a' is 0; it must be 1 or more"),
        ({"warm_up": -1}, "warm_up is -1; it must be 0 or more"),
        ({"threads": 0}, "threads is 0; it must be 1 or more"),
        ({"calls": 2.5}, "calls of 'a' is 2.5; it must be a whole number, 1 or more"),
        ({"calls": True}, "calls of 'a' is True; it must be a whole number, 1 or more"),
        ({"calls": {"a": None}}, "calls of 'a' is None; it must be a whole number, 1 or more"),
        ({"rounds": 2.0}, "rounds is 2.0; it must be a whole number, 2 or more"),
    ],
)
def test_a_measurement_that_cannot_be_is_refused_before_it_starts(changes, line):
    called = []
    arguments = {"candidates": {"a": lambda: called.append(1)}} | changes
    error = TypeError if "whole" in line else ValueError
    with pytest.raises(error, match=f"^{line}"):
        measure_latency(**arguments)
    assert not called


def test_quantiles_of_a_known_sample():
    found = measured({"a": np.arange(1, 1001).reshape(10, 100, order="F")})
    assert found.quantile("a", 0.5).value == 500
    assert found.quantile("a", 0.99).value == 990
    # Every round has the same share below: only the independent term is left.
    half = 2.262157 * math.sqrt(0.25 / 1000)
    median = found.quantile("a", 0.5)
    assert (median.low, median.high) == (
        math.floor(1000 * (0.5 - half)),
        math.ceil(1000 * (0.5 + half)) + 1,
    )
    assert (median.n, median.level, median.unit) == (10, 0.95, "s")
    with pytest.raises(ValueError, match=r"no p-value"):
        median.p_greater(0)


def test_an_end_beyond_all_calls_is_open():
    found = measured({"a": np.arange(1, 21).reshape(4, 5)})
    assert found.quantile("a", 0.99).high == math.inf
    assert found.quantile("a", 0.01).low == 0


def test_rounds_that_differ_widen_the_interval():
    rng = np.random.default_rng(0)
    alike = rng.lognormal(size=(20, 100))
    found = measured({"alike": alike, "apart": alike * rng.lognormal(0, 1, size=(20, 1))})
    widths = {
        name: math.log(found.quantile(name).high / found.quantile(name).low)
        for name in found.seconds
    }
    assert widths["apart"] > 3 * widths["alike"]


@pytest.mark.parametrize("q", [0.5, 0.99])
@pytest.mark.parametrize("between", [0.0, 0.5])
def test_intervals_of_quantiles_cover(q, between):
    """95 % intervals hold the truth in 93 % of simulated runs or more, whatever rounds share."""
    rng = np.random.default_rng(1)
    truth = math.exp(math.sqrt(1 + between**2) * 2.3263478740 * (q == 0.99))
    hits = 0
    for _ in range(800):
        shared = rng.normal(0, between, size=(20, 1)) if between else 0
        found = measured({"a": np.exp(rng.normal(size=(20, 200)) + shared)})
        interval = found.quantile("a", q)
        hits += interval.low <= truth <= interval.high
    assert hits / 800 > 0.93


def test_a_ratio_is_taken_within_rounds():
    drift = np.linspace(1, 10, 20)[:, None]  # the machine slows down tenfold
    rng = np.random.default_rng(2)
    found = measured(
        {
            "slow": 7 * drift * rng.uniform(0.99, 1.01, (20, 50)),
            "fast": drift * rng.uniform(0.99, 1.01, (20, 50)),
        }
    )
    ratio = found.ratio("slow", "fast")
    assert ratio.value == pytest.approx(7, rel=0.01)
    assert 6.9 < ratio.low < ratio.high < 7.1
    inverse = found.ratio("fast", "slow")
    assert inverse.low == pytest.approx(1 / ratio.high)


@pytest.mark.parametrize(
    ("rounds", "ranks"), [(5, None), (6, (1, 6)), (10, (2, 9)), (20, (6, 15)), (30, (10, 21))]
)
def test_the_sign_tests_ranks(rounds, ranks):
    """The ranks of the tables, such as those of Conover's Practical Nonparametric Statistics."""
    ratios = np.arange(1.0, rounds + 1)
    found = measured({"a": ratios[:, None], "b": np.ones((rounds, 1))})
    ratio = found.ratio("a", "b")
    expected = (0.0, math.inf) if ranks is None else ranks
    assert (ratio.low, ratio.high) == expected
    assert ratio.value == np.median(ratios)


def test_intervals_of_ratios_cover():
    rng = np.random.default_rng(3)
    hits = 0
    for _ in range(800):
        speed = rng.lognormal(0, 1, (20, 1))
        found = measured(
            {
                "a": 2 * speed * rng.lognormal(0, 0.3, (20, 1)) * np.ones((1, 3)),
                "b": speed * rng.lognormal(0, 0.3, (20, 1)) * np.ones((1, 3)),
            }
        )
        ratio = found.ratio("a", "b")
        hits += ratio.low <= 2 <= ratio.high
    assert hits / 800 > 0.94


def test_a_restless_machine_is_called_noisy():
    rng = np.random.default_rng(4)
    calls = rng.uniform(0.99, 1.01, (20, 50))
    assert not measured({"a": calls}).noisy
    assert measured({"a": calls}).unrest("a") < 1.01
    drift = np.linspace(1, 2, 20)[:, None]
    restless = measured({"a": calls * drift, "b": calls * drift, "c": calls})
    assert restless.noisy
    assert restless.unrest("a") == pytest.approx(1.75 / 1.25, rel=0.03)
    assert not measured({"a": calls * drift, "b": calls, "c": calls}).noisy
    stalls = calls.copy()
    stalls[:, 0] = 1000  # a tail is no unrest
    assert not measured({"a": stalls}).noisy


def test_unknown_names_and_quantiles():
    found = measured({"a": np.ones((2, 2))})
    for ask in (lambda: found.quantile("b"), lambda: found.ratio("a", "b")):
        with pytest.raises(KeyError, match="'b' was not measured; there are a"):
            ask()
    for q in (0, 1, 1.5):
        with pytest.raises(ValueError, match="q is"):
            found.quantile("a", q)


def test_real_calls_are_timed():
    found = measure_latency(
        {"little": lambda: None, "much": lambda: sum(range(20_000))}, rounds=6, calls=5
    )
    ratio = found.ratio("much", "little")
    assert ratio.value > 10 and ratio.low > 1


# -- memory and compilers -------------------------------------------------------------------------


def test_memory_is_that_of_the_program_and_not_of_its_parent():
    ballast = np.ones(60_000_000)  # 480 MB here
    little = peak_memory("pass")
    much = peak_memory("block = b'1' * 100_000_000")
    released = peak_memory("block = b'1' * 100_000_000\ndel block")
    assert 2e6 < little < 1e8
    assert 0.9e8 < much - little < 1.2e8
    assert 0.9e8 < released - little < 1.2e8, "the peak counts, not the end"
    assert ballast.size


def test_a_program_that_fails_or_hangs_says_so():
    for code, line in (
        ("1 / 0", r"the program failed \(ZeroDivisionError: division by zero\); code must run as"),
        ("import sys; sys.exit(0)", "the program ended before its peak was asked for; .*leave out"),
        (
            "import os; print('peak', flush=True); os._exit(0)",
            ".*ended before its peak .*; .*leave out",
        ),
    ):
        with pytest.raises(RuntimeError, match=f"^{line}") as caught:
            peak_memory(code)
        assert "\n" not in str(caught.value)
    with pytest.raises(RuntimeError, match=r"^timeout is 0.5 s and .*; pass a longer timeout"):
        peak_memory("import time; time.sleep(30)", timeout=0.5)


def test_a_system_that_does_not_tell_says_so():
    empty = "import io, builtins\nbuiltins.open = lambda *a, **k: io.StringIO('VmRSS: 3 kB')"
    with pytest.raises(RuntimeError, match=r"^this system does not tell .*VmHWM.*; measure it on"):
        peak_memory(empty)


def test_without_proc_the_systems_own_count_is_taken():
    missing = (
        "import builtins, resource\nclass Used: ru_maxrss = 4321\n"
        "resource.getrusage = lambda who: Used\n"
        "def no(*a, **k): raise FileNotFoundError\nbuiltins.open = no\n"
    )
    assert peak_memory(missing + "import sys; sys.platform = 'linux'") == 4321 * 1024
    assert peak_memory(missing + "import sys; sys.platform = 'darwin'") == 4321


def test_a_program_may_print():
    assert peak_memory("print('peak 3')") > 1e6


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
