"""Jobs over Ray Data: an actor for each core or GPU holds the models and does one recording at a time.

An actor that dies is started again by Ray, which gives it its job anew, and so for ever: how often a job was
begun is counted by an actor of its own, and a job that has ended its process again and again is refused.
"""

import argparse
import os
import pickle
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from symbolic.errors import NotebeamError
from transcribe.archive.places import staged
from transcribe.outputs import Job
from transcribe.report import End, Outcome
from transcribe.stores import name_of
from transcribe.threads import wait_passively

ROUNDS = 2  # over those that failed
TRIES = 3  # of a job whose process dies
# Ray's own lines are for those who look after a cluster; of a local one, the work is no background job.
SETTINGS = {"RAY_worker_niceness": "0", "RAY_BACKEND_LOG_LEVEL": "fatal", "RAY_DATA_LOG_LEVEL": "ERROR"}


class Tries:
    """Counts how often each job was begun; one for all actors."""

    def __init__(self) -> None:
        self.begun: Counter[str] = Counter()

    def begin(self, source: str) -> int:
        """The number of tries, this one included."""
        self.begun[source] += 1
        return self.begun[source]


class Actor:
    """A process with models of its own and one thread."""

    def __init__(self, args: argparse.Namespace, tries: Any) -> None:
        wait_passively()
        import torch

        from transcribe.flags import transcriber_of

        torch.set_num_threads(args.threads or 1)
        self.args, self.transcriber, self.tries = args, transcriber_of(args), tries

    def __call__(self, row: Mapping[str, bytes]) -> dict[str, bytes]:
        """The pickled outcome of a pickled job."""
        import ray

        from transcribe.single import transcribe_one

        job: Job = pickle.loads(row["job"])
        try:
            if ray.get(self.tries.begin.remote(name_of(job.source))) > TRIES:
                raise NotebeamError(
                    name_of(job.source),
                    f"a process ended at each of {TRIES} tries",
                    "one that lives: too little memory?",
                )
            outcome = staged(job, lambda here: transcribe_one(here, self.transcriber, self.args, bar=False))
        except (NotebeamError, OSError) as error:
            outcome = failed(job, str(error))
        return {"outcome": pickle.dumps(outcome)}


def outcomes(jobs: Sequence[Job], args: argparse.Namespace, count: int | None) -> Iterator[Outcome]:
    """What became of the jobs, in the order in which they end; what fails is tried again at the end.

    count: actors; None: one for each core of the cluster, or each GPU with `--device cuda`.
    """
    if not jobs:
        return
    start_ray(args, count)
    import ray

    tries = ray.remote(num_cpus=0)(Tries).remote()
    waiting = {name_of(job.source): job for job in jobs}
    failures: dict[str, Outcome] = {}
    for _ in range(ROUNDS):
        try:
            for outcome in one_round(list(waiting.values()), args, count, tries):
                if outcome.end is End.FAILED:
                    failures[outcome.source] = outcome
                else:
                    del waiting[outcome.source]
                    yield outcome
        except ray.exceptions.RayError as error:
            reason = (str(error).splitlines() or [type(error).__name__])[-1].strip()[:200]
            failures |= {
                name: failed(job, f"Ray: {reason}") for name, job in waiting.items() if name not in failures
            }
        if not waiting:
            return
    yield from (failures[name] for name in waiting)


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
        fn_constructor_args=(args, tries),
        compute=ray.data.ActorPoolStrategy(size=size, max_tasks_in_flight_per_actor=1),
        num_cpus=1,
        num_gpus=1 if kind == "GPU" else None,
    )
    for row in found.iter_rows():
        yield pickle.loads(row["outcome"])


def start_ray(args: argparse.Namespace, count: int | None) -> None:
    """Join the cluster of `--address` or RAY_ADDRESS, or start Ray here until this process ends."""
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
    import ray

    options: dict[str, Any] = {"logging_level": "ERROR", "log_to_driver": False, "ignore_reinit_error": True}
    if args.address is not None or "RAY_ADDRESS" in os.environ:
        ray.init(address=args.address, **options)
    else:
        ray.init(num_cpus=count, include_dashboard=False, **options)
    ray.data.DataContext.get_current().enable_progress_bars = False


def failed(job: Job, reason: str) -> Outcome:
    """A job that came to nothing, for a reason that names its recording or is made to."""
    source = name_of(job.source)
    line = reason if source in reason else f"{source}: {reason}"
    return Outcome(source=source, end=End.FAILED, errors=(line,))
