"""What do damaged inputs do to the readers of outside data?

Is: thousands of damaged files for each reader (benchmarks.lib.fuzz), read in a process of bounded memory
and time; counted by how they end.
Is not: recordings that are cut or announce another length than they have (tests/acoustic/test_audio.py).
"""

from collections import Counter, defaultdict
from collections.abc import Sequence

from benchmarks.reporting.form import benchmark_parser, merge_report, parsed

SHOWN = 3  # failures of a reader that are printed


def main(argv: Sequence[str] | None = None) -> int:
    parser = benchmark_parser("reliability", __doc__)
    parser.add_argument("--each", type=int, default=2000, metavar="N", help="inputs for each reader")
    parser.add_argument("--seed", type=int, default=0, help="of the damage")
    parser.add_argument("--readers", nargs="+", metavar="NAME", help="only these; the others' rows stay")
    args = parsed(parser, argv)
    # Imported after parsing: torch takes seconds.
    from benchmarks.lib.fuzz.child import BOUND, SECONDS
    from benchmarks.lib.fuzz.readers import available
    from benchmarks.lib.fuzz.trials import trials

    names = available()
    if args.readers:
        if unknown := sorted(set(args.readers) - set(names)):
            parser.error(f"--readers {unknown[0]}: expected some of {'; '.join(names)}")
        names = args.readers
    ends: dict[str, Counter[str]] = defaultdict(Counter)
    for trial in trials(names, args.each, args.seed):
        ends[trial.reader][trial.end] += 1
        if not trial.is_good and ends[trial.reader][trial.end] <= SHOWN:
            print(f"{trial.reader}, input {trial.number}: {trial.end}\n{trial.detail}", flush=True)
        if trial.number == args.each - 1:
            print(f"{trial.reader}: {dict(ends[trial.reader])}", flush=True)
    rows = [
        {
            "reader": name,
            "inputs": ends[name].total(),
            "clean": ends[name]["clean"],
            "refused": ends[name]["refused"],
            "anything_else": ends[name].total() - ends[name]["clean"] - ends[name]["refused"],
        }
        for name in names
    ]
    settings = {"inputs_each": args.each, "seed": args.seed, "memory_bytes": BOUND, "seconds": SECONDS}
    question = "What do damaged inputs do to the readers of outside data?"
    merge_report(args.output, question, settings, rows, keys=("reader",))
    return 1 if any(row["anything_else"] for row in rows) else 0


if __name__ == "__main__":
    raise SystemExit(main())
