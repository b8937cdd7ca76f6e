"""The rules of the house: who may import whom, and what a notebook may reach for."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "distill_helpers"

# A module imports only from floors below its own. A new module takes its place here.
FLOORS = {
    0: ["_checks", "_estimates", "_machine"],
    1: [
        "tasks",
        "networks",
        "losses",
        "metrics",
        "statistics",
        "verdicts",
        "transfer",
        "scaling",
        "libraries",
        "sequences",
    ],
    2: ["soft_targets", "gradients", "conventions", "costs", "standalone", "files", "claims"],
    3: ["ensembles", "training", "cache"],
    4: ["experiments", "studies", "audit", "deployment"],
    5: ["parameters", "results", "figures", "article", "capacity", "museum", "protocol"],
    6: ["deciding", "paying", "runs"],
    7: ["forecast", "mistakes"],
    8: ["report"],
    9: ["own_data", "sweeps"],
    10: ["__main__"],
}
FLOOR = {name: floor for floor, names in FLOORS.items() for name in names}
DRAWING = {"matplotlib", "altair", "vl_convert", "IPython", "ipywidgets", "plotly"}
RUNNING = {"papermill", "nbclient", "nbconvert", "nbval"}

FOLDERS = sorted(path.parent.name for path in PACKAGE.glob("*/__init__.py"))
MODULES = sorted([p.stem for p in PACKAGE.glob("*.py") if p.stem != "__init__"] + FOLDERS)
PUBLIC = [name for name in MODULES if not name.startswith("_")]


def sources(name: str) -> list[Path]:
    """Return a module's file, or the files of its folder."""
    folder = PACKAGE / name
    return sorted(folder.rglob("*.py")) if folder.is_dir() else [folder.with_suffix(".py")]


NOTEBOOKS = sorted((ROOT / "notebooks").rglob("*.ipynb"))


def imports(tree: ast.AST) -> list[tuple[str, ast.stmt]]:
    """Return each imported name in full, ``package.module.name``, with its statement."""
    found: list[tuple[str, ast.stmt]] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(alias.name, node) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            origin = "distill_helpers" if node.level else (node.module or "")
            if node.level and node.module:
                origin += f".{node.module}"
            found += [(f"{origin}.{alias.name}", node) for alias in node.names]
    return found


def faults_of_module(name: str, source: str) -> list[str]:
    """Return the import rules that a module breaks."""
    tree, floor, faults = ast.parse(source), FLOOR[name], []
    eager = {id(node) for statement in tree.body for node in outside_functions(statement)}
    for target, node in imports(tree):
        top, _, rest = target.partition(".")
        if top == "distill_helpers":
            below, *inner = rest.split(".")
            if below == name and name in FOLDERS:
                continue
            if below in FOLDERS and inner and inner[0].startswith("_"):
                faults.append(f"{name} imports {rest}, behind the door of {below}")
            if below in FLOOR and FLOOR[below] >= floor:
                faults.append(f"{name} (floor {floor}) imports {below} (floor {FLOOR[below]})")
        if top in DRAWING and floor < 5:
            faults.append(f"{name} (floor {floor}) imports {top}; only floors 5 and 6 may")
        if top in DRAWING and id(node) in eager:
            faults.append(f"{name} imports {top} as it is imported; do so inside the function")
        if top in RUNNING and floor < 6:
            faults.append(f"{name} (floor {floor}) imports {top}; only floor 6 may")
        if target.endswith(".*"):
            faults.append(f"{name} imports everything from {target[:-2]}")
    return faults


def outside_functions(statement: ast.AST) -> list[ast.AST]:
    """Return the nodes that run when the module is imported."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
        return []
    if isinstance(statement, ast.If) and ast.unparse(statement.test) == "TYPE_CHECKING":
        return []
    nodes: list[ast.AST] = [statement]
    for child in ast.iter_child_nodes(statement):
        nodes += outside_functions(child)
    return nodes


def faults_of_notebook(code: str) -> list[str]:
    """Return what a notebook's code reaches for and may not."""
    faults = []
    for line in code.splitlines():
        if line.lstrip().startswith(("!", "%pip", "%conda")):
            faults.append(f"installs or runs a shell command: {line.strip()}")
    plain = "\n".join(
        line for line in code.splitlines() if not line.lstrip().startswith(("!", "%"))
    )
    tree = ast.parse(plain)
    for target, _ in imports(tree):
        if target.endswith(".*"):
            faults.append(f"imports everything from {target[:-2]}")
        parts = target.split(".")
        if parts[0] == "distill_helpers" and any(part.startswith("_") for part in parts[1:]):
            faults.append(f"imports {target}, which is private")
    modules = {
        (alias.asname or alias.name)
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == "distill_helpers"
        for alias in node.names
    }
    for node in ast.walk(tree):
        if not isinstance(node, ast.Attribute):
            continue
        if ast.unparse(node).startswith("sys.path"):
            faults.append("touches sys.path; the package is installed")
        if node.attr.startswith("_") and ast.unparse(node.value) in modules:
            faults.append(f"uses {ast.unparse(node)}, which is private")
    return faults


@pytest.mark.parametrize("name", MODULES)
def test_module_has_a_floor_and_imports_only_from_below(name):
    assert name in FLOOR, f"{name} is on no floor; give it one in tests/test_house.py"
    faults = [f for p in sources(name) for f in faults_of_module(name, p.read_text("utf-8"))]
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize("name", FOLDERS)
def test_folder_has_one_public_door(name):
    inner = [path.stem for path in sources(name) if path.stem != "__init__"]
    assert all(stem.startswith("_") for stem in inner), "files behind the door begin with _"
    assert all(path.read_text("utf-8").count("\n") < 900 for path in sources(name))


def test_package_exports_its_version_alone():
    tree = ast.parse((PACKAGE / "__init__.py").read_text(encoding="utf-8"))
    names = [node.targets[0].id for node in tree.body if isinstance(node, ast.Assign)]
    others = [n for n in tree.body if not isinstance(n, ast.Assign | ast.Expr)]
    assert names == ["__version__"] and not others


def test_importing_the_package_has_no_side_effects(tmp_path):
    code = f"""
import random, sys, threading, warnings
import numpy, torch, sklearn.datasets, scipy.stats
warnings.simplefilter("error")
before = random.getstate(), numpy.random.get_state()[1].tolist(), torch.get_rng_state().tolist()
settings = torch.get_num_threads(), torch.get_default_dtype(), str(numpy.geterr())
threads = threading.active_count()
import importlib
for name in {PUBLIC!r}:
    importlib.import_module("distill_helpers." + name)
assert before == (
    random.getstate(), numpy.random.get_state()[1].tolist(), torch.get_rng_state().tolist()
), "importing draws random numbers"
assert settings == (
    torch.get_num_threads(), torch.get_default_dtype(), str(numpy.geterr())
), "importing changes a setting"
assert threads == threading.active_count(), "importing starts a thread"
started = {sorted(DRAWING | RUNNING)!r}
found = [name for name in started if name in sys.modules]
assert not found, f"importing the package starts {{found}}"
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, encoding="utf-8"
    )
    assert done.returncode == 0, done.stderr[-600:]
    assert not done.stdout and not list(tmp_path.iterdir())


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_reaches_for_public_names_only(path):
    cells = nbformat.read(path, as_version=4).cells
    code = "\n\n".join(cell.source for cell in cells if cell.cell_type == "code")
    faults = faults_of_notebook(code)
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("losses", "from distill_helpers import metrics"),
        ("losses", "from distill_helpers.training import fit"),
        ("losses", "from .training import fit"),
        ("training", "def f():\n    from distill_helpers.experiments import teachers"),
        ("experiments", "def f():\n    import matplotlib.pyplot"),
        ("figures", "import matplotlib"),
        ("figures", "class A:\n    import altair"),
        ("results", "def f():\n    import papermill"),
        ("losses", "from torch import *"),
        ("audit", "from distill_helpers.capacity import gap"),
        ("results", "from distill_helpers.audit._report import Check"),
    ],
)
def test_rule_bites_on_a_module(name, source):
    assert faults_of_module(name, source)


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("losses", "from distill_helpers import _checks"),
        ("figures", "def f():\n    import matplotlib.pyplot as plt"),
        ("audit", "from distill_helpers.audit._report import Check"),
        ("results", "from distill_helpers.audit import Check"),
        ("runs", "import papermill"),
    ],
)
def test_rule_lets_pass_what_is_allowed(name, source):
    assert not faults_of_module(name, source)


@pytest.mark.parametrize(
    "code",
    [
        "!pip install torch",
        "%pip install torch",
        "import sys\nsys.path.insert(0, '..')",
        "from distill_helpers.losses import *",
        "from distill_helpers import _checks",
        "from distill_helpers.losses import _flat",
        "from distill_helpers import losses\nlosses._flat(1)",
    ],
)
def test_rule_bites_on_a_notebook(code):
    assert faults_of_notebook(code)
