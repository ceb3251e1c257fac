"""Ends training and predicting between two batches where Ctrl-C asks for it, and nowhere else."""

import os
import signal
import threading
from contextlib import suppress
from types import FrameType, TracebackType
from typing import Self

import keras


class BetweenBatches(keras.callbacks.Callback):  # type: ignore[misc]
    """Has Ctrl-C's KeyboardInterrupt come after a batch, and says so on stderr; a second one doesn't wait.

    TensorFlow asks Python for the lengths of shapes while it begins an epoch. An exception that comes just there it
    drops, takes the shape for none, and then writes it beyond the memory that it took (SetOpAttrList in
    pywrap_tfe_src.cc): the process is aborted, after one Ctrl-C in some dozens.
    """

    def __enter__(self) -> Self:
        self._came = False
        interrupts = signal.getsignal(signal.SIGINT) is signal.default_int_handler
        self._hears = interrupts and threading.current_thread() is threading.main_thread()  # no other may
        if self._hears:
            signal.signal(signal.SIGINT, self._note)
        return self

    def __exit__(self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None) -> None:
        if self._hears:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        if kind is None:
            self._raise()

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Raise KeyboardInterrupt after Ctrl-C."""
        self._raise()

    on_test_batch_end = on_predict_batch_end = on_train_batch_end

    def _note(self, _: int, __: FrameType | None) -> None:
        self._raise()
        self._came = True
        with suppress(OSError):
            os.write(2, b"\nstops after this batch\n")  # not print, which may be at work just now and can't begin anew

    def _raise(self) -> None:
        if self._came:
            raise KeyboardInterrupt
