"""Faults from outside: a full disk, an interrupt, a kill, no permission, company, and files that change.

Whatever happens, what stands under an output's name is whole, a message is one line, and the work can go on.
"""

import os
import random
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from oracles_transcribe import ideal, notes
from safetensors.torch import load_file

from acoustic.audio import RATE_HZ, DamagedRecording, read_blocks
from symbolic.arrays import read_arrays
from symbolic.errors import NotebeamError
from symbolic.midi import read_midi
from symbolic.midi_writing import write_midi
from symbolic.notes import Notes

ROOT = Path(__file__).parents[1]
MUSIC = notes((0.10, 0.90, 60, 64), (0.11, 0.90, 64, 80), (1.00, 1.21, 72, 100))
QUICK = ("--decoder", "threshold", "--prior", "none", "-q")
CONFIG = """
name = "few"
model = "rnn-nade"
[options]
units = 6
hidden = 4
[data]
midi = "{folder}/midi"
hop = 0.25
[loop]
steps = {steps}
batch_size = 3
chunk = 6
validate_every = 5
checkpoint_minutes = 0.001
"""


def words_of(*words: str | Path) -> list[str]:
    return [sys.executable, "-B", *map(str, words)]


def environment(**more: str) -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)} | more


def run(*words: str | Path, cwd: Path, **more: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(words_of(*words), cwd=cwd, env=environment(**more), capture_output=True, text=True)


def inputs(folder: Path, count: int) -> Path:
    """A folder of posteriorgrams."""
    folder.mkdir()
    for number in range(count):
        ideal(MUSIC).save(folder / f"{number}.npz")
    return folder


def training(folder: Path, steps: int) -> Path:
    """A config of a tiny prior, and its music."""
    (folder / "midi").mkdir()
    draw = np.random.default_rng(0)
    for number in range(4):
        onset = 0.25 * np.arange(9)
        write_midi(
            folder / "midi" / f"{number}.mid",
            Notes.make(onset, onset + 0.25, draw.integers(50, 70, 9), [64] * 9),
        )
    (folder / "few.toml").write_text(CONFIG.format(folder=folder, steps=steps))
    return folder / "few.toml"


def junk(folder: Path) -> list[str]:
    """Temporary files that were left."""
    return [path.name for path in folder.rglob(".*")]


# ---- a full disk, for which the system's limit on the size of a file stands

FULL = """
import resource, sys
from pathlib import Path
import transcribe.cli, transcribe.picture, transcribe.pipeline, symbolic.training.__main__
import matplotlib.pyplot
for limit, words in {calls!r}:
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
    command = transcribe.cli if words[0] != "train" else symbolic.training.__main__
    print("code", command.main(words if words[0] != "train" else words[1:]), file=sys.stderr, flush=True)
"""


def test_a_full_disk_is_one_line_that_names_the_output_and_leaves_nothing(tmp_path: Path) -> None:
    source = inputs(tmp_path / "in", 1) / "0.npz"
    config = training(tmp_path, steps=5)
    out = tmp_path / "out"
    plain = [str(source), *QUICK, "-o", str(out / "a.mid")]
    calls = [
        (60, plain),
        (60, [*plain, "--csv", str(out / "a.csv")]),
        (400, [*plain, "--save-posteriorgram", str(out / "a.npz")]),
        (4000, [*plain, "--picture", str(out / "a.png")]),
        (4000, [*plain, "--sonify", str(out / "a.wav")]),
        (2000, ["train", str(config), "--run", str(out / "run")]),
    ]
    done = run("-c", FULL.format(calls=calls), cwd=tmp_path)
    lines = [line for line in done.stderr.splitlines() if not line.startswith("code ")]
    assert done.stderr.count("code 1\n") == len(calls), done.stderr
    names = ("a.mid", "a.csv", "a.npz", "a.png", "a.wav", "checkpoint.safetensors")
    assert len(lines) == len(names), done.stderr
    for line, name in zip(lines, names, strict=True):
        assert name in line and "File too large" in line
    assert not junk(out)
    assert sorted(path.name for path in out.rglob("*.*")) == ["config.json", "log.jsonl"]


# ---- interrupts

# Sends itself Ctrl-C at the import number COUNT after FIRST was begun: a moment that no clock has to meet.
HOOK = """
import os, signal, sys
left = int(os.environ["COUNT"])
begun = False
def hook(event, args):
    global left, begun
    if event == "import" and left >= 0:
        begun = begun or args[0] == os.environ["FIRST"]
        left -= begun
        if left < 0:
            os.kill(os.getpid(), signal.SIGINT)
sys.addaudithook(hook)
"""
COMMANDS: dict[str, tuple[str, tuple[str, ...]]] = {  # the first import once a command listens, its words
    "transcribe": ("transcribe.cli", ("in/0.npz", *QUICK)),
    "symbolic.evaluation": ("argparse", ("midi/0.mid",)),
    "symbolic.generation": ("argparse", ("-o", "new.mid")),
    "symbolic.training": ("argparse", ("few.toml",)),
    "acoustic.training": ("argparse", ("few.toml",)),
}


def interrupted(folder: Path, command: str, count: int) -> "subprocess.CompletedProcess[str]":
    first, words = COMMANDS[command]
    (folder / "site").mkdir(exist_ok=True)
    (folder / "site" / "usercustomize.py").write_text(HOOK)
    (folder / "site" / "sitecustomize.py").write_text(HOOK)
    path = f"{folder / 'site'}{os.pathsep}{ROOT}"
    return run("-m", command, *words, cwd=folder, COUNT=str(count), FIRST=first, PYTHONPATH=path)


def check_interrupts(folder: Path, moments: list[tuple[str, int]]) -> None:
    inputs(folder / "in", 1)
    training(folder, steps=5)
    for command, count in moments:
        done = interrupted(folder, command, count)
        where = f"{command} at import {count}: {done.returncode} {done.stderr[-300:]}"
        assert done.returncode == 130, where
        assert done.stderr.count("\n") <= 1 and "Traceback" not in done.stderr, where
    assert not junk(folder)


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_a_fine_tuning_that_is_ended_leaves_no_temporary_folder(
    tmp_path: Path, number: signal.Signals, code: int
) -> None:
    training(tmp_path, steps=5)
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    words = ["-m", "symbolic.generation", "--prior", "rnn-bernoulli/jsb", "--finetune", "midi", "-o", "a.mid"]
    with subprocess.Popen(
        words_of(*words),
        cwd=tmp_path,
        env=environment(TMPDIR=str(temporary)),
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(number, signal.SIG_DFL),  # `nohup` may run these tests
    ) as process:
        while not list(temporary.rglob("log.jsonl")):  # the training has begun
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(number)
        _, said = process.communicate()
    assert process.returncode == code and b"Traceback" not in said, said
    assert not (tmp_path / "a.mid").exists()
    assert {path.name[:13] for path in temporary.iterdir()} <= {"torchinductor"}  # torch's own, empty


def test_ctrl_c_during_the_start_is_130_and_one_line(tmp_path: Path) -> None:
    moments = [("transcribe", count) for count in (0, 5, 60, 300, 700)]
    moments += [(name, 40) for name in COMMANDS if name != "transcribe"]
    check_interrupts(tmp_path, moments)


@pytest.mark.slow
def test_ctrl_c_at_forty_moments_of_every_start(tmp_path: Path) -> None:
    draw = random.Random(0)
    check_interrupts(tmp_path, [(name, draw.randrange(700)) for name in COMMANDS for _ in range(40)])


# ---- kills


def killed_until_done(folder: Path, words: list[str | Path], check: Callable[[], None]) -> int:
    """Run a command again and again, killed at random moments that come later each time; how often."""
    draw, kills = random.Random(1), 0
    while True:
        with subprocess.Popen(
            words_of(*words), cwd=folder, env=environment(), stderr=subprocess.PIPE
        ) as process:
            try:
                _, said = process.communicate(timeout=2 * 1.6**kills * (0.5 + draw.random()))
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
                process.communicate()
                kills += 1
        check()
        if process.returncode == 0:
            return kills
        assert process.returncode == -signal.SIGKILL, said


@pytest.mark.slow
def test_a_killed_transcription_leaves_whole_files_and_goes_on(tmp_path: Path) -> None:
    source, out = inputs(tmp_path / "in", 60), tmp_path / "out"

    def check() -> None:
        for path in out.glob("[!.]*.mid"):  # a kill leaves what was begun under a hidden name
            assert len(read_midi(path)) == 3
        for path in out.glob("[!.]*.npz"):
            assert set(read_arrays(path, ("frame", "onset"))) == {"frame", "onset"}

    words = ["-m", "transcribe", source, "-o", out, "--save-posteriorgram", out, "--skip-existing", *QUICK]
    assert killed_until_done(tmp_path, words, check) > 0
    assert len(list(out.glob("[!.]*.mid"))) == len(list(out.glob("[!.]*.npz"))) == 60


def killed_at_checkpoints(cwd: Path, words: list[str | Path]) -> None:
    """A training into the folder that is its last word, killed at its first checkpoint and then again."""
    checkpoint = Path(words[-1]) / "checkpoint.safetensors"
    begin = subprocess.Popen(
        words_of(*words), cwd=cwd, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    while not checkpoint.exists():
        assert begin.poll() is None
        time.sleep(0.01)
    begin.kill()
    begin.wait()

    def check() -> None:
        load_file(checkpoint)

    killed_until_done(cwd, [*words, "--resume"], check)


@pytest.mark.slow
def test_a_killed_training_goes_on_to_the_same_weights(tmp_path: Path) -> None:
    config = training(tmp_path, steps=60)
    whole = run("-m", "symbolic.training", config, "--run", tmp_path / "whole", cwd=tmp_path)
    assert whole.returncode == 0, whole.stderr
    words: list[str | Path] = ["-m", "symbolic.training", config, "--run", tmp_path / "cut"]
    killed_at_checkpoints(tmp_path, words)
    one, other = (load_file(tmp_path / name / "weights.safetensors") for name in ("whole", "cut"))
    assert all(torch.equal(one[name], other[name]) for name in one)


ACOUSTIC_CONFIG = """
name = "tiny"
[network]
spectral_channels = 2
channels = 3
dilations = [1]
[corpus]
rendered_share = 0.0
batch_size = 1
seconds = 1.0
valid_compositions = 1
[loop]
steps = 30
checkpoint_minutes = 0.001
"""


def maps(folder: Path) -> None:
    """Two tones as recordings of MAPS."""
    (folder / "maps" / "synth").mkdir(parents=True)
    rows = ["set,name,composition,instrument,seconds,notes"]
    for number, pitch in enumerate((60, 67)):
        name, hertz = f"piece{number}_X", 440 * 2 ** ((pitch - 69) / 12)
        tone = 0.3 * np.sin(2 * np.pi * hertz * np.arange(6 * RATE_HZ) / RATE_HZ)
        soundfile.write(folder / "maps/synth" / f"{name}.opus", tone, RATE_HZ, format="OGG", subtype="OPUS")
        table = f"onset\toffset\tkey_offset\tpitch\tvelocity\n0.5\t6.0\t6.0\t{pitch}\t80\n"
        (folder / "maps/synth" / f"{name}.tsv").write_text(table)
        rows.append(f"synth,{name},piece{number},X,6.0,1")
    (folder / "maps" / "recordings.csv").write_text("\n".join(rows) + "\n")


@pytest.mark.slow
def test_a_killed_acoustic_training_goes_on_to_the_same_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    maps(tmp_path / "data")
    monkeypatch.setenv("NOTEBEAM_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("NOTEBEAM_CACHE", str(tmp_path / "cache"))
    config = tmp_path / "tiny.toml"
    config.write_text(ACOUSTIC_CONFIG)
    whole = run("-m", "acoustic.training", config, "--run", tmp_path / "whole", cwd=tmp_path)
    assert whole.returncode == 0, whole.stderr
    words: list[str | Path] = ["-m", "acoustic.training", config, "--run", tmp_path / "cut"]
    killed_at_checkpoints(tmp_path, words)
    one, other = (load_file(tmp_path / name / "tiny.safetensors") for name in ("whole", "cut"))
    assert one and all(torch.equal(one[name], other[name]) for name in one)


# ---- permission, company, files that change

AS_NOBODY = """
import os, sys
import transcribe.cli
first, *calls = {calls!r}
assert transcribe.cli.main(first) == 0  # imports everything: Python itself may lie where nobody can read
if not os.getuid():
    os.setgid(65534)
    os.setuid(65534)
for words in calls:
    print("code", transcribe.cli.main(words), file=sys.stderr, flush=True)
"""


def test_without_permission_an_input_or_an_output_is_one_line(tmp_path: Path) -> None:
    for folder in (tmp_path, *tmp_path.parents):
        if folder.stat().st_uid == os.getuid() and folder != Path("/"):
            folder.chmod(folder.stat().st_mode | 0o055)
    source = inputs(tmp_path / "in", 2)
    (source / "0.npz").chmod(0)
    closed, free = tmp_path / "closed", tmp_path / "free"
    closed.mkdir(mode=0o555)
    free.mkdir()
    free.chmod(0o777)
    calls = [
        [str(source / "1.npz"), "-o", str(tmp_path / "first.mid"), *QUICK],
        [str(source / "0.npz"), "-o", str(free / "a.mid"), *QUICK],
        [str(source / "1.npz"), "-o", str(closed / "b.mid"), *QUICK],
        [str(source), "-o", str(free), *QUICK],
    ]
    done = run("-c", AS_NOBODY.format(calls=calls), cwd=ROOT)
    lines = done.stderr.splitlines()
    assert [line for line in lines if line.startswith("code")] == ["code 1"] * 3, done.stderr
    assert "0.npz: got 'no permission to read it'" in lines[0]
    assert "b.mid: got 'no permission', expected leave to write" in lines[2]
    assert "0.npz: got 'no permission to read it'" in lines[4] and "1 of 2 inputs failed" in lines[5]
    assert [path.name for path in free.iterdir()] == ["1.mid"]


def test_messages_that_nobody_takes_cost_no_input(tmp_path: Path) -> None:
    source, out = inputs(tmp_path / "in", 3), tmp_path / "out"
    (source / "bad.npz").write_bytes(b"no arrays")
    reading, writing = os.pipe()
    os.close(reading)
    words = words_of("-m", "transcribe", source, "-o", out, *QUICK[:-1])
    done = subprocess.run(words, cwd=ROOT, env=environment(), stderr=writing)
    os.close(writing)
    assert done.returncode == 1 and len(list(out.iterdir())) == 3
    (source / "bad.npz").unlink()
    with open("/dev/full", "w") as full:
        done = subprocess.run(words, cwd=ROOT, env=environment(), stderr=full)
    assert done.returncode == 0


def test_two_processes_may_fill_one_folder(tmp_path: Path) -> None:
    source, out = inputs(tmp_path / "in", 30), tmp_path / "out"
    words = words_of("-m", "transcribe", source, "-o", out, *QUICK)
    both = [subprocess.Popen(words, cwd=ROOT, env=environment(), stderr=subprocess.PIPE) for _ in range(2)]
    assert [process.communicate()[1] for process in both] == [b"", b""]
    assert [process.returncode for process in both] == [0, 0]
    assert [len(read_midi(path)) for path in sorted(out.iterdir())] == [3] * 30


@pytest.mark.parametrize("suffix", ["wav", "flac", "mp3"])
@pytest.mark.parametrize("change", ["cut", "emptied", "overwritten", "removed", "longer"])
def test_a_recording_that_changes_while_it_is_read_is_no_bug(
    tmp_path: Path, suffix: str, change: str
) -> None:
    path = tmp_path / f"a.{suffix}"
    soundfile.write(path, 0.1 * np.sin(np.arange(22 * RATE_HZ) / 7), RATE_HZ)
    blocks = read_blocks(path)
    count = len(next(blocks))
    size = path.stat().st_size
    if change == "removed":
        path.unlink()
    elif change == "longer":
        with path.open("ab") as file:
            file.write(bytes(10_000))
    elif change == "overwritten":
        path.write_bytes(random.Random(0).randbytes(size))
    else:
        os.truncate(path, size // 2 if change == "cut" else 0)
    damage: list[NotebeamError] = []
    try:
        for block in blocks:
            count += len(block)
    except NotebeamError as error:
        damage.append(error)
        assert path.name in str(error) and "\n" not in str(error)
    if change in ("cut", "emptied"):
        assert count < 22 * RATE_HZ
    if change != "removed":
        assert damage and isinstance(damage[0], DamagedRecording)
    if change in ("removed", "longer"):
        assert abs(count - 22 * RATE_HZ) < RATE_HZ


def test_the_limit_on_files_is_the_systems() -> None:
    """What `FULL` relies on: Python ignores the signal, so that the write fails."""
    assert signal.getsignal(signal.SIGXFSZ) is signal.SIG_IGN
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[1] == resource.RLIM_INFINITY
