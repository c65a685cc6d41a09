// What is heard: the recording in an audio element, and the notes as decaying tones, in time with it.
// With a recording its own clock counts, so that nothing drifts; without one the sound card's.

const AHEAD = 1.2; // seconds that notes are scheduled ahead: timers of a hidden tab come once a second
const HARMONICS = [0, 1, 0.55, 0.36, 0.22, 0.14, 0.09, 0.06, 0.04];
const LOUDNESS = 0.22; // of one note of velocity 127

const sound = (() => {
  const audio = byId("recording");
  let context = null, wave = null, limiter = null, bus = null;
  let hasRecording = false, isPlaying = false;
  let position = data.begin; // seconds, while nothing plays
  let balance = 0.5; // 0 the recording alone, 1 the notes alone
  let ahead = 0; // time of the music - time of the sound card
  let next = 0; // first note that is not scheduled yet
  let timer = 0;
  let tell = () => {}; // called when playing begins or ends, or the recording is lost

  // A name in an address; as it stands there, if its bytes are no text.
  function nameIn(address) {
    try {
      return decodeURIComponent(address);
    } catch {
      return address;
    }
  }

  function load(whenChanged) {
    tell = whenChanged;
    if (!data.recording) return;
    hasRecording = true;
    audio.addEventListener("error", () => {
      hasRecording = false;
      stop();
      tell(data.recording.file ? `The recording, ${nameIn(data.recording.file)}, cannot be read: it belongs beside this page.`
        : "This browser cannot play the recording.");
    });
    audio.addEventListener("ended", () => stop(data.end));
    if (data.recording.file) {
      audio.src = data.recording.file;
      return;
    }
    const text = atob(byId("audio").textContent);
    byId("audio").textContent = "";
    const bytes = new Uint8Array(text.length);
    for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
    audio.src = URL.createObjectURL(new Blob([bytes], { type: "audio/mpeg" }));
  }

  function now() {
    if (!isPlaying) return position;
    const time = hasRecording ? data.begin + audio.currentTime : context.currentTime + ahead;
    return Math.min(time, data.end);
  }

  function begin() {
    if (!context) {
      context = new AudioContext();
      wave = context.createPeriodicWave(new Float32Array(HARMONICS.length), Float32Array.from(HARMONICS));
      limiter = context.createDynamicsCompressor();
      limiter.connect(context.destination);
    }
    context.resume();
  }

  async function play(from = position) {
    if (from >= data.end - 0.05) from = data.begin;
    begin();
    position = from;
    isPlaying = true;
    if (hasRecording) {
      audio.currentTime = from - data.begin;
      setVolumes();
      try {
        await audio.play();
      } catch (error) { // a pause or an error has come between
        if (error.name !== "AbortError" && hasRecording) stop();
        return;
      }
      if (!isPlaying) return;
    }
    schedule(from);
    tell();
  }

  function stop(at = now()) {
    if (!isPlaying) return;
    isPlaying = false;
    position = Math.min(Math.max(at, data.begin), data.end);
    audio.pause();
    clearInterval(timer);
    silence();
    tell();
  }

  function seek(time) {
    time = Math.min(Math.max(time, data.begin), data.end);
    if (isPlaying) return void (time < data.end - 0.05 ? play(time) : stop(time)); // `play` would begin anew
    position = time;
    tell();
  }

  // From here on notes are scheduled anew: those scheduled before are not heard any more.
  function schedule(from) {
    silence();
    bus = context.createGain();
    bus.connect(limiter);
    setVolumes();
    ahead = from - context.currentTime;
    next = firstFrom(notes.onset, from - 0.02);
    clearInterval(timer);
    timer = setInterval(tick, 50);
    tick();
  }

  function silence() {
    if (!bus) return;
    bus.disconnect();
    bus = null;
  }

  function tick() {
    if (!isPlaying) return;
    if (hasRecording) {
      const measured = data.begin + audio.currentTime - context.currentTime;
      // Small differences are the coarseness of the clocks, large ones a recording that halted.
      if (Math.abs(measured - ahead) > 0.08) return void schedule(data.begin + audio.currentTime);
      ahead += 0.1 * (measured - ahead);
    } else if (now() >= data.end) {
      return stop(data.end);
    }
    const until = context.currentTime + ahead + AHEAD;
    for (; next < notes.count && notes.onset[next] < until; next++) if (isShown(next) && balance > 0) strike(next);
  }

  function strike(i) {
    const at = Math.max(context.currentTime, notes.onset[i] - ahead);
    const length = notes.offset[i] - notes.onset[i];
    const pitch = notes.pitch[i];
    const tone = context.createOscillator(), level = context.createGain();
    tone.setPeriodicWave(wave); // the browser leaves out what it could not play without aliasing
    tone.frequency.value = 440 * 2 ** ((pitch - 69) / 12);
    level.gain.setValueAtTime(0, at);
    level.gain.linearRampToValueAtTime(LOUDNESS * (notes.velocity[i] / 127) ** 1.5, at + 0.004);
    level.gain.setTargetAtTime(0, at + 0.004, 0.9 * 2 ** ((60 - pitch) / 24)); // low notes ring longer
    level.gain.setTargetAtTime(0, at + Math.max(length, 0.03), 0.05);
    tone.connect(level).connect(bus);
    tone.start(at);
    tone.stop(at + length + 0.4);
  }

  function setVolumes() {
    // Up to the middle each is at its full loudness.
    audio.volume = Math.min(1, 2 * (1 - balance));
    if (bus) bus.gain.value = Math.min(1, 2 * balance);
  }

  function setBalance(value) {
    const wasSilent = balance === 0;
    balance = value;
    setVolumes();
    if (isPlaying && wasSilent && value > 0) schedule(now());
  }

  return {
    load, now, play, stop, seek, setBalance,
    toggle: () => (isPlaying ? stop() : play()),
    again: () => isPlaying && schedule(now()),
    isPlaying: () => isPlaying,
    hasRecording: () => hasRecording,
    balance: () => balance,
  };
})();
