"""What recording chains do to tones and clicks, and what they must leave alone."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from oracles_acoustic import sine
from scipy.signal import freqs
from torch import Tensor

from acoustic import chains

RATE_HZ = 16_000
CHAINS = (chains.loudspeaker, chains.microphone, chains.coded, chains.old_record, chains.suppressed)
Chain = Callable[[Tensor, int, torch.Generator], Tensor]


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def strike(clips: int, at: int, samples: int = 24_000) -> Tensor:
    """(B, S) of a tone that begins at once and decays."""
    time = torch.arange(samples) - at
    tone = torch.sin(2 * torch.pi * 700 / RATE_HZ * time) * torch.exp(-time.clamp(min=0) / 4000)
    return (0.3 * tone * (time >= 0)).repeat(clips, 1)


@pytest.mark.parametrize("chain", CHAINS)
def test_a_strike_stays_where_it_was(chain: Chain) -> None:
    result = chain(strike(16, 9_000), RATE_HZ, generator())
    level = result.square().unfold(1, 80, 80).mean(dim=2)  # of 5 ms each
    first = (level > 0.25 * level.amax(dim=1, keepdim=True)).float().argmax(dim=1)
    assert ((first * 80 - 9_000).abs() <= 160).all()  # 10 ms


@pytest.mark.parametrize("chain", CHAINS)
def test_chains_are_drawn_anew_for_every_clip_and_repeat_with_the_seed(chain: Chain) -> None:
    audio = strike(2, 100)
    once, again = (chain(audio, RATE_HZ, generator(3)) for _ in range(2))
    assert torch.equal(once, again)
    assert once.isfinite().all() and once.shape == audio.shape
    assert (once[0] - once[1]).abs().max() > 1e-3
    assert torch.equal(audio, strike(2, 100))  # the argument is left alone


@pytest.mark.parametrize("chain", CHAINS)
def test_silence_stays_silent(chain: Chain) -> None:
    assert chain(torch.zeros(2, 8_000), RATE_HZ, generator()).abs().max() < 1e-4


def test_filters_are_those_of_circuits() -> None:
    hertz = chains.line_hertz(RATE_HZ)[1:]
    w = 2 * np.pi * 1000.0
    root = 10 ** (6 / 40)
    for found, top, bottom in (
        (
            chains.peaking(hertz, torch.tensor([[1000.0]]), torch.tensor([[2.0]]), torch.tensor([[6.0]])),
            [1, root * w / 2, w * w],
            [1, w / (2 * root), w * w],
        ),
        (chains.high_pass(hertz, torch.tensor([[1000.0]]), torch.tensor([[0.7]])), [1, 0, 0],
         [1, w / 0.7, w * w]),
        (chains.low_pass(hertz, torch.tensor([[1000.0]]), torch.tensor([[0.7]])), [w * w],
         [1, w / 0.7, w * w]),
    ):  # fmt: skip
        expected = freqs(top, bottom, 2 * np.pi * hertz.numpy())[1]
        assert found[0].numpy() == pytest.approx(expected, abs=1e-4)


def test_filtering_is_convolution_without_wrapping() -> None:
    audio = torch.from_numpy(np.random.default_rng(0).normal(size=(1, 5_000))).float()
    response = chains.high_pass(chains.line_hertz(RATE_HZ), torch.tensor([[200.0]]), torch.tensor(0.7))
    impulse = torch.fft.irfft(response, chains.RINGING)[0].double().numpy()
    expected = np.convolve(audio[0].double().numpy(), impulse)[:5_000]
    assert chains.filtered(audio, response)[0].numpy() == pytest.approx(expected, abs=1e-4)


def test_an_automatic_gain_brings_soft_and_loud_together() -> None:
    tone = torch.from_numpy(sine(440, 8.0))
    step = torch.cat([0.02 * tone, tone, 0.02 * tone])[None].repeat(8, 1)
    result = chains.automatic_gain(step, RATE_HZ, generator())

    def level(audio: Tensor, second: float) -> Tensor:
        part = audio[:, round(second * RATE_HZ) :][:, :8_000]
        return 20 * part.square().mean(dim=1).sqrt().log10()

    before = level(step, 15) - level(step, 7)  # 34 dB
    after = level(result, 15) - level(result, 7)
    assert (after < 0.75 * before).all() and (after > 0).all()
    assert (level(result, 23) > level(result, 16.1) + 3).all()  # it rises slowly again


def test_suppression_thins_out_what_goes_on() -> None:
    held = torch.from_numpy(sine(440, 4.0))[None].repeat(8, 1)
    blows = strike(8, 60_000, samples=64_000)
    result = chains.suppressed(held + blows, RATE_HZ, generator())
    tone, struck = (result[:, a : a + 400].abs().amax(dim=1) for a in (56_000, 60_100))
    assert (struck / tone > 1.05 * (0.5 + 0.3) / 0.5).all()  # as it came: 0.5 and about 0.8


def test_a_codec_leaves_the_top_out_and_keeps_what_is_loud() -> None:
    loud, faint, top = sine(500, 1.0), 0.001 * sine(620, 1.0), sine(7_990, 1.0)
    audio = torch.from_numpy(loud + faint + top)[None].repeat(16, 1)
    result = torch.fft.rfft(chains.coded(audio, RATE_HZ, generator())).abs() / (RATE_HZ / 2)
    assert (result[:, 500] / 0.5 - 1).abs().median() < 0.2
    assert (result[:, 7_990] < 0.05).float().mean() > 0.9


def test_records_waver_by_less_than_a_percent_and_lose_their_top() -> None:
    audio = torch.from_numpy(sine(1_000, 2.0) + sine(7_500, 2.0))[None].repeat(8, 1)
    spectrum = torch.fft.rfft(chains.old_record(audio, RATE_HZ, generator())).abs()  # lines of 0.5 Hz
    assert ((spectrum[:, :4_000].argmax(dim=1) / 2 - 1_000).abs() < 10).all()
    tone, treble = (spectrum[:, a:b].square().sum(dim=1) for a, b in ((1_960, 2_040), (14_800, 15_200)))
    assert (treble < 0.1 * tone).all()
