"""Bouncing balls: videos of billiard without friction, as Sutskever, Hinton and Taylor (2008) made theirs.

Is: the physics, the pixels, the splits.
Is not: a data set that anybody handed on: every study draws its own, from the same generator.

The generator's constants: a box of side 10, three balls of radius 1.2 and equal mass, all velocities of a
sequence together of norm 0.5 a frame, two substeps a frame; a pixel at squared distance d from a centre
has the brightness exp(-(d / 1.44)^4), those of several balls are added and cut off at 1.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from symbolic.datasets.motion import RealSet
from symbolic.errors import NotebeamError

BOX = 10.0  # side of the box
SPEED = 0.5  # norm of the velocities of all balls of a sequence together, box units a frame
SUBSTEPS = 2  # a frame
FIRST = 2.0  # no ball starts with a coordinate below it

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class BallsOptions:
    """How many sequences, how long, of what."""

    train: int = 1000  # sequences
    valid: int = 100
    test: int = 200
    steps: int = 128  # T
    balls: int = 3
    radius: float = 1.2  # of 10, the side of the box
    pixels: int = 15  # a side: D is its square
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("train", "valid", "test", "steps", "balls", "pixels"):
            if not getattr(self, name) >= 1:
                raise NotebeamError(f"BallsOptions.{name}", getattr(self, name), "an integer >= 1")
        # Half of the room that the centres have, or places without overlap become too rare to be found.
        if not (self.radius > 0 and self.balls * (2 * self.radius) ** 2 <= (BOX - 2 * self.radius) ** 2 / 2):
            raise NotebeamError("BallsOptions.radius", self.radius, f"> 0, with room for {self.balls} balls")


def read_balls(options: BallsOptions | None = None) -> RealSet:
    """Videos (T, D), pixels 0..1 row by row; the same for the same options on every machine.

    Nothing is stored: drawing all of them takes two seconds.
    """
    options = options or BallsOptions()
    # One stream of random numbers a split: the size of one leaves the others as they are.
    streams = np.random.SeedSequence(options.seed).spawn(3)
    return RealSet(
        *(
            _videos(count, options, np.random.default_rng(stream))
            for count, stream in zip((options.train, options.valid, options.test), streams, strict=True)
        )
    )


def _videos(count: int, options: BallsOptions, rng: np.random.Generator) -> list[NDArray[np.float32]]:
    place, speed = first_places(count, options, rng), first_speeds(count, options.balls, rng)
    pixels = drawn(paths(place, speed, options.steps, options.radius), options.pixels, options.radius)
    pixels.flags.writeable = False
    return list(pixels)


def first_places(count: int, options: BallsOptions, rng: np.random.Generator) -> Floats:
    """(B, balls, 2) centres drawn uniformly and drawn again while balls overlap or leave the box."""
    place = np.empty((count, options.balls, 2))
    open_rows = np.arange(count)
    first, second = np.triu_indices(options.balls, 1)
    while len(open_rows):
        drawn_now = rng.uniform(FIRST, BOX, (len(open_rows), options.balls, 2))
        apart = np.linalg.norm(drawn_now[:, first] - drawn_now[:, second], axis=2) >= 2 * options.radius
        inside = (drawn_now >= options.radius) & (drawn_now <= BOX - options.radius)
        good = apart.all(1) & inside.all((1, 2))
        place[open_rows[good]] = drawn_now[good]
        open_rows = open_rows[~good]
    return place


def first_speeds(count: int, balls: int, rng: np.random.Generator) -> Floats:
    """(B, balls, 2) velocities, box units a frame: normal, scaled so that their joint norm is SPEED."""
    speed = rng.standard_normal((count, balls, 2))
    return np.asarray(speed / np.linalg.norm(speed, axis=(1, 2), keepdims=True) * SPEED)


def paths(place: Floats, speed: Floats, steps: int, radius: float) -> Floats:
    """Centres (B, T, balls, 2) from the first places and velocities (B, balls, 2); all masses are equal.

    As in the generator of 2008: positions move first, then balls beyond a wall are sent back, then balls that
    overlap exchange their velocities along the line between them, pair by pair, once a substep.
    """
    place, speed = place.copy(), speed.copy()
    found = np.empty((len(place), steps, *place.shape[1:]))
    for step in range(steps):
        found[:, step] = place
        for _ in range(SUBSTEPS):
            place += speed / SUBSTEPS
            np.copyto(speed, np.abs(speed), where=place < radius)
            np.copyto(speed, -np.abs(speed), where=place > BOX - radius)
            for i in range(place.shape[1]):
                for j in range(i):
                    line = place[:, i] - place[:, j]
                    length = np.linalg.norm(line, axis=1, keepdims=True)
                    line = line / np.maximum(length, 1e-12)
                    # Equal masses exchange the components along the line (elastic collision).
                    change = ((speed[:, j] - speed[:, i]) * line).sum(1, keepdims=True) * line
                    change = np.where(length < 2 * radius, change, 0.0)
                    speed[:, i] += change
                    speed[:, j] -= change
    return found


def drawn(centres: Floats, pixels: int, radius: float) -> NDArray[np.float32]:
    """(B, T, pixels**2) brightness 0..1 of centres (B, T, balls, 2); rows are the second coordinate."""
    middle = ((np.arange(pixels) + 0.5) * (BOX / pixels)).astype(np.float32)
    found = np.zeros((*centres.shape[:2], pixels, pixels), dtype=np.float32)
    for ball in np.moveaxis(centres.astype(np.float32), 2, 0):
        across = (middle - ball[:, :, :1]) ** 2  # (B, T, pixels)
        down = (middle - ball[:, :, 1:]) ** 2
        distance = (down[:, :, :, None] + across[:, :, None, :]) / np.float32(radius**2)
        distance *= distance
        distance *= distance  # the fourth power; ** is ten times slower
        found += np.exp(-distance)
    return np.minimum(found, 1.0).reshape(*found.shape[:2], -1)
