"""`--jobs N`: inputs done by processes beside each other, each with models of its own and one thread.

Each process runs `transcribe.worker`, which reads inputs from a pipe and writes what became of them
to another. One that dies costs the input that it had; a new one goes on with the others.
"""

import argparse
import os
import pickle
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread

from symbolic.files import remove_marked
from transcribe.outputs import Job
from transcribe.report import End, Outcome

# Runs transcribe.worker without the working folder among the places of modules (-P): files of the user's
# there may bear names of ours. This package is found where this process has it.
WORKER = (
    "import runpy, sys; sys.path.append(sys.argv.pop(1)); "
    "runpy.run_module('transcribe.worker', run_name='__main__', alter_sys=True)"
)
GRACE_SECONDS = 10.0  # that a process has to end after its signal


def outcomes(jobs: Sequence[Job], args: argparse.Namespace, count: int) -> Iterator[Outcome]:
    """What became of the jobs, in the order in which they end; `count` processes at most."""
    waiting: SimpleQueue[Job] = SimpleQueue()
    ended: SimpleQueue[Outcome | BaseException] = SimpleQueue()
    for job in jobs:
        waiting.put(job)
    for _ in range(min(count, len(jobs))):
        Thread(target=_serve, args=(waiting, ended, args), daemon=True).start()
    for _ in jobs:
        outcome = ended.get()
        if isinstance(outcome, BaseException):
            raise outcome
        yield outcome


def _serve(
    waiting: "SimpleQueue[Job]", ended: "SimpleQueue[Outcome | BaseException]", args: argparse.Namespace
) -> None:
    """Jobs through one process after the other, as long as there are any."""
    worker: _Worker | None = None
    try:
        while True:
            try:
                job = waiting.get_nowait()
            except Empty:
                return
            if worker is None or not worker.is_alive:
                worker = _Worker(args)
            ended.put(worker.outcome(job))
    except BaseException as error:  # a bug must not leave the command waiting
        ended.put(error)
    finally:
        if worker is not None:
            worker.end()


class _Worker:
    """A process and its pipes."""

    def __init__(self, args: argparse.Namespace) -> None:
        self.mark = secrets.token_hex(8)
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-c", WORKER, str(Path(__file__).parents[1]), self.mark],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | {"OMP_NUM_THREADS": str(args.threads or 1)},
        )
        self.args: argparse.Namespace | None = args  # until they are sent

    @property
    def is_alive(self) -> bool:
        return self.process.poll() is None

    def outcome(self, job: Job) -> Outcome:
        """What became of a job; the end of the process is the failure of the job."""
        assert self.process.stdin is not None and self.process.stdout is not None
        try:
            if self.args is not None:
                pickle.dump(self.args, self.process.stdin)
                self.args = None
            pickle.dump(job, self.process.stdin)
            self.process.stdin.flush()
            outcome = pickle.load(self.process.stdout)
            assert isinstance(outcome, Outcome)
            return outcome
        except (EOFError, OSError, pickle.UnpicklingError):
            death = self._death()
            remove_marked(self.mark, job.outputs)
            return Outcome(source=str(job.source), end=End.FAILED, errors=(f"{job.source}: {death}",))

    def _death(self) -> str:
        self.end()
        code = self.process.returncode
        if code < 0:
            name = signal.Signals(-code).name
            return f"its process was ended by {name}" + (" (out of memory?)" if name == "SIGKILL" else "")
        return f"its process ended with exit code {code}"

    def end(self) -> None:
        """Tell the process to end, which the end of its input does, and wait for it."""
        assert self.process.stdin is not None and self.process.stdout is not None
        try:
            self.process.stdin.close()
        except OSError:
            pass
        try:
            self.process.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
