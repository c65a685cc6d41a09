// The picture: ruler, keys, posteriorgram and notes of the part in view, and an overview of everything.
// Only what is in view is drawn, and only when it has changed; the playhead is an element of its own.

const KEYS_WIDTH = 38, RULER_HEIGHT = 22; // CSS pixels
const SHADES = 16; // of confidence
const MOST_BARS = 3000; // notes that are drawn one by one
const MOST_TILES = 48; // that are held decoded, 0.7 MB each
const TOP_KEY = 108;

const roll = (() => {
  const frame = byId("roll"), canvas = byId("notes"), overview = byId("overview");
  const playhead = byId("playhead");
  const length = Math.max(data.end - data.begin, 0.5);
  const [lowest, highest] = pitchRange();
  let from = data.begin, scale = 1; // seconds at the left edge, pixels a second
  let width = 1, height = 1, ratio = 1;
  let colours = null, shades = [], shadeBytes = [];
  let isDue = false, overviewPicture = null;
  let isFollowed = true; // the playhead, until the view is scrolled away from it
  const tiles = new Map(); // "layer/tile" -> canvas, or null while it is decoded; the oldest use first

  function pitchRange() {
    let low = 127, high = 0;
    for (const pitch of notes.pitch) { low = Math.min(low, pitch); high = Math.max(high, pitch); }
    if (low > high) low = high = 60;
    low -= 3; high += 3;
    const more = Math.max(0, 30 - (high - low));
    return [Math.max(21, low - Math.floor(more / 2)), Math.min(TOP_KEY, high + Math.ceil(more / 2))];
  }

  const rowHeight = () => (height - RULER_HEIGHT) / (highest - lowest + 1);
  const xOf = (time) => KEYS_WIDTH + (time - from) * scale;
  const timeOf = (x) => from + (x - KEYS_WIDTH) / scale;
  const yOf = (pitch) => RULER_HEIGHT + (highest - pitch) * rowHeight();
  const seconds = () => Math.max(1, width - KEYS_WIDTH) / scale; // in view
  const smallest = () => Math.max(1, width - KEYS_WIDTH) / length;
  const isLight = (pitch) => ![1, 3, 6, 8, 10].includes(pitch % 12);

  function readColours() {
    const style = getComputedStyle(document.documentElement);
    colours = Object.fromEntries(["ground", "row", "beat", "ink", "faint", "line", "accent", "heard", "low", "middle", "high"]
      .map((name) => [name, style.getPropertyValue("--" + name).trim()]));
    const stops = ["low", "middle", "high"].map((name) =>
      [1, 3, 5].map((at) => parseInt(colours[name].slice(at, at + 2), 16)));
    shadeBytes = Array.from({ length: SHADES }, (_, i) => {
      const place = i / (SHADES - 1) * 2, lower = Math.min(1, Math.floor(place));
      const part = stops[lower].map((value, c) => Math.round(value + (place - lower) * (stops[lower + 1][c] - value)));
      return [...part, Math.round(255 * (0.5 + 0.5 * i / (SHADES - 1)))];
    });
    shades = shadeBytes.map(([red, green, blue, opacity]) => `rgba(${red},${green},${blue},${opacity / 255})`);
    tiles.clear();
    overviewPicture = null;
    const ramp = byId("ramp"), pen = ramp.getContext("2d");
    pen.clearRect(0, 0, ramp.width, ramp.height);
    shades.forEach((shade, i) => {
      pen.fillStyle = shade;
      pen.fillRect(i * ramp.width / SHADES, 0, ramp.width / SHADES, ramp.height);
    });
  }

  function resize() {
    ratio = window.devicePixelRatio || 1;
    const before = width, wasAll = scale <= smallest() * 1.0001;
    width = frame.clientWidth; height = frame.clientHeight;
    canvas.width = Math.round(width * ratio); canvas.height = Math.round(height * ratio);
    overview.width = Math.round(overview.clientWidth * ratio);
    overview.height = Math.round(overview.clientHeight * ratio);
    overviewPicture = null;
    if (wasAll && before !== width) scale = smallest();
    show(from, scale);
  }

  function show(time, newScale = scale) {
    scale = Math.min(Math.max(newScale, smallest()), 2000);
    from = Math.min(Math.max(time, data.begin), Math.max(data.begin, data.begin + length - seconds()));
    redraw();
  }

  function zoom(factor, x = KEYS_WIDTH + (width - KEYS_WIDTH) / 2) {
    const time = timeOf(x);
    const newScale = Math.min(Math.max(scale * factor, smallest()), 2000);
    show(time - (x - KEYS_WIDTH) / newScale, newScale);
  }

  function redraw() {
    if (isDue) return;
    isDue = true;
    requestAnimationFrame(() => { isDue = false; draw(); });
  }

  function draw() {
    const pen = canvas.getContext("2d");
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.fillStyle = colours.ground;
    pen.fillRect(0, 0, width, height);
    pen.save();
    pen.beginPath();
    pen.rect(KEYS_WIDTH, RULER_HEIGHT, width - KEYS_WIDTH, height - RULER_HEIGHT);
    pen.clip();
    drawRows(pen);
    drawHeard(pen);
    drawNotes(pen);
    pen.restore();
    drawRuler(pen);
    drawKeys(pen);
    drawOverview();
    placePlayhead();
  }

  function drawRows(pen) {
    pen.fillStyle = colours.row;
    for (let pitch = lowest; pitch <= highest; pitch++) {
      if (!isLight(pitch)) pen.fillRect(KEYS_WIDTH, yOf(pitch), width, rowHeight());
    }
    pen.fillStyle = colours.beat;
    for (const time of marks()) pen.fillRect(Math.round(xOf(time)), RULER_HEIGHT, 1, height);
  }

  // The coarsest layer that is still as fine as the pixels, and of it the tiles in view.
  function drawHeard(pen) {
    const { start, layers, tileColumns } = data.posteriorgram;
    if (!layers.length) return;
    let number = 0;
    while (number + 1 < layers.length && layers[number + 1].seconds * scale <= 1) number++;
    const layer = layers[number];
    const tileSeconds = tileColumns * layer.seconds;
    const first = Math.max(0, Math.floor((from - start) / tileSeconds));
    const last = Math.min(layer.tiles.length - 1, Math.floor((from + seconds() - start) / tileSeconds));
    pen.imageSmoothingEnabled = layer.seconds * scale < 4;
    for (let i = first; i <= last; i++) {
      const tile = decoded(number, i);
      if (!tile) continue;
      pen.drawImage(tile, 0, TOP_KEY - highest, tile.width, highest - lowest + 1,
        xOf(start + i * tileSeconds), RULER_HEIGHT, tile.width * layer.seconds * scale, height - RULER_HEIGHT);
    }
  }

  function decoded(layer, i) {
    const name = `${layer}/${i}`;
    if (tiles.has(name)) {
      const tile = tiles.get(name);
      tiles.delete(name);
      tiles.set(name, tile); // now the youngest
      return tile;
    }
    tiles.set(name, null);
    while (tiles.size > MOST_TILES) tiles.delete(tiles.keys().next().value);
    const image = new Image();
    const ink = colours.heard;
    image.onload = () => {
      if (ink !== colours.heard) return;
      const tile = document.createElement("canvas");
      tile.width = image.width; tile.height = image.height;
      const pen = tile.getContext("2d");
      pen.drawImage(image, 0, 0);
      pen.globalCompositeOperation = "source-in";
      pen.fillStyle = ink;
      pen.fillRect(0, 0, tile.width, tile.height);
      if (tiles.has(name)) tiles.set(name, tile);
      redraw();
    };
    image.src = "data:image/png;base64," + data.posteriorgram.layers[layer].tiles[i];
    return null;
  }

  function drawNotes(pen) {
    const first = firstFrom(notes.latest, from), last = firstFrom(notes.onset, from + seconds());
    const tall = Math.max(1.5, rowHeight() * 0.76), gap = (rowHeight() - tall) / 2;
    if (last - first > MOST_BARS) return drawBitmap(pen, first, last, tall, gap);
    const groups = shades.map(() => []); // a colour is set once for all that have it
    for (let i = first; i < last; i++) if (notes.offset[i] >= from && isShown(i)) groups[shadeOf(i)].push(i);
    groups.forEach((rows, shade) => {
      pen.fillStyle = shades[shade];
      for (const i of rows) {
        const wide = (notes.offset[i] - notes.onset[i]) * scale;
        pen.fillRect(xOf(notes.onset[i]), yOf(notes.pitch[i]) + gap, Math.max(1, wide - (wide > 3 ? 1 : 0)), tall);
      }
    });
    if (scale < 15) return;
    pen.fillStyle = colours.ink;
    for (const rows of groups) {
      for (const i of rows) pen.fillRect(xOf(notes.onset[i]), yOf(notes.pitch[i]) + gap, 1.5, tall);
    }
  }

  // Seen from afar: a pixel for a key and a column, the surest note there; as fast for any number of notes.
  function drawBitmap(pen, first, last, tall, gap) {
    const wide = Math.ceil((width - KEYS_WIDTH) * ratio), rows = highest - lowest + 1;
    const image = new ImageData(wide, rows), bytes = image.data;
    for (let i = first; i < last; i++) {
      if (!isShown(i)) continue;
      const shade = shadeOf(i), [red, green, blue] = shadeBytes[shade], opacity = shadeBytes[shade][3];
      const left = Math.max(0, Math.floor((notes.onset[i] - from) * scale * ratio));
      const right = Math.min(wide - 1, Math.floor((notes.offset[i] - from) * scale * ratio));
      let at = 4 * ((highest - notes.pitch[i]) * wide + left);
      for (let x = left; x <= right; x++, at += 4) {
        if (bytes[at + 3] >= opacity) continue;
        bytes[at] = red; bytes[at + 1] = green; bytes[at + 2] = blue; bytes[at + 3] = opacity;
      }
    }
    const picture = document.createElement("canvas");
    picture.width = wide; picture.height = rows;
    picture.getContext("2d").putImageData(image, 0, 0);
    pen.imageSmoothingEnabled = false;
    for (let row = 0; row < rows; row++) {
      pen.drawImage(picture, 0, row, wide, 1, KEYS_WIDTH, yOf(highest - row) + gap, wide / ratio, tall);
    }
  }

  const shadeOf = (i) => notes.confidence
    ? Math.min(SHADES - 1, Math.floor(notes.confidence[i] / notes.confidenceUnits * SHADES)) : SHADES - 1;

  // Round times about 90 pixels apart.
  function marks() {
    const wanted = 90 / scale;
    const step = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200].find((s) => s >= wanted) || 14400;
    const times = [];
    for (let k = Math.ceil(from / step - 1e-9); k * step <= from + seconds(); k++) times.push(k * step);
    return times;
  }

  function drawRuler(pen) {
    pen.fillStyle = colours.ground;
    pen.fillRect(0, 0, width, RULER_HEIGHT);
    pen.fillStyle = colours.faint;
    pen.font = "11px system-ui, 'DejaVu Sans', sans-serif";
    pen.textBaseline = "middle";
    pen.textAlign = "left";
    const times = marks(), digits = times.length > 1 && times[1] - times[0] < 1 ? 1 : 0;
    for (const time of times) {
      pen.fillRect(Math.round(xOf(time)), RULER_HEIGHT - 6, 1, 6);
      pen.fillText(clockText(time, digits), Math.round(xOf(time)) + 4, RULER_HEIGHT / 2);
    }
    pen.fillStyle = colours.line;
    pen.fillRect(0, RULER_HEIGHT - 1, width, 1);
  }

  function drawKeys(pen) {
    pen.fillStyle = colours.ground;
    pen.fillRect(0, 0, KEYS_WIDTH, height);
    pen.textAlign = "right";
    for (let pitch = lowest; pitch <= highest; pitch++) {
      if (!isLight(pitch)) {
        pen.fillStyle = colours.beat;
        pen.fillRect(0, yOf(pitch), KEYS_WIDTH * 0.4, rowHeight());
      }
      if (pitch % 12 === 0) {
        pen.fillStyle = colours.line;
        pen.fillRect(0, yOf(pitch) + rowHeight(), width, 1);
        pen.fillStyle = colours.ink;
        pen.fillText(pitchName(pitch), KEYS_WIDTH - 6, Math.min(height - 6, yOf(pitch) + rowHeight() / 2));
      }
    }
    pen.fillStyle = colours.line;
    pen.fillRect(KEYS_WIDTH - 1, 0, 1, height);
  }

  // The overview's notes are drawn once for a size, a threshold and a theme; its window at each change.
  function drawOverview() {
    const wide = overview.width, tall = overview.height, pen = overview.getContext("2d");
    if (!overviewPicture) {
      overviewPicture = document.createElement("canvas");
      overviewPicture.width = wide; overviewPicture.height = tall;
      const brush = overviewPicture.getContext("2d");
      brush.fillStyle = colours.ground;
      brush.fillRect(0, 0, wide, tall);
      const row = tall / (highest - lowest + 1);
      brush.fillStyle = colours.faint;
      const drawnTo = new Float64Array(128).fill(-1);
      for (let i = 0; i < notes.count; i++) {
        const right = (notes.offset[i] - data.begin) / length * wide;
        if (!isShown(i) || right - drawnTo[notes.pitch[i]] < 0.5) continue;
        drawnTo[notes.pitch[i]] = right;
        const left = (notes.onset[i] - data.begin) / length * wide;
        brush.fillRect(left, (highest - notes.pitch[i]) * row, Math.max(1, right - left), Math.max(1, row));
      }
    }
    pen.drawImage(overviewPicture, 0, 0);
    const left = (from - data.begin) / length * wide, part = Math.min(wide, seconds() / length * wide);
    pen.fillStyle = colours.accent;
    pen.globalAlpha = 0.16;
    pen.fillRect(left, 0, part, tall);
    pen.globalAlpha = 1;
    pen.strokeStyle = colours.accent;
    pen.lineWidth = 2 * ratio;
    pen.strokeRect(left + ratio, ratio, Math.max(2, part - 2 * ratio), tall - 2 * ratio);
    pen.fillStyle = getComputedStyle(playhead).backgroundColor;
    pen.fillRect((sound.now() - data.begin) / length * wide - ratio, 0, 2 * ratio, tall);
  }

  function placePlayhead() {
    const x = xOf(sound.now());
    playhead.hidden = x < KEYS_WIDTH - 0.5 || x > width + 0.5;
    playhead.style.transform = `translateX(${x}px)`;
  }

  // While it plays: the page turns when the playhead leaves it, not when the page has left the playhead.
  function follow() {
    const time = sound.now();
    if (time >= from && time <= from + seconds() * 0.98) isFollowed = true;
    else if (isFollowed) show(time - seconds() * 0.08);
    placePlayhead();
  }

  function scroll(time) {
    show(time);
    isFollowed = sound.now() >= from && sound.now() <= from + seconds();
  }

  function noteAt(x, y) {
    const time = timeOf(x), pitch = highest - Math.floor((y - RULER_HEIGHT) / rowHeight());
    const slack = 2 / scale;
    const first = firstFrom(notes.latest, time - slack), last = firstFrom(notes.onset, time + slack);
    for (let i = last - 1; i >= first; i--) {
      if (notes.pitch[i] === pitch && notes.offset[i] >= time - slack && isShown(i)) return i;
    }
    return -1;
  }

  return {
    readColours, resize, show, scroll, zoom, redraw, follow, noteAt, timeOf, drawOverview, seconds,
    from: () => from,
    scale: () => scale,
    all: () => show(data.begin, smallest()),
    returnToPlayhead: () => { isFollowed = true; },
    notesChanged: () => { overviewPicture = null; redraw(); },
    overviewTime: (x) => data.begin + x / Math.max(1, overview.clientWidth) * length,
  };
})();
