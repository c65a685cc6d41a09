"""Faults that a reviewer of the core types, options and priors met: a test for each."""

import mmap
from pathlib import Path

import numpy as np

import notebeam as nb

PLANE = np.zeros((5, 88), dtype=np.float32)


def test_a_callers_private_map_keeps_its_data(tmp_path: Path) -> None:
    np.save(tmp_path / "plane.npy", PLANE)
    changed = np.load(tmp_path / "plane.npy", mmap_mode="c")
    alone = np.ndarray(PLANE.shape, np.float32, mmap.mmap(-1, PLANE.nbytes))
    for plane in (changed, alone):
        plane[:] = 0.5
        plane.flags.writeable = False
        made = nb.Posteriorgram(plane, hop=0.02)
        assert (made.frame == 0.5).all() and (plane == 0.5).all()
