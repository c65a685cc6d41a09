"""Small good files of every kind that is read, made on the spot: what the mutations begin with.

Is: the files, from a few notes, a second of sound, tiny models.
Is not: music or data sets.
"""

import gzip
import io
import json
import lzma
import shutil
import subprocess
import tarfile
import tempfile
from functools import lru_cache
from pathlib import Path

import numpy as np

SECONDS, RATE_HZ = 0.4, 16_000
LIBSNDFILE = {"wav": "WAV", "aiff": "AIFF", "flac": "FLAC", "ogg": "OGG", "mp3": "MP3", "caf": "CAF"}
FFMPEG = {"m4a": ["-c:a", "aac"], "webm": ["-c:a", "libopus"], "wma": ["-c:a", "wmav2"]}


@lru_cache
def sound(suffix: str) -> bytes:
    """A decaying tone in a format of libsndfile, or of ffmpeg."""
    import soundfile

    time = np.arange(round(SECONDS * RATE_HZ)) / RATE_HZ
    samples = 0.3 * np.exp(-3 * time) * np.sin(2 * np.pi * 440 * time)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"a.{suffix}"
        soundfile.write(
            path if suffix in LIBSNDFILE else f"{folder}/s.wav",
            samples,
            RATE_HZ,
            format=LIBSNDFILE.get(suffix),
        )
        if suffix in FFMPEG:
            command = ["ffmpeg", "-v", "error", "-i", f"{folder}/s.wav", *FFMPEG[suffix], str(path)]
            subprocess.run(command, check=True)
        return path.read_bytes()


def has_ffmpeg() -> bool:
    return shutil.which("ffmpeg") is not None


@lru_cache
def midi() -> bytes:
    """A track of piano, pedal and a drum, with a change of tempo and running status."""
    body = b"\x00\xff\x51\x03\x07\xa1\x20\x00\xff\x03\x05PIANO"
    for key in (60, 64, 67, 60):
        body += bytes([0, 0x90, key, 80, 0x83, 0x60, key, 0])
    body += b"\x00\xb0\x40\x7f\x00\x99\x24\x40\x60\x89\x24\x00\x81\x00\xff\x51\x03\x05\x00\x00"
    body += bytes([0, 0x90, 72, 80, 0x83, 0x60, 0x80, 72, 0]) + b"\x00\xb0\x40\x00\x00\xff\x2f\x00"
    head = b"MThd" + (6).to_bytes(4, "big") + bytes([0, 1, 0, 1]) + (480).to_bytes(2, "big")
    return head + b"MTrk" + len(body).to_bytes(4, "big") + body


@lru_cache
def posteriorgram() -> bytes:
    """Six frames with every key that such a file may have."""
    plane = np.linspace(0, 1, 6 * 88, dtype=np.float32).reshape(6, 88)
    made = io.BytesIO()
    names = ("frame", "onset", "offset", "held", "velocity")
    np.savez_compressed(
        made, times=np.arange(6) * 0.02, hop=np.array(0.02), first=np.array(0.0), lowest=np.array(21),
        duration=np.array(0.12), source=np.array("a.wav"), model=np.array("m"), version=np.array(1),
        **dict.fromkeys(names, plane),
    )  # fmt: skip
    return made.getvalue()


def note_table() -> bytes:
    return b"onset\toffset\tkey_offset\tpitch\tvelocity\n0.5\t1.0\t0.9\t60\t64\n1.0\t1.5\t1.2\t62\t80\n"


def note_csv() -> bytes:
    return b"start_time_s,end_time_s,pitch_midi,velocity,confidence\n0.5,1.0,60,64,0.9\n1.0,1.5,62,80,0.5\n"


def samples_csv() -> bytes:
    head = "piano,file,pitch,low_key,high_key,low_velocity,high_velocity,gain_db\n"
    return (head + "toy,a.wav,69,21,80,1,127,-6.0\ntoy,a.wav,80,81,108,1,127,0\n").encode()


def maps_csv() -> bytes:
    return b"set,name,composition,instrument,seconds\nreal-dev,one,a,x,12.5\nsynth,two,b,y,3\n"


def performances_csv() -> bytes:
    return b"composer,title,folder,midi,split\nBach,One,x,one.mid,train\nBach,Two,x,one.mid,test\n"


@lru_cache
def classic() -> bytes:
    pieces = [[[60, 64], [], [67]], [[72]]]
    return gzip.compress(json.dumps(dict.fromkeys(("train", "valid", "test"), pieces)).encode(), mtime=0)


@lru_cache
def motion() -> bytes:
    made, lengths = io.BytesIO(), np.full(7, 2)
    parts = {name: np.ones((14, 3), np.float32) for name in ("train", "test")}
    np.savez(made, **parts, train_lengths=lengths, test_lengths=lengths)
    return made.getvalue()


def vectors() -> bytes:
    return b"3 4\nthe 0.1 0.2 0.3 0.4\nof 1 2 3 4\nNew York -1 1e-3 5 6\n"


@lru_cache
def vectors_npz() -> bytes:
    made = io.BytesIO()
    np.savez(made, words=np.array(["a", "b"]), vectors=np.ones((2, 3), np.float32))
    return made.getvalue()


@lru_cache
def archive() -> bytes:
    """A tar.xz of one MIDI file and a link."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        entry = tarfile.TarInfo("one.mid")
        entry.size = len(midi())
        tar.addfile(entry, io.BytesIO(midi()))
        link = tarfile.TarInfo("two.mid")
        link.type, link.linkname = tarfile.SYMTYPE, "one.mid"
        tar.addfile(link)
    return lzma.compress(made.getvalue())


def log() -> bytes:
    return b'{"step": 1, "valid": -1.0}\n{"step": 2, "valid": null}\n'


def prior_config() -> bytes:
    return b"""name = "x"
model = "lstm-nade"
licence = "l"
seed = 1
[options]
units = 4
hidden = 3
[data]
midi = "midi"
hop = 0.0
divisions = 2
transpose = 2
held_out = 0.5
[loop]
steps = 3
batch_size = 2
chunk = 4
learning_rate = 0.01
clip_norm = 1.0
validate_every = 2
ema = 0.5
[pretraining]
estimator_steps = 0
"""


def acoustic_config() -> bytes:
    return b"""name = "x"
seed = 1
[network]
spectral_channels = 2
channels = 3
dilations = [1]
[corpus]
seconds = 1.0
batch_size = 2
rendered_share = 0.0
[loop]
steps = 3
learning_rate = 0.01
ema = 0.5
checkpoint_minutes = 1.0
"""


def licences_csv() -> bytes:
    return b"piano,credit,licence\ntoy,me,CC0\nother,you,MIT\n"
