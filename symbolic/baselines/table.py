"""The simple rows by name, fitted on a classic set: from closed forms to a net over the last steps.

Is: the rows of Boulanger-Lewandowski et al. 2012, table 1, that have no recurrence.
Is not: the models (the other files of baselines), or the printed figures (benchmarks.published).
"""

from collections.abc import Callable

from symbolic.baselines import chain, frames, mixtures, notes, trained
from symbolic.baselines.protocol import Baseline
from symbolic.datasets.classic import ClassicSet

# Training split to learn from, validation split to choose by; the seed of whatever is random in fitting.
Fit = Callable[[ClassicSet, int], Baseline]

CLOSED_FORM: dict[str, Fit] = {
    "random": lambda data, seed: notes.uniform(),
    "note-1-gram": lambda data, seed: notes.note_1_gram(data.train),
    "note-1-gram-iid": lambda data, seed: notes.note_1_gram_iid(data.train),
    "1-gram-add-p": lambda data, seed: frames.AddP(data.train, data.valid),
    "1-gram-gaussian": lambda data, seed: frames.Kernel(data.train, data.valid, 1),
    "previous-gaussian": lambda data, seed: notes.copying(data.train),
    "n-gram-add-p": lambda data, seed: frames.BigramAddP(data.train, data.valid),
    "n-gram-gaussian": lambda data, seed: frames.Kernel(data.train, data.valid, 2),
    "note-n-gram": lambda data, seed: notes.chosen_note_n_gram(data.train, data.valid),
}

FITTED: dict[str, Fit] = {
    "gmm": lambda data, seed: mixtures.fit_mixture(data.train, data.valid, seed),
    "gmm-hmm": lambda data, seed: chain.fit_hidden_markov(data.train, data.valid, seed),
    "mlp": lambda data, seed: trained.fit_mlp(data.train, data.valid, seed),
    "nade": lambda data, seed: trained.fit_nade(data.train, data.valid, seed),
    "rbm": lambda data, seed: trained.fit_rbm(data.train, data.valid, seed),
}

BASELINES: dict[str, Fit] = CLOSED_FORM | FITTED
