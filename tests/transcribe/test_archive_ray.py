"""The command over a local Ray: the same bytes, and workers that die."""

import argparse
import json
import os
import pickle
import subprocess
import sys
from argparse import Namespace
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
import torch
from oracles_transcribe import ideal, notes

from transcribe import stores
from transcribe.archive import actors
from transcribe.archive.__main__ import main as archive
from transcribe.archive.places import plan_anywhere
from transcribe.arguments import build_parser
from transcribe.cli import main as transcribe
from transcribe.outputs import Job, Wanted
from transcribe.report import End, Outcome

MUSIC = notes((0.10, 0.90, 60, 64), (0.11, 0.90, 64, 80), (1.00, 1.21, 72, 100), (1.21, 1.50, 72, 90))
QUICK = ["--model", "piano-small", "--decoder", "threshold", "--device", "cpu"]
# In ffmpeg's place: ends the process that calls it, of `once` only the first time; else gives a sound.
FFMPEG = """#!/bin/sh
case "$*" in
*always*) echo >> {folder}/ended; kill -9 $PPID;;
*once*) [ -e {folder}/seen ] || {{ touch {folder}/seen; kill -9 $PPID; }};;
esac
cat {folder}/sound.au
"""


def run(
    *words: str | Path, start: Sequence[str] = ("-m", "transcribe.archive")
) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own, without any cluster that there may be."""
    without = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}
    command = [sys.executable, *start, *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, env=without, timeout=540)


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_ray_writes_the_same_bytes_and_survives_deaths(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("ray", reason="the extra `archive` is not installed")
    music, programs = tmp_path / "music", tmp_path / "programs"
    (music / "below").mkdir(parents=True)
    programs.mkdir()
    for number in range(3):
        ideal(MUSIC.cut(0.0, 0.5 + number / 4)).save(music / "below" / f"{number}.npz")
    np.savez(music / "bad.npz", frame=np.full((9, 88), np.nan, dtype=np.float32), hop=0.02, first=0.0)
    (music / "once.m4a").write_bytes(bytes(range(256)))
    (music / "always.m4a").write_bytes(bytes(range(256)))
    sound = 0.1 * np.sin(np.arange(16_000) * 2 * np.pi * 440 / 16_000)
    soundfile.write(tmp_path / "sound.au", sound, 16_000, "FLOAT", "BIG", "AU")
    (programs / "ffmpeg").write_text(FFMPEG.format(folder=tmp_path))
    (programs / "ffmpeg").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")

    # From and to a store, whose files are copied to and fro; tables into a folder of this machine.
    report = tmp_path / "report.jsonl"
    words = [music.as_uri(), "-o", (tmp_path / "ray").as_uri(), "--csv", tmp_path / "ray", "--jobs", "2"]
    words = [*words, *QUICK, "--report", report]
    done = run(*words)
    assert done.returncode == 1, done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith("transcribe: ")]
    assert lines[-1] == "transcribe: 2 of 6 inputs failed, the others are written"
    entries = {Path(entry["input"]).name: entry for entry in map(json.loads, report.read_text().splitlines())}
    assert {name for name, entry in entries.items() if entry["status"] == "done"} == {
        "0.npz",
        "1.npz",
        "2.npz",
        "once.m4a",
    }
    assert "a process ended at each of 3 tries" in entries["always.m4a"]["error"]
    assert (tmp_path / "ended").read_text() == "\n" * 3
    assert (tmp_path / "seen").exists()  # its process was ended too, and it was done by the next
    bad = f"{music.as_uri()}/bad.npz"
    assert entries["bad.npz"]["error"].startswith(f"{bad}: frame frame 0 key 0: got nan")
    assert entries["once.m4a"]["output"] == f"{(tmp_path / 'ray').as_uri()}/once.mid"

    # The command, on the same files.
    threads = torch.get_num_threads()
    plain = [*music.glob("*/*.npz"), music / "once.m4a", "-o", tmp_path / "plain", *QUICK]
    plain += ["--csv", tmp_path / "plain", "--threads", "1"]
    assert transcribe(list(map(str, plain))) == 0, capsys.readouterr().err
    torch.set_num_threads(threads)
    expected = {Path(name).name: content for name, content in bytes_of(tmp_path / "plain").items()}
    assert len(expected) == 8
    assert {Path(name).name: content for name, content in bytes_of(tmp_path / "ray").items()} == expected
    assert (tmp_path / "ray" / "below" / "0.mid").exists()

    # What the report says is done is left alone, though it lies in a store: nothing to do needs no Ray.
    (music / "always.m4a").unlink()
    (music / "bad.npz").unlink()
    assert archive([*map(str, words), "--resume"]) == 0
    assert "4 of 4 inputs are done already" in capsys.readouterr().err


def test_a_cluster_that_is_lost_fails_what_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What had failed is tried once more, and what was lost too; the reason is what Ray says first."""
    ray = pytest.importorskip("ray", reason="the extra `archive` is not installed")
    jobs = [
        Job(source=tmp_path / name, midi=tmp_path / f"{name}.mid") for name in ("a.wav", "b.wav", "c.wav")
    ]
    rounds: list[list[str]] = []

    def one_round(again: Sequence[Job], *_: object) -> Iterator[Outcome]:
        rounds.append([job.source.name for job in again])
        if len(rounds) == 1:
            yield Outcome(source=str(jobs[0].source), end=End.WHOLE)
            yield actors.failed(jobs[1], "no answer")
        raise ray.exceptions.RaySystemError("connection lost\n  at some place\nof Ray's")

    monkeypatch.setattr(actors, "start_ray", lambda *_: None)
    monkeypatch.setattr(ray, "remote", lambda **_: lambda kind: SimpleNamespace(remote=kind))
    monkeypatch.setattr(actors, "one_round", one_round)
    ends = {Path(end.source).name: end for end in actors.outcomes(jobs, Namespace(), None)}
    assert rounds == [["a.wav", "b.wav", "c.wav"], ["b.wav", "c.wav"]]
    assert ends["a.wav"].end is End.WHOLE
    lost = "Ray: System error: connection lost"
    assert [ends[name].errors for name in ("b.wav", "c.wav")] == [
        (f"{tmp_path / name}: {lost}",) for name in ("b.wav", "c.wav")
    ]


def test_relative_paths_are_those_of_the_command_and_a_count_that_dies_goes_on(tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="the extra `archive` is not installed")
    ideal(MUSIC).save(tmp_path / "a.npz")
    # Ray is up already, begun in another folder; what counts tries ends at the first.
    program = f"""
import os, sys, ray
ray.init("local", num_cpus=1, include_dashboard=False, logging_level="ERROR", log_to_driver=False)
os.chdir({str(tmp_path)!r})
from transcribe.archive import __main__, actors

class Tries(actors.Tries):
    def begin(self, source):
        if not os.path.exists({str(tmp_path / "died")!r}):
            os.mkdir({str(tmp_path / "died")!r})
            os._exit(1)
        return super().begin(source)

actors.Tries = Tries
sys.exit(__main__.main())
"""
    done = run("a.npz", "-o", "out", *QUICK, start=["-c", program])
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / "a.mid").exists() and (tmp_path / "died").exists()


def test_a_folder_that_another_machine_lacks_is_one_line(tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="the extra `archive` is not installed")
    before = Path.cwd()
    actor = actors.Actor(build_parser().parse_args(QUICK), None, str(tmp_path / "gone"))
    assert Path.cwd() == before
    outcome = pickle.loads(
        actor({"job": pickle.dumps(Job(source=Path("a.npz"), midi=tmp_path / "a.mid"))})["outcome"]
    )
    assert outcome.errors[0].startswith(f"a.npz: got 'no folder {tmp_path / 'gone'} on ")
    assert not actors.is_relative(Job(source=Path("s3:/bucket/a.npz"), midi=tmp_path / "a.mid"))


@pytest.mark.filterwarnings("ignore::DeprecationWarning:ray")  # of defaults of its own
def test_without_an_address_ray_is_started_here(monkeypatch: pytest.MonkeyPatch) -> None:
    ray = pytest.importorskip("ray", reason="the extra `archive` is not installed")
    given: dict[str, object] = {}
    monkeypatch.setattr(ray, "init", lambda **options: given.update(options))
    monkeypatch.setattr(actors, "SETTINGS", {})
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    actors.start_ray(argparse.Namespace(address=None), 2)
    # Left out, it is the cluster that was last started on this machine.
    assert given["address"] == "local" and given["num_cpus"] == 2


@pytest.mark.parametrize(("address", "reason"), [("auto", "Could not find any"), ("here", "Invalid address")])
def test_a_cluster_that_is_none_is_one_line(tmp_path: Path, address: str, reason: str) -> None:
    pytest.importorskip("ray", reason="the extra `archive` is not installed")
    ideal(MUSIC).save(tmp_path / "a.npz")
    done = run(tmp_path / "a.npz", "--address", address, *QUICK)
    assert done.returncode == 2
    (line,) = (line for line in done.stderr.splitlines() if line.startswith("transcribe: "))
    assert line.startswith(f"transcribe: --address {address}: got '{reason}")
    assert "Traceback" not in done.stderr


def test_an_actor_without_models_fails_its_jobs_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a machine that lacks the file that `--model` names."""
    monkeypatch.setattr(actors.Actor, "begin", lambda *_: None)
    args = build_parser("archive", "", "").parse_args(
        ["a.wav", "--model", str(tmp_path / "gone.safetensors")]
    )
    threads = torch.get_num_threads()
    answer = actors.Actor(args, None, str(Path.cwd()))(
        {"job": pickle.dumps(Job(source=tmp_path / "a.wav", midi=tmp_path / "a.mid"))}
    )
    torch.set_num_threads(threads)
    (error,) = pickle.loads(answer["outcome"]).errors
    assert error.startswith(str(tmp_path / "a.wav")) and "gone.safetensors" in error


def test_a_bug_fails_its_job_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def transcribe_one(*_: object, **__: object) -> None:
        raise KeyError("no such key")

    monkeypatch.setattr("transcribe.single.transcribe_one", transcribe_one)
    monkeypatch.setattr(actors.Actor, "transcriber", None)
    monkeypatch.setattr(actors.Actor, "begin", lambda *_: None)
    threads, job = torch.get_num_threads(), Job(source=tmp_path / "a.wav", midi=tmp_path / "a.mid")
    answer = actors.Actor(Namespace(threads=1), None, str(Path.cwd()))({"job": pickle.dumps(job)})
    torch.set_num_threads(threads)
    (reason,) = pickle.loads(answer["outcome"]).errors
    assert reason.startswith(f"{tmp_path / 'a.wav'}: internal error, KeyError: 'no such key'")


def placed(folder: Path, inputs: Sequence[str], manifest: Sequence[str] = ()) -> list[tuple[str, str]]:
    pytest.importorskip("pyarrow", reason="the extra `archive` is not installed")
    todo = plan_anywhere([*map(Path, inputs)], Wanted(midi=folder / "out"), {*map(Path, manifest)})
    assert not todo.failures
    return [(job.source.name, str(job.midi.relative_to(folder / "out"))) for job in todo.jobs]


def test_a_store_is_walked_as_a_folder_is(tmp_path: Path) -> None:
    for name in ("a.wav", "one/b.flac", "one/b.npz", "one/c.npz", ".hidden/d.wav", "notes.txt"):
        (tmp_path / "music" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "music" / name).touch()
    uri = (tmp_path / "music").as_uri()
    found = [("a.wav", "a.mid"), ("b.flac", "one/b.mid"), ("c.npz", "one/c.mid")]
    assert placed(tmp_path, [uri]) == found
    assert placed(tmp_path, [f"{uri}/a.wav", f"{uri}/one"]) == [
        ("a.wav", "a.mid"),
        ("b.flac", "b.mid"),
        ("c.npz", "c.mid"),
    ]
    # Of a manifest the folders are kept.
    below = (tmp_path / "music" / "a.mid").relative_to("/")
    assert placed(tmp_path, [f"{uri}/a.wav"], [f"{uri}/a.wav"]) == [("a.wav", str(below))]


@pytest.mark.parametrize("name", ["C# minor, \u00fc (1) 100%.wav", "a+b&c=[d].wav"])
def test_names_in_a_store_may_be_no_uris(tmp_path: Path, name: str) -> None:
    pytest.importorskip("pyarrow", reason="the extra `archive` is not installed")
    (tmp_path / "music").mkdir()
    (tmp_path / "music" / name).write_bytes(b"sound")
    (path,) = stores.listed(Path((tmp_path / "music").as_uri()))
    assert path.name == name and stores.state_of(path) is not None
    stores.fetch(path, tmp_path / "copy" / name)
    stores.put(tmp_path / "copy" / name, path.with_name(f"new {name}"))
    assert (tmp_path / "music" / f"new {name}").read_bytes() == b"sound"


def test_what_a_store_has_not_is_a_failure_of_its_own(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow", reason="the extra `archive` is not installed")
    (tmp_path / "empty").mkdir()
    (tmp_path / "a.wav").touch()
    uris = [f"{tmp_path.as_uri()}/{name}" for name in ("nothing.wav", "empty", "a.wav")]
    todo = plan_anywhere([Path(uri) for uri in uris], Wanted(midi=tmp_path / "out"))
    assert [job.source.name for job in todo.jobs] == ["a.wav"]
    first, second = map(str, todo.failures)
    assert first.startswith(f"{uris[0]}: got 'nothing there'")
    assert second.startswith(f"{uris[1]}: got 'a folder without recordings'")


def test_without_the_extra_one_line_names_it(tmp_path: Path) -> None:
    hidden = "import sys; sys.modules['ray'] = None; import runpy\nfrom importlib import util\n"
    hidden += "find = util.find_spec\nutil.find_spec = lambda name: None if name == 'ray' else find(name)\n"
    hidden += "from transcribe.archive.__main__ import main\nsys.exit(main(['a.wav']))"
    done = subprocess.run([sys.executable, "-c", hidden], capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr == (
        "transcribe.archive: transcribe.archive: got 'no ray', expected the extra: "
        "pip install 'notebeam[archive]'\n"
    )
