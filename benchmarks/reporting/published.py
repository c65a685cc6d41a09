"""Published figures on the four classic sets, row by row, with where each was printed.

Is: log-likelihoods in nats a step and accuracies by the definitions that are measured here: pooled over all
test steps with step 0 (evaluation.likelihood), ACC12 (evaluation.accuracy).
Is not: figures by other definitions: bounds such as ELBOs, means over pieces, reconstruction costs, other
grids or splits. None of them may stand beside ours.

A student paper prints -2.7 and 21 % for an RNN-NADE on the chorales: no figure of this definition, and no
target (benchmarks.padding).
"""

from dataclasses import dataclass

# Sets in the order of the papers.
SET_TITLES = {
    "piano_midi": "Piano-midi.de",
    "nottingham": "Nottingham",
    "musedata": "MuseData",
    "jsb": "JSB chorales",
}
SETS = tuple(SET_TITLES)

SOURCES = {
    "BL12": "Boulanger-Lewandowski, Bengio, Vincent 2012, table 1",
    "LWZ15": "Lyu, Wu, Zhu 2015, LSTM-RTRBM",
    "J17": "Johnson 2017, tied parallel networks: the best of five runs",
    "BKK18": "Bai, Kolter, Koltun 2018: step 0 left out, which moves a figure by 0.02 at most",
}


@dataclass(frozen=True)
class Figure:
    """One printed figure."""

    log_likelihood: float  # nats a step
    acc12: float | None  # 0..1
    source: str  # key of SOURCES


# Note and frame F of other systems on the 15 recordings of `maps/real-dev`, by the scores of
# `transcribe.scoring`; measured by others, not by a command of this repository.
MAPS_SYSTEMS = {
    "basic-pitch 0.4.0": {
        "onset_f1": 0.666,
        "onset_f1_aligned": 0.718,
        "onset_f1_aligned_100ms": 0.770,
        "onset_offset_f1": 0.299,
        "frame_f1": 0.707,
    },
    "Transkun 2.0.1": {
        "onset_f1": 0.889,
        "onset_f1_aligned": 0.920,
        "onset_f1_aligned_100ms": 0.964,
        "onset_offset_f1": 0.696,
        "frame_f1": 0.874,
    },
}

# Rows in the order of the table, with their titles.
TITLES = {
    "random": "random",
    "note-1-gram": "note 1-gram",
    "note-1-gram-iid": "note 1-gram (IID)",
    "1-gram-add-p": "1-gram (add-p)",
    "1-gram-gaussian": "1-gram (Gaussian)",
    "gmm": "GMM",
    "rbm": "RBM, frames alone",
    "nade": "NADE, frames alone",
    "previous-gaussian": "previous + Gaussian",
    "n-gram-add-p": "N-gram (add-p)",
    "n-gram-gaussian": "N-gram (Gaussian)",
    "note-n-gram": "note N-gram",
    "gmm-hmm": "GMM + HMM",
    "mlp": "MLP",
    "rnn-bernoulli": "RNN",
    "rnn-bernoulli-hf": "RNN (HF)",
    "gru-bernoulli": "GRU",
    "lstm-bernoulli": "LSTM",
    "rtrbm": "RTRBM",
    "rnn-rbm": "RNN-RBM",
    "lstm-rtrbm": "LSTM-RTRBM",
    "rnn-nade": "RNN-NADE",
    "rnn-nade-hf": "RNN-NADE (HF)",
    "lstm-nade": "LSTM-NADE",
    "tp-lstm-nade": "TP-LSTM-NADE",
    "biaxial": "biaxial LSTM",
    "lstm-conv-nade": "**LSTM-ConvNADE** (ours)",
    "lstm-conv-nade+biaxial": "biaxial + LSTM-ConvNADE",
    "lstm-nade+cache": "LSTM-NADE, cache",
    "biaxial+cache": "biaxial LSTM, cache",
    "lstm-conv-nade+cache": "**LSTM-ConvNADE, cache** (ours)",
    "lstm-conv-nade+biaxial+cache": "biaxial + LSTM-ConvNADE, cache",
}

# Rows that nobody has published.
OURS = (
    "lstm-conv-nade",
    "lstm-conv-nade+biaxial",
    "lstm-nade+cache",
    "biaxial+cache",
    "lstm-conv-nade+cache",
    "lstm-conv-nade+biaxial+cache",
)

# (log-likelihood, accuracy %) on SETS; None: not printed.
_Pair = tuple[float, float | None] | None
_TABLES: dict[str, dict[str, tuple[_Pair, _Pair, _Pair, _Pair]]] = {
    "BL12": {
        "random": ((-61.00, 3.35), (-61.00, 4.53), (-61.00, 3.74), (-61.00, 4.42)),
        "1-gram-add-p": ((-27.64, 4.85), (-5.94, 22.76), (-19.03, 6.67), (-12.22, 16.80)),
        "1-gram-gaussian": ((-10.79, 6.04), (-5.30, 21.31), (-10.15, 7.87), (-7.56, 17.41)),
        "note-1-gram": ((-11.05, 5.80), (-10.25, 19.87), (-11.51, 7.72), (-11.06, 15.25)),
        "note-1-gram-iid": ((-12.90, 2.51), (-16.24, 3.56), (-14.06, 2.82), (-15.93, 3.51)),
        "gmm": ((-15.84, 5.08), (-7.87, 22.62), (-12.20, 7.37), (-11.90, 15.84)),
        "rbm": ((-10.17, 5.63), (-5.25, 5.81), (-9.56, 8.19), (-7.43, 4.47)),
        "nade": ((-10.28, 5.82), (-5.48, 22.67), (-10.06, 7.65), (-7.19, 17.88)),
        "previous-gaussian": ((-12.48, 25.50), (-8.41, 55.69), (-12.90, 25.93), (-19.00, 18.36)),
        "n-gram-add-p": ((-46.04, 7.42), (-6.50, 63.45), (-35.22, 10.47), (-29.98, 24.20)),
        "n-gram-gaussian": ((-12.22, 10.01), (-3.16, 65.97), (-10.59, 16.15), (-9.74, 28.79)),
        "note-n-gram": ((-7.50, 26.80), (-4.54, 62.49), (-7.91, 26.35), (-10.26, 20.34)),
        "gmm-hmm": ((-15.30, 7.91), (-6.17, 59.27), (-11.17, 13.93), (-11.89, 19.24)),
        "mlp": ((-8.13, 20.29), (-4.38, 63.46), (-7.94, 25.68), (-8.70, 30.41)),
        "rnn-bernoulli": ((-8.37, 19.33), (-4.46, 62.93), (-8.13, 23.25), (-8.71, 28.46)),
        "rnn-bernoulli-hf": ((-7.66, 23.34), (-3.89, 66.64), (-7.19, 30.49), (-8.58, 29.41)),
        "rtrbm": ((-7.36, 22.99), (-2.62, 75.01), (-6.35, 30.85), (-6.35, 30.17)),
        "rnn-rbm": ((-7.09, 28.92), (-2.39, 75.40), (-6.01, 34.02), (-6.27, 33.12)),
        "rnn-nade": ((-7.48, 20.69), (-2.91, 64.95), (-6.74, 24.91), (-5.83, 32.11)),
        "rnn-nade-hf": ((-7.05, 23.42), (-2.31, 71.50), (-5.60, 32.60), (-5.56, 32.50)),
    },
    "LWZ15": {
        "lstm-bernoulli": (None, None, (-6.88, 30.15), (-7.92, 30.07)),
        "lstm-rtrbm": (None, None, (-5.54, 33.89), (-4.72, 35.22)),
    },
    "J17": {
        "lstm-nade": ((-7.36, None), (-2.02, None), (-5.02, None), (-6.00, None)),
        "tp-lstm-nade": ((-5.44, None), (-1.61, None), (-4.32, None), (-5.88, None)),
        "biaxial": ((-4.90, None), (-1.55, None), (-3.90, None), (-5.05, None)),
    },
    "BKK18": {
        "rnn-bernoulli": (None, (-4.05, None), None, (-8.91, None)),
        "gru-bernoulli": (None, (-3.46, None), None, (-8.43, None)),
        "lstm-bernoulli": (None, (-3.29, None), None, (-8.45, None)),
    },
}


def published(row: str, dataset: str) -> list[Figure]:
    """Figures printed for a row on a set; the first is the one to stand beside ours."""
    pairs = [(source, _TABLES[source].get(row, (None,) * 4)[SETS.index(dataset)]) for source in SOURCES]
    return [
        Figure(pair[0], None if pair[1] is None else round(pair[1] / 100, 4), source)
        for source, pair in pairs
        if pair is not None
    ]


# Boulanger-Lewandowski et al. 2012, figure 5, frame accuracy measured in the drawing to 0.05 %: an acoustic
# model alone (p >= 0.5), with an HMM, with the best symbolic prior. By which definition is not said.
FRAME_ACCURACIES = {
    "piano_midi": {"threshold": 0.584, "hmm": 0.595, "prior": 0.608},
    "nottingham": {"threshold": 0.706, "hmm": 0.715, "prior": 0.771},
    "musedata": {"threshold": 0.351, "hmm": 0.306, "prior": 0.447},
    "jsb": {"threshold": 0.717, "hmm": 0.720, "prior": 0.806},
}
