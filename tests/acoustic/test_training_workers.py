"""Workers of commands that render and listen: they end with the command, even where it is killed."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from processes import is_running

ROOT = Path(__file__).parents[2]
COMMAND = """
import os, time
from acoustic.training.workers import workers

def work(number):
    os.write(1, b"%d\\n" % os.getpid())
    time.sleep(600 * number)
    return number

if __name__ == "__main__":
    with workers(2) as pool:
        assert list(pool.map(work, [0, 0])) == [0, 0]
        list(pool.map(work, [1, 1]))
"""


@pytest.mark.parametrize("end", ["kill", "terminate"])
def test_workers_end_with_the_command(tmp_path: Path, end: str) -> None:
    script = tmp_path / "command.py"
    script.write_text(COMMAND)
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, env=environment) as command:
        assert command.stdout is not None
        found = {int(command.stdout.readline()) for _ in range(4)}
        assert len(found) == 2 and all(is_running(worker) for worker in found)
        getattr(command, end)()
        command.wait()
        deadline = time.monotonic() + 20
        while any(is_running(worker) for worker in found) and time.monotonic() < deadline:
            time.sleep(0.02)
        assert not any(is_running(worker) for worker in found)
