"""Take trained networks out of PyTorch, and measure what they cost: bytes, memory, time.

Chapter 06 uses it. onnx and onnxruntime are imported inside the functions that need them.
"""

from __future__ import annotations

import copy
import functools
import gc
import itertools
import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import stdtrit
from scipy.stats import binom
from torch import Tensor, nn

from distill_helpers.networks import Stack
from distill_helpers.statistics import Estimate

if TYPE_CHECKING:
    import onnx

Array = NDArray[np.float64]

OPSET = 17
"""Of the exported graphs. Old on purpose: the operators are older still, and runtimes lag."""

IR_VERSION = 8
"""Of the file format; the one that belongs to the opset."""

TOLERANCE = 1e-5
"""How far an exported network may be from PyTorch; see `largest_difference`."""

_OURS = {"sizes", "members", "parameters", "opset", "torch", "precision"}
"""What the exporter writes into every file."""

NOISY = 1.1
"""Above this, rounds lie too far apart; see `Latencies.noisy`."""


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
        `opset`, the version of `torch`, `precision`, and what the caller added.
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
    inputs, zeros, tiny and huge ones, NaN and infinity. It must agree with PyTorch to 1e-5 (see
    `largest_difference`), and give NaN where PyTorch does. Large weights that cancel leave more
    rounding than that in any float32; then four times PyTorch's own distance from float64 is
    allowed.

    Parameters
    ----------
    model : nn.Module
        An `distill_helpers.networks.mlp` in eval mode, or a `distill_helpers.networks.Stack`.
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
        If the model is in train mode, of another kind, not float32 or not finite, or `about`
        cannot be written.
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
    allowed = max(TOLERANCE, 4 * _rounding(stack))
    for x in _trial_inputs(stack.sizes[0]):
        with torch.no_grad():
            expected = stack(x).mean(0)
        error = largest_difference(made(x), expected, x)
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
        If it is not there, or no ONNX file of ours, or `threads` is no whole number above 0.
    """
    path = Path(path)
    _check_count("threads", threads, 1)
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
      depend on its batch, and what lies outside is cut off. NaN becomes a number too;
    - from the batch at hand, where `calibration` is left out (**dynamic**, unsigned): then a
      sample's answer depends on the other samples of its batch.

    Parameters
    ----------
    network : OnnxNetwork
        In float32; one network or an ensemble. What it held when it was made is quantised, whatever
        lies at its path by now.
    path : path
        Ends in ``.onnx``; its folder is there.
    calibration : Tensor of float32, shape (N, D), optional
        Inputs as the network will meet them, such as training inputs. Never the test sample.
    overwrite : bool
        Whether a file of this name may be replaced.

    Returns
    -------
    OnnxNetwork

    Raises
    ------
    TypeError, ValueError
        If the network is quantised already, or `calibration` does not fit it.
    FileExistsError, FileNotFoundError, OSError
        As `export_onnx`.

    Notes
    -----
    The quantiser's settings are ONNX Runtime's defaults: one scale a tensor, minimum and maximum;
    static gives QuantizeLinear and DequantizeLinear nodes, dynamic MatMulInteger's kind. So are the
    session's, but for one: on x86 without VNNI the default kernels add two products in 16 bits and
    saturate, so that answers would depend on the processor. Where a product shows that, sessions
    are told to use exact kernels, which are slower (``session.x64quantprecision``). Chapter 06.
    """
    path = _check_target(path, overwrite)
    if network.about["precision"] != "float32":
        raise ValueError(
            f"{network.path.name} is {network.about['precision']} already; give the float32 one"
        )
    if calibration is not None:
        network.check(calibration, "calibration")
        if len(calibration) == 0 or not calibration.isfinite().all():
            raise ValueError(
                f"calibration has {len(calibration)} rows, or values that are not finite; give "
                "one finite row or more, such as the training inputs"
            )
    model = _quantized(network.content, calibration)
    kind = "int8, static" if calibration is not None else "int8, dynamic"
    _describe(model, network.about | {"precision": kind})
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


# Costs ----------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Latencies:
    """What `measure_latency` saw.

    Attributes
    ----------
    seconds : dict of str to ndarray, shape (rounds, calls)
        Every call of every candidate.
    """

    seconds: dict[str, Array]

    def quantile(self, name: str, q: float = 0.5, level: float = 0.95) -> Estimate:
        r"""Return a quantile of a candidate's calls, with an order-statistic interval.

        Let :math:`F_r` be the share of round r's calls at or below the quantile. Its spread over
        rounds says how sure the share q is, and the ends are the quantiles at (Woodruff 1952)

        .. math:: q \pm t_{R-1} \max\Bigl(\mathrm{sd}(F_r) / \sqrt R,\; \sqrt{q (1 - q) / n}\Bigr)

        So calls of one round may resemble each other. The second term is what independent calls
        would have, and keeps few rounds from looking too sure. An end beyond all calls is infinite
        (above) or 0 (below).

        Parameters
        ----------
        name : str
            Of the candidate.
        q : float
            0.5 for the median, 0.99 for the 99th percentile.
        level : float
            Confidence level.

        Returns
        -------
        Estimate
            In seconds. It has no p-value.
        """
        calls = self._calls(name)
        if not 0 < q < 1:
            raise ValueError(f"q is {q}; a quantile lies between 0 and 1, such as 0.99")
        ordered = np.sort(calls.ravel())
        rounds, n = len(calls), ordered.size
        value = float(np.quantile(ordered, q, method="inverted_cdf"))
        shares = (calls <= value).mean(axis=1)
        spread = float(shares.std(ddof=1)) / math.sqrt(rounds)
        error = max(spread, math.sqrt(q * (1 - q) / n))
        half = float(stdtrit(rounds - 1, (1 + level) / 2)) * error
        low, high = math.floor(n * (q - half)), math.ceil(n * (q + half))
        return Estimate(
            value,
            float(ordered[low - 1]) if low >= 1 else 0.0,
            float(ordered[high]) if high < n else math.inf,
            level,
            rounds,
            math.nan,
            math.nan,
            "s",
        )

    def ratio(self, slow: str, fast: str, level: float = 0.95) -> Estimate:
        """Return how many times longer one candidate takes than another: medians, within rounds.

        The value is the median over rounds of the ratio of the two medians of a round: what slows
        a round down slows both. The interval is the sign test's, which holds for any distribution
        of independent rounds; below six rounds it has no ends at 95 %.

        Parameters
        ----------
        slow, fast : str
            Candidates.
        level : float
            Confidence level.

        Returns
        -------
        Estimate
            A bare number. It has no p-value.
        """
        top, bottom = (np.median(self._calls(name), axis=1) for name in (slow, fast))
        ratios = np.sort(top / bottom)
        rounds = len(ratios)
        # The largest k with P(fewer than k of the rounds lie on one side) <= (1 - level) / 2.
        k = int(binom.ppf((1 - level) / 2, rounds, 0.5))
        if binom.cdf(k, rounds, 0.5) > (1 - level) / 2:
            k -= 1
        low, high = (0.0, math.inf) if k < 0 else (ratios[k], ratios[rounds - 1 - k])
        return Estimate(
            float(np.median(ratios)),
            float(low),
            float(high),
            level,
            rounds,
            math.nan,
            math.nan,
        )

    def unrest(self, name: str) -> float:
        """Return the third quartile of a candidate's medians of rounds, over the first.

        1 on a machine that does nothing else.
        """
        first, third = np.quantile(np.median(self._calls(name), axis=1), [0.25, 0.75])
        return float(third / first)

    @property
    def noisy(self) -> bool:
        """Whether the machine was too noisy to tell small differences.

        So it is where half of the candidates or more are restless by a tenth, `NOISY`. One alone
        may be so by itself.
        """
        return float(np.median([self.unrest(name) for name in self.seconds])) > NOISY

    def _calls(self, name: str) -> Array:
        if name not in self.seconds:
            raise KeyError(f"{name!r} was not measured; there are {', '.join(self.seconds)}")
        return self.seconds[name]


def measure_latency(
    candidates: Mapping[str, Callable[[], object]],
    *,
    rounds: int = 20,
    calls: int | Mapping[str, int] = 100,
    warm_up: int = 20,
    threads: int = 1,
    clock: Callable[[], int] = time.perf_counter_ns,
) -> Latencies:
    """Time single calls of several candidates, in turns, in one run.

    Each round gives every candidate one block of calls, in a new random order (the same in every
    run): what changes in the machine meets all alike, no candidate has the same one before it each
    time, and ratios are taken within a round. Each block begins with calls that are not counted,
    for the caches have forgotten it meanwhile. All run in torch's inference mode, without Python's
    garbage collector, torch on `threads`; a session of ONNX Runtime has a number of its own.

    Parameters
    ----------
    candidates : mapping of str to callable
        Each answers one request; what it needs is bound to it.
    rounds : int
        Blocks of each candidate: 2 or more, and 6 or more for an interval of a ratio.
    calls : int, or mapping of str to int
        Calls counted in a block; one number, or one a candidate.
    warm_up : int
        Calls not counted, before each block.
    threads : int
        Of torch.
    clock : callable
        Nanoseconds; another one for tests.

    Returns
    -------
    Latencies

    Raises
    ------
    TypeError, ValueError
        If there is no candidate, or a count is no whole number or too small; before anything is
        called.
    """
    if not candidates:
        raise ValueError("candidates is empty; give one function or more to time")
    counts = {
        name: calls.get(name, 0) if isinstance(calls, Mapping) else calls for name in candidates
    }
    for name, value, least in (
        ("rounds", rounds, 2),
        ("warm_up", warm_up, 0),
        ("threads", threads, 1),
        *((f"calls of {name!r}", count, 1) for name, count in counts.items()),
    ):
        _check_count(name, value, least)
    names = list(candidates)
    order = np.random.default_rng(0)
    seconds = {name: np.zeros((rounds, counts[name])) for name in names}
    with _steady(threads):
        for index in range(rounds):
            for name in order.permutation(names).tolist():
                call = candidates[name]
                for _ in range(warm_up):
                    call()
                for k in range(counts[name]):
                    begin = clock()
                    call()
                    seconds[name][index, k] = (clock() - begin) * 1e-9
    return Latencies(seconds)


def peak_memory(code: str, *, timeout: float = 120.0) -> int:
    """Return the most memory, in bytes, that a fresh Python process holds while it runs `code`.

    Its resident set: the interpreter, every library it loads, and what shared libraries it touches,
    whose pages other processes may share.

    Parameters
    ----------
    code : str
        Python; a whole program, imports included, that runs to its end.
    timeout : float
        Seconds after which it is given up.

    Raises
    ------
    RuntimeError
        If the program fails or ends early, takes too long, or the system does not tell (Windows).

    Examples
    --------
    >>> 10e6 < peak_memory("block = bytes(10_000_000)") < 1e9
    True
    """
    # On Linux `ru_maxrss` starts from the parent's size; the kernel's high-water mark does not.
    tell = """
def _peak():
    try:
        for line in open("/proc/self/status", encoding="ascii"):
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
        return 0
    except OSError:
        try:
            import resource, sys
        except ImportError:
            return 0
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return most if sys.platform == "darwin" else most * 1024
print("\\npeak", _peak())
"""
    try:
        done = subprocess.run(
            [sys.executable, "-c", f"{code}\n{tell}"],
            capture_output=True,
            encoding="utf-8",
            timeout=timeout,
        )
    except subprocess.TimeoutExpired:
        raise RuntimeError(
            f"timeout is {timeout:g} s and the program took longer; pass a longer timeout"
        ) from None
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise RuntimeError(
            f"the program failed ({last}); code must run as `python -c` does: run it so to mend it"
        )
    word, _, told = (done.stdout.splitlines() or [""])[-1].partition(" ")
    if word != "peak" or not told.isdigit():
        raise RuntimeError(
            "the program ended before its peak was asked for; code must run to its end: leave out "
            "sys.exit and os._exit"
        )
    if not int(told):
        raise RuntimeError(
            "this system does not tell a process's peak memory (no VmHWM in /proc/self/status); "
            "measure it on an ordinary Linux or macOS"
        )
    return int(told)


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


def _check_count(name: str, value: object, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} is {value!r}; it must be a whole number, {least} or more")
    if value < least:
        raise ValueError(f"{name} is {value}; it must be {least} or more")


def _check_target(path: str | Path, overwrite: bool) -> Path:
    path = Path(path)
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
    """Return a network, or an ensemble, as a stack that may be exported."""
    if not isinstance(model, nn.Module):
        raise TypeError(
            f"model is a {type(model).__name__}; it must be a network made by mlp, or a Stack"
        )
    if not isinstance(model, Stack):
        if model.training:
            raise ValueError(
                "the model is in train mode, in which dropout changes every answer; call "
                "model.eval() first"
            )
        model = Stack.from_modules([model])
    for parameter in model.parameters():
        if parameter.dtype != torch.float32:
            raise TypeError(f"the model is {parameter.dtype}; call model.float() first")
        if not parameter.isfinite().all():
            raise ValueError(
                "the model has weights that are not finite; look for the step at which its "
                "training diverged, and export what was before"
            )
    return model


def _check_about(about: Mapping[str, Any] | None, ours: Mapping[str, Any]) -> dict[str, Any]:
    try:
        # As JSON would give it back, and without the NaN that JSON does not know.
        made = dict(json.loads(json.dumps(dict(about or {}), allow_nan=False)))
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"about cannot be written as JSON ({error}); use strings, numbers, lists and dicts"
        ) from None
    taken = made.keys() & ours.keys()
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


@contextmanager
def _steady(threads: int) -> Iterator[None]:
    """Hold what would disturb a measurement, and put it back."""
    collected, before = gc.isenabled(), torch.get_num_threads()
    gc.collect()
    gc.disable()
    torch.set_num_threads(threads)
    try:
        with torch.inference_mode():
            yield
    finally:
        torch.set_num_threads(before)
        if collected:
            gc.enable()


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
