"""Notes as they are written: bars, the grid of each beat, voices, note values."""
