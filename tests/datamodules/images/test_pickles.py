"""Pickled tables: every way they are written is read, and no pickle runs code."""

import os
import pickle
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from datamodules.data_files import DataFileError
from datamodules.images.pickles import read_pickle

ARRAYS = arrays(np.uint8, st.tuples(st.integers(0, 4), st.integers(0, 5)))
VALUES = st.lists(st.integers(-9, 300)) | st.binary() | st.lists(st.binary(max_size=5))
PROTOCOLS = st.integers(0, pickle.HIGHEST_PROTOCOL)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("pickles") / "table"


def python2_array(array):
    """An array as Python 2 pickled it, by the opcodes of protocol 2."""
    shape = b"".join(b"I%d\n" % extent for extent in array.shape)
    content = array.tobytes()
    return b"".join(
        [
            b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntU\x01btR(I1\n(",
            shape + b"tcnumpy\ndtype\n(U\x02u1I0\nI1\ntR(I3\nU\x01|NNNI-1\nI-1\nI0\ntbI00\n",
            b"T" + struct.pack("<i", len(content)) + content + b"tb",
        ]
    )


def entry(name, value):
    return b"U" + bytes([len(name)]) + name + value + b"s"


@given(array=ARRAYS, value=VALUES, protocol=PROTOCOLS, fortran=st.booleans(), text_keys=st.booleans())
def test_tables_come_back(path, array, value, protocol, fortran, text_keys):
    array = np.asfortranarray(array) if fortran else array
    keys = ("data", "labels") if text_keys else (b"data", b"labels")
    path.write_bytes(pickle.dumps(dict(zip(keys, (array, value), strict=True)), protocol))
    found = read_pickle(path)
    assert found["data"].dtype == np.uint8
    np.testing.assert_array_equal(found["data"], array)
    assert found["labels"] == value
    found["data"][...] = 0  # the array is one's own


@given(array=ARRAYS)
def test_tables_of_python_2_come_back(path, array):
    path.write_bytes(b"\x80\x02}" + entry(b"data", python2_array(array)) + entry(b"labels", b"(lI7\naI8\na") + b".")
    found = read_pickle(path)
    np.testing.assert_array_equal(found["data"], array)
    assert found["labels"] == [7, 8]


def outcome(path):
    """The table, or which file was refused."""
    try:
        return read_pickle(path)
    except DataFileError as error:
        return error.path


class Malicious:
    """Runs a function when it is unpickled."""

    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize(("function", "name"), [(os.mkdir, "mkdir"), (eval, "eval"), (exec, "exec")])
def test_no_code_runs(path, tmp_path, protocol, function, name):
    target = tmp_path / "ran"
    argument = str(target) if function is os.mkdir else f"__import__('os').mkdir({str(target)!r})"
    attack = Malicious(function, argument)
    path.write_bytes(pickle.dumps({b"data": attack}, protocol))
    with pytest.raises(DataFileError, match=rf"table: .*asks for \w+\.{name}, which a table does not need"):
        read_pickle(path)
    assert not target.exists()
    pickle.loads(path.read_bytes())  # the attack itself works
    assert target.exists()


@given(
    module=st.sampled_from(["os", "builtins", "numpy", "numpy.core.multiarray", "datamodules.images.pickles"])
    | st.text("ab.")
)
def test_names_that_are_not_allowed_are_refused(path, module):
    for name in ("getattr", "system", "loads", "_Array", "scalar", "ndarray.tofile"):
        path.write_bytes(
            b"\x80\x04\x8c"
            + bytes([len(module)])
            + module.encode()
            + b"\x8c"
            + bytes([len(name)])
            + name.encode()
            + b"\x93."
        )
        with pytest.raises(DataFileError, match="which a table does not need"):
            read_pickle(path)


@given(array=ARRAYS, place=st.integers(0, 10_000), value=st.integers(0, 255), cut=st.booleans(), protocol=PROTOCOLS)
def test_damage_is_refused_or_harmless(path, array, place, value, cut, protocol):
    content = bytearray(pickle.dumps({b"data": array, b"labels": [1, 2, 3]}, protocol))
    place %= len(content)
    content[place] = value
    path.write_bytes(content[:place] if cut else content)
    assert isinstance(outcome(path), dict) or outcome(path) == path


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is it complete"),
        (b"no pickle", "is it complete"),
        (pickle.dumps([1, 2]), "must hold a dict, got list"),
        (pickle.dumps({"data": np.zeros(3)}), "arrays must be of uint8, got .*f8"),
        (pickle.dumps({"data": np.zeros(3, object)}), "arrays must be of uint8, got .*O8"),
        (b"\x80\x02}U\x04datar\xff\xff\xff\x7fK\x01s.", "memo index 2147483647 in a file of 18 bytes"),
        (b"(dVdata\nPname\ns.", "refers to objects outside the file"),
    ],
)
def test_what_is_no_table_is_refused(path, content, message):
    path.write_bytes(content)
    with pytest.raises(DataFileError, match=message):
        read_pickle(path)
