"""Transcribe a recording: `python examples/01_transcribe.py [AUDIO [NOTES.mid]]`."""

import sys
from pathlib import Path

import notebeam as nb

audio = sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent / "gymnopedie.flac"
output = sys.argv[2] if len(sys.argv) > 2 else "notes.mid"

result = nb.transcribe(audio)
result.notes.save(output)

notes = result.notes
print(f"{len(notes)} notes, written to {output}; the first five:")
for i in range(min(5, len(notes))):
    when = f"{notes.onset[i]:6.2f} to {notes.offset[i]:5.2f} s"
    print(f"{when}  pitch {notes.pitch[i]}  velocity {notes.velocity[i]}")
