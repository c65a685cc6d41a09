// Buttons, sliders, keys, mouse and fingers.

const GENTLE_SECONDS = 20; // in view at first
const SLIDER_KEYS = /^(Arrow.*|Page.*|Home|End)$/; // that move a slider which has the focus
const whole = (number) => number.toLocaleString("en");

function showCount() {
  const shown = shownNotes().length;
  byId("count").textContent = shown === notes.count
    ? `${whole(shown)} ${shown === 1 ? "note" : "notes"}, ${clockText(data.end - data.begin)}`
    : `${whole(shown)} of ${whole(notes.count)} notes shown, ${clockText(data.end - data.begin)}`;
  byId("download").disabled = !shown;
}

function showState(message) {
  const button = byId("play");
  button.textContent = sound.isPlaying() ? "Pause" : "Play";
  for (const id of ["hear-recording", "hear-notes", "balance"]) byId(id).disabled = !sound.hasRecording();
  if (!sound.hasRecording()) setBalance(100);
  if (message) byId("status").textContent = message;
  showTime();
  roll.redraw();
  if (sound.isPlaying()) requestAnimationFrame(advance);
}

function showTime() {
  byId("time").textContent = `${clockText(sound.now(), 1)} / ${clockText(data.end)}`;
}

let isAdvancing = false, overviewDue = 0;
function advance(stamp) {
  if (isAdvancing) return;
  isAdvancing = true;
  roll.returnToPlayhead();
  const step = (now) => {
    if (!sound.isPlaying()) { isAdvancing = false; return; }
    showTime();
    roll.follow();
    if (now > overviewDue) { roll.drawOverview(); overviewDue = now + 250; }
    requestAnimationFrame(step);
  };
  step(stamp);
}

function setBalance(percent) {
  byId("balance").value = percent;
  sound.setBalance(percent / 100);
  byId("balance").setAttribute("aria-valuetext", `${100 - percent} % recording, ${percent} % notes`);
  byId("hear-recording").setAttribute("aria-pressed", percent === 0);
  byId("hear-notes").setAttribute("aria-pressed", percent === 100);
}

function setThreshold() {
  const percent = Number(byId("threshold").value);
  byId("threshold-value").textContent = (percent / 100).toFixed(2);
  threshold = percent / 100 * notes.confidenceUnits;
  showCount();
  sound.again();
  roll.notesChanged();
}

function download() {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([midiFile(shownNotes())], { type: "audio/midi" }));
  link.download = data.title.replace(/\.\w{1,5}$/, "").replace(/[^\p{L}\p{N} ._()-]/gu, "_") + ".mid";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

function seekAndShow(time) {
  sound.seek(time);
  const now = sound.now();
  if (now < roll.from() || now > roll.from() + roll.seconds()) roll.show(now - roll.seconds() * 0.1);
}

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const target = event.target;
  if (target.tagName === "INPUT" && SLIDER_KEYS.test(event.key)) return;
  if ((target.tagName === "BUTTON" || target.tagName === "SUMMARY") && (event.key === " " || event.key === "Enter")) return;
  const jump = event.shiftKey ? 1 : 5;
  const actions = {
    " ": () => sound.toggle(),
    ArrowLeft: () => seekAndShow(sound.now() - jump),
    ArrowRight: () => seekAndShow(sound.now() + jump),
    Home: () => seekAndShow(data.begin),
    End: () => seekAndShow(data.end),
    PageUp: () => roll.scroll(roll.from() - roll.seconds() * 0.9),
    PageDown: () => roll.scroll(roll.from() + roll.seconds() * 0.9),
    "+": () => roll.zoom(1.5),
    "=": () => roll.zoom(1.5),
    "-": () => roll.zoom(1 / 1.5),
    0: () => roll.all(),
    1: () => sound.hasRecording() && setBalance(0),
    2: () => sound.hasRecording() && setBalance(50),
    3: () => sound.hasRecording() && setBalance(100),
  };
  if (!actions[event.key]) return;
  event.preventDefault();
  actions[event.key]();
}

function listenToPointer() {
  const frame = byId("roll");
  const fingers = new Map();
  let travelled = 0, spread = 0;
  const place = (event) => {
    const box = frame.getBoundingClientRect();
    return { x: event.clientX - box.left - frame.clientLeft, y: event.clientY - box.top - frame.clientTop };
  };
  frame.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    frame.setPointerCapture(event.pointerId);
    fingers.set(event.pointerId, place(event));
    if (fingers.size === 1) travelled = 0; else travelled = Infinity; // two fingers are no click
    spread = 0;
  });
  frame.addEventListener("pointermove", (event) => {
    const at = place(event), before = fingers.get(event.pointerId);
    if (!before) return describe(at);
    fingers.set(event.pointerId, at);
    travelled += Math.abs(at.x - before.x) + Math.abs(at.y - before.y);
    if (travelled < 5) return;
    frame.classList.add("dragged");
    if (fingers.size === 1) return roll.scroll(roll.from() - (at.x - before.x) / roll.scale());
    const [a, b] = [...fingers.values()], wide = Math.abs(a.x - b.x);
    if (spread) roll.zoom(Math.max(20, wide) / Math.max(20, spread), (a.x + b.x) / 2);
    spread = wide;
  });
  const release = (event) => {
    if (!fingers.delete(event.pointerId) || fingers.size) return;
    frame.classList.remove("dragged");
    const at = place(event);
    if (event.type === "pointerup" && travelled < 5 && at.x >= KEYS_WIDTH) sound.play(clamp(roll.timeOf(at.x)));
  };
  frame.addEventListener("pointerup", release);
  frame.addEventListener("pointercancel", release);
  frame.addEventListener("wheel", (event) => {
    event.preventDefault();
    const pixels = event.deltaMode === 1 ? 30 : event.deltaMode === 2 ? 400 : 1;
    if (event.ctrlKey || event.metaKey) return roll.zoom(Math.exp(-event.deltaY * pixels * 0.003), place(event).x);
    roll.scroll(roll.from() + (event.deltaX + event.deltaY) * pixels / roll.scale());
  }, { passive: false });
  const overview = byId("overview");
  const go = (event) => {
    if (event.type === "pointerdown") overview.setPointerCapture(event.pointerId);
    if (event.type === "pointermove" && !event.buttons) return;
    roll.scroll(roll.overviewTime(event.offsetX) - roll.seconds() / 2);
  };
  overview.addEventListener("pointerdown", go);
  overview.addEventListener("pointermove", go);
}

const clamp = (time) => Math.min(Math.max(time, data.begin), data.end);

function describe({ x, y }) {
  const i = x < KEYS_WIDTH ? -1 : roll.noteAt(x, y);
  byId("status").textContent = i < 0 ? "" :
    `${pitchName(notes.pitch[i])}, ${clockText(notes.onset[i], 2)} to ${clockText(notes.offset[i], 2)}, velocity ${notes.velocity[i]}`
    + (notes.confidence ? `, confidence ${(notes.confidence[i] / notes.confidenceUnits).toFixed(2)}` : "");
}

function begin() {
  byId("play").addEventListener("click", () => sound.toggle());
  byId("hear-recording").addEventListener("click", () => setBalance(0));
  byId("hear-notes").addEventListener("click", () => setBalance(100));
  byId("balance").addEventListener("input", () => setBalance(Number(byId("balance").value)));
  byId("threshold").addEventListener("input", setThreshold);
  byId("threshold").disabled = !notes.confidence || !notes.count;
  byId("zoom-in").addEventListener("click", () => roll.zoom(1.5));
  byId("zoom-out").addEventListener("click", () => roll.zoom(1 / 1.5));
  byId("zoom-all").addEventListener("click", () => roll.all());
  byId("download").addEventListener("click", download);
  // A click takes no focus: the space bar plays, and does not press the button again. Tab does take it.
  for (const button of document.querySelectorAll("button")) button.addEventListener("mousedown", (event) => event.preventDefault());
  document.addEventListener("keydown", onKey);
  listenToPointer();
  sound.load(showState);
  setBalance(sound.hasRecording() ? 50 : 100);
  setThreshold(); // a browser may have kept the slider's place
  roll.readColours();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { roll.readColours(); roll.redraw(); });
  new ResizeObserver(() => roll.resize()).observe(byId("roll"));
  roll.resize();
  roll.show(data.begin, (byId("roll").clientWidth - KEYS_WIDTH) / GENTLE_SECONDS);
  showState(notes.count ? "" : "No notes were found.");
}

begin();
