"""SIGTERM at any moment of a comparison: Lightning acts on it between the batches of a trainer alone."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from pytorch_lightning.utilities.exceptions import SIGTERMException


class Termination:
    """Whether a SIGTERM has come."""

    def __init__(self) -> None:
        self.asked = False

    def check(self) -> None:
        """Raise a SIGTERMException if one has come."""
        if self.asked:
            raise SIGTERMException

    def _ask(self, number: int, frame: FrameType | None) -> None:
        self.asked = True


@contextmanager
def watch_termination() -> Iterator[Termination]:
    """Note a SIGTERM instead of ending at once; Lightning's trainers call this handler beside their own."""
    termination = Termination()
    if threading.current_thread() is not threading.main_thread():
        yield termination  # only the main thread may handle signals
        return
    before = signal.signal(signal.SIGTERM, termination._ask)
    try:
        yield termination
    finally:
        signal.signal(signal.SIGTERM, before)
