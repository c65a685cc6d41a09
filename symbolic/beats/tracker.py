"""The networks that beats are read by, together: of beats, of their tempo, of bars."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from symbolic.beats.bars import BarNetwork, beat_features, load_bar_networks, read_bars
from symbolic.beats.chords import Chords
from symbolic.beats.network import BeatNetwork, Readings, load_networks, read_chords
from symbolic.beats.search import COSTS, Costs, find_downbeats
from symbolic.beats.tempo import TempoNetwork, load_tempo_network, read_tempo


@dataclass(frozen=True, eq=False)
class Tracker:
    """The networks, and what they say of chords, one at least, and of beats."""

    beats: Sequence[BeatNetwork]  # whose answers are averaged
    tempo: TempoNetwork
    bars: Sequence[BarNetwork]  # likewise

    def read(self, chords: Chords) -> Readings:
        """What is said of chords: the tempo by its own network, all else by those of beats."""
        readings = read_chords(self.beats, chords)
        return replace(readings, tempo=read_tempo(self.tempo, chords, readings))

    def downbeats(
        self, times: NDArray[np.float64], chords: Chords, readings: Readings, costs: Costs = COSTS
    ) -> NDArray[np.bool_]:
        """(N,) which of the beats at `times` (N,) in seconds begin a bar."""
        return find_downbeats(*read_bars(self.bars, beat_features(times, chords, readings)), costs)


@lru_cache(maxsize=1)
def shipped_tracker() -> Tracker:
    """The networks that come with the package, loaded once."""
    return Tracker(load_networks(), load_tempo_network(), load_bar_networks())
