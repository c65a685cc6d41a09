"""Performances played by FluidSynth on a soundfont: more pianos, and electric ones, as digital pianos sound.

Is: notes to samples through the `fluidsynth` program, dry, at the time of the notes.
Is not: pianos of single notes (acoustic.rendering), or which instruments there are (acoustic.instruments).
"""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from acoustic.audio import RATE_HZ, Samples
from acoustic.rendering import Touch
from symbolic.errors import NotebeamError
from symbolic.files import temporary_folder
from symbolic.midi_writing import write_midi
from symbolic.notes import Notes

FOLDERS = ("/usr/share/sounds/sf2", "/usr/share/sounds/sf3", "/usr/local/share/soundfonts")
NATIVE_HZ = 44_100  # at 16 kHz FluidSynth's blocks of 64 samples make onsets 2 ms late
GAIN = 0.6  # of FluidSynth: ten loud keys together stay below full scale


@dataclass(frozen=True, kw_only=True)
class SoundFont:
    """One preset of a soundfont file."""

    file: str  # name in one of FOLDERS
    program: int = 0  # General MIDI: 0 grand, 1 bright, 2 electric grand
    delay_seconds: float = 0.0  # from a note's time to 10 % of its first peak, median over keys

    @property
    def path(self) -> Path:
        """Where the file lies.

        Raises:
            NotebeamError: nowhere.
        """
        for folder in FOLDERS:
            if (path := Path(folder) / self.file).is_file():
                return path
        raise NotebeamError(f"soundfont {self.file}", "no such file", f"it in one of {', '.join(FOLDERS)}")

    def render(self, notes: Notes, touch: Touch, tail: float = 1.0) -> Samples:
        """(S,) the notes played from time 0, `tail` seconds beyond the last offset; sounding offsets damp.

        Velocity is answered by the font itself: of `touch` nothing is used.

        Raises:
            NotebeamError: no such program or font, or FluidSynth fails.
        """
        import soundfile
        import soxr

        length = round((float(notes.offset.max(initial=0.0)) + tail) * RATE_HZ)
        if shutil.which("fluidsynth") is None:
            raise NotebeamError("fluidsynth", "no such program", "FluidSynth, to play soundfonts")
        with temporary_folder() as folder:
            midi, sound = folder / "notes.mid", folder / "sound.wav"
            # One tempo throughout: FluidSynth drifts by microseconds at every change.
            write_midi(midi, notes, program=self.program)
            # Neither reverberation nor chorus: rooms are drawn in training.
            command = ["fluidsynth", "-niq", "-R", "0", "-C", "0", "-g", str(GAIN), "-r", str(NATIVE_HZ)]
            command += ["-F", str(sound), str(self.path), str(midi)]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode or not sound.exists():
                reason = (done.stderr.strip().splitlines() or ["no sound"])[-1]
                raise NotebeamError(f"fluidsynth {self.file}", reason, "a rendering")
            audio, _ = soundfile.read(str(sound), dtype="float32", always_2d=True)
        mono = soxr.resample(audio.mean(axis=1), NATIVE_HZ, RATE_HZ)
        mono = mono[round(self.delay_seconds * RATE_HZ) :][:length]
        return np.asarray(np.pad(mono, (0, length - len(mono))), dtype=np.float32)
