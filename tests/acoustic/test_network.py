"""The network is tied across pitch: what it says moves with the music."""

import math
from dataclasses import replace

import pytest
import torch

from acoustic.features import FeatureOptions
from acoustic.network import (
    GATHERED,
    HEADS,
    PROBABILITIES,
    Gather,
    HarmonicNet,
    NetworkOptions,
    fused,
    stack_harmonics,
)
from symbolic.errors import NotebeamError

SMALL = NetworkOptions(spectral_channels=3, channels=4, dilations=(1, 2), touch_channels=8)
RECURRENT = replace(SMALL, gathering=(0,), gathered_channels=2, recurrent=4, head_channels=3)


def small_network(options: NetworkOptions = SMALL) -> HarmonicNet:
    """With random weights also where a network begins with none."""
    torch.manual_seed(0)
    network = HarmonicNet(FeatureOptions(), options).eval()
    for name, parameter in network.named_parameters():
        if name.endswith(("gather.mix.weight", "recurrent.logits.weight", "recurrent.logits.bias")):
            torch.nn.init.normal_(parameter)
    return network


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


def test_a_gather_mixes_every_partial_and_every_fundamental_of_a_key() -> None:
    torch.manual_seed(0)
    gather = Gather(channels=2, gathered=3)
    torch.nn.init.normal_(gather.mix.weight)
    x = torch.randn(1, 2, 4, 88)
    with torch.inference_mode():
        found, sent = gather(x), torch.relu(gather.send(x))
        steps = [round(12 * math.log2(partial)) for partial in GATHERED]
        distances = [-step for step in steps[::-1]] + steps
        weight = gather.mix.weight[:, :, 0, 0].view(2, len(distances), 3)
        for key in (0, 11, 40, 87):
            expected = torch.zeros(1, 2, 4)
            for number, distance in enumerate(distances):
                if 0 <= key + distance < 88:
                    there = sent[..., key + distance]
                    expected += torch.einsum("oc,bct->bot", weight[:, number], there)
            assert torch.allclose(found[..., key], expected, atol=1e-5)


def test_the_gradient_of_a_gather_is_that_of_its_sum() -> None:
    torch.manual_seed(0)
    gather = Gather(channels=1, gathered=1).double()
    torch.nn.init.normal_(gather.mix.weight)
    torch.nn.init.ones_(gather.send.bias)  # type: ignore[arg-type]
    x = torch.rand(1, 1, 1, 88, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(gather, (x,))


def test_gathering_and_recurrent_heads_are_tied_across_pitch() -> None:
    network = small_network(replace(RECURRENT, dilations=(1,)))
    spectrum = torch.zeros(1, 2, 20, 294)
    spectrum[..., 120:140] = torch.randn(1, 2, 20, 20, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        low, high = (network(s)[:, : len(PROBABILITIES)] for s in (spectrum, torch.roll(spectrum, 3, dims=3)))
    # Keys that look over neither end: a gather reaches 36 keys.
    assert torch.allclose(low[..., 37:51], high[..., 38:52], atol=1e-5)
    assert (low[..., 37:51] - high[..., 37:51]).abs().max() > 1e-3


def test_new_parts_of_a_network_begin_as_nothing() -> None:
    torch.manual_seed(0)
    plain, grown = HarmonicNet(FeatureOptions(), SMALL), HarmonicNet(FeatureOptions(), RECURRENT)
    missing, unexpected = grown.load_state_dict(plain.state_dict(), strict=False)
    assert missing and not unexpected
    spectrum = torch.rand(1, 2, 20, 294)
    with torch.inference_mode():
        assert torch.equal(plain.eval()(spectrum), grown.eval()(spectrum))


def test_a_recurrence_forgets_what_lies_beyond_its_reach() -> None:
    network, reach = small_network(RECURRENT), RECURRENT.reach_frames
    spectrum = torch.randn(1, 2, 2 * reach + 20, 294, generator=torch.Generator().manual_seed(2))
    changed = spectrum.clone()
    changed[:, :, reach + 10] += 1.0
    with torch.inference_mode():
        difference = (network(spectrum) - network(changed)).abs().amax(dim=(0, 1, 3))
    assert difference[:10].max() < 1e-4 and difference[-9:].max() < 1e-4
    assert difference[reach + 10 - 8] > 1e-3  # where the convolutions, 5 frames wide, no longer reach


def test_no_output_depends_on_frames_beyond_its_reach() -> None:
    network, reach = small_network(), SMALL.reach_frames
    spectrum = torch.randn(1, 2, 40, 294, generator=torch.Generator().manual_seed(2))
    changed = spectrum.clone()
    changed[:, :, 20] += 1.0
    with torch.inference_mode():
        difference = (network(spectrum) - network(changed)).abs().amax(dim=(0, 1, 3))
    assert difference[: 20 - reach].max() == 0 and difference[21 + reach :].max() == 0
    assert difference[20 - reach] > 0 and difference[20 + reach] > 0  # the reach is stated exactly


@pytest.mark.parametrize("options", [SMALL, RECURRENT])
def test_normalisations_fuse_into_the_convolutions_before_them(options: NetworkOptions) -> None:
    network = small_network(options)
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
    with pytest.raises(NotebeamError, match=r"NetworkOptions\.gathering: got \(2,\)"):
        NetworkOptions(dilations=(1, 2), gathering=(2,))
    with pytest.raises(NotebeamError, match=r"NetworkOptions\.recurrent: got -1"):
        NetworkOptions(recurrent=-1)
