"""Jobs over Ray Data: an actor for each core or GPU holds the models and does one recording at a time.

An actor that dies is started again by Ray, which gives it its job anew, and so for ever: how often a job was
begun is counted by an actor of its own, and a job that has ended its process again and again is refused.
"""

from __future__ import annotations

import argparse
import os
import pickle
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from platform import node
from typing import TYPE_CHECKING, Any

from symbolic.errors import NotebeamError, reason_of
from transcribe.archive.places import staged
from transcribe.outputs import Job
from transcribe.report import End, Outcome, beginning
from transcribe.stores import name_of, uri_of
from transcribe.threads import wait_passively

if TYPE_CHECKING:
    from transcribe.pipeline import Transcriber

ROUNDS = 2  # over those that failed
TRIES = 3  # of a job whose process dies
# Ray's own lines are for those who look after a cluster; of a local one, the work is no background job.
# A cluster that does not answer is asked three times, two minutes, not twenty times.
SETTINGS = {
    "RAY_worker_niceness": "0",
    "RAY_BACKEND_LOG_LEVEL": "fatal",
    "RAY_DATA_LOG_LEVEL": "ERROR",
    "RAY_NUM_REDIS_GET_RETRIES": "3",
}


class Tries:
    """Counts how often each job was begun; one for all actors. If it dies, it begins anew."""

    def __init__(self) -> None:
        self.begun: Counter[str] = Counter()

    def begin(self, source: str) -> int:
        """The number of tries, this one included."""
        self.begun[source] += 1
        return self.begun[source]


class Actor:
    """A process with models of its own and one thread, in the folder of the command, for relative paths."""

    def __init__(self, args: argparse.Namespace, tries: Any, folder: str) -> None:
        wait_passively()
        self.missing: str | None = None
        try:
            os.chdir(folder)
        except OSError:
            self.missing = folder
        import torch

        torch.set_num_threads(args.threads or 1)
        self.args, self.tries = args, tries

    @cached_property
    def transcriber(self) -> Transcriber:
        """Loaded for the first job: what is wrong with it on this machine is a failure of that job."""
        from transcribe.flags import transcriber_of

        return transcriber_of(self.args)

    def begin(self, source: str) -> None:
        """Refuse a recording at which processes ended again and again."""
        import ray

        if ray.get(self.tries.begin.remote(source)) > TRIES:
            got = f"a process ended at each of {TRIES} tries"
            raise NotebeamError(source, got, "one that lives: too little memory?")

    def __call__(self, row: Mapping[str, bytes]) -> dict[str, bytes]:
        """The pickled outcome of a pickled job."""
        from transcribe.single import transcribe_one, words_of

        job: Job = pickle.loads(row["job"])
        try:
            if self.missing is not None and is_relative(job):
                expected = "it on all machines, or whole paths"
                raise NotebeamError(name_of(job.source), f"no folder {self.missing} on {node()}", expected)
            self.begin(name_of(job.source))
            outcome = staged(job, lambda here: transcribe_one(here, self.transcriber, self.args, bar=False))
        except Exception as error:  # the next job may be good, as in transcribe_one
            outcome = failed(job, words_of(error))
        return {"outcome": pickle.dumps(outcome)}


def outcomes(jobs: Sequence[Job], args: argparse.Namespace, count: int | None) -> Iterator[Outcome]:
    """What became of the jobs, in the order in which they end; what fails is tried again at the end.

    count: actors; None: one for each core of the cluster, or each GPU with `--device cuda`.

    Raises:
        NotebeamError: there is no such cluster.
    """
    if not jobs:
        return
    start_ray(args, count)
    import ray

    tries = ray.remote(num_cpus=0, max_restarts=-1, max_task_retries=-1)(Tries).remote()
    failures: dict[str, Outcome] = {}
    again = list(jobs)
    for _ in range(ROUNDS):
        left = {name_of(job.source): job for job in again}
        try:
            for outcome in one_round(again, args, count, tries):
                del left[outcome.source]
                if outcome.end is End.FAILED:
                    failures[outcome.source] = outcome
                else:
                    failures.pop(outcome.source, None)
                    yield outcome
        except ray.exceptions.RayError as error:
            reason = reason_of(error.__cause__ or error).strip()[:200]
            failures |= {name: failed(job, f"Ray: {reason}") for name, job in left.items()}
        again = [job for job in again if name_of(job.source) in failures]
        if not again:
            break
    yield from failures.values()


def one_round(
    jobs: Sequence[Job], args: argparse.Namespace, count: int | None, tries: object
) -> Iterator[Outcome]:
    """What became of the jobs, each tried until it ends or was begun too often."""
    import ray

    kind = "GPU" if args.device == "cuda" else "CPU"
    size = min(len(jobs), count or int(ray.cluster_resources().get(kind, 1)))
    # A block for each job, which is what Ray does again when an actor dies.
    rows = ray.data.from_items([{"job": pickle.dumps(job)} for job in jobs], override_num_blocks=len(jobs))
    found = rows.map(
        Actor,
        fn_constructor_args=(args, tries, os.getcwd()),
        compute=ray.data.ActorPoolStrategy(size=size, max_tasks_in_flight_per_actor=1),
        num_cpus=1,
        num_gpus=1 if kind == "GPU" else None,
    )
    for row in found.iter_rows():
        yield pickle.loads(row["outcome"])


def start_ray(args: argparse.Namespace, count: int | None) -> None:
    """Join the cluster of `--address` or RAY_ADDRESS, or start Ray here until this process ends.

    Raises:
        NotebeamError: there is no such cluster.
    """
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
    import ray

    options: dict[str, Any] = {"logging_level": "ERROR", "log_to_driver": False, "ignore_reinit_error": True}
    if args.address is not None or "RAY_ADDRESS" in os.environ:
        given = f"RAY_ADDRESS {os.environ.get('RAY_ADDRESS')}"
        place = given if args.address is None else f"--address {args.address}"
        try:
            ray.init(address=args.address, **options)
        except (OSError, ValueError, RuntimeError) as error:
            raise NotebeamError(place, str(error), "the address of a cluster that is up") from error
    else:
        # "local", since Ray would otherwise join what was last started on this machine, if it is up or not.
        ray.init(address="local", num_cpus=count, include_dashboard=False, **options)
    ray.data.DataContext.get_current().enable_progress_bars = False


def is_relative(job: Job) -> bool:
    """Whether it has a path of this machine's that depends on the working folder."""
    paths = (path for path in (job.source, *job.outputs) if uri_of(path) is None)
    return not all(path.is_absolute() for path in paths)


def failed(job: Job, reason: str) -> Outcome:
    """A job that came to nothing, for a reason that names its recording or is made to."""
    source = name_of(job.source)
    return Outcome(source=source, end=End.FAILED, errors=(beginning(source, reason),))
