"""`python -m transcribe.archive INPUT... -o PATH --report FILE [options of transcribe]`."""

import sys
from collections.abc import Sequence
from importlib.util import find_spec

from symbolic.console import USAGE, end_at_signals, say
from symbolic.errors import NotebeamError
from transcribe.arguments import build_parser
from transcribe.threads import wait_passively

PROGRAM = "transcribe.archive"
EXTRA = "notebeam[archive]"
NEEDED = ("ray", "pyarrow")
EPILOG = """\
INPUT and the outputs are files, folders or URIs (s3://bucket/recordings). A cluster is joined by --address or
RAY_ADDRESS; without one, Ray is started on this machine. What fails is tried again at the end.

example:
  python -m transcribe.archive s3://bucket/recordings -o s3://bucket/midi --report archive.jsonl --resume
"""


def main(argv: Sequence[str] | None = None) -> int:
    description = "Recordings to notes, by all machines of a Ray cluster."
    parser = build_parser("python -m transcribe.archive", description, EPILOG, one_machine=False)
    parser.add_argument("--address", metavar="ADDRESS", help="of the cluster (default: RAY_ADDRESS, if any)")
    args = parser.parse_args(argv)
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        say(PROGRAM, str(NotebeamError(PROGRAM, f"no {missing[0]}", f"the extra: pip install '{EXTRA}'")))
        return USAGE
    from transcribe.archive.actors import outcomes
    from transcribe.archive.places import plan_anywhere
    from transcribe.cli import Way, run

    return run(parser, args, Way(plan_anywhere, outcomes))


if __name__ == "__main__":
    end_at_signals(PROGRAM)
    wait_passively()
    sys.exit(main())
