"""Piano rolls: which keys sound, and which are struck, at each step of a clock.

Is: the type and its checks.
Is not: the conversion to and from notes (symbolic.clock).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from symbolic.errors import NotebeamError
from symbolic.pitch import KEYS

if TYPE_CHECKING:  # the clock builds rolls, so at run time only it imports the other
    from symbolic.clock import Clock


@dataclass(frozen=True, eq=False)
class PianoRoll:
    """Keys that sound at each step. Without a `struck` plane a re-struck key looks held."""

    active: NDArray[np.bool_]  # (T, D) the key sounds
    clock: Clock  # T steps
    struck: NDArray[np.bool_] | None = None  # (T, D) the key is struck at this step; implies active

    def __post_init__(self) -> None:
        shape = (len(self.clock), KEYS)
        for name, plane in (("active", self.active), ("struck", self.struck)):
            if plane is None:
                continue
            if plane.dtype != np.bool_ or plane.shape != shape:
                raise NotebeamError(f"PianoRoll.{name}", f"{plane.dtype} {plane.shape}", f"bool {shape}")
        if self.struck is not None and (self.struck & ~self.active).any():
            step, key = (int(i) for i in np.argwhere(self.struck & ~self.active)[0])
            place = f"PianoRoll.struck step {step} key {key}"
            raise NotebeamError(place, "a silent key", "one that is active there")

    def __len__(self) -> int:
        return len(self.active)
