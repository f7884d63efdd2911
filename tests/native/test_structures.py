"""What Python and C both say about structures and sizes is the same."""

from __future__ import annotations

import ctypes
import re
from pathlib import Path

import pytest
import torch

from lpsc_nd.native import library, structures

SOURCES = Path(structures.__file__).with_name("c")


def source(name):
    return (SOURCES / name).read_text(encoding="utf-8")


def members(text, name):
    """Return the members of a C structure in order, and whether each is a pointer, an array or a number."""
    body = re.search(rf"typedef struct {{([^}}]*)}} {name};", text)[1]
    found = []
    for declaration in re.sub(r"/\*.*?\*/", "", body, flags=re.DOTALL).split(";")[:-1]:
        kind = "pointer" if "*" in declaration else "array" if "[" in declaration else "number"
        names = re.sub(r"\[.*?\]|const|int(?:64|32)_t|i64|real|void|Plan|Map|\*", "", declaration)
        found += [(each.strip(), kind) for each in names.split(",")]
    return found


def described(structure):
    kinds = {ctypes.c_int64: "number", structures.Numbers: "array", structures.Doublings: "array"}
    return [(name, kinds.get(kind, "pointer")) for name, kind in structure._fields_]


@pytest.mark.parametrize(
    ("file", "name", "structure"),
    [
        ("plan.h", "Map", structures.Map),
        ("plan.h", "Plan", structures.Plan),
        ("bench.h", "Mixed", structures.Pass),
        ("depthwise.h", "Depthwise", structures.Pass),
        ("weights.h", "Weights", structures.Weights),
    ],
)
def test_members_are_the_same_in_the_same_order(file, name, structure):
    assert members(source(file), name) == described(structure)


def test_another_order_is_seen():
    swapped = source("plan.h").replace("int64_t bags;", "").replace("int64_t boxes;", "int64_t boxes; int64_t bags;")
    assert members(swapped, "Plan") != described(structures.Plan)


@pytest.mark.parametrize(
    ("file", "name", "value"),
    [
        ("plan.h", "MOST_AXES", structures.MOST_AXES),
        ("plan.h", "MOST_DOUBLINGS", structures.MOST_DOUBLINGS),
        ("plan.h", "LINES", structures.LINES),
        ("plan.h", "VERSION", structures.VERSION),
        ("bench.h", "MOST_ROWS", structures.MOST_ROWS),
        ("bench.h", "SUMS", structures.SUMS_BYTES),
        ("sums.h", "TOGETHER", structures.TOGETHER),
    ],
)
def test_sizes_are_the_same(file, name, value):
    assert int(re.search(rf"\b{name} = (\d+)", source(file))[1]) == value


def test_a_map_is_described_by_its_strides():
    tensor = torch.zeros(2, 3, 5, 7).permute(0, 1, 3, 2)
    found = structures.Map.of(tensor)
    assert (found.data, found.channels, found.channel_stride) == (tensor.data_ptr(), 3, 35)
    assert list(found.strides)[:4] == [105, 1, 7, 0]


def test_kernels_are_for_the_instructions_that_pytorch_uses():
    found = library.kernels()
    if found is None:
        pytest.skip("no kernels were compiled for this processor")
    assert found.vector_bytes == library.VECTOR_BYTES[torch.backends.cpu.get_cpu_capability()]
    assert found.lanes(torch.float32) == found.vector_bytes // 4
    assert set(found.passes) == {(kind, dtype) for kind in library.PASSES for dtype in library.NAMES}
