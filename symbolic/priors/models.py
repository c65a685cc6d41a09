"""Every model by name, and the way from a flat table of options to one of them.

Is: the one list of models, building them untrained.
Is not: the models, or weights and their files (priors.registry).
"""

from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

from symbolic.config import options_from
from symbolic.errors import NotebeamError
from symbolic.estimators.bernoulli import Bernoulli, BernoulliOptions
from symbolic.estimators.gaussian_rbm import GaussianRbm, GaussianRbmOptions
from symbolic.estimators.nade import Nade, NadeOptions
from symbolic.estimators.protocol import Estimator
from symbolic.estimators.rnade import Rnade, RnadeOptions
from symbolic.estimators.wild_rbm import WildRbm, WildRbmOptions
from symbolic.priors.biaxial import Biaxial
from symbolic.priors.event_rnn_nade import EventRnnNade, EventRnnNadeOptions
from symbolic.priors.keywise import KeywisePrior
from symbolic.priors.lstm_conv_nade import LstmConvNade, LstmConvNadeOptions
from symbolic.priors.product import Product
from symbolic.priors.recurrent import RecurrentOptions, RecurrentPrior
from symbolic.priors.rtrbm import LstmRtrbmOptions, Rtrbm, RtrbmOptions
from symbolic.priors.tied import TiedOptions
from symbolic.priors.tp_lstm_nade import TpLstmNade
from symbolic.recurrence.stacked import Cell

Options = Mapping[str, Any]
# What training and files need beyond SymbolicPrior: parameters, chunk_objective, begin_at.
Prior = Product | KeywisePrior | EventRnnNade
Build = Callable[[Options], Prior]
Make = Callable[[int], Any]  # from the number of visible units to an estimator

ESTIMATORS: dict[str, tuple[type[Any], Callable[[int, Any], Estimator]]] = {
    "bernoulli": (BernoulliOptions, Bernoulli),
    "nade": (NadeOptions, Nade),
    "rbm": (WildRbmOptions, WildRbm),
    "gaussian-rbm": (GaussianRbmOptions, GaussianRbm),
    "rnade": (RnadeOptions, Rnade),
}
CELLS: tuple[Cell, ...] = ("rnn", "gru", "lstm")


def _alone(kind: type[Any], model: Callable[[Any], Prior]) -> Build:
    """Builder of a model whose options are one dataclass."""
    return lambda table: model(options_from(kind, table, "options"))


def _product(kind: type[Any], estimator: str, model: Callable[[Any, Make], Prior]) -> Build:
    """Builder of a model from one flat table of its own options and its estimator's."""
    of_estimator, build_estimator = ESTIMATORS[estimator]
    names = {field.name for field in fields(of_estimator)}

    def build(table: Options) -> Prior:
        theirs = options_from(of_estimator, {k: v for k, v in table.items() if k in names}, "options")
        try:
            own = options_from(kind, {k: v for k, v in table.items() if k not in names}, "options")
        except NotebeamError as error:
            # An unknown key: the estimator's are known too.
            expected = ", ".join([error.expected, *sorted(names)])
            raise NotebeamError(error.place, error.value, expected) from error
        return model(own, lambda visible: build_estimator(visible, theirs))

    return build


def _recurrent(cell: Cell) -> Callable[[Any, Make], Prior]:
    return lambda options, make: RecurrentPrior(cell, options, make)


PRIORS: dict[str, Build] = {
    f"{cell}-{name}": _product(RecurrentOptions, name, _recurrent(cell))
    for cell in CELLS
    for name in ESTIMATORS
} | {
    "rtrbm": _product(RtrbmOptions, "rbm", Rtrbm),
    "lstm-rtrbm": _product(LstmRtrbmOptions, "rbm", Rtrbm),
    "gaussian-rtrbm": _product(RtrbmOptions, "gaussian-rbm", Rtrbm),
    "gaussian-lstm-rtrbm": _product(LstmRtrbmOptions, "gaussian-rbm", Rtrbm),
    "biaxial": _alone(TiedOptions, Biaxial),
    "tp-lstm-nade": _alone(TiedOptions, TpLstmNade),
    "lstm-conv-nade": _alone(LstmConvNadeOptions, LstmConvNade),
    "event-rnn-nade": _alone(EventRnnNadeOptions, EventRnnNade),
}


def build_prior(name: str, options: Options) -> Prior:
    """Untrained prior of that model; `options` are the fields of its options dataclass."""
    if not isinstance(name, str) or name not in PRIORS:
        raise NotebeamError("build_prior(name)", name, f"one of {', '.join(PRIORS)}")
    try:
        return PRIORS[name](options)
    except NotebeamError as error:
        raise NotebeamError(f"{name} {error.place}", error.value, error.expected) from error
