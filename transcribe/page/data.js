// What the page shows: notes as typed columns, sorted by onset, and which of them a threshold leaves.

const byId = (id) => document.getElementById(id);
const data = JSON.parse(byId("data").textContent);
byId("data").textContent = "";

const notes = (() => {
  const columns = data.notes;
  const count = columns.onset.length;
  const onset = Float64Array.from(columns.onset, (value) => value / columns.timeUnits);
  const offset = onset.map((value, i) => value + columns.length[i] / columns.timeUnits);
  // The latest offset so far: where a search by time may begin.
  const latest = offset.slice();
  for (let i = 1; i < count; i++) latest[i] = Math.max(latest[i], latest[i - 1]);
  return {
    count, onset, offset, latest,
    pitch: Uint8Array.from(columns.pitch),
    velocity: Uint8Array.from(columns.velocity),
    // Whole numbers, so that the slider's steps and these are compared exactly.
    confidence: columns.confidence && Uint16Array.from(columns.confidence),
    confidenceUnits: columns.confidenceUnits,
  };
})();

let threshold = 0; // in confidenceUnits
const isShown = (i) => !notes.confidence || notes.confidence[i] >= threshold;

function shownNotes() {
  const rows = [];
  for (let i = 0; i < notes.count; i++) if (isShown(i)) rows.push(i);
  return rows;
}

// The first row of a sorted column that is not below a value.
function firstFrom(column, value) {
  let low = 0, high = column.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (column[middle] < value) low = middle + 1; else high = middle;
  }
  return low;
}

const pitchName = (pitch) =>
  ["C", "C♯", "D", "D♯", "E", "F", "F♯", "G", "G♯", "A", "A♯", "B"][pitch % 12] + (Math.floor(pitch / 12) - 1);

function clockText(seconds, digits = 0) {
  const unit = 10 ** digits;
  let rest = Math.round(Math.max(0, seconds) * unit);
  const hours = Math.floor(rest / (3600 * unit));
  rest -= hours * 3600 * unit;
  const minutes = Math.floor(rest / (60 * unit));
  const last = ((rest - minutes * 60 * unit) / unit).toFixed(digits).padStart(digits ? digits + 3 : 2, "0");
  return hours ? `${hours}:${String(minutes).padStart(2, "0")}:${last}` : `${minutes}:${last}`;
}
