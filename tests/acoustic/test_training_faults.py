"""What somebody met who looked for faults of the acoustic trainings: a test for each."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from training_corpus import SCALE

from acoustic.frontends import posteriorgram_of_notes
from acoustic.frontends.basic_pitch import BasicPitch
from symbolic.errors import NotebeamError


@pytest.mark.parametrize(
    "duration", [float("nan"), float("inf"), -1.0, 1e12, None, "10", np.array([1.0, 2.0])]
)
def test_a_duration_of_notes_that_is_none_is_one_line(duration: Any) -> None:
    with pytest.raises(NotebeamError, match=r"posteriorgram_of_notes\(duration\): got .*expected seconds"):
        posteriorgram_of_notes(SCALE, duration=duration)


@pytest.mark.parametrize("hop", [1e-9, 9e-4, 0.11, float("nan"), None])
def test_a_hop_of_notes_that_would_take_all_memory_is_one_line(hop: Any) -> None:
    with pytest.raises(NotebeamError, match=r"posteriorgram_of_notes\(hop\): got .*from 0\.001 to 0\.1"):
        posteriorgram_of_notes(SCALE, hop=hop)
    assert posteriorgram_of_notes(SCALE, hop=0.001, duration=12.0).duration == 12.0


def test_no_path_for_basic_pitch_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "nmp.onnx").touch()
    monkeypatch.setattr(BasicPitch, "_open", lambda _: None)
    with pytest.raises(NotebeamError, match="path: got None, expected a recording's path"):
        BasicPitch(tmp_path / "nmp.onnx").file(None)  # type: ignore[arg-type]
