"""`python -m transcribe` and the command `transcribe`, which can be interrupted from its first import on."""

import sys

from symbolic.console import end_at_signals
from transcribe.threads import wait_passively

end_at_signals("transcribe")
wait_passively()

from transcribe.cli import main  # noqa: E402

if __name__ == "__main__":
    sys.exit(main())
