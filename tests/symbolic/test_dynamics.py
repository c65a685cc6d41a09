"""Velocities in company: the numbers against plain loops, the fit, what is left as it is."""

import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from symbolic.dynamics import company as module
from symbolic.dynamics.company import company, relative_level
from symbolic.dynamics.model import Dynamics, load_dynamics, weights_path
from symbolic.errors import NotebeamError
from symbolic.notes import Notes, write_tsv
from symbolic.posteriorgram import Posteriorgram
from symbolic.training.boosting import Growth, grow
from symbolic.training.dynamics import DynamicsTraining, FoundNotes, fit, found_notes, read, share_right
from symbolic.trees import TreeOptions, Trees


def random_notes(count: int, seed: int, seconds: float = 20.0) -> Notes:
    draw = np.random.default_rng(seed)
    onset = np.sort(draw.choice(np.arange(0, seconds, 0.02), count))  # some struck together
    pitch = draw.integers(50, 75, count)
    return Notes.make(onset, onset + 0.1, pitch, draw.integers(20, 110, count), draw.uniform(0.3, 1, count))


def plain(notes: Notes, own: int) -> list[float]:
    """The numbers of one note, by loops."""
    level = [v / 127 - float(np.mean(notes.velocity)) / 127 for v in notes.velocity]
    assert notes.confidence is not None
    trust = [min(0.99, max(0.01, float(c))) for c in notes.confidence]
    others = [
        (notes.onset[j] - notes.onset[own], int(notes.pitch[j] - notes.pitch[own]), level[j], trust[j])
        for j in range(max(0, own - module.NEIGHBOURS), min(len(notes), own + module.NEIGHBOURS + 1))
        if j != own
    ]

    def bell(x: float, width: float) -> float:
        return math.exp(-0.5 * (x / width) ** 2)

    def mean(weights: list[float]) -> list[float]:
        total = sum(w * o[3] for w, o in zip(weights, others, strict=True))
        levels = sum(w * o[3] * o[2] for w, o in zip(weights, others, strict=True))
        return [levels / (total + 1), total / (total + 1)]

    together = [abs(late) <= 0.035 for late, *_ in others]
    numbers = [level[own]]
    for side in (lambda above: True, lambda above: above > 0, lambda above: above < 0):
        numbers += mean([float(t and side(o[1])) for t, o in zip(together, others, strict=True)])
    for seconds, keys in module.AROUND:
        near = [bell(o[0], seconds) * (1 if keys is None else bell(o[1], keys)) for o in others]
        numbers += mean([n * (not t) for n, t in zip(near, together, strict=True)])
    for seconds in module.SAME_KEY:
        numbers += mean(
            [bell(o[0], seconds) * (o[1] == 0 and not t) for o, t in zip(others, together, strict=True)]
        )
    numbers += mean([bell(o[0], 0.5) * (o[0] > 0.035) for o in others])
    numbers += mean([bell(o[0], 0.5) * (o[0] < -0.035) for o in others])
    numbers += mean([bell(o[0], 1.0) * (o[1] == 12) for o in others])
    numbers += mean([bell(o[0], 1.0) * (o[1] == -12) for o in others])
    chord = [o[1] for o, t in zip(others, together, strict=True) if t]
    apart = [(o[0], o[1]) for o, t in zip(others, together, strict=True) if not t]
    numbers += [(int(notes.pitch[own]) - 21) / 87, math.log(trust[own] / (1 - trust[own]))]
    numbers += [len(chord), sum(a > 0 for a in chord), sum(a < 0 for a in chord)]
    numbers += [sum(abs(o[0]) < 1 for o in others), max([0, *chord]), min([0, *chord])]
    numbers += [min([4.0, *(-late for late, _ in apart if late < 0)])]
    numbers += [min([4.0, *(late for late, _ in apart if late > 0)])]
    return [*numbers, min([4.0, *(-late for late, above in apart if late < 0 and above == 0)])]


def test_the_numbers_are_those_of_plain_loops(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BLOCK", 50)  # so that notes have neighbours in other blocks
    monkeypatch.setattr(module, "NEIGHBOURS", 40)
    notes = random_notes(130, seed=0)
    found = company(notes)
    expected = np.array([plain(notes, row) for row in range(len(notes))])
    assert expected.shape == found.shape == (130, module.NUMBERS)
    np.testing.assert_allclose(found, expected, atol=2e-5)


def test_no_notes_and_one() -> None:
    model = Dynamics(trees=3)
    assert company(Notes.empty()).shape == (0, module.NUMBERS)
    assert len(model.corrected(Notes.empty())) == 0
    alone = Notes.make([1.0], [2.0], [60], [90])
    assert model.corrected(alone).velocity.tolist() == [90]


def phrases(seed: int, noise: float) -> tuple[Notes, Notes]:
    """Notes as played, swelling and fading, and as estimated."""
    draw = np.random.default_rng(seed)
    notes = random_notes(300, seed, seconds=60.0)
    curve = 64 + 25 * np.sin(notes.onset / 3 + draw.uniform(0, 6))
    played = replace(notes, velocity=np.rint(curve).astype(np.int64))
    return played, replace(
        played, velocity=np.rint(curve + draw.normal(0, noise, len(notes))).clip(1, 127).astype(np.int64)
    )


def learnt(seeds: range, noise: float) -> Dynamics:
    parts = []
    for seed in seeds:
        played, found = phrases(seed, noise)
        level = played.velocity / 127
        part = module.company(found), relative_level(found), level - level.mean(), float(np.ptp(level))
        parts.append(part)
    return fit([FoundNotes(*part) for part in parts], DynamicsTraining(trees=60, leaf_size=20))


def test_a_fit_hears_phrases_through_noise() -> None:
    """Uncertain by 15 each, the notes of a phrase tell of one another; the rest of a note stays."""
    model = learnt(range(8), noise=15)
    played, found = phrases(99, noise=15)
    better = model.corrected(found)
    before, after = (np.abs(one.velocity - played.velocity).mean() for one in (found, better))
    assert after < 0.6 * before
    assert abs(better.velocity.mean() - found.velocity.mean()) < 1
    for name in ("onset", "offset", "pitch", "confidence"):
        np.testing.assert_array_equal(getattr(better, name), getattr(found, name))
    assert not better.velocity.flags.writeable


def test_trees_of_numbers_are_those_that_were_grown() -> None:
    from sklearn.ensemble import HistGradientBoostingRegressor

    draw = np.random.default_rng(0)
    inputs = draw.normal(size=(600, 20)).astype(np.float32)
    target = 5 + inputs[:, 3] * inputs[:, 5]
    trees = Trees(TreeOptions(count=12))
    grow(trees, torch.from_numpy(inputs), torch.from_numpy(target), Growth(inputs=1.0, leaf_size=10))
    model = HistGradientBoostingRegressor(
        learning_rate=0.12, max_iter=12, max_leaf_nodes=20, max_depth=8, min_samples_leaf=10,
        l2_regularization=5.0, max_bins=64, early_stopping=False, random_state=0,
    ).fit(inputs, target)  # fmt: skip
    np.testing.assert_allclose(trees(torch.from_numpy(inputs)), model.predict(inputs), atol=1e-4)


def posteriorgram_of(played: Notes, found: Notes, late: float = 0.0) -> Posteriorgram:
    """Peaks of 0.9 where notes begin, so much late, with the estimated velocities."""
    frames = round(played.onset[-1] / 0.02) + 20
    onset, velocity = np.zeros((2, frames, 88), dtype=np.float32)
    row, key = np.rint((played.onset + late) / 0.02).astype(int), played.pitch - 21
    onset[row, key], velocity[row, key] = 0.9, found.velocity / 127
    return Posteriorgram(frame=onset, onset=onset, velocity=velocity, hop=0.02, model="ear")


def apart(notes: Notes) -> Notes:
    """No two within half a second on one key."""
    keep: list[int] = []
    for row in range(len(notes)):
        if all(notes.pitch[row] != notes.pitch[j] or notes.onset[row] - notes.onset[j] > 0.5 for j in keep):
            keep.append(row)
    columns = (notes.onset, notes.offset, notes.pitch, notes.velocity)
    return Notes.make(*(column[keep] for column in columns))


def test_notes_found_are_matched_with_those_played() -> None:
    """Late by 40 ms all of them; estimates stand beside what was played."""
    played = apart(random_notes(300, seed=3, seconds=60.0))
    part = found_notes(posteriorgram_of(played, played, late=0.04), played)
    assert part is not None
    assert len(part.played) == len(played)
    np.testing.assert_allclose(part.level, part.played, atol=1e-6)
    assert share_right(part.level, part) == 1.0
    assert share_right(part.level[::-1].copy(), part) < 0.5


def test_learnt_from_are_recordings_as_they_are(tmp_path: Path) -> None:
    played = apart(random_notes(300, seed=4, seconds=60.0))
    rows = {"asap-000": "none", "chopin": "none", "chopin-degraded": "degraded", "flat": "none"}
    listed = "name,composition,instrument,chain\n"
    for name, chain in rows.items():
        listed += f"{name},{name[:4]},piano,{chain}\n"
        notes = replace(played, velocity=np.full(len(played), 64)) if name == "flat" else played
        posteriorgram_of(notes, played).save(tmp_path / f"{name}.npz")
        write_tsv(tmp_path / f"{name}.tsv", notes)
    (tmp_path / "recordings.csv").write_text(listed)
    assert [part.name for part in read(tmp_path)] == ["chopin"]  # nothing is learnt where all are as loud


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "symbolic.training.dynamics", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_command(tmp_path: Path) -> None:
    for number in range(4):
        played, found = phrases(number, noise=15)
        posteriorgram_of(played, found).save(tmp_path / f"{number}.npz")
        write_tsv(tmp_path / f"{number}.tsv", played)
    listed = "".join(f"{number},{number},piano\n" for number in range(4))
    (tmp_path / "recordings.csv").write_text("name,composition,instrument\n" + listed)
    weights = tmp_path / "ear.safetensors"
    done = run("--posteriorgrams", str(tmp_path), "--trees", "30", "-o", str(weights))
    assert done.returncode == 0, done.stderr
    played, found = phrases(9, noise=15)
    better = load_dynamics(weights).corrected(found)
    before, after = (np.abs(one.velocity - played.velocity).mean() for one in (found, better))
    assert after < before
    done = run("--posteriorgrams", str(tmp_path), "--trees", "30", "--hold-out-every", "2")
    before, after = (float(word) for word in done.stdout.split() if word.startswith("0."))
    assert after > before
    assert run("--posteriorgrams", str(tmp_path / "none"), "-o", str(weights)).returncode == 1
    wrong = run("--posteriorgrams", str(tmp_path), "-o", str(tmp_path / "ear.json"))
    assert (wrong.returncode, "ends in .safetensors" in wrong.stderr) == (1, True)
    assert run("--posteriorgrams", str(tmp_path), "--hold-out-every", "0").returncode == 2


def test_a_posteriorgram_without_velocities_is_refused() -> None:
    played, found = phrases(0, noise=5)
    silent = replace(posteriorgram_of(played, found), velocity=None)
    with pytest.raises(NotebeamError, match="no velocities"):
        found_notes(silent, played)


def test_the_weights_that_ship() -> None:
    """Levels of one phrase, spoilt note by note, come nearer to what was played."""
    played, found = phrases(7, noise=15)
    better = load_dynamics(weights_path("piano")).corrected(found)
    assert np.abs(better.velocity - played.velocity).mean() < np.abs(found.velocity - played.velocity).mean()
