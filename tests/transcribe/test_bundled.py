"""The bundled recording with the shipped models, as the README's first command does it."""

import subprocess
import sys
from pathlib import Path

import pytest

from symbolic.decoding.options import Beam
from symbolic.midi import read_midi
from symbolic.notes import read_tsv
from transcribe.presets import MODEL, PRESETS, PRIOR, preset
from transcribe.scoring import score

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.mark.parametrize("method", sorted(PRESETS))
def test_every_decoder_finds_the_notes_of_the_bundled_recording(tmp_path: Path, method: str) -> None:
    midi, picture = tmp_path / "notes.mid", tmp_path / "notes.png"
    command = [sys.executable, "-m", "transcribe", str(EXAMPLES / "gymnopedie.flac"), "-o", str(midi)]
    command += ["--picture", str(picture), "--decoder", method, "--threads", "2"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = score(read_tsv(EXAMPLES / "gymnopedie.tsv"), read_midi(midi))
    assert found.onset_f1 > 0.9
    assert found.frame_f1 > 0.75
    assert picture.stat().st_size > 10_000


def test_presets_are_for_models_that_ship() -> None:
    from acoustic.loading import list_models
    from symbolic.priors.loading import list_priors, load_prior

    assert MODEL in list_models() and PRIOR in list_priors()
    assert load_prior(PRIOR).require_card().plane == "struck"
    alone = preset("beam", prior=False)
    assert isinstance(alone, Beam) and alone.prior_weight == 0
