"""A student as one C file or one Python file, with nothing else to install.

`export_c` writes C99, `export_numpy` one function for NumPy; both may hold the scaling of the
features, so that raw rows go in. `compile_c` builds and loads the C file. Chapter 06 puts it beside
ONNX.
"""

from __future__ import annotations

import base64
import keyword
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from distill_helpers import _checks
from distill_helpers.networks import Stack

Array = npt.NDArray[np.float64]
Floats = npt.NDArray[np.float32]

TOLERANCE = 1e-6
"""How far a file may be from PyTorch; see `relative_difference`."""

TILE = 8
"""Outputs whose weights for one input lie side by side in the C file: one AVX register."""

COMPILE = ("-O3", "-march=native")
"""What `compile_c` passes; without ``-march=native`` the C file runs on any processor."""

_TRIAL_SCALES = (1.0, 0.0, 1e-30, 1e-4, 1e4, 1e30)


def export_c(
    model: nn.Module,
    path: str | Path,
    *,
    mean: npt.ArrayLike | Tensor | None = None,
    scale: npt.ArrayLike | Tensor | None = None,
    overwrite: bool = False,
) -> Path:
    r"""Write a network as one C99 file without dependencies.

    A file ``student.c`` has two functions, for one row and for n rows::

        void student_one(const double *x, float *logits);
        void student_rows(size_t n, const double *x, float *logits);

    Rows lie one after another. With `mean` and `scale` they are raw rows, in double (a date in
    seconds does not fit into a float), and :math:`(x - mean) / scale` is taken in double, then
    float, as `tasks.Task.standardise` does. Without, ``x`` is ``const float *``.

    No memory is taken but the stack's. The functions keep no state, so threads may share them.

    Parameters
    ----------
    model : nn.Module
        A `distill_helpers.networks.mlp` in eval mode, or a `distill_helpers.networks.Stack` of one.
    path : path
        Ends in ``.c``; its stem is a name in C, and what the functions' names begin with.
    mean, scale : array_like, shape (D,), optional
        Of the raw features, both or neither, such as ``task.mean`` and ``task.scale``.
    overwrite : bool
        Whether a file of this name may be replaced.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    TypeError, ValueError
        If the model is in train mode, of another kind, not float32 or not finite; if `mean` and
        `scale` do not fit it; or if the stem of the path is no name in C.
    FileExistsError, FileNotFoundError, OSError
        If the file is there already, its folder is not, or the disk is full. Nothing is left then.

    Notes
    -----
    Sums are taken in another order than PyTorch's, and in another order for one row than for many,
    so last bits differ: by no more than 1e-6 by `relative_difference`.

    What is not finite is passed on, never hidden: a NaN in a row makes its logits NaN, an infinite
    value makes them NaN or infinite, and a value too large for float32 counts as infinite. So it is
    in PyTorch. ``-ffast-math`` breaks this. Sums near 3e38 may overflow in one and not in the
    other.

    For speed weights are laid out eight outputs at a time, inputs next, so that one load serves
    eight products; several rows share it. With GCC and Clang eight floats are one value of the
    compilers' vector extension (four without AVX): plain loops were several times slower where
    GCC 12 at ``-O3`` was tried. Any other C99 compiler gets plain loops.

    There are no int8 weights. Tried with GCC 12, they made the file a third to a seventh as large
    and the calls three times slower or more, from 3,490 parameters to 1.2 million: turning each
    into a float costs more than reading it.

    Examples
    --------
    >>> from distill_helpers.networks import mlp
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = export_c(mlp((20, 64, 32, 2)).eval(), Path(folder) / "student.c")
    ...     print("void student_one(const float *x, float *logits)" in path.read_text())
    True
    """
    path = _target(path, ".c", overwrite)
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", path.stem):
        raise ValueError(
            f"path is {path}; its functions are named after it, and {path.stem!r} is no name in C. "
            "Use letters, digits and _, such as student.c"
        )
    layers = _layers(model)
    scaling = _scaling(mean, scale, layers[0][0].shape[1])
    _write(path, _c_source(path.stem, layers, scaling))
    return path


def export_numpy(
    model: nn.Module,
    path: str | Path,
    *,
    mean: npt.ArrayLike | Tensor | None = None,
    scale: npt.ArrayLike | Tensor | None = None,
    overwrite: bool = False,
) -> Path:
    """Write a network as one Python file with one function, ``logits(x)``, for NumPy.

    Before anything is written it runs on 10,000 rows, ordinary, tiny and huge, and must agree with
    the model to 1e-6 (`relative_difference`).

    Parameters
    ----------
    model : nn.Module
        As for `export_c`.
    path : path
        Ends in ``.py``; its stem can be imported.
    mean, scale : array_like, shape (D,), optional
        Of the raw features, both or neither.
    overwrite : bool
        Whether a file of this name may be replaced.

    Returns
    -------
    Path
        The file. Its weights are base64 of float32, so they are exact.

    Raises
    ------
    TypeError, ValueError, FileExistsError, FileNotFoundError, OSError
        As `export_c`.
    ArithmeticError
        If it does not agree with the model.

    Notes
    -----
    What is not finite is treated as in `export_c`.

    Examples
    --------
    >>> from distill_helpers.networks import mlp
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = export_numpy(mlp((20, 64, 32, 2)).eval(), Path(folder) / "student.py")
    ...     student = {}
    ...     exec(path.read_text(), student)
    ...     print(student["logits"](np.zeros((5, 20))).shape)
    (5, 2)
    """
    path = _target(path, ".py", overwrite)
    if not path.stem.isidentifier() or keyword.iskeyword(path.stem):
        raise ValueError(
            f"path is {path}; {path.stem!r} cannot be imported. Use letters, digits and _, such as "
            "student.py"
        )
    layers = _layers(model)
    scaling = _scaling(mean, scale, layers[0][0].shape[1])
    source = _numpy_source(layers, scaling)
    made: dict[str, Any] = {}
    exec(compile(source, path.name, "exec"), made)
    raw = trial_rows(layers[0][0].shape[1], scaling)
    expected = reference(model, raw, mean, scale)
    error = relative_difference(made["logits"](raw), expected, _inputs(raw, scaling))
    # Weights that cancel leave more rounding than that in any float32.
    allowed = max(TOLERANCE, 4 * _rounding(layers, _inputs(raw, scaling), expected))
    if not error <= allowed:
        raise ArithmeticError(
            f"NumPy differs from PyTorch by {error:.1e}, and {allowed:.0e} is allowed; {path.name} "
            "is not written. Compare the versions of numpy and torch with requirements.txt"
        )
    _write(path, source)
    return path


class CNetwork:
    """A C file of `export_c`, compiled and loaded: rows ``(B, D)`` in, logits ``(B, C)`` out.

    Attributes
    ----------
    num_features, num_classes : int
    dtype : numpy.dtype
        Of the rows: float64 for raw ones, float32 for standardised ones.
    one, rows : callable
        The C functions themselves, which check nothing: ``one(x, logits)`` and
        ``rows(n, x, logits)`` take pointers, of `pointer`.
    num_bytes : int
        Of the C file.
    """

    def __init__(self, source: str, library: Path, name: str) -> None:
        found = re.search(rf"void {name}_one\(const (float|double) \*x, float \*logits\);", source)
        sizes = re.search(r"(\d+) features in, (\d+) classes out", source)
        if found is None or sizes is None:
            raise ValueError(f"{name}.c has no {name}_one; write it with export_c")
        kind = found[1]
        self.dtype = np.dtype(np.float64 if kind == "double" else np.float32)
        self.num_features, self.num_classes = int(sizes[1]), int(sizes[2])
        self.num_bytes = len(source.encode())
        self._kind = kind
        try:
            import cffi
        except ImportError:
            self._ffi: Any = None
            self._load_with_ctypes(library, name)
            return
        self._ffi = cffi.FFI()
        self._ffi.cdef(
            f"void {name}_one(const {kind} *x, float *logits);"
            f"void {name}_rows(size_t n, const {kind} *x, float *logits);"
        )
        self._library: Any = self._ffi.dlopen(str(library))
        self.one: Any = getattr(self._library, f"{name}_one")
        self.rows: Any = getattr(self._library, f"{name}_rows")

    def _load_with_ctypes(self, library: Path, name: str) -> None:
        import ctypes

        self._library = ctypes.CDLL(str(library))
        self.one = getattr(self._library, f"{name}_one")
        self.rows = getattr(self._library, f"{name}_rows")
        self.one.argtypes = [ctypes.c_void_p] * 2
        self.rows.argtypes = [ctypes.c_size_t, *[ctypes.c_void_p] * 2]
        self.one.restype = self.rows.restype = None

    def pointer(self, array: npt.NDArray[Any]) -> Any:
        """Return where a contiguous array's numbers begin, as `one` and `rows` take it.

        It keeps the array in memory.
        """
        if self._ffi is None:
            return array.ctypes
        return self._ffi.from_buffer("float[]" if array.dtype == np.float32 else "double[]", array)

    def __call__(self, x: npt.ArrayLike) -> Floats:
        """Return the logits of rows.

        Parameters
        ----------
        x : array_like, shape (B, D)
            Converted to `dtype`.

        Returns
        -------
        ndarray of float32, shape (B, C)

        Raises
        ------
        ValueError
            If x has another shape.
        """
        rows = np.ascontiguousarray(x, self.dtype)
        if rows.ndim != 2 or rows.shape[1] != self.num_features:
            raise ValueError(
                f"x has shape {rows.shape}; it must be (B, {self.num_features}). "
                "One sample is x[None]"
            )
        logits = np.empty((len(rows), self.num_classes), np.float32)
        self.rows(len(rows), self.pointer(rows), self.pointer(logits))
        return logits


def compile_c(
    path: str | Path, *, compiler: str | Sequence[str] | None = None, flags: Sequence[str] = COMPILE
) -> CNetwork:
    """Compile a file of `export_c` and load it, by cffi where it is installed, else by ctypes.

    Parameters
    ----------
    path : path
        The C file.
    compiler : str or sequence of str, optional
        Such as ``"gcc"``, ``"clang"`` or ``("zig", "cc")``; the variable ``CC`` where None, or the
        first of cc, gcc and clang that is there.
    flags : sequence of str
        For the compiler.

    Raises
    ------
    FileNotFoundError, ValueError
        If the file is not there, or none of `export_c`.
    RuntimeError
        If there is no compiler, or compiling fails.
    """
    path = _checks.path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path} is no file; export_c writes one")
    if compiler is None:
        named = os.environ.get("CC", "").split()
        compiler = named or next(filter(shutil.which, ("cc", "gcc", "clang")), ())
    command = [compiler] if isinstance(compiler, str) else list(compiler)
    if not command or not shutil.which(command[0]):
        raise RuntimeError(
            f"there is no C compiler ({' '.join(command) or 'cc, gcc, clang'}); install gcc, or "
            "use student.py of export_numpy"
        )
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder) / f"{path.stem}.so"
        done = subprocess.run(
            [*command, *flags, "-shared", "-fPIC", "-o", str(library), str(path)],
            capture_output=True,
            encoding="utf-8",
            errors="replace",
        )
        if done.returncode:
            said = " ".join((done.stderr or done.stdout).split())[:200]
            raise RuntimeError(
                f"{' '.join(command)} does not compile {path.name} ({said}); see that it takes C99 "
                f"and {' '.join(flags)}"
            )
        # Once loaded the library needs its file no more.
        return CNetwork(path.read_text("utf-8"), library, path.stem)


def relative_difference(one: npt.ArrayLike, other: npt.ArrayLike, x: npt.ArrayLike) -> float:
    r"""Return how far two networks' logits are apart, over the scale of a row.

    .. math:: \max_{n, c} \frac{|a_{nc} - b_{nc}|}{\max(1, \|x_n\|_\infty, \|b_n\|_\infty)}

    as `deployment.largest_difference`. Where one is not finite, the other must not be either: NaN
    for NaN, an infinity for NaN or an infinity; or the answer is infinite.

    Parameters
    ----------
    one, other : array_like, shape (N, C)
        Logits; the second is the reference.
    x : array_like, shape (N, D)
        What the network got, standardised.

    Examples
    --------
    >>> round(relative_difference([[2.1, 4.1]], [[2.0, 4.0]], [[0.0]]), 6)
    0.025
    """
    a, b, rows = (np.asarray(part, np.float64) for part in (one, other, x))
    if not a.size:
        return 0.0
    with np.errstate(invalid="ignore", over="ignore"):
        size = np.maximum(np.abs(rows).max(1, initial=0.0), np.abs(b).max(1))
        size = np.where(np.isfinite(size), np.maximum(size, 1.0), 1.0)
        apart = np.abs(a - b) / size[:, None]
    strange = ~np.isfinite(a) & ~np.isfinite(b)
    apart = np.where(strange, 0.0, apart)
    return float(np.nan_to_num(apart, nan=np.inf, posinf=np.inf).max())


def trial_rows(features: int, scaling: tuple[Array, Array] | None = None) -> Array:
    """Return 10,000 raw rows, ordinary, zero, tiny (1e-30) and huge (1e30), and mixed.

    Parameters
    ----------
    features : int
        How many columns, D.
    scaling : tuple of ndarray, optional
        Mean and scale; then the standardised rows are of these sizes.
    """
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((10_000, features))
    rows[:6000] *= np.repeat(_TRIAL_SCALES, 1000)[:, None]
    rows[6000:8000] *= rng.choice(_TRIAL_SCALES, (2000, features))
    rows[8000:9000] *= 10.0 ** rng.uniform(-30, 30, (1000, 1))
    if scaling is not None:
        rows = rows * scaling[1] + scaling[0]
    return rows


def reference(
    model: nn.Module,
    raw: npt.ArrayLike,
    mean: npt.ArrayLike | Tensor | None = None,
    scale: npt.ArrayLike | Tensor | None = None,
) -> Floats:
    """Return PyTorch's own logits for raw rows, ``(N, C)``: what the files have to agree with."""
    rows = np.asarray(raw, np.float64)
    x = torch.from_numpy(_inputs(rows, _scaling(mean, scale, rows.shape[1])))
    with torch.no_grad():
        z = model(x)
    return (z[0] if isinstance(model, Stack) else z).numpy()


# Small things ---------------------------------------------------------------------------------


def _inputs(raw: Array, scaling: tuple[Array, Array] | None) -> Floats:
    """Return what the network itself gets."""
    with np.errstate(over="ignore", invalid="ignore"):
        if scaling is None:
            return raw.astype(np.float32)
        return ((raw - scaling[0]) / scaling[1]).astype(np.float32)


def _layers(model: nn.Module) -> list[tuple[Floats, Floats]]:
    """Return weights ``(out, in)`` and biases ``(out,)`` of a network that may be exported."""
    if not isinstance(model, nn.Module):
        raise TypeError(
            f"model is a {type(model).__name__}; it must be a network made by mlp, or a Stack of "
            "one"
        )
    if isinstance(model, Stack):
        if model.num_members != 1:
            raise ValueError(
                f"model is a stack of {model.num_members} networks; a file holds one. Pass "
                "stack.member(0).eval(), or export_onnx(stack, ...) for the ensemble"
            )
        stack = model
    else:
        if model.training:
            raise ValueError("model is in train mode; call model.eval() first")
        try:
            stack = Stack.from_modules([model])
        except (TypeError, ValueError) as error:
            said = str(error).replace("module 0 ", "model ")
            raise type(error)(said) from None
    found = []
    for depth, (weight, bias) in enumerate(zip(stack.weights, stack.biases, strict=True)):
        if weight.dtype != torch.float32:
            raise TypeError(f"model is {weight.dtype}; use model.float()")
        if not (weight.isfinite().all() and bias.isfinite().all()):
            raise ValueError(
                f"layer {depth} holds weights that are not finite; the training diverged. Train "
                "again with a smaller learning rate"
            )
        found.append((weight[0].detach().cpu().numpy(), bias[0].detach().cpu().numpy()))
    return found


def _scaling(mean: object, scale: object, features: int) -> tuple[Array, Array] | None:
    """Return mean and scale as float64 ``(D,)``, or None."""
    if mean is None and scale is None:
        return None
    if mean is None or scale is None:
        lacks = "scale" if scale is None else "mean"
        raise ValueError(
            f"{lacks} is None; mean and scale go together. Pass both, as task.mean and task.scale"
        )
    made = []
    for name, value in (("mean", mean), ("scale", scale)):
        try:
            array = np.asarray(
                value.detach().cpu() if isinstance(value, Tensor) else value, np.float64
            )
        except (TypeError, ValueError):
            raise TypeError(f"{name} is {value!r:.60}; it must hold {features} numbers") from None
        if array.shape != (features,):
            raise ValueError(
                f"{name} has shape {array.shape}; the model takes {features} features, so it must "
                f"be ({features},)"
            )
        if not np.isfinite(array).all():
            raise ValueError(f"{name} holds NaN or infinity; it must be finite. Mend that feature")
        made.append(array)
    smallest = np.finfo(np.float64).tiny
    if not (made[1] >= smallest).all():
        wrong = int(np.argmin(made[1]))
        raise ValueError(
            f"scale[{wrong}] is {made[1][wrong]:g}; it divides, so it must be above 0, and "
            "its inverse finite. Use 1 for a constant feature"
        )
    return made[0], made[1]


def _rounding(layers: list[tuple[Floats, Floats]], x: Floats, z: Floats) -> float:
    """Return how far PyTorch's float32 is from float64, at most."""
    value = x.astype(np.float64)
    with np.errstate(over="ignore", invalid="ignore"):
        for depth, (weight, bias) in enumerate(layers):
            value = value @ weight.T.astype(np.float64) + bias
            if depth < len(layers) - 1:
                value = np.maximum(value, 0)
        fits = np.isfinite(value).all(1) & np.isfinite(z).all(1)
    return relative_difference(z[fits], value[fits], x[fits])


def _target(path: str | Path, suffix: str, overwrite: bool) -> Path:
    path = _checks.path(path)
    if path.suffix != suffix:
        raise ValueError(f"path is {path}; it must end in {suffix}")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"{path.parent} is no folder; make it, or name another")
    if path.is_dir():
        raise FileExistsError(f"{path} is a folder; name a file in it")
    if path.exists() and not overwrite:
        raise FileExistsError(f"{path} is there already; name another, or pass overwrite=True")
    return path


def _write(path: Path, content: str) -> None:
    """Write a file beside its place, then put it there: it is never half there."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        draft.write_text(content, "utf-8", newline="\n")
        os.replace(draft, path)
    except OSError as error:
        reason = error.strerror or str(error)
        raise OSError(
            error.errno, f"{path} cannot be written ({reason}); free space, or name another place"
        ) from None
    finally:
        draft.unlink(missing_ok=True)


def _numpy_source(layers: list[tuple[Floats, Floats]], scaling: tuple[Array, Array] | None) -> str:
    sizes = [layers[0][0].shape[1], *(weight.shape[0] for weight, _ in layers)]
    shapes, parts = [], []
    for weight, bias in layers:
        shapes.append(f"({weight.shape[1]}, {weight.shape[0]})")
        parts += [weight.T.ravel(), bias]
    packed = base64.b64encode(np.concatenate(parts).astype("<f4").tobytes()).decode()
    text = "\n".join(f'    "{packed[i : i + 92]}"' for i in range(0, len(packed), 92))
    if scaling is None:
        kind, prepare = "Standardised rows", "    h = np.asarray(x).astype(np.float32)\n"
        constants = ""
    else:
        kind = "Raw rows"
        prepare = "    h = ((np.asarray(x, np.float64) - MEAN) / SCALE).astype(np.float32)\n"
        constants = "".join(
            f"{name} = np.array([{', '.join(map(repr, part.tolist()))}])\n"
            for name, part in zip(("MEAN", "SCALE"), scaling, strict=True)
        )
    prepare = prepare.replace("    ", "        ", 1)
    return f'''"""A network {"-".join(map(str, sizes))} for NumPy, written by distill_helpers."""

import base64

import numpy as np

SHAPES = ({", ".join(shapes)},)
{constants}WEIGHTS = np.frombuffer(
    base64.b64decode(
{text.replace("    ", "        ")}
    ),
    "<f4",
)


def logits(x):
    """{kind} (N, {sizes[0]}) in, logits (N, {sizes[-1]}) of float32 out; NaN gives NaN."""
    with np.errstate(over="ignore", invalid="ignore"):
{prepare}        if h.ndim != 2 or h.shape[1] != {sizes[0]}:
            raise ValueError(f"x has shape {{h.shape}}; it must be (N, {sizes[0]})")
        at = 0
        for depth, (fan_in, fan_out) in enumerate(SHAPES):
            end = at + fan_in * fan_out
            h = h @ WEIGHTS[at:end].reshape(fan_in, fan_out) + WEIGHTS[end : end + fan_out]
            at = end + fan_out
            if depth < len(SHAPES) - 1:
                h = np.maximum(h, 0)
    return h
'''


# The C file -----------------------------------------------------------------------------------

_TOP = """\
/* A network {shape}, written by distill_helpers: {features} features in, {classes} classes out.
 *
 *     void {name}_one(const {kind} *x, float *logits);
 *     void {name}_rows(size_t n, const {kind} *x, float *logits);
 *
 * x holds {rows}, one after another; logits has room for {classes} floats a row.
 * C99, no library. Fast with: cc -O3 -march=native. Not with -ffast-math: NaN would be lost.
 * NaN in a row gives NaN; infinity gives NaN or infinity; no state, so threads may share it.
 */
#include <stddef.h>

void {name}_one(const {kind} *x, float *logits);
void {name}_rows(size_t n, const {kind} *x, float *logits);

#if defined(__GNUC__)
#if defined(__AVX__)
#define LANES 8
#else
#define LANES 4
#endif
typedef float lanes __attribute__((vector_size(4 * LANES), aligned(4), may_alias));
typedef int bits __attribute__((vector_size(4 * LANES), aligned(4), may_alias));
#define RELU(a) ((lanes)((bits)(a) & ~(bits)((a) < 0))) /* keeps NaN */
#define ZERO ((lanes){{0}})
#else
#define LANES 1
typedef float lanes;
#define RELU(a) ((a) < 0 ? 0 : (a))
#define ZERO 0
#endif
#define LOAD(p) (*(const lanes *)(p))
#define STORE(p, a) (*(lanes *)(p) = (a))
#if defined(__AVX512VL__)
#define ROWS 8
#else
#define ROWS 4
#endif

/* Weights lie by 8 outputs, then inputs: [out / 8][in][8]. The second lanes beside the first: */
#define NEXT(in) (LANES == 8 ? 8 * (in) : LANES)
"""


def _kernel(rows: int, width: int, sums: int) -> str:
    """Return C for some rows by `width` lanes of outputs, each in `sums` partial sums.

    Every sum is a variable of its own, for compilers keep no array in registers reliably.
    """
    cells = [(r, w) for r in range(rows) for w in range(width)]
    name = f"some{rows}x{width}" if rows > 1 else f"one{width}"
    lines = [
        f"static inline void {name}(size_t in, const float *w, const float *b,",
        "        const float *x, size_t xs, float *y, size_t ys, int relu)",
        "{",
    ]
    if width == 2:
        lines.append("    const size_t next = NEXT(in);")
    for r, w in cells:
        for s in range(sums):
            start = "ZERO" if s else f"LOAD(b + {w} * LANES)" if w else "LOAD(b)"
            lines.append(f"    lanes a{r}_{w}_{s} = {start};")

    def step(count: int) -> list[str]:
        body = []
        for s in range(count):
            at = f"i + {s}" if s else "i"
            for w in range(width):
                offset = " + next" if w else ""
                body.append(f"        const lanes v{w}_{s} = LOAD(w + ({at}) * 8{offset});")
            for r in range(rows):
                row = f"{r} * xs + " if r else ""
                body.append(f"        const float s{r}_{s} = x[{row}{at}];")
            for r, w in cells:
                body.append(f"        a{r}_{w}_{s} += s{r}_{s} * v{w}_{s};")
        return body

    start = "0"
    if sums > 1:
        start = f"in - in % {sums}"
        lines += [f"    for (size_t i = 0; i < {start}; i += {sums}) {{", *step(sums), "    }"]
    lines += [f"    for (size_t i = {start}; i < in; i++) {{", *step(1), "    }"]
    for r, w in cells:
        total = f"a{r}_{w}_0"
        if sums == 4:
            total = f"(a{r}_{w}_0 + a{r}_{w}_1) + (a{r}_{w}_2 + a{r}_{w}_3)"
        place = " + ".join(["y", *([f"{r} * ys"] if r else []), *([f"{w} * LANES"] if w else [])])
        lines.append(f"    {{ const lanes t = {total};")
        lines.append(f"      STORE({place}, relu ? RELU(t) : t); }}")
    lines += ["    (void)xs;", "    (void)ys;", "}", ""]
    return "\n".join(lines)


def _layer_function(rows: str, two: str, single: str) -> str:
    return f"""\
static inline void {rows}(size_t in, size_t out, const float *w, const float *b,
        const float *x, size_t xs, float *y, size_t ys, int relu)
{{
    size_t o = 0;
    for (; o + 2 * LANES <= out; o += 2 * LANES)
        {two}(in, w + (o / 8) * in * 8 + o % 8, b + o, x, xs, y + o, ys, relu);
    for (; o < out; o += LANES)
        {single}(in, w + (o / 8) * in * 8 + o % 8, b + o, x, xs, y + o, ys, relu);
}}
"""


def _c_source(
    name: str, layers: list[tuple[Floats, Floats]], scaling: tuple[Array, Array] | None
) -> str:
    sizes = [layers[0][0].shape[1], *(weight.shape[0] for weight, _ in layers)]
    wide = [-(-size // TILE) * TILE for size in sizes]
    kind = "float" if scaling is None else "double"
    parts = [
        _TOP.format(
            shape="-".join(map(str, sizes)),
            features=sizes[0],
            classes=sizes[-1],
            name=name,
            kind=kind,
            rows="standardised rows" if scaling is None else "raw rows",
        )
    ]
    if scaling is not None:
        parts.append(_c_array("double", "mean", scaling[0]))
        parts.append(_c_array("double", "factor", 1 / scaling[1]))
    for depth, (weight, bias) in enumerate(layers):
        padded = np.zeros((wide[depth + 1], sizes[depth]), np.float32)
        padded[: len(weight)] = weight
        tiles = padded.reshape(-1, TILE, sizes[depth]).transpose(0, 2, 1)
        parts.append(_c_array("float", f"w{depth}", tiles))
        parts.append(_c_array("float", f"b{depth}", np.pad(bias, (0, wide[depth + 1] - len(bias)))))
    parts += [_kernel(1, 2, 4), _kernel(1, 1, 4), _layer_function("one_layer", "one2", "one1")]
    parts.append("#if ROWS == 8")
    parts += [_kernel(8, 2, 1), _kernel(8, 1, 1)]
    parts.append("#else")
    parts += [_kernel(4, 2, 1), _kernel(4, 1, 1)]
    parts.append("#endif")
    parts.append("#if ROWS == 8")
    parts.append(_layer_function("rows_layer", "some8x2", "some8x1"))
    parts.append("#else")
    parts.append(_layer_function("rows_layer", "some4x2", "some4x1"))
    parts.append("#endif")
    parts.append(_body(f"{name}_one", kind, sizes, wide, many=False))
    parts.append(_body("row_block", kind, sizes, wide, many=True))
    parts.append(
        f"""\
void {name}_rows(size_t n, const {kind} *x, float *logits)
{{
    size_t i = 0;
    for (; i + ROWS <= n; i += ROWS)
        row_block(x + i * {sizes[0]}, logits + i * {sizes[-1]});
    for (; i < n; i++)
        {name}_one(x + i * {sizes[0]}, logits + i * {sizes[-1]});
}}
"""
    )
    return "\n".join(parts)


def _body(name: str, kind: str, sizes: list[int], wide: list[int], *, many: bool) -> str:
    """Return the C function that takes one row, or ROWS of them, through the layers."""
    times = "ROWS * " if many else ""
    lines = [f"{'static ' if many else ''}void {name}(const {kind} *x, float *logits)", "{"]
    lines += [f"    float h{d}[{times}{size}];" for d, size in enumerate(wide) if d]
    value = "x"
    if kind == "double":
        lines.append(f"    float h0[{times}{sizes[0]}];")
        inner = f"h0[r * {sizes[0]} + i] = (float)((x[r * {sizes[0]} + i] - mean[i]) * factor[i]);"
        if many:
            lines.append("    for (size_t r = 0; r < ROWS; r++)")
            lines.append(f"        for (size_t i = 0; i < {sizes[0]}; i++)")
            lines.append(f"            {inner}")
        else:
            lines.append(f"    for (size_t i = 0; i < {sizes[0]}; i++)")
            lines.append("        h0[i] = (float)((x[i] - mean[i]) * factor[i]);")
        value = "h0"
    stride = sizes[0]
    for depth in range(len(sizes) - 1):
        relu = int(depth < len(sizes) - 2)
        lines.append(
            f"    {'rows' if many else 'one'}_layer({sizes[depth]}, {wide[depth + 1]}, w{depth}, "
            f"b{depth}, {value}, {stride}, h{depth + 1}, {wide[depth + 1]}, {relu});"
        )
        value, stride = f"h{depth + 1}", wide[depth + 1]
    classes = sizes[-1]
    if many:
        lines.append("    for (size_t r = 0; r < ROWS; r++)")
        lines.append(f"        for (size_t c = 0; c < {classes}; c++)")
        lines.append(f"            logits[r * {classes} + c] = {value}[r * {stride} + c];")
    else:
        lines.append(f"    for (size_t c = 0; c < {classes}; c++)")
        lines.append(f"        logits[c] = {value}[c];")
    return "\n".join([*lines, "}", ""])


def _c_array(kind: str, name: str, values: npt.NDArray[Any]) -> str:
    """Return a constant array; nine digits give a float back exactly, seventeen a double."""
    digits, suffix = (9, "f") if kind == "float" else (17, "")
    numbers = []
    for value in np.asarray(values).ravel().tolist():
        text = f"{value:.{digits}g}"
        numbers.append((text if any(c in text for c in ".e") else text + ".0") + suffix)
    lines = [", ".join(numbers[i : i + 8]) for i in range(0, len(numbers), 8)]
    body = ",\n    ".join(lines)
    return f"static const {kind} {name}[{len(numbers)}] = {{\n    {body}}};\n"
