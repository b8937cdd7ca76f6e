"""A student as one file: against PyTorch, over extreme rows, in every compiler that is there."""

from __future__ import annotations

import ctypes
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn

from distill_helpers import standalone
from distill_helpers.networks import Stack, mlp
from distill_helpers.standalone import (
    TOLERANCE,
    compile_c,
    export_c,
    export_numpy,
    reference,
    relative_difference,
    trial_rows,
)
from distill_helpers.tasks import task_from_arrays

COMPILERS = [name for name in ("gcc", "clang") if shutil.which(name)]
STRICT = ("-Wall", "-Wextra", "-Werror")
needs_compiler = pytest.mark.skipif(not COMPILERS, reason="there is no C compiler")


def network(sizes=(20, 64, 32, 2), seed=0):
    torch.manual_seed(seed)
    return mlp(sizes).eval()


def load(path: Path):
    made: dict = {}
    exec(compile(path.read_text("utf-8"), path.name, "exec"), made)
    return made["logits"]


def one_by_one(net, raw):
    """Each row by the function for one row."""
    rows = np.ascontiguousarray(raw, net.dtype)
    logits = np.empty((len(rows), net.num_classes), np.float32)
    for row, z in zip(rows, logits, strict=True):
        net.one(net.pointer(row), net.pointer(z))
    return logits


def inputs(raw, scaling):
    return standalone._inputs(np.asarray(raw, np.float64), scaling)


SCALING = (np.linspace(-3, 1.7e9, 20), np.geomspace(1e-3, 1e5, 20))


@needs_compiler
@pytest.mark.parametrize("compiler", COMPILERS)
@pytest.mark.parametrize(
    "flags",
    [("-O3", "-march=native"), ("-O2",), ("-O0",), ("-std=c99", "-pedantic", "-O3")],
    ids=" ".join,
)
@pytest.mark.parametrize("scaling", [None, SCALING], ids=["standardised", "raw"])
def test_c_agrees_with_pytorch_over_ten_thousand_extreme_rows(tmp_path, compiler, flags, scaling):
    model = network()
    mean, scale = scaling or (None, None)
    path = export_c(model, tmp_path / "student.c", mean=mean, scale=scale)
    net = compile_c(path, compiler=compiler, flags=(*STRICT, *flags))
    raw = trial_rows(20, scaling)
    assert len(raw) == 10_000 and net.dtype == (np.float64 if scaling else np.float32)
    expected = reference(model, raw, mean, scale)
    assert relative_difference(net(raw), expected, inputs(raw, scaling)) <= TOLERANCE
    assert relative_difference(one_by_one(net, raw), expected, inputs(raw, scaling)) <= TOLERANCE


@needs_compiler
def test_plain_c_for_compilers_without_vectors(tmp_path):
    """What a compiler that is neither GCC nor Clang would see."""
    model = network((5, 9, 3))
    path = export_c(model, tmp_path / "plain.c")
    net = compile_c(path, compiler=COMPILERS[0], flags=(*STRICT, "-U__GNUC__", "-std=c99", "-O1"))
    raw = trial_rows(5)
    assert relative_difference(net(raw), reference(model, raw), inputs(raw, None)) <= TOLERANCE


@needs_compiler
@settings(
    deadline=None, max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    sizes=st.lists(st.integers(1, 40), min_size=2, max_size=5),
    rows=st.integers(0, 19),
    seed=st.integers(0, 99),
)
def test_any_shape_and_any_number_of_rows(tmp_path, sizes, rows, seed):
    model = network(tuple(sizes), seed)
    path = export_c(model, tmp_path / "any.c", overwrite=True)
    net = compile_c(path, flags=(*STRICT, "-O1"))
    raw = np.random.default_rng(seed).standard_normal((rows, sizes[0]))
    guard = np.full((rows + 1, sizes[-1]), 7, np.float32)  # nothing is written past the end
    x = np.ascontiguousarray(raw, np.float32)
    if rows:
        net.rows(rows, net.pointer(x), net.pointer(guard))
    assert (guard[rows] == 7).all()
    expected = reference(model, raw)
    assert relative_difference(guard[:rows], expected, raw) <= TOLERANCE
    assert relative_difference(net(raw), expected, raw) <= TOLERANCE
    numpy = load(export_numpy(model, tmp_path / "any.py", overwrite=True))
    assert relative_difference(numpy(raw), expected, raw) <= TOLERANCE


@needs_compiler
@pytest.mark.skipif(sys.platform != "linux", reason="sanitizers are tried on Linux")
def test_c_reads_and_writes_within_its_arrays(tmp_path):
    export_c(network((7, 13, 5)), tmp_path / "student.c")
    (tmp_path / "main.c").write_text(
        '#include <stdlib.h>\n#include <stdio.h>\n#include "student.c"\n'
        "int main(void) { for (size_t n = 0; n < 20; n++) {\n"
        "  float *x = calloc(n * 7 + 1, 4), *z = calloc(n * 5 + 1, 4);\n"
        '  student_rows(n, x + 1, z + 1); free(x); free(z); } puts("fine"); return 0; }\n'
    )
    command = [COMPILERS[0], "-g", "-O1", "-fsanitize=address,undefined", "main.c", "-o", "main"]
    if subprocess.run(command, cwd=tmp_path, capture_output=True).returncode:
        pytest.skip("this compiler has no sanitizers")
    done = subprocess.run([tmp_path / "main"], capture_output=True, encoding="utf-8")
    assert done.stdout == "fine\n" and not done.stderr, done.stderr[:500]


@pytest.mark.parametrize("scaling", [None, SCALING], ids=["standardised", "raw"])
def test_numpy_agrees_with_pytorch_over_ten_thousand_extreme_rows(tmp_path, scaling):
    model = network()
    mean, scale = scaling or (None, None)
    logits = load(export_numpy(model, tmp_path / "student.py", mean=mean, scale=scale))
    raw = trial_rows(20, scaling)
    expected = reference(model, raw, mean, scale)
    assert logits(raw).dtype == np.float32
    assert relative_difference(logits(raw), expected, inputs(raw, scaling)) <= TOLERANCE


def test_trial_rows_are_as_extreme_as_they_say():
    size = np.abs(trial_rows(20))
    assert (size.max(1) == 0).sum() == 1000 and size.max() > 1e30
    assert ((size.max(1) > 0) & (size.max(1) < 1e-28)).any()


def special_rows():
    rows = np.ones((6, 4))
    rows[0, 1], rows[1, 2], rows[2, 0] = np.nan, np.inf, -np.inf
    rows[3] = [np.inf, -np.inf, np.nan, 0]
    rows[4] = 1e300  # infinite in float32
    return rows


@pytest.mark.parametrize("scaling", [None, (np.ones(4) * 2, np.ones(4) * 3)])
def test_what_is_not_finite_is_passed_on(tmp_path, scaling):
    mean, scale = scaling or (None, None)
    model, raw = network((4, 8, 3)), special_rows()
    made = [load(export_numpy(model, tmp_path / "student.py", mean=mean, scale=scale))]
    path = export_c(model, tmp_path / "student.c", mean=mean, scale=scale)
    for compiler in COMPILERS:
        net = compile_c(path, compiler=compiler)
        made += [net, lambda x, net=net: one_by_one(net, x)]
    with np.errstate(over="ignore"):
        for logits in made:
            z = logits(raw)
            assert np.isnan(z[[0, 3]]).all() and not np.isfinite(z[[1, 2, 4]]).any()
            assert np.isfinite(z[5]).all()
            expected = reference(model, raw, mean, scale)
            assert (np.isfinite(z) == np.isfinite(expected)).all()
            with np.errstate(invalid="ignore"):
                assert relative_difference(z, expected, inputs(raw, scaling)) <= TOLERANCE


def test_raw_rows_of_a_task_give_its_students_logits(tmp_path):
    rng = np.random.default_rng(0)
    raw = rng.normal(1.7e9, 3600, (200, 3))  # dates in seconds: float32 has steps of 128 there
    task = task_from_arrays(raw, (raw[:, 0] > 1.7e9).astype(int))
    model = network((3, 8, 2))
    with torch.no_grad():
        expected = model(task.standardise(raw)).numpy()
    paths = {"mean": task.mean, "scale": task.scale}
    assert (
        np.abs(load(export_numpy(model, tmp_path / "s.py", **paths))(raw) - expected).max() < 1e-6
    )
    if COMPILERS:
        net = compile_c(export_c(model, tmp_path / "s.c", **paths))
        assert np.abs(net(raw) - expected).max() < 1e-6


def test_numpy_file_runs_alone(tmp_path):
    model = network()
    export_numpy(model, tmp_path / "student.py")
    code = "import numpy, student, sys; print(student.logits(numpy.zeros((1, 20))).tolist());"
    code += "assert 'torch' not in sys.modules and 'distill_helpers' not in sys.modules"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, encoding="utf-8"
    )
    assert done.returncode == 0, done.stderr
    expected = reference(model, np.zeros((1, 20)))
    np.testing.assert_allclose(np.array(eval(done.stdout)), expected, rtol=1e-6)
    with pytest.raises(ValueError, match=r"^x has shape \(20,\); it must be \(N, 20\)$"):
        load(tmp_path / "student.py")(np.zeros(20))


def test_stack_of_one_and_equal_weights_give_equal_bytes(tmp_path):
    stack = Stack.build((4, 5, 2), seeds=[3])
    one = export_c(stack, tmp_path / "s.c").read_bytes()
    member = stack.member(0).eval()
    assert export_c(member, tmp_path / "s.c", overwrite=True).read_bytes() == one
    first = export_numpy(stack, tmp_path / "s.py").read_bytes()
    assert export_numpy(member, tmp_path / "s.py", overwrite=True).read_bytes() == first


def test_constants_are_exact(tmp_path):
    """Nine digits give float32 back, seventeen give a double back; also the smallest ones."""
    tiny, third = np.float32(1e-45), np.float32(1 / 3)
    model = network((2, 2))
    with torch.no_grad():
        model[0].weight[:] = torch.tensor([[tiny, -third], [3.4e38, 1.0]])
    text = export_c(model, tmp_path / "s.c", mean=[0.1, 1e300], scale=[1 / 3, 2]).read_text()
    numbers = re.search(r"static const float w0\[16\] = \{([^}]*)\}", text)[1].split(",")
    values = np.array([float(n.strip().removesuffix("f")) for n in numbers], np.float32)
    found = values.reshape(2, 8)[:, :2].T
    assert (found == model[0].weight.detach().numpy()).all()
    assert "0.10000000000000001, 1.0000000000000001e+300" in text


@needs_compiler
def test_loading_without_cffi(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "cffi", None)
    model, raw = network(), trial_rows(20)[:1000]
    net = compile_c(export_c(model, tmp_path / "student.c"))
    assert isinstance(net.one, ctypes._CFuncPtr)
    for z in (net(raw), one_by_one(net, raw)):
        assert relative_difference(z, reference(model, raw), raw) <= TOLERANCE


@needs_compiler
def test_compiled_network_takes_lists_and_refuses_other_shapes(tmp_path):
    net = compile_c(export_c(network((3, 2)), tmp_path / "s.c"))
    assert (net.num_features, net.num_classes) == (3, 2)
    assert net([[1, 2, 3]]).shape == (1, 2)
    assert net.num_bytes == (tmp_path / "s.c").stat().st_size
    with pytest.raises(ValueError) as caught:
        net(np.zeros(3))
    assert str(caught.value) == "x has shape (3,); it must be (B, 3). One sample is x[None]"


def with_nan():
    model = network((3, 2))
    with torch.no_grad():
        model[0].weight[0, 0] = torch.nan
    return model


class Doubled(nn.Sequential):
    def forward(self, x):
        return 2 * super().forward(x)


@pytest.mark.parametrize("export, suffix", [(export_c, ".c"), (export_numpy, ".py")])
@pytest.mark.parametrize(
    ("model", "options", "text"),
    [
        (
            3,
            {},
            "model is a int; it must be a network made by mlp, or a Stack of one",
        ),
        (mlp((3, 2)), {}, "model is in train mode; call model.eval() first"),
        (
            Stack.build((3, 2), seeds=[0, 1]),
            {},
            "model is a stack of 2 networks; a file holds one. Pass stack.member(0).eval(), or "
            "export_onnx(stack, ...) for the ensemble",
        ),
        (mlp((3, 2)).double().eval(), {}, "model is torch.float64; use model.float()"),
        (
            with_nan(),
            {},
            "layer 0 holds weights that are not finite; the training diverged. Train again with a "
            "smaller learning rate",
        ),
        (
            Doubled(nn.Linear(3, 2)).eval(),
            {},
            "model has a Doubled with its own forward; a stack would drop it. Write it with "
            "nn.Sequential.",
        ),
        (
            network((3, 2)),
            {"mean": [1, 2, 3]},
            "scale is None; mean and scale go together. Pass both, as task.mean and task.scale",
        ),
        (
            network((3, 2)),
            {"mean": [1, 2], "scale": [1, 2]},
            "mean has shape (2,); the model takes 3 features, so it must be (3,)",
        ),
        (
            network((3, 2)),
            {"mean": [1, 2, 3], "scale": [1, 0, 3]},
            "scale[1] is 0; it divides, so it must be above 0, and its inverse finite. Use 1 "
            "for a constant feature",
        ),
        (
            network((3, 2)),
            {"mean": [1, 2, 3], "scale": [1, 1e-310, 3]},  # its inverse is infinite
            "scale[1] is 1e-310; it divides, so it must be above 0, and its inverse finite. Use 1 "
            "for a constant feature",
        ),
        (
            network((3, 2)),
            {"mean": [1, np.nan, 3], "scale": [1, 2, 3]},
            "mean holds NaN or infinity; it must be finite. Mend that feature",
        ),
        (
            network((3, 2)),
            {"mean": "abc", "scale": [1, 2, 3]},
            "mean is 'abc'; it must hold 3 numbers",
        ),
    ],
)
def test_what_cannot_be_written_is_one_line(tmp_path, export, suffix, model, options, text):
    with pytest.raises((TypeError, ValueError)) as caught:
        export(model, tmp_path / f"student{suffix}", **options)
    assert str(caught.value) == text
    assert not list(tmp_path.iterdir())


@needs_compiler
@pytest.mark.parametrize("stem", ["layer", "some", "row", "one", "float", "main", "w0", "mean"])
def test_any_other_name_is_one_in_c(tmp_path, stem):
    model, x = network((3, 2)), np.ones((9, 3), np.float32)
    net = compile_c(export_c(model, tmp_path / f"{stem}.c"))
    assert np.allclose(net(x), model(torch.from_numpy(x)).detach())


@pytest.mark.parametrize("export, suffix", [(export_c, ".c"), (export_numpy, ".py")])
def test_paths(tmp_path, export, suffix):
    model, path = network((3, 2)), tmp_path / f"student{suffix}"
    with pytest.raises(TypeError, match=r"^path is 3; it must be a path: a string, or a"):
        export(model, 3)
    with pytest.raises(ValueError) as caught:
        export(model, tmp_path / "student.txt")
    assert str(caught.value) == f"path is {tmp_path / 'student.txt'}; it must end in {suffix}"
    with pytest.raises(FileNotFoundError) as caught:
        export(model, tmp_path / "no" / f"student{suffix}")
    assert str(caught.value) == f"{tmp_path / 'no'} is no folder; make it, or name another"
    path.write_text("mine")
    with pytest.raises(FileExistsError) as caught:
        export(model, path)
    assert str(caught.value) == f"{path} is there already; name another, or pass overwrite=True"
    assert path.read_text() == "mine"
    (tmp_path / f"folder{suffix}").mkdir()
    with pytest.raises(FileExistsError, match=r"is a folder; name a file in it$"):
        export(model, tmp_path / f"folder{suffix}", overwrite=True)


def test_names_that_are_none(tmp_path):
    model = network((3, 2))
    for stem in ("my-student", "2", "größe"):
        with pytest.raises(ValueError) as caught:
            export_c(model, tmp_path / f"{stem}.c")
        assert str(caught.value) == (
            f"path is {tmp_path / stem}.c; its functions are named after it, and {stem!r} is no "
            "name in C. Use letters, digits and _, such as student.c"
        )
    with pytest.raises(ValueError, match=r"'my-student' cannot be imported\. Use letters, digits"):
        export_numpy(model, tmp_path / "my-student.py")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("export, suffix", [(export_c, ".c"), (export_numpy, ".py")])
def test_a_full_disk_leaves_the_old_file(tmp_path, monkeypatch, export, suffix):
    path = tmp_path / f"student{suffix}"
    path.write_text("old")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError) as caught:
        export(network((3, 2)), path, overwrite=True)
    assert caught.value.strerror == (
        f"{path} cannot be written (No space left on device); free space, or name another place"
    )
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


def test_numpy_that_disagrees_is_not_written(tmp_path, monkeypatch):
    write = standalone._numpy_source
    monkeypatch.setattr(
        standalone, "_numpy_source", lambda *a: write(*a).replace("return h", "return h + 1e-4")
    )
    with pytest.raises(
        ArithmeticError, match=r"^NumPy differs from PyTorch by 1\.0e-04, and 1e-06"
    ):
        export_numpy(network((3, 2)), tmp_path / "student.py")
    assert not list(tmp_path.iterdir())


def test_weights_that_cancel_are_allowed_what_float32_does_to_them(tmp_path, monkeypatch):
    """Opposite logits of large terms: where both come out near 0, float32 keeps few digits."""
    model = network((20, 2))
    with torch.no_grad():
        weight = 1e4 * model[0].weight[0]
        model[0].weight[:] = torch.stack([weight, -weight])
        model[0].bias[:] = 0
    raw = trial_rows(20)
    x, expected = raw.astype(np.float32), reference(model, raw)
    exact = x.astype(float) @ np.stack([weight, -weight], 1).astype(float)
    rounding = relative_difference(expected, exact, x)
    assert 10 * TOLERANCE < rounding < 0.01
    logits = load(export_numpy(model, tmp_path / "student.py"))
    assert relative_difference(logits(raw), expected, x) <= 4 * rounding
    write = standalone._numpy_source
    monkeypatch.setattr(
        standalone, "_numpy_source", lambda *a: write(*a).replace("return h", "return h + 0.1")
    )
    with pytest.raises(ArithmeticError, match=r"^NumPy differs from PyTorch by 1\.0e-01"):
        export_numpy(model, tmp_path / "other.py")


def test_compiling_what_cannot_be_compiled(tmp_path, monkeypatch):
    path = tmp_path / "student.c"
    with pytest.raises(FileNotFoundError) as caught:
        compile_c(path)
    assert str(caught.value) == f"{path} is no file; export_c writes one"
    export_c(network((3, 2)), path)
    with pytest.raises(RuntimeError) as caught:
        compile_c(path, compiler="no-such-compiler")
    assert str(caught.value) == (
        "there is no C compiler (no-such-compiler); install gcc, or use student.py of export_numpy"
    )
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RuntimeError, match=r"^there is no C compiler \(cc, gcc, clang\); install"):
        compile_c(path)


@needs_compiler
def test_c_files_that_are_not_ours(tmp_path):
    (tmp_path / "other.c").write_text("int f(void) { return 1; }\n")
    with pytest.raises(ValueError, match=r"^other\.c has no other_one; write it with export_c$"):
        compile_c(tmp_path / "other.c")
    (tmp_path / "broken.c").write_text("int f(")
    with pytest.raises(RuntimeError, match=r"does not compile broken\.c \(.*\); see that it takes"):
        compile_c(tmp_path / "broken.c", compiler=COMPILERS[0])


def test_relative_difference_is_what_it_says():
    x = np.array([[0.0], [100.0], [1.0]])
    b = np.array([[2.0, 4.0], [1.0, 1.0], [np.nan, np.inf]])
    assert relative_difference(b, b, x) == 0
    assert relative_difference(np.add(b, [[0, 0], [1, 0], [0, 0]]), b, x) == pytest.approx(0.01)
    for wrong in (0.0, 1e38):
        assert relative_difference([[1.0, wrong]], [[1.0, np.nan]], [[1.0]]) == np.inf
    assert relative_difference(np.empty((0, 2)), np.empty((0, 2)), np.empty((0, 1))) == 0
