"""The network is tied across pitch: what it says moves with the music."""

import pytest
import torch

from acoustic.features import FeatureOptions
from acoustic.network import (
    HEADS,
    PROBABILITIES,
    HarmonicNet,
    NetworkOptions,
    fused,
    stack_harmonics,
)
from symbolic.errors import NotebeamError

SMALL = NetworkOptions(spectral_channels=3, channels=4, dilations=(1, 2), touch_channels=8)


def small_network() -> HarmonicNet:
    torch.manual_seed(0)
    return HarmonicNet(FeatureOptions(), SMALL).eval()


def test_harmonics_lie_at_the_place_of_their_fundamental() -> None:
    spectrum = torch.zeros(1, 1, 1, 294)
    fundamental = 3 * 30 + 1
    for harmonic, distance in ((1, 0), (2, 36), (3, 57), (4, 72)):  # round(36 log2 h)
        spectrum[..., fundamental + distance] = harmonic
    stacked = stack_harmonics(spectrum, (1, 2, 3, 4), 3)
    assert stacked.shape == (1, 4, 1, 264)
    assert stacked[0, :, 0, fundamental].tolist() == [1, 2, 3, 4]


def test_the_half_harmonic_of_low_keys_lies_outside_and_is_zero() -> None:
    stacked = stack_harmonics(torch.ones(1, 1, 1, 294), (0.5, 8), 3)
    assert stacked[0, 0, 0, :36].eq(0).all() and stacked[0, 0, 0, 36:].eq(1).all()
    assert stacked[0, 1, 0, : 294 - 108].eq(1).all() and stacked[0, 1, 0, 294 - 108 :].eq(0).all()


def test_music_a_semitone_higher_is_heard_a_key_higher() -> None:
    network = small_network()
    spectrum = torch.zeros(1, 2, 20, 294)
    # Far from both ends, so that nothing is lost over the edge.
    spectrum[..., 120:140] = torch.randn(1, 2, 20, 20, generator=torch.Generator().manual_seed(1))
    higher = torch.roll(spectrum, 3, dims=3)
    with torch.inference_mode():
        low, high = network(spectrum), network(higher)
    inner = slice(30, 60)
    tied = slice(len(PROBABILITIES))
    assert torch.allclose(low[:, tied, :, 30:60], high[:, tied, :, 31:61], atol=1e-5)
    assert (low[:, tied, :, inner] - high[:, tied, :, inner]).abs().max() > 1e-3


def test_no_output_depends_on_frames_beyond_its_reach() -> None:
    network, reach = small_network(), SMALL.reach_frames
    spectrum = torch.randn(1, 2, 40, 294, generator=torch.Generator().manual_seed(2))
    changed = spectrum.clone()
    changed[:, :, 20] += 1.0
    with torch.inference_mode():
        difference = (network(spectrum) - network(changed)).abs().amax(dim=(0, 1, 3))
    assert difference[: 20 - reach].max() == 0 and difference[21 + reach :].max() == 0
    assert difference[20 - reach] > 0 and difference[20 + reach] > 0  # the reach is stated exactly


def test_normalisations_fuse_into_the_convolutions_before_them() -> None:
    network = small_network()
    for module in network.modules():  # as after a training
        if isinstance(module, torch.nn.BatchNorm2d):
            for value in (module.running_mean, module.weight, module.bias):
                torch.nn.init.normal_(value)  # type: ignore[arg-type]
            torch.nn.init.uniform_(module.running_var, 0.5, 2.0)  # type: ignore[arg-type]
    spectrum = torch.rand(1, 2, 20, 294)
    with torch.inference_mode():
        expected, found = network(spectrum), fused(network)(spectrum)
    assert not any(isinstance(m, torch.nn.BatchNorm2d) for m in fused(network).modules())
    assert any(isinstance(m, torch.nn.BatchNorm2d) for m in network.modules())  # a copy
    assert (expected - found).abs().max() < 1e-4 and expected.abs().max() > 0.1


def test_velocities_depend_on_the_frames_around_a_strike_alone() -> None:
    network = small_network()
    spectrum = torch.rand(1, 2, 40, 294, generator=torch.Generator().manual_seed(2))
    changed = spectrum.clone()
    changed[:, 1, 20] += 1.0  # of the finer window
    smeared = spectrum.clone()
    smeared[:, 0] += 1.0
    with torch.inference_mode():
        before, after = network.velocities(spectrum), network.velocities(changed)
        assert torch.equal(network.velocities(smeared), before)
        assert torch.allclose(network(spectrum)[:, HEADS.index("velocity")], before, atol=1e-6)
    difference = (before - after).abs().amax(dim=(0, 2))
    assert torch.nonzero(difference)[:, 0].tolist() == list(range(17, 24))


def test_bad_sizes_are_refused() -> None:
    with pytest.raises(NotebeamError, match="NetworkOptions"):
        NetworkOptions(dilations=())
