"""Lightning modules and the command line that trains them; installed with ``pip install 'lpsc-nd[train]'``."""

from importlib.util import find_spec

_missing = [name for name in ("pytorch_lightning", "torchmetrics", "jsonargparse") if find_spec(name) is None]
if _missing:
    raise ModuleNotFoundError(
        f"lightning_modules needs {', '.join(_missing)}, which is not installed: pip install 'lpsc-nd[train]'",
        name=_missing[0],
    )
