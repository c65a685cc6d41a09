"""Scores of a transcription against its reference, by mir_eval; `python -m transcribe.scoring` for files.

This is the one place where notes are scored. mir_eval matches the notes and makes the ratios; here they are
put into its form (pitches in Hz, not MIDI numbers) and handed over key by key, which is the same and fast.

Conventions, stated under every table: onset within 50 ms, pitch the same key; offset within the larger of
50 ms and 20 % of the reference's length; velocity within 0.1 after mir_eval's regression; frames on a grid of
10 ms, counts pooled over the recording. Where either side has no notes the scores are 0, as in mir_eval.
"""

from transcribe.scoring.scores import FORMATS, Pedal, Scores, mean, read_notes, score

__all__ = ["FORMATS", "Pedal", "Scores", "mean", "read_notes", "score"]
