"""What a room and a microphone may do, and what they must not."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from oracles_acoustic import sine

from acoustic import chains
from acoustic.augmentation import (
    AugmentOptions,
    augment,
    bands,
    coloured_noise,
    compressed,
    equaliser,
    reflections,
    rooms,
    through,
)
from symbolic.errors import NotebeamError

NOTHING = AugmentOptions(
    gain_db=(0.0, 0.0),
    equaliser_db=0.0,
    noise_db=(-200.0, -200.0),
    room_chance=0.0,
    band_chance=0.0,
    compression_chance=0.0,
)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_ranges_of_nothing_change_nothing() -> None:
    audio = torch.from_numpy(np.stack([sine(440, 0.5), sine(100, 0.5)]))
    assert torch.allclose(augment(audio, NOTHING, 16_000, generator()), audio, atol=1e-5)


def test_the_first_sound_stays_where_it_was() -> None:
    clicks = torch.zeros(16, 16_000)
    clicks[:, 5_000] = 0.5
    result = augment(clicks, replace(NOTHING, room_chance=1.0), 16_000, generator())
    assert result.abs().argmax(dim=1).tolist() == [5_000] * 16
    assert result[:, :4_990].abs().max() < 1e-4  # nothing before it


def test_gain_and_noise_have_the_level_asked_for() -> None:
    audio = torch.from_numpy(sine(440, 1.0))[None].repeat(8, 1)
    louder = augment(
        audio,
        replace(NOTHING, gain_db=(6.0206, 6.0206)),
        16_000,
        generator(),
    )
    assert torch.allclose(louder, 2 * audio, atol=1e-3)
    noisy = augment(
        audio,
        replace(NOTHING, noise_db=(-20, -20)),
        16_000,
        generator(),
    )
    ratio = (noisy - audio).var(1) / audio.square().mean(1)
    assert ratio.numpy() == pytest.approx(0.01, rel=0.02)


def test_rooms_decay_by_60_db_in_their_time() -> None:
    options = AugmentOptions(room_chance=1.0, decay_seconds=(0.5, 0.5))
    tail = rooms(64, options, 16_000, generator())
    early, late = (tail[:, a : a + 800].square().mean() for a in (1_600, 5_600))  # 0.25 s apart: 30 dB
    assert 10 * float((early / late).log10()) == pytest.approx(30, abs=3)
    assert (tail[:, 0] == 1).all()


def test_equalisers_are_smooth_and_noise_is_of_unit_variance() -> None:
    curve = 20 * equaliser(4, 4_097, 5.0, generator()).log10()
    assert (curve[:, 1:] - curve[:, :-1]).abs()[
        :, 512:
    ].max() < 0.1  # dB from line to line in the upper octaves
    assert curve.std() > 1
    assert coloured_noise(4, 9_000, generator()).std(dim=1).numpy() == pytest.approx(1.0, abs=1e-3)


def test_bands_pass_their_middle_and_fall_steeply_outside() -> None:
    options = replace(NOTHING, band_chance=1.0, lowest_hz=(300.0, 300.0), highest_hz=(3000.0, 3000.0))
    gains = 20 * bands(4, 8_001, options, 16_000, generator()).log10()  # a line each hertz
    assert gains[:, 1_000].abs().max() < 0.1
    assert gains[0, [300, 3_000]].numpy() == pytest.approx(-3.0, abs=0.1)
    assert gains[0, [150, 6_000]].numpy() == pytest.approx(-24, abs=1)


def test_compression_holds_back_what_is_loud_and_keeps_the_peak() -> None:
    audio = torch.from_numpy(sine(440, 0.5))[None] * torch.tensor([[0.1], [1.0]])
    audio = torch.cat([audio[:1], audio[1:]], dim=1)  # soft, then loud
    options = replace(NOTHING, compression_chance=1.0, drive=(3.0, 3.0))
    result = compressed(audio, options, generator())
    soft, loud = (part.abs().max() for part in result.tensor_split(2, dim=1))
    assert float(loud) == pytest.approx(float(audio.abs().max()), rel=1e-3)
    assert float(soft) == pytest.approx(np.tanh(0.3) / np.tanh(3.0) * float(loud), rel=0.01)
    assert torch.equal(compressed(audio, NOTHING, generator()), audio)


def test_plain_clips_go_past_room_equaliser_band_and_compression() -> None:
    audio = torch.from_numpy(np.stack([sine(440, 0.5), sine(440, 0.5)]))
    options = replace(NOTHING, equaliser_db=10.0, room_chance=1.0, band_chance=1.0, compression_chance=1.0)
    result = augment(audio, options, 16_000, generator(), torch.tensor([True, False]))
    assert torch.allclose(result[0], audio[0], atol=1e-5)
    assert (result[1] - audio[1]).abs().max() > 0.01


def test_a_chance_that_is_none_is_refused() -> None:
    with pytest.raises(NotebeamError, match=r"AugmentOptions\.room_chance: got 1.5"):
        AugmentOptions(room_chance=1.5)


def test_chains_change_the_clips_they_are_drawn_for_and_no_plain_ones() -> None:
    audio = torch.from_numpy(np.stack([sine(440, 0.5)] * 4))
    plain = torch.tensor([True, False, True, False])
    for name in ("loudspeaker_chance", "record_chance", "microphone_chance", "codec_chance"):
        result = augment(audio, replace(NOTHING, **{name: 1.0}), 16_000, generator(), plain)
        changed = (result - audio).abs().amax(dim=1)
        assert changed[plain].max() < 1e-4 and changed[~plain].min() > 1e-3, name


def test_a_chain_without_a_chance_draws_nothing() -> None:
    audio, source = torch.zeros(3, 400), generator()
    before = source.get_state()
    assert through(chains.coded, audio, 0.0, torch.ones(3, dtype=torch.bool), 16_000, source) is audio
    assert torch.equal(source.get_state(), before)


def test_early_reflections_are_single_and_come_before_60_ms() -> None:
    options = AugmentOptions(room_chance=1.0, direct_db=(0.0, 0.0), reflections=6, decay_seconds=(0.3, 0.3))
    without = rooms(32, replace(options, reflections=0), 16_000, generator())
    assert without[:, 1:].square().sum(dim=1).numpy() == pytest.approx(1.0, rel=1e-3)
    tail = without.clone()
    tail[:, 0] = 0
    found = reflections(tail, torch.full((32, 1), 0.005), 6, 16_000, generator())
    assert ((found != 0).sum(dim=1) <= 6).all() and (found != 0).any(dim=1).float().mean() > 0.7
    assert not found[:, :80].any() and not found[:, 1_041:].any()  # 5 to 65 ms
    strength = found.square().sum(dim=1)[(found != 0).any(dim=1)]
    assert (strength > 0.24).all() and (strength < 4.1).all()
