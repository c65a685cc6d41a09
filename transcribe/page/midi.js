// A standard MIDI file of some notes, type 1, as the command writes it: 480 ticks a quarter note, 120 a minute.

const TICKS_A_SECOND = 960;

function midiFile(rows) {
  // By pitch and time, so that the note before the next of the same key is the one before it.
  const strokes = rows.map((i) => ({
    on: Math.round(notes.onset[i] * TICKS_A_SECOND),
    off: Math.round(notes.offset[i] * TICKS_A_SECOND),
    pitch: notes.pitch[i],
    velocity: notes.velocity[i],
  })).sort((a, b) => a.pitch - b.pitch || a.on - b.on || b.velocity - a.velocity);
  const kept = [];
  for (const stroke of strokes) {
    const before = kept[kept.length - 1];
    if (before && before.pitch === stroke.pitch) {
      if (before.on === stroke.on) { // one note a tick: the louder, as long as the longer
        before.off = Math.max(before.off, stroke.off);
        continue;
      }
      before.off = Math.max(before.on + 1, Math.min(before.off, stroke.on));
    }
    kept.push(stroke);
  }
  const events = [];
  for (const { on, off, pitch, velocity } of kept) {
    events.push([on, 1, pitch, velocity], [Math.max(off, on + 1), 0, pitch, 0]);
  }
  // A key goes up before it goes down again.
  events.sort((a, b) => a[0] - b[0] || a[1] - b[1] || a[2] - b[2]);
  const piano = [...named("Piano"), 0, 0xc0, 0];
  let now = 0;
  for (const [tick, isOn, pitch, velocity] of events) {
    piano.push(...variableLength(tick - now), isOn ? 0x90 : 0x80, pitch, velocity);
    now = tick;
  }
  const tempo = [0, 0xff, 0x51, 3, 0x07, 0xa1, 0x20, 0, 0xff, 0x58, 4, 4, 2, 24, 8];
  const header = [...chunk("MThd", [0, 1, 0, 2, TICKS_A_SECOND / 2 >> 8, TICKS_A_SECOND / 2 & 255])];
  const tracks = [[...named("notebeam"), ...tempo], piano].map((track) => chunk("MTrk", track.concat(0, 0xff, 0x2f, 0)));
  return Uint8Array.from([header, ...tracks].flat());
}

const letters = (text) => [...text].map((letter) => letter.charCodeAt(0));
const named = (name) => [0, 0xff, 3, name.length, ...letters(name)];

function chunk(kind, bytes) {
  const size = bytes.length;
  return letters(kind).concat([size >>> 24, size >> 16 & 255, size >> 8 & 255, size & 255], bytes);
}

function variableLength(value) {
  const bytes = [value & 127];
  while ((value >>= 7)) bytes.unshift(value & 127 | 128);
  return bytes;
}
