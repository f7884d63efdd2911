"""Lightning data modules, one real data set per file; installed with ``pip install 'lpsc-nd[train]'``."""

from importlib.util import find_spec

if find_spec("pytorch_lightning") is None:
    raise ModuleNotFoundError(
        "datamodules needs pytorch_lightning, which is not installed: pip install 'lpsc-nd[train]'",
        name="pytorch_lightning",
    )
