"""Bouncing balls against their physics, motion capture against its published size; bad files."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from oracles_sequences import bouncing_path, bouncing_pixel

from symbolic.datasets import root
from symbolic.datasets.balls import BallsOptions, drawn, first_places, first_speeds, paths, read_balls
from symbolic.datasets.motion import read_motion
from symbolic.errors import NotebeamError

SMALL = BallsOptions(train=4, valid=2, test=3, steps=20)


def test_balls_move_as_the_slow_simulation_says() -> None:
    rng = np.random.default_rng(1)
    place, speed = first_places(6, BallsOptions(), rng), first_speeds(6, 3, rng)
    # Four times the usual speed: all kinds of collision happen within sixty steps.
    found = paths(place, 4 * speed, 60, 1.2)
    for row in range(6):
        expected = np.stack(bouncing_path(place[row], 4 * speed[row], 60, 1.2))
        np.testing.assert_allclose(found[row], expected, atol=1e-9)
    gaps = np.linalg.norm(found[:, :, 0] - found[:, :, 1], axis=2)
    assert (gaps < 2.4).any() and (found < 1.2).any() and (found > 8.8).any()


def test_two_balls_that_meet_head_on_exchange_their_velocities() -> None:
    place, speed = np.array([[[3.0, 5.0], [7.0, 5.0]]]), np.array([[[0.5, 0.0], [-0.3, 0.0]]])
    found = paths(place, speed, 10, 1.2)[0]
    # Nearer by 0.8 a step, they overlap (2.4) after step 2; the wall (8.8) is five steps further.
    np.testing.assert_allclose(found[6] - found[5], [[-0.3, 0.0], [0.5, 0.0]], atol=1e-12)


def test_pixels_are_the_brightness_of_the_balls_near_them() -> None:
    centres = np.array([[2.0, 3.0], [3.5, 4.0], [8.0, 7.0]])
    picture = drawn(centres[None, None], 15, 1.2)[0, 0].reshape(15, 15)
    expected = [[bouncing_pixel(centres, row, column, 15, 1.2) for column in range(15)] for row in range(15)]
    np.testing.assert_allclose(picture, expected, atol=1e-5)
    assert picture.max() == 1.0  # between the two that overlap


def test_balls_start_apart_and_inside_with_joint_speed_one_half() -> None:
    rng = np.random.default_rng(0)
    place = first_places(200, BallsOptions(), rng)
    assert place.min() >= 2.0 and place.max() <= 8.8
    for i, j in ((0, 1), (0, 2), (1, 2)):
        assert np.linalg.norm(place[:, i] - place[:, j], axis=1).min() >= 2.4
    np.testing.assert_allclose((first_speeds(200, 3, rng) ** 2).sum((1, 2)), 0.25)


def test_videos_depend_on_the_seed_alone() -> None:
    first, again = read_balls(SMALL), read_balls(SMALL)
    assert [len(part) for part in (first.train, first.valid, first.test)] == [4, 2, 3]
    assert first.train[0].shape == (20, 225) and first.train[0].dtype == np.float32
    np.testing.assert_array_equal(first.test[2], again.test[2])
    more = read_balls(BallsOptions(train=9, valid=2, test=3, steps=20))
    np.testing.assert_array_equal(first.test[2], more.test[2])
    other = read_balls(BallsOptions(train=4, valid=2, test=3, steps=20, seed=1))
    assert not np.array_equal(first.train[0], other.train[0])
    assert not np.array_equal(first.train[0], first.test[0])


def test_balls_without_room_are_refused() -> None:
    with pytest.raises(NotebeamError, match=r"BallsOptions\.radius: got 2\.0, expected > 0, with room for 9"):
        BallsOptions(balls=9, radius=2.0)
    with pytest.raises(NotebeamError, match=r"BallsOptions\.steps: got 0, expected an integer >= 1"):
        BallsOptions(steps=0)


def write_motion(folder: Path, **changed: NDArray[np.generic] | None) -> None:
    """Eight training sequences of two steps and one of test; 3 numbers a step."""
    frames = np.arange(48, dtype=np.float32).reshape(16, 3)
    content = {
        "train": frames,
        "train_lengths": np.full(8, 2),
        "test": frames[:4],
        "test_lengths": np.array([4]),
    }
    content |= {name: values for name, values in changed.items() if values is not None}
    np.savez(
        folder / "mit.npz", **{name: v for name, v in content.items() if changed.get(name, v) is not None}
    )


def test_motion_is_cut_into_its_sequences_and_the_last_five_validate(tmp_path: Path) -> None:
    write_motion(tmp_path)
    motion = read_motion(tmp_path)
    assert [len(part) for part in (motion.train, motion.valid, motion.test)] == [3, 5, 1]
    assert motion.train[1].tolist() == [[6, 7, 8], [9, 10, 11]]
    assert motion.valid[0][0, 0] == 18.0 and motion.test[0].shape == (4, 3)


def test_wrong_motion_is_refused(tmp_path: Path) -> None:
    for changed, message in (
        ({"train_lengths": None}, r"train_lengths: got 'no such array'"),
        ({"train_lengths": np.full(8, 3)}, r"train: got '\(16, 3\) and 8 lengths, together 24'.*add up"),
        ({"test": np.full((4, 3), np.nan)}, r"test: got 'nan or infinity'"),
        (
            {"train": np.ones((2, 3)), "train_lengths": np.array([2])},
            r"train: got '1 sequences', expected more",
        ),
    ):
        write_motion(tmp_path, **changed)
        with pytest.raises(NotebeamError, match=r"mit\.npz: " + message):
            read_motion(tmp_path)
    (tmp_path / "mit.npz").write_bytes((tmp_path / "mit.npz").read_bytes()[:100])
    with pytest.raises(NotebeamError, match=r"mit\.npz: got 'a damaged archive .*expected arrays as \.npz"):
        read_motion(tmp_path)


@pytest.mark.skipif(
    not (root() / "motion").is_dir(), reason=f"no data at {root() / 'motion'} (NOTEBEAM_DATA)"
)
def test_motion_has_its_published_size_and_unit_scale() -> None:
    motion = read_motion()
    assert [len(part) for part in (motion.train, motion.valid, motion.test)] == [30, 5, 4]
    assert [len(part) for part in motion.test] == [100, 100, 100, 26]
    frames = np.concatenate(motion.train + motion.valid)
    assert frames.shape == (3500, 49)
    assert abs(frames.mean(0)).max() < 0.11 and 0.91 < frames.std(0).min() and frames.std(0).max() < 1.04
