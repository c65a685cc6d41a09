"""The door: `import notebeam` is light, has the public names and no others, and their examples run."""

import doctest
import subprocess
import sys
import zipfile
from importlib import import_module
from pathlib import Path

import pytest

import notebeam as nb

ROOT = Path(__file__).resolve().parents[1]
SECONDS = 0.1
PUBLIC = """transcribe Transcriber Transcription Notes read_midi Clock PianoRoll Posteriorgram decode Decoding
Stream Threshold Hmm Greedy Beam Prior load_prior list_priors save_prior build_prior load_acoustic score
NotebeamError"""


def test_the_public_names_are_these() -> None:
    assert nb.__all__ == PUBLIC.split()
    packages = [import_module(name) for name in ("symbolic", "acoustic", "transcribe")]
    assert sorted(nb.__all__) == sorted(name for package in packages for name in package.__all__)
    for name in nb.__all__:
        home = next(package for package in packages if name in package.__all__)
        assert getattr(nb, name) is getattr(home, name)
        assert name in dir(nb) and name in dir(home)


PACKAGES = ["notebeam", "symbolic", "acoustic", "acoustic.frontends", "transcribe"]


@pytest.mark.parametrize("package", PACKAGES)
def test_an_unknown_name_is_an_attribute_error(package: str) -> None:
    with pytest.raises(AttributeError, match=f"module '{package}' has no attribute 'no_such_name'"):
        _ = import_module(package).no_such_name


def test_the_version_is_the_distributions() -> None:
    from importlib.metadata import PackageNotFoundError, version

    try:
        expected = version("notebeam")
    except PackageNotFoundError:
        pytest.skip("not installed")
    assert nb.__version__ == expected


def test_importing_the_door_is_fast_and_light() -> None:
    code = """
import sys, time
before = set(sys.modules)
begin = time.process_time()
import notebeam
print(time.process_time() - begin)
assert not {"torch", "numpy"} & (set(sys.modules) - before)
"""
    times = [
        float(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, cwd=ROOT).stdout)
        for _ in range(3)
    ]
    assert min(times) < SECONDS


@pytest.mark.parametrize("name", nb.__all__)
def test_the_example_of_a_public_name_runs(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    public = getattr(nb, name)
    (test,) = doctest.DocTestFinder(recurse=False).find(public, name, globs={name: public})
    assert test.examples, "no example"
    report: list[str] = []
    failed, _ = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(test, out=report.append)
    assert not failed, "".join(report)


@pytest.mark.slow
def test_the_wheel_holds_the_door(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--no-deps",
        "--no-build-isolation",
        "-w",
        str(tmp_path),
        str(ROOT),
    ]
    subprocess.run(command, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    assert "notebeam.py" in zipfile.ZipFile(wheel).namelist()
