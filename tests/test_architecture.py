"""Imports run downwards only, and ``import lpsc_nd`` stays light."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LEVELS = (
    *("_checks", "_files", "geometry", "native", "points", "pooling", "functional", "layers"),
    *("models", "convert", "inspect", "testing"),
)
LAZY = ("models", "convert", "inspect", "testing")
PACKAGES = ("lpsc_nd", "lightning_modules", "datamodules")
SEES_DATA = ("lightning_modules.cli", "lightning_modules.training_cli", "lightning_modules.demo")
HEAVY = ("pytorch_lightning", "lightning", "matplotlib", "sklearn", "hypothesis")
FILES = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]


def module_name(path, root=ROOT):
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported_names(tree, module, is_package, eager_only=False):
    """List all dotted names that a syntax tree imports; ``from a import b`` gives ``a.b``, relative or not."""
    names = []
    for node in eager_nodes(tree) if eager_only else ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = [node.module] if node.module else []
            if node.level:
                parts = module.split(".")
                base = parts[: len(parts) - node.level + is_package] + base
            names += [".".join([*base, alias.name]) for alias in node.names]
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if called in ("import_module", "__import__"):
                names.append(str(node.args[0].value))
    return names


def eager_nodes(node):
    """Walk what runs at import: everything but the bodies of functions."""
    yield node
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            yield from eager_nodes(child)


def level_of(name):
    """Return the height of a dotted name inside lpsc_nd; a public name of the package stands above layers."""
    part = name.split(".")[1]
    return LEVELS.index(part) if part in LEVELS else LEVELS.index("layers") + 0.5


def wrong_imports(source, module, is_package=False):
    """List the imports of a module that the architecture forbids."""
    top = module.split(".")[0]
    names = imported_names(ast.parse(source), module, is_package, eager_only=module == "lpsc_nd")
    within = [name for name in names if name.split(".")[0] == "lpsc_nd"]
    forbidden = {"lpsc_nd": PACKAGES[1:], "datamodules": PACKAGES[1:2], "lightning_modules": PACKAGES[2:]}[top]
    if module in SEES_DATA:
        forbidden = ()
    wrong = [name for name in names if name.split(".")[0] in forbidden]
    if module == "lpsc_nd":
        wrong += [name for name in within if "." not in name or name.split(".")[1] in LAZY]
    elif top == "lpsc_nd":
        wrong += [name for name in within if "." not in name or level_of(name) > level_of(module)]
    if module.startswith("lpsc_nd.geometry"):
        wrong += [name for name in names if name.split(".")[0] == "torch"]
    return wrong


def parts_without_level(folder):
    """List the modules and packages directly inside lpsc_nd that have no place in the order."""
    parts = {path.stem for path in folder.glob("*.py")} | {path.parent.name for path in folder.glob("*/*.py")}
    return sorted(parts - {*LEVELS, "__init__"})


def test_there_are_files_to_read():
    assert {module_name(path).split(".")[0] for path in FILES} == set(PACKAGES)
    assert len(FILES) > 30


@pytest.mark.parametrize("path", FILES, ids=module_name)
def test_no_module_imports_upwards(path):
    module, is_package = module_name(path), path.name == "__init__.py"
    assert wrong_imports(path.read_text(encoding="utf-8"), module, is_package) == []


def test_every_part_has_a_level():
    assert parts_without_level(ROOT / "lpsc_nd") == []


@pytest.mark.parametrize(
    ("module", "source", "found"),
    [
        ("lpsc_nd.geometry.frame", "import torch", "torch"),
        ("lpsc_nd.geometry.frame", "from torch.nn import functional", "torch.nn.functional"),
        ("lpsc_nd.geometry.frame", "from lpsc_nd.pooling import window", "lpsc_nd.pooling.window"),
        ("lpsc_nd.geometry.frame", "from lpsc_nd import functional", "lpsc_nd.functional"),
        ("lpsc_nd.geometry.frame", "from lpsc_nd import LPSConv2d", "lpsc_nd.LPSConv2d"),
        ("lpsc_nd.geometry.frame", "import lpsc_nd", "lpsc_nd"),
        ("lpsc_nd.layers.conv", "import lpsc_nd.models.residual_net as r", "lpsc_nd.models.residual_net"),
        ("lpsc_nd.layers.conv", "from lpsc_nd import LPSConv2d", "lpsc_nd.LPSConv2d"),
        ("lpsc_nd.layers.conv", "from ..inspect import maps", "lpsc_nd.inspect.maps"),
        ("lpsc_nd.functional", "from . import layers", "lpsc_nd.layers"),
        ("lpsc_nd._checks", "def f():\n    from lpsc_nd.geometry import frame", "lpsc_nd.geometry.frame"),
        ("lpsc_nd.pooling.ops", "if TYPE_CHECKING:\n    import lpsc_nd.layers", "lpsc_nd.layers"),
        ("lpsc_nd.models.residual_net", "import_module('lpsc_nd.convert')", "lpsc_nd.convert"),
        ("lpsc_nd.inspect.maps", "from datamodules.base import BaseDataModule", "datamodules.base.BaseDataModule"),
        ("lpsc_nd.inspect.maps", "import lightning_modules", "lightning_modules"),
        ("lpsc_nd", "from lpsc_nd.inspect import maps", "lpsc_nd.inspect.maps"),
        ("lpsc_nd", "try:\n    from lpsc_nd import convert\nfinally:\n    pass", "lpsc_nd.convert"),
        ("datamodules.digits", "import lightning_modules.cli", "lightning_modules.cli"),
        ("lightning_modules.base", "from datamodules import digits", "datamodules.digits"),
    ],
)
def test_an_upward_import_is_found(module, source, found):
    assert wrong_imports(source, module) == [found]


def test_an_upward_import_inside_a_package_file_is_found():
    assert wrong_imports("from ..layers import conv", "lpsc_nd.pooling", is_package=True) == ["lpsc_nd.layers.conv"]


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("lpsc_nd.geometry.frame", "import numpy\nfrom lpsc_nd import _checks\nfrom . import levels"),
        ("lpsc_nd.layers.conv", "import torch\nfrom lpsc_nd.functional import lps_conv"),
        ("lpsc_nd.inspect.maps", "from lpsc_nd import LPSConv2d"),
        ("lpsc_nd", "from lpsc_nd.layers import LPSConv2d\ndef __getattr__(n):\n    from lpsc_nd import inspect"),
        ("lightning_modules.training_cli", "import datamodules.digits"),
        ("lightning_modules.demo", "import datamodules.digits, lpsc_nd.inspect"),
        ("datamodules.digits", "import pytorch_lightning"),
    ],
)
def test_a_downward_import_is_allowed(module, source):
    assert wrong_imports(source, module) == []


def test_a_part_without_a_level_is_found(tmp_path):
    for name in ("__init__.py", "layers/conv.py", "extra/__init__.py", "misc.py"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    assert parts_without_level(tmp_path) == ["extra", "misc"]


MEASURE = """
import json, sys, time
start = time.process_time()
import torch
middle = time.process_time()
import {module}
end = time.process_time()
print(json.dumps({{"torch": middle - start, "seconds": end - middle, "modules": sorted(sys.modules)}}))
"""


def measure(module):
    """Import torch, then ``module``, in a fresh process; return both times and all loaded modules."""
    command = [sys.executable, "-c", MEASURE.format(module=module)]
    result = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT, timeout=120)
    return json.loads(result.stdout)


@pytest.fixture(scope="module")
def imports():
    return [measure("lpsc_nd") for _ in range(3)]


def loaded(run, packages):
    return sorted({name.split(".")[0] for name in run["modules"]} & set(packages))


def test_importing_the_package_loads_nothing_heavy(imports):
    assert [loaded(run, HEAVY) for run in imports] == [[], [], []]
    assert loaded(imports[0], PACKAGES) == ["lpsc_nd"]


def test_importing_the_package_takes_less_than_half_as_long_as_torch(imports):
    assert min(run["seconds"] / run["torch"] for run in imports) < 0.5


def test_a_heavy_import_is_found():
    assert loaded(measure("lpsc_nd.geometry, hypothesis"), HEAVY) == ["hypothesis"]
