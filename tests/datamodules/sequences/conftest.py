"""Writers of tiny archives."""

import pytest


@pytest.fixture
def write_ucr(tmp_path):
    """``write_ucr(name, train=text, test=text, source="tsv")`` writes both files of a set, and returns the root."""

    def write(name, train, test, source="tsv"):
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        (folder / f"{name}_TRAIN.{source}").write_text(train)
        (folder / f"{name}_TEST.{source}").write_text(test)
        return tmp_path

    return write
