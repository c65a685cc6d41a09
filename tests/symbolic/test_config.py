"""Tables to options: types kept, mistakes named."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest

from symbolic.config import options_from, read_toml
from symbolic.errors import NotebeamError


@dataclass(frozen=True, kw_only=True)
class Sizes:
    units: int
    rate: float = 0.5
    kind: Literal["wide", "deep"] = "wide"
    plane: Literal["", "struck", "active"] = ""  # "": what the rest decides, and no word of its own
    bounds: tuple[float, float] = (0.0, 1.0)
    windows: tuple[int, ...] = (4096,)
    tied: bool = True


def test_values_get_the_types_of_their_fields() -> None:
    found = options_from(Sizes, {"units": 3, "rate": 2, "bounds": [1, 2.5], "windows": [1, 2, 3]}, "x")
    assert found == Sizes(units=3, rate=2.0, bounds=(1.0, 2.5), windows=(1, 2, 3))
    assert isinstance(found.rate, float) and isinstance(found.bounds[0], float)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"units": 1, "unit": 2}, r"^file: sizes\.unit: got 2, expected one of the keys units, rate"),
        ({}, r"^file: sizes\.units: got 'nothing', expected a value"),
        ({"units": "3"}, r"sizes\.units: got '3', expected an integer"),
        ({"units": True}, r"sizes\.units: got True, expected an integer"),
        ({"units": 1, "rate": "fast"}, r"sizes\.rate: got 'fast', expected a number"),
        ({"units": 1, "tied": 1}, r"sizes\.tied: got 1, expected true or false"),
        ({"units": 1, "kind": "long"}, r"sizes\.kind: got 'long', expected one of wide, deep"),
        ({"units": 1, "plane": "held"}, r"sizes\.plane: got 'held', expected one of struck, active"),
        ({"units": 1, "bounds": [1]}, r"sizes\.bounds: got \[1\], expected a list of 2 numbers"),
        ({"units": 1, "windows": [1.5]}, r"sizes\.windows: got 1\.5, expected an integer"),
        ([1], r"^file: sizes: got \[1\], expected a table"),
    ],
)
def test_a_mistake_is_named(table: object, message: str) -> None:
    with pytest.raises(NotebeamError, match=message):
        options_from(Sizes, table, "file: sizes")


def test_a_file_that_is_no_toml_is_named(tmp_path: Path) -> None:
    path = tmp_path / "bad.toml"
    with pytest.raises(NotebeamError, match="no such file"):
        read_toml(path)
    path.write_text("units = = 3")
    with pytest.raises(NotebeamError, match="bad.toml: .*expected a TOML file"):
        read_toml(path)
