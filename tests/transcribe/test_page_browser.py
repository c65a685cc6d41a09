"""The page in a real browser: it loads without a complaint, plays, seeks, hides, zooms and gives MIDI.

Needs Debian's Chromium and its driver (.ci/run installs them) and Selenium; skipped where they are missing.
"""

import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from oracles_transcribe import assert_same_notes, notes

from symbolic.midi import read_midi
from symbolic.notes import Notes
from symbolic.posteriorgram import Posteriorgram
from transcribe.page import page
from transcribe.page.page import write_page

webdriver = pytest.importorskip("selenium.webdriver", reason="needs the package selenium")
CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
pytestmark = pytest.mark.skipif(
    not (CHROMIUM and DRIVER), reason="needs chromium and chromedriver (Debian: chromium-driver)"
)

TITLE = "</script><b>&amp;\u2028'\"\\ {{data}}.wav"
SECONDS = 12.0
ONSET = 0.5 + 0.25 * np.arange(40)
PLAYED = Notes.make(
    np.append(ONSET, 2.0),
    np.append(ONSET + 0.24, 9.0),
    np.append(48 + 5 * np.arange(40) % 37, 36),
    np.append(20 + 2 * np.arange(40), 99),
    confidence=np.linspace(0.05, 1.0, 41).round(4),
)
# What sounds is counted: each tone of a note is an oscillator.
COUNT_TONES = """
window.tones = [];
const start = OscillatorNode.prototype.start;
OscillatorNode.prototype.start = function (at) {
  window.tones.push(this.frequency.value);
  start.call(this, at);
};
"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """One Chromium for all tests, offline by its nature: pages are files."""
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in (
        "headless=new",
        "no-sandbox",
        "disable-gpu",
        "disable-dev-shm-usage",
        "window-size=1100,700",
    ):
        options.add_argument(f"--{flag}")
    downloads = tmp_path_factory.mktemp("downloads")
    options.add_experimental_option("prefs", {"download.default_directory": str(downloads)})
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": COUNT_TONES})
    driver.downloads = downloads
    yield driver
    driver.quit()


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import soundfile

    path = tmp_path_factory.mktemp("audio") / "a.wav"
    times = np.arange(round(SECONDS * 16_000)) / 16_000
    soundfile.write(path, 0.1 * np.sin(2 * np.pi * 440 * times), 16_000)
    return path


@pytest.fixture
def opened(browser: Any, recording: Path, tmp_path: Path) -> Callable[..., Path]:
    """Writes and opens a page; what the browser complains of by the end of the test is a failure."""

    def open_page(played: Notes = PLAYED, *, audio: bool = True, start: float = 0.0) -> Path:
        target = tmp_path / "a page?#1.html"
        level = np.zeros((round(SECONDS * 50), 88), dtype=np.float32)
        for onset, offset, pitch in zip(played.onset, played.offset, played.pitch, strict=True):
            level[round((onset - start) * 50) : round((offset - start) * 50), pitch - 21] = 0.9
        posteriorgram = Posteriorgram(level, hop=0.02, start=start)
        write_page(target, posteriorgram, played, TITLE, recording if audio else None)
        browser.get(target.as_uri())
        return target

    return open_page


@pytest.fixture(autouse=True)
def no_complaints(browser: Any) -> Iterator[None]:
    browser.get_log("browser")
    yield
    assert complaints(browser) == []


def complaints(browser: Any) -> list[str]:
    """What the console shows, but for a remark on how these tests read a canvas."""
    lines = [entry["message"] for entry in browser.get_log("browser")]
    return [line for line in lines if "willReadFrequently" not in line]


def text(browser: Any, name: str) -> str:
    return str(browser.execute_script("return document.getElementById(arguments[0]).textContent", name))


def press(browser: Any, key: str) -> None:
    from selenium.webdriver.common.action_chains import ActionChains

    ActionChains(browser).send_keys(key).perform()


def click(browser: Any, name: str) -> None:
    browser.find_element("id", name).click()


def set_slider(browser: Any, name: str, value: int) -> None:
    browser.execute_script(
        "const s = document.getElementById(arguments[0]); s.value = arguments[1];"
        "s.dispatchEvent(new Event('input'))", name, value,
    )  # fmt: skip


def seconds(browser: Any) -> float:
    """The time that the page shows."""
    minutes, rest = text(browser, "time").split(" / ")[0].split(":")
    return 60 * int(minutes) + float(rest)


def wait_for(holds: Callable[[], object], patience: float = 8.0) -> None:
    end = time.monotonic() + patience
    while not holds():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.03)


def roll_picture(browser: Any) -> str:
    """The roll as it is drawn now, as a PNG's address."""
    wait = "const done = arguments[0]; requestAnimationFrame(() => requestAnimationFrame(() => done()))"
    browser.execute_async_script(wait)
    return str(browser.execute_script("return document.getElementById('notes').toDataURL()"))


def downloaded(browser: Any) -> Path:
    before = set(browser.downloads.iterdir())
    click(browser, "download")
    wait_for(lambda: [p for p in set(browser.downloads.iterdir()) - before if p.suffix == ".mid"])
    return next(p for p in set(browser.downloads.iterdir()) - before if p.suffix == ".mid")


def test_any_title_and_the_count_are_shown(browser: Any, opened: Callable[..., Path]) -> None:
    opened()
    assert text(browser, "title") == TITLE
    assert browser.title.split() == TITLE.split()
    assert text(browser, "count") == f"{len(PLAYED)} notes, 0:12"


def test_the_recording_plays_and_pauses_in_time(browser: Any, opened: Callable[..., Path]) -> None:
    opened()
    # Decoded in full: as long as the recording is.
    wait_for(lambda: browser.execute_script("return document.getElementById('recording').readyState") >= 3)
    length = browser.execute_script("return document.getElementById('recording').duration")
    assert length == pytest.approx(SECONDS, abs=0.05)
    click(browser, "play")
    wait_for(lambda: seconds(browser) > 0.8)
    assert text(browser, "play") == "Pause"
    at = browser.execute_script("return document.getElementById('recording').currentTime")
    assert seconds(browser) == pytest.approx(at, abs=0.25)
    press(browser, "1")  # the focus is on the button: digits are no use to it
    press(browser, " ")
    wait_for(lambda: text(browser, "play") == "Play")
    stopped = seconds(browser)
    time.sleep(0.2)
    assert seconds(browser) == stopped


def test_a_click_plays_from_there_and_keys_seek(browser: Any, opened: Callable[..., Path]) -> None:
    from selenium.webdriver.common.action_chains import ActionChains

    opened()
    click(browser, "zoom-all")
    frame = browser.find_element("id", "roll")
    ActionChains(browser).move_to_element_with_offset(frame, 0, 40).click().perform()
    # The middle of the frame is half a strip of keys left of the middle of the music.
    width = frame.size["width"] - 2
    wanted = (width / 2 - 38) / (width - 38) * SECONDS
    wait_for(lambda: text(browser, "play") == "Pause" and seconds(browser) > wanted - 0.1)
    assert seconds(browser) == pytest.approx(wanted, abs=1.0)
    assert browser.execute_script("return document.getElementById('recording').currentTime") > wanted - 0.1
    click(browser, "play")
    browser.execute_script("document.getElementById('roll').focus()")
    at = seconds(browser)
    press(browser, "\ue012")  # left
    assert seconds(browser) == pytest.approx(at - 5, abs=0.11)
    press(browser, "\ue010")  # end
    assert seconds(browser) == pytest.approx(SECONDS, abs=0.1)
    press(browser, "\ue011")  # home
    assert seconds(browser) == 0.0
    click(browser, "play")
    wait_for(lambda: seconds(browser) > 0.1)
    browser.execute_script("document.getElementById('roll').focus()")
    press(browser, "\ue010")  # end, while it plays
    wait_for(lambda: text(browser, "play") == "Play")
    assert seconds(browser) == pytest.approx(SECONDS, abs=0.1)


def test_keys_mean_the_same_after_a_click_on_a_button_or_a_slider(
    browser: Any, opened: Callable[..., Path]
) -> None:
    opened()
    click(browser, "zoom-in")
    press(browser, " ")
    wait_for(lambda: text(browser, "play") == "Pause")
    press(browser, " ")
    wait_for(lambda: text(browser, "play") == "Play")
    click(browser, "balance")
    for key, value in (("1", "0"), ("3", "100"), ("2", "50"), ("\ue014", "51")):  # the last: right
        press(browser, key)
        assert browser.find_element("id", "balance").get_property("value") == value


def test_the_notes_sound_unless_the_recording_alone_is_wanted(
    browser: Any, opened: Callable[..., Path]
) -> None:
    opened()
    for key, volume, sounding in (("1", 1.0, False), ("2", 1.0, True), ("3", 0.0, True)):
        browser.execute_script("window.tones.length = 0")
        press(browser, key)
        press(browser, "\ue011")
        click(browser, "play")
        wait_for(lambda: seconds(browser) > 0.3)
        click(browser, "play")
        assert browser.execute_script("return document.getElementById('recording').volume") == volume
        tones = browser.execute_script("return window.tones")
        assert bool(tones) == sounding
        if sounding:  # those of the time ahead, from the first on; again if the recording began late
            wanted = [round(440 * 2 ** ((pitch - 69) / 12), 1) for pitch in PLAYED.pitch]
            found = [round(frequency, 1) for frequency in tones]
            assert found[:3] == wanted[:3]
            assert set(found) <= set(wanted[:16])


def test_the_slider_hides_notes_and_midi_holds_what_is_shown(
    browser: Any, opened: Callable[..., Path]
) -> None:
    opened()
    everything = roll_picture(browser)
    assert_same_notes(read_midi(downloaded(browser)), PLAYED, seconds=0.0012)
    set_slider(browser, "threshold", 60)
    # By the page's thousandths, as it says them.
    assert PLAYED.confidence is not None
    kept = np.rint(PLAYED.confidence.astype(float) * 1000) >= 600
    assert 5 < kept.sum() < len(PLAYED) - 5
    assert text(browser, "count") == f"{kept.sum()} of {len(PLAYED)} notes shown, 0:12"
    assert roll_picture(browser) != everything
    wanted = Notes.make(PLAYED.onset[kept], PLAYED.offset[kept], PLAYED.pitch[kept], PLAYED.velocity[kept])
    assert_same_notes(read_midi(downloaded(browser)), wanted, seconds=0.0012)
    set_slider(browser, "threshold", 0)
    assert roll_picture(browser) == everything


def test_zoom_and_scroll_change_the_picture(browser: Any, opened: Callable[..., Path]) -> None:
    opened()
    pictures = []
    for name in ("zoom-all", "zoom-in", "zoom-in"):
        click(browser, name)
        pictures.append(roll_picture(browser))
    for key in ("\ue00f", "+", "-", "0"):  # page down, ...
        press(browser, key)
        pictures.append(roll_picture(browser))
    assert pictures[3] == pictures[5] and pictures[0] == pictures[6]
    assert len(set(pictures)) == 5


def test_while_it_plays_the_view_can_be_scrolled_away_from_the_playhead(
    browser: Any, opened: Callable[..., Path]
) -> None:
    from selenium.webdriver.common.action_chains import ActionChains

    def scroll() -> str:
        overview = browser.find_element("id", "overview")
        ActionChains(browser).move_to_element_with_offset(overview, 300, 0).click().perform()
        return roll_picture(browser)

    opened()
    for _ in range(2):  # five seconds of twelve in view
        click(browser, "zoom-in")
    elsewhere = scroll()
    click(browser, "play")  # shows the playhead
    wait_for(lambda: seconds(browser) > 0.1)
    assert roll_picture(browser) != elsewhere
    assert scroll() == elsewhere
    press(browser, "\ue012")  # left: back to the playhead
    assert roll_picture(browser) != elsewhere
    click(browser, "play")


def test_a_part_of_a_recording_keeps_its_times(browser: Any, opened: Callable[..., Path]) -> None:
    opened(notes((3.0, 4.0, 60, 64)), start=2.0)
    assert seconds(browser) == 2.0
    click(browser, "play")
    wait_for(lambda: seconds(browser) > 2.3)
    click(browser, "play")
    assert text(browser, "count") == "1 note, 0:12"
    assert_same_notes(read_midi(downloaded(browser)), notes((3.0, 4.0, 60, 64)), seconds=0.0012)


def test_notes_alone_are_played_by_the_clock(browser: Any, opened: Callable[..., Path]) -> None:
    opened(notes((0.1, 1.0, 69, 64)), audio=False)
    assert browser.execute_script("return document.getElementById('hear-recording').disabled")
    assert browser.execute_script("return document.getElementById('threshold').disabled")
    click(browser, "play")
    wait_for(lambda: seconds(browser) > 0.3)
    assert browser.execute_script("return window.tones") == [440]
    click(browser, "play")


def test_no_notes_at_all(browser: Any, opened: Callable[..., Path]) -> None:
    opened(Notes.empty())
    assert text(browser, "count") == "0 notes, 0:12"
    assert "No notes" in text(browser, "status")
    assert browser.execute_script("return document.getElementById('download').disabled")
    click(browser, "play")
    wait_for(lambda: seconds(browser) > 0.2)
    click(browser, "play")


def test_a_recording_beside_the_page_plays(
    browser: Any, opened: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page, "LONGEST_INSIDE", 5.0)
    target = opened()
    beside = target.with_name("a page?#1.html.mp3")
    assert beside.is_file() and target.stat().st_size < 150_000
    click(browser, "play")
    wait_for(lambda: seconds(browser) > 0.5)
    click(browser, "play")
    assert browser.execute_script("return document.getElementById('recording').currentTime") > 0.4
    beside.unlink()
    browser.get(target.as_uri())
    wait_for(lambda: "belongs beside this page" in text(browser, "status"))
    assert all("ERR_FILE_NOT_FOUND" in line for line in complaints(browser))


def test_of_three_hours_only_what_is_in_view_is_drawn(browser: Any, tmp_path: Path) -> None:
    count = 3 * 36_000
    onset = np.arange(count) * 0.1
    random = np.random.default_rng(0)
    pitch, velocity = random.integers(30, 100, count), random.integers(1, 128, count)
    played = Notes.make(onset, onset + 0.3, pitch, velocity, random.random(count))
    level = np.zeros((3 * 3600 * 20, 88), dtype=np.float32)
    level[::50, 39] = 0.9
    target = tmp_path / "long.html"
    write_page(target, Posteriorgram(level, hop=0.05), played, "long")
    browser.get(target.as_uri())
    assert text(browser, "count") == "108,000 notes, 3:00:00"
    for name in ("zoom-in", "zoom-all"):  # a quarter of a minute in view; everything
        click(browser, name)
        frames = browser.execute_async_script(SCROLL)
        assert len(frames) == 10
        assert all(20 < calls < 1500 for calls, _ in frames)
        # Far more than it takes, because the machine may be busy: all 108,000 notes one by one take longer.
        assert np.median([milliseconds for _, milliseconds in frames]) < 250


# Turns the wheel in each of ten frames: drawing calls and milliseconds of each.
SCROLL = """
const done = arguments[0], frame = document.getElementById("roll"), frames = [];
for (const name of ["fillRect", "drawImage", "fillText"]) {
  const own = CanvasRenderingContext2D.prototype[name];
  if (!own.isCounted) {
    CanvasRenderingContext2D.prototype[name] = function (...values) {
      window.calls++;
      return own.apply(this, values);
    };
    CanvasRenderingContext2D.prototype[name].isCounted = true;
  }
}
const step = () => {
  const begin = performance.now();
  window.calls = 0;
  frame.dispatchEvent(new WheelEvent("wheel", { deltaY: frames.length % 2 ? 90 : -30, cancelable: true }));
  requestAnimationFrame(() => {
    document.getElementById("notes").getContext("2d").getImageData(0, 0, 1, 1);  // waits for the drawing
    frames.push([window.calls, performance.now() - begin]);
    if (frames.length < 10) step(); else done(frames);
  });
};
step();
"""
