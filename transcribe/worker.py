"""A process of `transcribe.workers`: pickled options and then jobs in at stdin, their outcomes out at stdout.

Its argument marks its temporary files, for `transcribe.workers` to delete them if it is killed.

It ends at once when its stdin does: when the command is done, or is no more.
"""

import os
import pickle
import signal
import sys
from queue import SimpleQueue
from threading import Thread
from typing import IO, Any

from symbolic.console import DONE, TERMINATED, remove_unfinished
from symbolic.files import mark_temporaries
from transcribe.threads import wait_passively


def main() -> None:
    """Do jobs for ever."""
    mark_temporaries(sys.argv[1])
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the command too, which ends this process
    if hasattr(signal, "SIGHUP"):  # as does the end of the terminal
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: _end(TERMINATED))
    results = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever prints must not do so between the outcomes
    received: SimpleQueue[Any] = SimpleQueue()
    Thread(target=_receive, args=(sys.stdin.buffer, received), daemon=True).start()
    args = received.get()

    import torch

    from transcribe.flags import transcriber_of
    from transcribe.single import transcribe_one

    torch.set_num_threads(args.threads or 1)
    transcriber = transcriber_of(args)
    while True:
        outcome = transcribe_one(received.get(), transcriber, args, bar=False)
        try:
            pickle.dump(outcome, results)
            results.flush()
        except BrokenPipeError:  # the command has ended
            _end(DONE)


def _receive(pipe: IO[bytes], received: "SimpleQueue[Any]") -> None:
    """Hand on what comes through the pipe; its end is this process's."""
    try:
        while True:
            received.put(pickle.load(pipe))
    finally:
        _end(DONE)


def _end(code: int) -> None:
    """End at once, without half a file."""
    remove_unfinished()
    os._exit(code)


if __name__ == "__main__":
    wait_passively()
    main()
