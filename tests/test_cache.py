"""The cache: what is stored comes back, its key holds all it depends on, no disk stops a run."""

from __future__ import annotations

import errno
import os
import shutil
import threading
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from distill_helpers import _machine, cache

Made = dict[str, Tensor]


class Compute:
    """Makes new tensors at each call, and counts them."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self) -> Made:
        self.calls += 1
        return {"w": torch.full((2, 3), float(self.calls)).T, "n": torch.tensor([self.calls])}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DISTILL_CACHE", str(tmp_path / "deep" / "cache"))
    return tmp_path / "deep" / "cache"


def equal(one: Made, other: Made) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


def files(folder: Path) -> list[Path]:
    return sorted(folder.iterdir())


@pytest.fixture
def strict() -> object:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


@pytest.mark.usefixtures("strict")
def test_made_once_and_loaded_afterwards(folder: Path) -> None:
    compute = Compute()
    first = cache.load_or_compute("demo", {"seed": 0}, compute)
    second = cache.load_or_compute("demo", {"seed": 0}, compute)
    assert compute.calls == 1
    assert equal(first, second)
    (stored,) = files(folder)
    assert stored.name.startswith("demo-")
    assert stored.suffix == ".safetensors"


@pytest.mark.usefixtures("strict")
def test_the_folder_can_be_deleted(folder: Path) -> None:
    compute = Compute()
    cache.load_or_compute("demo", {}, compute)
    files(folder)[0].unlink()
    folder.rmdir()
    cache.load_or_compute("demo", {}, compute)
    assert compute.calls == 2


def test_changing_what_came_back_does_not_change_what_is_stored(folder: Path) -> None:
    compute = Compute()
    for _ in range(2):
        cache.load_or_compute("demo", {}, compute)["w"].zero_()
    assert cache.load_or_compute("demo", {}, compute)["w"].unique().tolist() == [1.0]


# The key


def test_another_argument_is_another_key(folder: Path) -> None:
    compute = Compute()
    x = torch.tensor([1.0, 2.0])
    changes: list[tuple[str, dict[str, object]]] = [
        ("demo", {"seed": 0, "x": x}),
        ("other", {"seed": 0, "x": x}),
        ("demo", {"seed": 1, "x": x}),
        ("demo", {"seed": None, "x": x}),
        ("demo", {"seeds": 0, "x": x}),
        ("demo", {"seed": 0}),
        ("demo", {"seed": 0, "x": torch.tensor([1.0, 2.0 + 1e-6])}),
        ("demo", {"seed": 0, "x": x.double()}),
        ("demo", {"seed": 0, "x": x.view(2, 1)}),
        ("demo", {"seed": 0, "x": x.view(torch.int32)}),
    ]
    for number, (name, arguments) in enumerate(changes, 1):
        cache.load_or_compute(name, arguments, compute)
        assert compute.calls == number
    for name, arguments in changes:
        cache.load_or_compute(name, arguments, compute)
    assert compute.calls == len(changes)


def test_tensors_count_by_content_alone(folder: Path) -> None:
    compute = Compute()
    square = torch.arange(9.0).view(3, 3)
    for same in (square, square.clone(), square.T.contiguous().T, square.clone().requires_grad_()):
        cache.load_or_compute("demo", {"x": same, "seed": 0}, compute)
    cache.load_or_compute("demo", {"seed": 0, "x": square}, compute)  # nor does the order
    assert compute.calls == 1
    cache.load_or_compute("demo", {"x": square.T, "seed": 0}, compute)
    assert compute.calls == 2


@pytest.mark.parametrize("name", ["ATEN_CPU_CAPABILITY", "MKL_CBWR", "ONEDNN_MAX_CPU_ISA"])
def test_another_setting_is_another_key(
    folder: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    compute = Compute()
    cache.load_or_compute("demo", {}, compute)
    monkeypatch.setenv(name, "something else")
    cache.load_or_compute("demo", {}, compute)
    assert compute.calls == 2


def test_other_threads_are_another_key(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compute = Compute()
    cache.load_or_compute("demo", {}, compute)
    threads = torch.get_num_threads()
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads + 1)
    cache.load_or_compute("demo", {}, compute)
    assert compute.calls == 2


def test_another_pin_is_another_key(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compute = Compute()
    cache.load_or_compute("demo", {}, compute)
    monkeypatch.setattr(_machine, "_PINS", (*_machine._PINS, "no-such-package"))
    cache.load_or_compute("demo", {}, compute)
    assert compute.calls == 2


@pytest.mark.parametrize("source", ["training.py", "audit/__init__.py"])
def test_other_sources_are_another_key(
    source: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "package"
    shutil.copytree(Path(cache.__file__).parent, package)
    before = cache.sources_digest()
    monkeypatch.setattr(cache, "__file__", str(package / "cache.py"))
    try:
        cache.sources_digest.cache_clear()
        assert cache.sources_digest() == before
        compute = Compute()
        cache.load_or_compute("demo", {}, compute)
        with (package / source).open("a") as file:
            file.write("\n")
        # The code that runs is the one that was loaded: its key stays until the next process.
        cache.load_or_compute("demo", {}, compute)
        assert compute.calls == 1
        cache.sources_digest.cache_clear()
        cache.load_or_compute("demo", {}, compute)
        assert compute.calls == 2
    finally:
        cache.sources_digest.cache_clear()


def test_the_machine_is_described_in_full() -> None:
    found = _machine.fingerprint()
    assert found == _machine.fingerprint()
    assert {"platform", "cpu", "python", "torch", "numpy", "MKL_CBWR"} <= found.keys()
    assert all(isinstance(value, str) and value for value in found.values())
    assert found["torch"] == torch.__version__.split("+")[0] or found["torch"] == torch.__version__


# The place


def test_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISTILL_CACHE", "off")
    monkeypatch.chdir(tmp_path)
    compute = Compute()
    for _ in range(2):
        cache.load_or_compute("demo", {}, compute)
    assert compute.calls == 2
    assert cache.folder() is None
    assert files(tmp_path) == []


@pytest.mark.parametrize("value", [None, ""])
def test_the_default_is_the_users_own_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str | None
) -> None:
    if value is None:
        monkeypatch.delenv("DISTILL_CACHE", raising=False)
    else:
        monkeypatch.setenv("DISTILL_CACHE", value)
    monkeypatch.setattr(cache.platformdirs, "user_cache_dir", lambda name: str(tmp_path / name))
    assert cache.folder() == tmp_path / "distill_helpers"


# What goes wrong with disks


def one_warning(call: Callable[[], Made], match: str) -> Made:
    with pytest.warns(RuntimeWarning, match=match) as caught:
        made = call()
    assert len(caught) == 1
    assert "\n" not in str(caught[0].message)
    return made


@pytest.mark.parametrize("keep", [0, 5, 60])
def test_a_truncated_file_is_made_anew(folder: Path, keep: int) -> None:
    compute = Compute()
    cache.load_or_compute("demo", {}, compute)
    (stored,) = files(folder)
    stored.write_bytes(stored.read_bytes()[:keep])
    made = one_warning(
        lambda: cache.load_or_compute("demo", {}, compute), "cannot be read .*; it is made anew"
    )
    assert compute.calls == 2
    assert equal(cache.load_or_compute("demo", {}, compute), made)
    assert compute.calls == 2
    assert files(folder) == [stored]


def test_a_file_that_may_not_be_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Path) -> bool:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(cache.Path, "exists", refuse)
    made = one_warning(lambda: cache.load_or_compute("demo", {}, Compute()), "cannot be read")
    assert equal(made, Compute()())


@pytest.mark.parametrize("partly", [False, True])
def test_a_full_disk(folder: Path, monkeypatch: pytest.MonkeyPatch, partly: bool) -> None:
    compute = Compute()
    cache.load_or_compute("demo", {"seed": 0}, compute)
    (old,) = files(folder)
    content = old.read_bytes()
    old.write_bytes(b"cut off")  # so that it has to be written again

    def full(tensors: Made, path: str) -> None:
        if partly:
            Path(path).write_bytes(b"half of it")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(cache, "save_file", full)
    with pytest.warns(RuntimeWarning) as caught:
        made = cache.load_or_compute("demo", {"seed": 0}, compute)
    reads, writes = (str(warning.message) for warning in caught)
    assert "cannot be read" in reads
    assert "No space left" in writes
    assert "set DISTILL_CACHE to another folder or to off" in writes
    assert "\n" not in reads + writes
    assert made["n"].item() == 2
    assert files(folder) == [old]
    assert old.read_bytes() == b"cut off"
    old.write_bytes(content)
    assert cache.load_or_compute("demo", {"seed": 0}, compute)["n"].item() == 1


def test_a_folder_that_cannot_be_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("DISTILL_CACHE", str(tmp_path / "file"))
    made = one_warning(
        lambda: cache.load_or_compute("demo", {}, Compute()),
        "cannot be written .*the result is kept in memory alone",
    )
    assert equal(made, Compute()())


def test_tensors_that_safetensors_will_not_store(folder: Path) -> None:
    shared = torch.zeros(4)
    made = one_warning(
        lambda: cache.load_or_compute("demo", {}, lambda: {"a": shared, "b": shared}),
        "cannot be written",
    )
    assert equal(made, {"a": shared, "b": shared})
    assert files(folder) == []


def test_stopping_leaves_nothing_behind(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(tensors: Made, path: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cache, "save_file", stopped)
    with pytest.raises(KeyboardInterrupt):
        cache.load_or_compute("demo", {}, Compute())
    assert files(folder) == []


def test_an_error_of_the_computation_is_not_swallowed(folder: Path) -> None:
    def wrong() -> Made:
        raise OSError("from the computation")

    with pytest.raises(OSError, match="from the computation"):
        cache.load_or_compute("demo", {}, wrong)
    assert not folder.exists()


@pytest.mark.usefixtures("strict")
def test_writers_at_once_do_no_harm(folder: Path) -> None:
    """All compute the same, all write; each gets its own, and one whole file is left."""
    writers = 6
    barrier, found = threading.Barrier(writers), []

    def compute() -> Made:
        barrier.wait(timeout=60)
        return {"w": torch.arange(10_000.0)}

    def write() -> None:
        found.append(cache.load_or_compute("demo", {}, compute))

    threads = [threading.Thread(target=write) for _ in range(writers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == writers
    assert len(files(folder)) == 1
    loaded = cache.load_or_compute("demo", {}, compute)
    assert all(equal(made, loaded) for made in found)
