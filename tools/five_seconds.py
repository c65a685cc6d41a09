"""Draws the README's picture, five seconds of the bundled recording: `python -m tools.five_seconds`."""

from pathlib import Path

import numpy as np
import soundfile
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import notebeam as nb
from symbolic import picture

TREE = Path(__file__).resolve().parent.parent
AUDIO = TREE / "examples" / "gymnopedie.flac"
PICTURE = TREE / "docs" / "figures" / "five-seconds.png"
START, STOP = 10.0, 15.0  # seconds
LOWEST, HIGHEST = 36, 86  # MIDI pitches shown


def draw(result: nb.Transcription) -> Figure:
    """Audio, posteriorgram and notes between START and STOP, one above the other."""
    figure = picture.new_figure(height=4.6, width=8.0)
    audio, posteriorgram, notes = figure.subplots(3, 1, height_ratios=[1, 2, 2])
    draw_audio(audio)
    draw_posteriorgram(posteriorgram, result.posteriorgram)
    draw_notes(notes, result.notes)
    for panel in (audio, posteriorgram, notes):
        panel.set_xlim(START, STOP)
        panel.tick_params(labelsize=8, labelbottom=panel is notes)
    notes.set_xlabel("time (s)", fontsize=9)
    return figure


def draw_audio(panel: Axes) -> None:
    """The waveform, as the lowest and highest sample of each column of the image."""
    rate = soundfile.info(AUDIO).samplerate
    samples, _ = soundfile.read(AUDIO, start=round(START * rate), stop=round(STOP * rate))
    columns = samples[: len(samples) // 800 * 800].reshape(800, -1)
    times = np.linspace(START, STOP, len(columns))
    panel.fill_between(times, columns.min(axis=1), columns.max(axis=1), color="#1f3b73", linewidth=0)
    panel.set_ylabel("audio\namplitude", fontsize=9)


def draw_posteriorgram(panel: Axes, p: nb.Posteriorgram) -> None:
    """The frame plane: the probability that each key sounds."""
    inside = (p.times >= START - p.hop) & (p.times <= STOP + p.hop)
    times = p.times[inside]
    extent = (times[0] - p.hop / 2, times[-1] + p.hop / 2, p.lowest - 0.5, p.lowest + 87.5)
    image = panel.imshow(
        p.frame[inside].T, origin="lower", aspect="auto", interpolation="nearest", extent=extent,
        cmap="Greys", vmin=0, vmax=1,
    )  # fmt: skip
    picture.pitch_axis(panel, LOWEST, HIGHEST)
    panel.set_ylabel("posteriorgram\npitch", fontsize=9)
    bar = panel.figure.colorbar(image, ax=panel, pad=0.01, aspect=12)
    bar.set_label("probability", fontsize=8)
    bar.ax.tick_params(labelsize=7)


def draw_notes(panel: Axes, notes: nb.Notes) -> None:
    """The notes as bars, darker where the velocity is higher."""
    picture.draw_keys(panel, LOWEST, HIGHEST)
    bars = picture.draw_notes(panel, notes, array=notes.velocity, cmap="Reds", clim=(20, 110))
    picture.pitch_axis(panel, LOWEST, HIGHEST)
    panel.set_ylabel("notes\npitch", fontsize=9)
    bar = panel.figure.colorbar(bars, ax=panel, pad=0.01, aspect=12)
    bar.set_label("velocity", fontsize=8)
    bar.ax.tick_params(labelsize=7)


def main() -> int:
    PICTURE.parent.mkdir(parents=True, exist_ok=True)
    picture.save_figure(draw(nb.transcribe(AUDIO)), PICTURE)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
