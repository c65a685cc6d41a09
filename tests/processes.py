"""Whether a process still runs, of tests in which processes end."""

from pathlib import Path


def is_running(process: int) -> bool:
    """Not one that has ended and that nobody has waited for."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
