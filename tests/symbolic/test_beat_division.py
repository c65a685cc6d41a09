"""Whether beats are halved or in three parts: by what is played between them."""

import numpy as np
import pytest

from symbolic.beats.division import division_of


def played(parts: int, seed: int, share: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Beats of a tempo that breathes, and onsets at a share of their parts, a little uneven."""
    draw = np.random.default_rng(seed)
    beats = np.cumsum(draw.uniform(0.45, 0.55, 60))
    places = np.arange(0, 59, 1 / parts)
    places = places[(places % 1 < 1e-9) | (draw.random(len(places)) < share)]
    return beats, np.interp(places, np.arange(60), beats) + draw.normal(0, 0.01, len(places))


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("parts", "division"), [(1, 2), (2, 2), (3, 3), (4, 2), (6, 3)])
def test_the_parts_that_are_played_tell(parts: int, division: int, seed: int) -> None:
    beats, onset = played(parts, seed)
    assert division_of(beats, onset) == division


def test_a_few_thirds_in_a_piece_of_plain_beats_are_ornaments() -> None:
    beats, onset = played(3, 0, share=0.03)
    assert len(onset) > 59
    assert division_of(beats, onset) == 2


def test_what_lies_beside_the_beats_does_not_count() -> None:
    beats, onset = played(2, 1)
    outside = np.concatenate([np.linspace(-9, 0, 200), onset, np.linspace(99, 120, 200)])
    assert division_of(beats, outside) == 2
    assert division_of(beats[:1], onset) == division_of(beats, np.empty(0)) == 2
