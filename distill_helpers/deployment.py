"""Take trained networks out of PyTorch: export, eight-bit integers, compiled calls.

Chapter 06 uses it; `costs` measures what a network takes. onnx and onnxruntime are imported inside
the functions that need them.
"""

from __future__ import annotations

import copy
import functools
import itertools
import json
import math
import os
import shutil
import tempfile
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from distill_helpers import _checks
from distill_helpers.networks import Stack

if TYPE_CHECKING:
    import onnx

OPSET = 17
"""Of the exported graphs. Old on purpose: the operators are older still, and runtimes lag."""

IR_VERSION = 8
"""Of the file format; the one that belongs to the opset."""

TOLERANCE = 1e-5
"""How far an exported network may be from PyTorch; see `largest_difference`."""

ENOUGH = 0.99
"""Share of the calibration rows on which int8 has to decide as float32 does, or `quantize` warns.

Static int8 agrees on 99.7 % or more in chapter 06, on all three tasks; one outlier among the
calibration rows takes it to chance.
"""

_OURS = {"sizes", "members", "parameters", "opset", "torch", "precision"}
"""What the exporter writes into every file."""

_COMPARED = "against_float32"
"""What `quantize` adds, where it has rows to compare on."""


# Export ---------------------------------------------------------------------------------------


class OnnxNetwork:
    """A network in ONNX Runtime: inputs ``(B, D)`` in, logits ``(B, C)`` out, on the processor.

    Made by `export_onnx`, `quantize` and `load_onnx`.

    Attributes
    ----------
    path : Path
        The file.
    content : bytes
        What it held when it was made or loaded.
    num_bytes : int
        Its size.
    about : dict
        What the exporter wrote into the file: `sizes` of the layers, `members`, `parameters`,
        `opset`, the version of `torch`, `precision`, what the caller added, and
        `against_float32` where `quantize` had rows to compare on.
    session : onnxruntime.InferenceSession
        ``session.run(None, {"x": array})[0]`` is the shortest way through; it checks less.
    """

    def __init__(self, path: Path, content: bytes, threads: int) -> None:
        self.path = path
        self.content = content
        self.num_bytes = len(content)
        self.session = _session(content, threads)
        stored = self.session.get_modelmeta().custom_metadata_map
        takes = [put.name for put in self.session.get_inputs()]
        if takes != ["x"] or not stored.keys() >= _OURS:
            lacks = ", ".join(sorted(_OURS - stored.keys()))
            raise ValueError(
                f"it takes {', '.join(takes)} and tells nothing of {lacks}"
                if lacks
                else f"it takes {', '.join(takes)}, not x"
            )
        self.about: dict[str, Any] = {key: json.loads(value) for key, value in stored.items()}
        self.num_features = int(self.session.get_inputs()[0].shape[1])

    def __call__(self, x: Tensor) -> Tensor:
        """Return the logits of a batch.

        Parameters
        ----------
        x : Tensor of float32, shape (B, D)

        Returns
        -------
        Tensor of float32, shape (B, C)

        Raises
        ------
        TypeError, ValueError
            If `x` is no tensor, or has another dtype or shape.
        """
        self.check(x)
        return torch.from_numpy(self.session.run(None, {"x": x.detach().contiguous().numpy()})[0])

    def check(self, x: Tensor, name: str = "x") -> None:
        """Raise where a batch is not what the network takes; `name` is what to call it."""
        takes = f"{self.path.name} takes"
        if not isinstance(x, Tensor):
            raise TypeError(
                f"{name} is a {type(x).__name__}; {takes} a torch.float32 tensor: use "
                f"torch.as_tensor({name}, dtype=torch.float32)"
            )
        if x.dtype != torch.float32:
            raise TypeError(f"{name} is {x.dtype}; {takes} torch.float32: use {name}.float()")
        if x.dim() != 2 or x.shape[1] != self.num_features:
            raise ValueError(
                f"{name} has shape {tuple(x.shape)}; {takes} (B, {self.num_features}). "
                f"One sample is {name}.unsqueeze(0)"
            )


def export_onnx(
    model: nn.Module,
    path: str | Path,
    *,
    about: Mapping[str, Any] | None = None,
    overwrite: bool = False,
) -> OnnxNetwork:
    """Write a network, or an ensemble, as an ONNX file, checked against PyTorch.

    The graph takes ``x`` of shape (batch, D), with any batch, and returns ``logits``. A stack
    becomes one graph that returns the mean of its members' logits. Equal weights give equal bytes.

    Before anything is written the graph runs in ONNX Runtime on batches of 1 and 4,096: ordinary
    inputs, zeros, tiny and huge ones, NaN and infinity. It must agree with ``model(x)`` to 1e-5
    (see `largest_difference`), and give NaN where the model does. So a model whose own ``forward``
    or hooks do more than its layers is refused. Large weights that cancel leave more
    rounding than that in any float32; then four times PyTorch's own distance from float64 is
    allowed.

    Parameters
    ----------
    model : nn.Module
        A `distill_helpers.networks.mlp` in eval mode, or a `distill_helpers.networks.Stack`.
    path : path
        Ends in ``.onnx``; its folder is there.
    about : mapping, optional
        JSON values to keep in the file, such as class names or how inputs are scaled.
    overwrite : bool
        Whether a file of this name may be replaced.

    Returns
    -------
    OnnxNetwork
        On one thread; `load_onnx` takes more.

    Raises
    ------
    TypeError, ValueError
        If the model is in train mode, of another kind, not float32 or not finite, answers
        otherwise than its layers do, or `about` cannot be written.
    FileExistsError, FileNotFoundError, OSError
        If the file is there already, its folder is not, or the disk is full. Nothing is left then.
    ArithmeticError
        If the graph does not agree with PyTorch.

    Notes
    -----
    The graph is written out with ``onnx.helper``: three kinds of node. ``torch.onnx.export`` gives
    the same numbers, at the price of two more packages and seconds a call; see CONTRIBUTING.md.

    Examples
    --------
    >>> from distill_helpers.networks import mlp
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     student = export_onnx(mlp((20, 64, 32, 2)).eval(), Path(folder) / "student.onnx")
    ...     print(student(torch.zeros(5, 20)).shape, student.about["parameters"])
    torch.Size([5, 2]) 3490
    """
    path = _check_target(path, overwrite)
    stack = _as_stack(model)
    allowed = max(TOLERANCE, 4 * _rounding(stack))
    _check_layers_are_all(model, stack, allowed)
    ours = {
        "sizes": list(stack.sizes),
        "members": stack.num_members,
        "parameters": stack.num_parameters,
        "opset": OPSET,
        "torch": torch.__version__,
        "precision": "float32",
    }
    content = _graph(stack, ours | _check_about(about, ours)).SerializeToString()
    made = OnnxNetwork(path, content, threads=1)
    for x in _trial_inputs(stack.sizes[0]):
        error = largest_difference(made(x), _answer(model, x), x)
        if not error <= allowed:
            raise ArithmeticError(
                f"ONNX Runtime differs from PyTorch by {error:.1e} on a batch of {len(x)}, and "
                f"{allowed:.0e} is allowed; {path.name} is not written. Compare the versions of "
                "onnxruntime and torch with requirements.txt"
            )
    _write(path, content)
    return made


def load_onnx(path: str | Path, *, threads: int = 1) -> OnnxNetwork:
    """Load a file that `export_onnx` or `quantize` wrote.

    Parameters
    ----------
    path : path
        The file.
    threads : int
        That may work on one batch.

    Raises
    ------
    FileNotFoundError, TypeError, ValueError
        If it is not there, or no ONNX file of ours, or `threads` is no whole number from 1 to the
        number of processors.
    """
    path = _checks.path(path)
    _checks.threads(threads)
    if not path.is_file():
        raise FileNotFoundError(f"{path} is no file; export_onnx writes one")
    try:
        return OnnxNetwork(path, path.read_bytes(), threads)
    except Exception as error:  # onnxruntime's own classes, or JSON that is none
        raise ValueError(
            f"{path} cannot be loaded ({_one_line(error)}); write it anew with export_onnx"
        ) from None


def largest_difference(one: Tensor, other: Tensor, x: Tensor) -> float:
    r"""Return how far two networks' logits for the same inputs are apart, over their scale.

    .. math:: \max_{n, c} \frac{|a_{nc} - b_{nc}|}{\max(1, \|x_n\|_\infty, \|b_n\|_\infty)}

    For ordinary inputs and logits it is the plain difference, up to a factor of a few. A network of
    ReLUs grows with its inputs, and so does its rounding: the scale takes that out. Where one is
    not finite the other has to be the same, or the answer is infinite.

    Parameters
    ----------
    one, other : Tensor, shape (N, C)
        Logits; the second is the reference.
    x : Tensor, shape (N, D)
        What they belong to.

    Examples
    --------
    >>> x, z = torch.zeros(1, 3), torch.tensor([[2.0, 4.0]])
    >>> round(largest_difference(z + 0.1, z, x), 6)
    0.025
    """
    a, b = one.detach().double(), other.detach().double()
    same = (a == b) | (a.isnan() & b.isnan())
    scale = torch.maximum(x.double().abs().amax(-1), b.abs().amax(-1)).clamp_min(1.0)
    scale = torch.where(scale.isfinite(), scale, 1.0)
    apart = torch.where(same, 0.0, (a - b).abs() / scale.unsqueeze(-1))
    return float(apart.nan_to_num(nan=math.inf, posinf=math.inf).max()) if apart.numel() else 0.0


def quantize(
    network: OnnxNetwork,
    path: str | Path,
    *,
    calibration: Tensor | None = None,
    overwrite: bool = False,
) -> OnnxNetwork:
    r"""Store weights, and compute, with eight-bit integers; by ONNX Runtime's own quantiser.

    A number :math:`r` becomes the integer nearest to :math:`r / s + z`, cut to eight bits, and
    stands for :math:`s (k - z)`. Weights get :math:`s` and :math:`z` from their own range, one pair
    a layer of a member, signed. Activations get theirs

    - from the range that `calibration` shows (**static**, signed): then a sample's answer does not
      depend on its batch, and what lies outside is cut off. NaN becomes a number too. The logits
      lie on 256 steps, so that two classes tie now and then, and a tie goes to the first;
    - from the batch at hand, where `calibration` is left out (**dynamic**, unsigned): then a
      sample's answer depends on the other samples of its batch.

    With `calibration`, int8 is compared with float32 on its rows, and ``about["against_float32"]``
    of the file says how they compare: ``rows``; ``agreement``, the share of rows with the same
    decision; ``changed``, a list of ``[class in float32, class in int8, rows]``;
    ``largest_change`` of a logit; ``ties``, the share of rows where int8 has no single largest
    logit.

    Parameters
    ----------
    network : OnnxNetwork
        In float32; one network or an ensemble. What it held when it was made is quantised, whatever
        lies at its path by now.
    path : path
        Ends in ``.onnx``; its folder is there.
    calibration : Tensor of float32, shape (N, D), optional
        Inputs as the network will meet them, such as training inputs. Never the test sample. The
        widest value sets the step of all: one outlier makes it too coarse for the rest.
    overwrite : bool
        Whether a file of this name may be replaced.

    Returns
    -------
    OnnxNetwork

    Raises
    ------
    TypeError, ValueError
        If the network is quantised already, or none that was exported, or `calibration` does not
        fit it, or shows no range: logits that are all alike.
    FileExistsError, FileNotFoundError, OSError
        As `export_onnx`.

    Warns
    -----
    RuntimeWarning
        If int8 decides otherwise, or ties, on two calibration rows or more, and on more than one in
        a hundred. The file is written all the same.

    Notes
    -----
    The quantiser's settings are ONNX Runtime's defaults: one scale a tensor, minimum and maximum;
    static gives QuantizeLinear and DequantizeLinear nodes, dynamic MatMulInteger's kind.
    The session's settings are defaults too, but for one: on x86 without VNNI the default kernels
    add two products in 16 bits and saturate, so that answers would depend on the processor. Where a
    product shows that, sessions are told to use exact kernels, which are slower
    (``session.x64quantprecision``). Chapter 06.
    """
    path = _check_target(path, overwrite)
    if not isinstance(network, OnnxNetwork):
        raise TypeError(
            f"network is a {type(network).__name__}; quantize takes an exported network: what "
            "export_onnx(model, path) or load_onnx(path) returns"
        )
    if network.about["precision"] != "float32":
        raise ValueError(
            f"{network.path.name} is {network.about['precision']} already; give the float32 one"
        )
    if calibration is not None:
        _check_calibration(network, calibration)
    kind = "int8, static" if calibration is not None else "int8, dynamic"
    about = network.about | {"precision": kind}
    model = _quantized(network.content, calibration)
    _describe(model, about)
    if calibration is not None:
        made = OnnxNetwork(path, model.SerializeToString(), threads=1)
        found = _against_float32(made(calibration), network(calibration))
        _describe(model, about | {_COMPARED: found})
        changed = sum(rows for *_, rows in found["changed"])
        tied = round(found["ties"] * len(calibration))
        if max(changed, tied) > max(1, (1 - ENOUGH) * len(calibration)):
            warnings.warn(_disagreement(path, found, calibration), RuntimeWarning, stacklevel=2)
    content = model.SerializeToString()
    made = OnnxNetwork(path, content, threads=1)
    _write(path, content)
    return made


def compile_network(model: nn.Module, x: Tensor) -> Callable[[Tensor], Tensor]:
    """Compile a network with ``torch.compile``, and call it once so that it is ready.

    Parameters
    ----------
    model : nn.Module
        In eval mode.
    x : Tensor, shape (B, D)
        A batch of the size that will be used. A second size in one process makes a kernel for any
        size, somewhat slower; ``torch.compiler.reset()`` before it gives each its own.

    Raises
    ------
    TypeError, ValueError
        If the network does not take `x`.
    RuntimeError
        If there is no C++ compiler, or compiling fails.
    """
    if not isinstance(x, Tensor):
        raise TypeError(
            f"x is a {type(x).__name__}; it must be a tensor, such as torch.zeros(1, D)"
        )
    try:
        with torch.inference_mode():
            model(x)
    except Exception as error:
        raise ValueError(
            f"x has shape {tuple(x.shape)} and dtype {x.dtype}, which the network does not take "
            f"({_one_line(error)[:200]}); give a batch (B, D) as it will be served"
        ) from None
    compiler = os.environ.get("CXX") or next(filter(shutil.which, ("g++", "clang++", "cl")), None)
    if compiler is None or not shutil.which(compiler):
        raise RuntimeError(
            f"torch.compile needs a C++ compiler and finds {compiler or 'none'}; install g++ or "
            "leave this out"
        )
    try:
        compiled = torch.compile(model)
        with torch.inference_mode():
            compiled(x)
    except Exception as error:
        raise RuntimeError(
            f"torch.compile failed ({_one_line(error)[:200]}); see that {compiler} works, or "
            "leave this out"
        ) from None
    return compiled


# Small things ---------------------------------------------------------------------------------


def _session(content: bytes, threads: int) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3  # errors
    if _saturates():
        options.add_session_config_entry("session.x64quantprecision", "1")
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


@functools.cache
def _saturates() -> bool:
    """Tell whether this processor's int8 products saturate: so it is on x86 without VNNI.

    Sums of two products of uint8 and int8 do not fit into the 16 bits of the older instruction. One
    product is tried, for the processor's flags have no portable name.
    """
    import onnxruntime
    from onnx import TensorProto, helper, numpy_helper

    size, most, largest = 64, 255, 127
    weight = numpy_helper.from_array(np.full((size, 16), largest, np.int8), "w")
    ends = [
        helper.make_tensor_value_info("x", TensorProto.UINT8, [1, size]),
        helper.make_tensor_value_info("y", TensorProto.INT32, [1, 16]),
    ]
    node = helper.make_node("MatMulInteger", ["x", "w"], ["y"])
    model = helper.make_model(
        helper.make_graph([node], "product", ends[:1], ends[1:], [weight]),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
    )
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    (y,) = session.run(None, {"x": np.full((1, size), most, np.uint8)})
    return bool((y != size * most * largest).any())


def _check_target(path: str | Path, overwrite: bool) -> Path:
    path = _checks.path(path)
    if path.suffix != ".onnx":
        raise ValueError(f"path is {path}; it must end in .onnx")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"{path.parent} is no folder; make it, or name another")
    if path.is_dir():
        raise FileExistsError(f"{path} is a folder; name a file in it")
    if path.exists() and not overwrite:
        raise FileExistsError(f"{path} is there already; name another, or pass overwrite=True")
    return path


def _as_stack(model: nn.Module) -> Stack:
    """Return the layers of a network, or of an ensemble, as a stack that may be exported."""
    if not isinstance(model, nn.Module):
        raise TypeError(
            f"model is a {type(model).__name__}; it must be a network made by mlp, or a Stack"
        )
    if isinstance(model, Stack):
        stack = Stack(list(model.weights), list(model.biases), model.dropout)
    elif model.training:
        raise ValueError(
            "the model is in train mode, in which dropout changes every answer; call "
            "model.eval() first"
        )
    else:
        found = _layers(model)
        if isinstance(found, str):
            raise ValueError(_no_layers(model, found))
        stack = found
    for parameter in stack.parameters():
        if parameter.dtype != torch.float32:
            raise TypeError(f"the model is {parameter.dtype}; call model.float() first")
        if not parameter.isfinite().all():
            raise ValueError(
                "the model has weights that are not finite; look for the step at which its "
                "training diverged, and export what was before"
            )
    return stack


def _layers(model: nn.Module) -> Stack | str:
    """Return a model's layers, or what is in the way."""
    try:
        return Stack.from_modules([model])
    except ValueError as error:
        return str(error)


def _no_layers(model: nn.Module, cause: str) -> str:
    """Say what a model is made of, what would do, and what to hand over or to mend."""
    layers = [type(child).__name__ for child in model.children()]
    made_of = f" of {', '.join(layers[:9])}{', ...' if len(layers) > 9 else ''}" if layers else ""
    inside = [name for name, child in model.named_children() if isinstance(_layers(child), Stack)]
    way_out = (
        f"Hand over model.{inside[0]}, if that alone makes the answer"
        if len(inside) == 1 and inside[0].isidentifier()
        else f"What is in the way: {cause.removeprefix('module 0 ')}"
    )
    return (
        f"model is a {type(model).__name__}{made_of}; export_onnx takes Linear (with bias) and "
        f"ReLU in turn, Dropout after any ReLU, as mlp makes them, or a Stack. {way_out}"
    )


def _answer(model: nn.Module, x: Tensor) -> Any:
    """Return what the model itself says: its mean over members, if it is a stack."""
    with torch.no_grad():
        return model(x).mean(0) if isinstance(model, Stack) else model(x)


def _check_layers_are_all(model: nn.Module, stack: Stack, allowed: float) -> None:
    """Raise where a model does more than its layers: a forward or hooks of its own."""
    for x in _trial_inputs(stack.sizes[0]):
        with torch.no_grad():
            expected = stack(x).mean(0)
        answer = _answer(model, x)
        alike = isinstance(answer, Tensor) and answer.shape == expected.shape
        error = largest_difference(answer, expected, x) if alike else math.inf
        if not error <= allowed:
            apart = f"by {error:.1e} in logits" if alike else "in another form than (B, C)"
            plain = (
                "Stack(model.weights, model.biases)"
                if isinstance(model, Stack)
                else "nn.Sequential(*model).eval(), without hooks"
            )
            raise ValueError(
                f"the model answers otherwise than its layers, {apart}; it has a forward or hooks "
                "of its own, and an export holds Linear and ReLU alone. Put what they do into the "
                f"weights and hand over {plain}"
            )


def _check_about(about: Mapping[str, Any] | None, ours: Mapping[str, Any]) -> dict[str, Any]:
    try:
        # As JSON would give it back, and without the NaN that JSON does not know.
        made = dict(json.loads(json.dumps(dict(about or {}), allow_nan=False)))
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"about cannot be written as JSON ({error}); use strings, numbers, lists and dicts"
        ) from None
    taken = made.keys() & {*ours, _COMPARED}
    if taken:
        raise ValueError(f"about has {min(taken)!r}, which the exporter writes itself; rename it")
    return made


def _graph(stack: Stack, about: Mapping[str, Any]) -> onnx.ModelProto:
    """Write an ensemble as a graph: a chain of Gemm and Relu a member, and their mean."""
    from onnx import TensorProto, checker, helper, numpy_helper

    nodes, weights, outputs = [], [], []
    depth = len(stack.weights)
    for member in range(stack.num_members):
        value = "x"
        for layer, (weight, bias) in enumerate(zip(stack.weights, stack.biases, strict=True)):
            tag = f"{layer}" if stack.num_members == 1 else f"{layer}_{member}"
            for kind, tensor in (("w", weight), ("b", bias)):
                array = tensor[member].detach().cpu().contiguous().numpy()
                weights.append(numpy_helper.from_array(array, f"{kind}{tag}"))
            last = layer == depth - 1
            linear = "logits" if last and stack.num_members == 1 else f"z{tag}"
            nodes.append(
                helper.make_node("Gemm", [value, f"w{tag}", f"b{tag}"], [linear], transB=1)
            )
            value = linear
            if not last:
                nodes.append(helper.make_node("Relu", [value], [f"h{tag}"]))
                value = f"h{tag}"
        outputs.append(value)
    if stack.num_members > 1:
        nodes.append(helper.make_node("Mean", outputs, ["logits"]))
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", size])
        for name, size in (("x", stack.sizes[0]), ("logits", stack.sizes[-1]))
    ]
    graph = helper.make_graph(nodes, "mlp", ends[:1], ends[1:], weights)
    model = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="distill_helpers",
    )
    _describe(model, about)
    checker.check_model(model, full_check=True)
    return model


def _describe(model: onnx.ModelProto, about: Mapping[str, Any]) -> None:
    from onnx import helper

    helper.set_model_props(model, {key: json.dumps(value) for key, value in about.items()})


def _trial_inputs(features: int) -> Iterator[Tensor]:
    """Yield the batches on which an export has to agree with PyTorch."""
    ordinary = torch.randn(4096, features, generator=torch.Generator().manual_seed(0))
    for size, scale in itertools.product((1, 4096), (1.0, 1e-39, 1e-4, 1e4, 1e30)):
        yield ordinary[:size] * scale
    special = torch.zeros(4, features)
    special[1, 0], special[2, -1], special[3, 0] = torch.nan, torch.inf, -torch.inf
    yield special


def _rounding(stack: Stack) -> float:
    """Return how far PyTorch's float32 is from float64, at most, on ordinary inputs."""
    exact = copy.deepcopy(stack).double()
    found = 0.0
    with torch.no_grad():
        for x in _trial_inputs(stack.sizes[0]):
            if len(x) > 4:  # one row may be right by luck
                error = largest_difference(stack(x).mean(0), exact(x.double()).mean(0), x)
                found = max(found, error) if math.isfinite(error) else found
    return found


def _check_calibration(network: OnnxNetwork, calibration: Tensor) -> None:
    network.check(calibration, "calibration")
    way_out = "give rows as the network will meet them, such as the training inputs"
    if len(calibration) == 0 or not calibration.isfinite().all():
        raise ValueError(
            f"calibration has {len(calibration)} rows, or values that are not finite; {way_out}"
        )
    z = network(calibration)
    if (z.amax(0) - z.amin(0)).max() <= 1e-3 * z.abs().max():
        raise ValueError(
            f"calibration has {len(calibration)} rows and shows no range: to the network they are "
            f"all alike, and its integers get their steps from the range; {way_out}"
        )


def _against_float32(z: Tensor, reference: Tensor) -> dict[str, Any]:
    """Compare int8's logits ``(N, C)`` with those of float32; see `quantize`."""
    was, now = reference.argmax(1), z.argmax(1)
    moved = was != now
    pairs = Counter(zip(was[moved].tolist(), now[moved].tolist(), strict=True))
    largest = z == z.amax(1, keepdim=True)
    return {
        "rows": len(z),
        "agreement": 1 - moved.double().mean().item(),
        "changed": [[*pair, rows] for pair, rows in sorted(pairs.items())],
        "largest_change": (z - reference).abs().max().item(),
        "ties": (largest.sum(1) > 1).double().mean().item(),
    }


def _disagreement(path: Path, found: Mapping[str, Any], calibration: Tensor) -> str:
    """Say where int8 no longer decides as float32 does, and what may be the cause."""
    size = calibration.abs()
    row = int(size.amax(1).argmax())
    common = float(np.quantile(size.numpy(), 0.99))
    most = sorted(found["changed"], key=lambda change: -change[2])[:2]
    return (
        f"{path.name} decides otherwise than float32 on {1 - found['agreement']:.1%} of the "
        f"{found['rows']:,} calibration rows ("
        + ", ".join(f"{rows:,} from class {old} to {new}" for old, new, rows in most)
        + f"), and ties on {found['ties']:.1%}. The widest value sets the step of all: row {row} "
        f"reaches {size[row].max():.3g}, and 99 % of the values lie within {common:.3g}. Leave out "
        "or clip rows that lie far out, put the features on one scale, or stay with float32"
    )


def _quantized(content: bytes, calibration: Tensor | None) -> onnx.ModelProto:
    """Run ONNX Runtime's quantiser, which works on files, in a folder of its own."""
    import onnx
    from onnxruntime.quantization import (
        CalibrationDataReader,
        QuantType,
        quantize_dynamic,
        quantize_static,
    )

    class Once(CalibrationDataReader):
        def __init__(self, x: Tensor) -> None:
            self.batches = iter([{"x": x.detach().contiguous().numpy()}])

        def get_next(self) -> Any:
            return next(self.batches, None)

    model = onnx.load_from_string(content)
    # The quantiser asks, on the root logger, for a pre-processing that changes nothing here: it
    # infers shapes, which these graphs give, and fuses what they do not hold.
    onnx.helper.set_model_props(model, {"onnx.quant.pre_process": "onnxruntime.quant"})
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "float.onnx", Path(folder) / "int8.onnx"
        onnx.save(model, source)
        if calibration is None:
            quantize_dynamic(source, target, weight_type=QuantType.QInt8)
        else:
            quantize_static(source, target, Once(calibration))
        return onnx.load(target)


def _write(path: Path, content: bytes) -> None:
    """Write a file beside its place, then put it there: it is never half there."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        draft.write_bytes(content)
        os.replace(draft, path)
    except OSError as error:
        reason = error.strerror or str(error)
        raise OSError(
            error.errno, f"{path} cannot be written ({reason}); free space, or name another place"
        ) from None
    finally:
        draft.unlink(missing_ok=True)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
