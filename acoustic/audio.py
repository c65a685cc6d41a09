"""Recordings in, mono float32 at the model's rate out, block by block.

Is: opening, mixing down, resampling and checking of audio files.
Is not: spectra (features) or chunking for the network (inference).
"""

import math
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from acoustic import ffmpeg, pyav
from acoustic.channels import CANCELLED, Mixer
from acoustic.containers import layout, looks_like_audio
from acoustic.parts import Layout, Part, View
from acoustic.quiet import quiet
from symbolic.errors import NotebeamError
from symbolic.files import CHANGED, open_file, stamp

Samples = npt.NDArray[np.float32]

RATE_HZ = 16_000
RATES_HZ = 100, 3_000_000  # of recordings
BLOCK_SECONDS = 10.0
BLOCK_VALUES = 1 << 24  # of all channels of a block, at most: rate and channels are what a file claims
# Of the files of a folder; what a file is shows in its content, and others are looked into (`is_audio`).
SUFFIXES = frozenset(
    ".wav .wave .bwf .rf64 .w64 .flac .ogg .oga .ogv .ogx .opus .spx .mp3 .mp2 .mp1 .mpga .aif .aiff .aifc "
    ".au .snd .caf .voc .sf .ircam .nist .sph .m4a .m4b .m4p .m4r .m4v .mp4 .mov .qt .3gp .3g2 .aac .adts "
    ".ac3 .eac3 .dts .wma .asf .wmv .webm .weba .mka .mkv .avi .flv .f4a .f4v .mpg .mpeg .vob .ts .m2ts .mts "
    ".amr .awb .ape .wv .tta .tak .mpc .dsf .dff .thd .mlp .ra .rm .rmvb .qcp .gsm .oma .mxf".split()
)
EXPECTED = "a recording"
MISSING_SECONDS = 0.25  # by which a container may announce more than it holds
LOUDEST = 64.0  # float files go over 1, but not by 36 dB: those hold integers
FEW_SPIKES = 0.01  # of a block
UNKNOWN_FRAMES = 1 << 62  # libsndfile's way to say that it does not know how many


class DamagedRecording(NotebeamError):
    """A recording that is cut or damaged: raised after its last block, when all that is there was given."""


def read_audio(
    path: Path,
    start: float = 0.0,
    stop: float | None = None,
    rate_hz: int = RATE_HZ,
    damage: Callable[[DamagedRecording], None] | None = None,
) -> Samples:
    """Mono samples (S,) of a recording between `start` and `stop` seconds; see `read_blocks`."""
    blocks = list(read_blocks(path, start, stop, rate_hz, damage))
    return np.concatenate(blocks) if blocks else np.zeros(0, dtype=np.float32)


def read_blocks(
    path: Path,
    start: float = 0.0,
    stop: float | None = None,
    rate_hz: int = RATE_HZ,
    damage: Callable[[DamagedRecording], None] | None = None,
    notice: Callable[[str], None] | None = None,
) -> Iterator[Samples]:
    """Mono blocks (S,) float32 of a recording at `rate_hz`, in order, a few seconds each.

    Any rate and channel count; channels are averaged, where they do not cancel (`channels.Mixer`). The
    recording is read to its true end, whatever its header claims. What libsndfile cannot open is piped
    through ffmpeg, or decoded by PyAV, where one of them is installed. Memory does not grow with the
    file's length.

    Args:
        path: the recording.
        start: seconds to skip.
        stop: seconds at which to end; None reads to the end.
        rate_hz: rate of the samples returned.
        damage: called at the end of a recording that is cut or damaged; None raises.
        notice: called at the end with what a user should know of the channels.

    Raises:
        DamagedRecording: at the end, after all that can be read, of a recording that is cut or damaged.
        NotebeamError: no such file, not audio, without samples, or with NaN or infinite samples; not
            0 <= `start` < `stop`.
    """
    if not 0 <= start < math.inf or not start < (math.inf if stop is None else stop):
        raise NotebeamError("start, stop", (start, stop), "seconds, 0 <= start < stop")

    found, mixer = False, Mixer()
    faults: list[str] = []
    native = _checked(path, _native_blocks(path, start, stop, faults), faults)
    for block in _resampled(((native_hz, mixer(block)) for native_hz, block in native), rate_hz):
        found = True
        yield block
    if not found:
        length = duration(path) if start and not faults else None
        why = f" ({faults[0]})" if faults else ""
        got = f"{length:.1f} s" if length else f"no samples{why}"
        raise NotebeamError(str(path), got, f"audio between {start:g} s and {_named(stop)}")
    if notice is not None and mixer.taken is not None:
        notice(CANCELLED)
    if faults:
        error = DamagedRecording(str(path), f"a cut or damaged file ({faults[0]})", "a whole recording")
        if damage is None:
            raise error
        damage(error)


def duration(path: Path) -> float | None:
    """Length that the file announces, seconds; None where only decoding could tell."""
    import soundfile

    seconds = 0.0
    try:
        for part in _layout(path).parts:
            with _Opened(path, part) as sound:
                if part.is_estimated or sound.file.frames >= UNKNOWN_FRAMES:
                    return None
                seconds += sound.file.frames / sound.rate_hz
    except (soundfile.LibsndfileError, TypeError, OSError):  # TypeError: headerless .raw
        return None
    return seconds


def part_done(
    progress: Callable[[float], None] | None, start: float, stop: float | None, known: float | None
) -> Callable[[float], None]:
    """What tells `progress` the part done, 0 to 1, when it is given the seconds read.

    `known` is the length that the file announces (`duration`); where the end is not known, nobody is told.
    """
    end = min(x for x in (stop, known, float("inf")) if x is not None)

    def tell(seconds: float) -> None:
        if progress is not None and end < float("inf"):
            progress(min(1.0, seconds / max(end - start, 1e-9)))

    return tell


def is_audio(path: Path) -> bool:
    """Whether a file begins like a recording, whatever its name."""
    try:
        with open_file(path, EXPECTED) as file:
            return looks_like_audio(file.read(64))
    except NotebeamError:
        return False


def _checked(
    path: Path, blocks: Iterable[tuple[int, Samples]], faults: Sequence[str]
) -> Iterator[tuple[int, Samples]]:
    """(rate, block) as they come, if they can be sound; once there are faults, without their spikes."""
    for native_hz, block in blocks:
        sound = _without_spikes(block) if faults else block
        if not RATES_HZ[0] <= native_hz <= RATES_HZ[1]:
            raise NotebeamError(str(path), f"{native_hz} samples a second", f"{RATES_HZ[0]} to {RATES_HZ[1]}")
        if not np.isfinite(sound).all():
            raise NotebeamError(str(path), "NaN or infinite samples", "finite samples")
        peak = float(np.abs(sound).max(initial=0.0))
        if peak > LOUDEST:
            raise NotebeamError(str(path), f"samples up to {peak:.0f}", "samples whose full scale is 1")
        yield native_hz, sound


def _resampled(blocks: Iterable[tuple[int, Samples]], rate_hz: int) -> Iterator[Samples]:
    """Blocks (S,) at `rate_hz` of (rate, block (S,)): one at least, if one comes."""
    import soxr

    stream: soxr.ResampleStream | None = None
    stream_hz, nothing = 0, np.zeros(0, dtype=np.float32)
    for native_hz, mono in blocks:
        if stream is not None and native_hz != stream_hz:  # files of two rates were joined
            yield stream.resample_chunk(nothing, last=True)
            stream = None
        if native_hz == rate_hz:
            yield mono
            continue
        stream, stream_hz = stream or soxr.ResampleStream(native_hz, rate_hz, 1, dtype="float32"), native_hz
        resampled = stream.resample_chunk(mono)
        if len(resampled):
            yield resampled
    if stream is not None:
        yield stream.resample_chunk(nothing, last=True)


def _without_spikes(block: Samples) -> Samples:
    """A damaged recording's block with 0 for what can be no sample, if little of it is: decoders may make
    anything of damage, and the sound around it is good."""
    wild = ~(np.abs(block) <= LOUDEST)
    return np.where(wild, np.float32(0.0), block) if wild.mean() < FEW_SPIKES else block


def _named(stop: float | None) -> str:
    return "its end" if stop is None else f"{stop:g} s"


def _layout(path: Path) -> Layout:
    return _layout_once(path, *stamp(path))


@lru_cache(maxsize=8)
def _layout_once(path: Path, size: int, time_ns: int) -> Layout:
    """`layout`, asked for twice by those who want to know the duration first."""
    return layout(path)


class _Opened:
    """A part of a file as libsndfile reads it, closed at the end of a `with` block."""

    def __init__(self, path: Path, part: Part) -> None:
        import soundfile

        self.view = None if part.is_plain else View(path, part)
        try:
            # As bytes: names are not always text.
            with quiet():
                self.file = soundfile.SoundFile(os.fsencode(path) if self.view is None else self.view)
        except BaseException:
            self._close_view()
            raise
        self.is_estimated = (
            part.is_estimated or self.file.frames >= UNKNOWN_FRAMES or self.file.format == "MP3"
        )
        self.rate_hz = int(self.file.samplerate)
        self.position = 0  # samples read or skipped

    def __enter__(self) -> "_Opened":
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()
        self._close_view()

    def _close_view(self) -> None:
        if self.view is not None:
            self.view.close()

    def blocks(self, first: int, last: int | None, faults: list[str]) -> Iterator[Samples]:
        """Blocks (S, channels) of the samples `first` to `last`, as far as they are there."""
        if self.view is None and first:
            self.position = min(first, self.file.frames)
            with quiet():
                self.file.seek(self.position)
        while last is None or self.position < last:
            size = min(round(BLOCK_SECONDS * self.rate_hz), BLOCK_VALUES // self.file.channels)
            block, complaint = self._read(size, last)
            begin = max(0, first - self.position)
            self.position += len(block)
            if len(block) > begin:
                yield block[begin:]
            if complaint or not len(block):
                fault = self._fault_at_end(complaint)
                faults += [fault] if fault else []
                return

    def _fault_at_end(self, complaint: str) -> str:
        """What is wrong where no more samples come ("" = nothing), after this complaint of libsndfile's."""
        # Of an estimated length the place that was sought may not be there.
        if complaint and not (self.is_estimated and "seek" in complaint):
            return complaint
        missing = self.file.frames - self.position
        if self.is_estimated or missing <= MISSING_SECONDS * self.rate_hz:
            return ""
        seconds, announced = self.position / self.rate_hz, self.file.frames / self.rate_hz
        return f"sound up to {seconds:.1f} s of {announced:.1f} s"

    def _read(self, count: int, last: int | None) -> tuple[Samples, str]:
        """The next samples, `count` at most, and libsndfile's complaint ("" = none)."""
        import soundfile

        count = count if last is None else min(count, last - self.position)
        # Where libsndfile fails it does not tell how much of the block it has read: the rest stays as it was.
        block = np.full((count, self.file.channels), np.nan, dtype=np.float32)
        try:
            with quiet():
                return self.file.read(out=block), ""
        except soundfile.LibsndfileError as error:
            empty = np.isnan(block).all(axis=1)
            return block[: int(np.argmax(empty)) if empty.any() else count], error.error_string


def _native_blocks(
    path: Path, start: float, stop: float | None, faults: list[str]
) -> Iterator[tuple[int, Samples]]:
    """(rate, block (S, channels)) in the file's own rate; what is wrong with the file goes to `faults`."""
    with open_file(path, EXPECTED) as file:
        head = file.read(512)
        if not head:
            raise NotebeamError(str(path), "an empty file", EXPECTED)
        before = stamp(file.fileno())
        yield from _parts(path, head, start, stop, faults)
        if stamp(file.fileno()) != before:
            faults.append(f"it {CHANGED}")


def _parts(
    path: Path, head: bytes, start: float, stop: float | None, faults: list[str]
) -> Iterator[tuple[int, Samples]]:
    """`_native_blocks` of a file that begins with `head`."""
    import soundfile

    found = _layout(path)
    if found.fault:
        faults.append(found.fault)
    passed = 0.0  # seconds of the parts before
    for number, part in enumerate(found.parts):
        try:
            opened = _Opened(path, part)
        except (soundfile.LibsndfileError, TypeError) as error:  # TypeError: headerless .raw
            if number:
                faults.append(f"its part {number + 1} cannot be read")
                continue
            other = next((way for way in (ffmpeg, pyav) if way.is_installed()), None)
            if _is_text(head) or other is None:
                raise _unreadable(path, head) from error
            yield from other.blocks(path, start, stop, faults)
            return
        with opened as sound:
            first = max(0, round((start - passed) * sound.rate_hz))
            last = None if stop is None else round((stop - passed) * sound.rate_hz)
            for block in sound.blocks(first, last, faults):
                yield sound.rate_hz, block
            passed += sound.position / sound.rate_hz
        if stop is not None and passed >= stop:
            return


def _unreadable(path: Path, head: bytes) -> NotebeamError:
    reason = "not a format that can be read"
    if looks_like_audio(head):
        expected = f"ffmpeg to be installed, or PyAV (pip install '{pyav.EXTRA}')"
        return NotebeamError(str(path), f"{reason} without ffmpeg", expected)
    expected = "wav, flac, ogg, opus, mp3 or aiff (others through ffmpeg or notebeam[video], where installed)"
    return NotebeamError(str(path), reason, expected)


def _is_text(head: bytes) -> bool:
    """Whether a file begins like text: no need to ask ffmpeg about it."""
    return all(byte in b"\t\r\n\f" or byte >= 32 for byte in head)
