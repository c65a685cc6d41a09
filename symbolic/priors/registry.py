"""Every model by name, and the way from a flat table of options to one of them."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

import torch

from symbolic.checks import brief, of_type
from symbolic.config import options_from
from symbolic.errors import NotebeamError
from symbolic.estimators.bernoulli import Bernoulli, BernoulliOptions
from symbolic.estimators.gaussian_rbm import GaussianRbm, GaussianRbmOptions
from symbolic.estimators.nade import Nade, NadeOptions
from symbolic.estimators.protocol import Estimator
from symbolic.estimators.rbm import Rbm, RbmOptions
from symbolic.estimators.rnade import Rnade, RnadeOptions
from symbolic.priors.base import Prior
from symbolic.priors.biaxial import Biaxial
from symbolic.priors.event_rnn_nade import EventRnnNade, EventRnnNadeOptions
from symbolic.priors.evidence_join import EvidenceJoin, EvidenceJoinOptions
from symbolic.priors.lstm_conv_nade import LstmConvNade, LstmConvNadeOptions
from symbolic.priors.rnn import RnnOptions, RnnPrior
from symbolic.priors.rtrbm import LstmRtrbmOptions, Rtrbm, RtrbmOptions
from symbolic.priors.shared_across_pitch import PitchSharedOptions
from symbolic.priors.tp_lstm_nade import TpLstmNade
from symbolic.recurrence.stacked import Cell

Options = Mapping[str, Any]
MOST = 100_000  # of any size among the options
LARGE = 4096  # sizes above are multiplied out before memory is allocated
MOST_PARAMETERS = 1_000_000_000


@dataclass(frozen=True)
class Model:
    """How a model is built."""

    kinds: tuple[type[Any], ...]  # dataclasses whose fields together are its options
    build: Callable[..., Prior]  # from an instance of each


ESTIMATORS: dict[str, tuple[type[Any], Callable[[int, Any], Estimator]]] = {
    "bernoulli": (BernoulliOptions, Bernoulli),
    "nade": (NadeOptions, Nade),
    "rbm": (RbmOptions, Rbm),
    "gaussian-rbm": (GaussianRbmOptions, GaussianRbm),
    "rnade": (RnadeOptions, Rnade),
}
CELLS: tuple[Cell, ...] = ("rnn", "gru", "lstm")


def _with_estimator(
    kind: type[Any], estimator: str, model: Callable[[Any, Callable[[int], Any]], Prior]
) -> Model:
    """A recurrence of options `kind` with an estimator that has options of its own."""
    of_estimator, build_estimator = ESTIMATORS[estimator]
    return Model(
        (kind, of_estimator),
        lambda own, theirs: model(own, lambda visible: build_estimator(visible, theirs)),
    )


def _rnn(cell: Cell) -> Callable[[Any, Callable[[int], Any]], Prior]:
    return lambda options, make: RnnPrior(cell, options, make)


PRIORS: dict[str, Model] = {
    f"{cell}-{name}": _with_estimator(RnnOptions, name, _rnn(cell)) for cell in CELLS for name in ESTIMATORS
} | {
    "rtrbm": _with_estimator(RtrbmOptions, "rbm", Rtrbm),
    "lstm-rtrbm": _with_estimator(LstmRtrbmOptions, "rbm", Rtrbm),
    "gaussian-rtrbm": _with_estimator(RtrbmOptions, "gaussian-rbm", Rtrbm),
    "gaussian-lstm-rtrbm": _with_estimator(LstmRtrbmOptions, "gaussian-rbm", Rtrbm),
    "biaxial": Model((PitchSharedOptions,), Biaxial),
    "tp-lstm-nade": Model((PitchSharedOptions,), TpLstmNade),
    "lstm-conv-nade": Model((LstmConvNadeOptions,), LstmConvNade),
    "event-rnn-nade": Model((EventRnnNadeOptions,), EventRnnNade),
    "evidence-join": Model((EvidenceJoinOptions,), EvidenceJoin),
}
OWN = frozenset(PRIORS)  # names that come with the package


def register_prior(name: str, options: type[Any], build: Callable[[Any], Prior]) -> None:
    """Make a model of one's own known by a name: to `build_prior`, `load_prior` and the training command.

    Call it where the model's module is imported; a config names that module (`module = "my_prior"`).

    Args:
        name: of the model, in configs and on cards; registered again, the last one counts.
        options: a frozen dataclass with defaults, one field of which is `visible`; fields are numbers,
            strings or tuples of them.
        build: from an instance of `options` to an untrained prior.

    Raises:
        NotebeamError: the name of one of the package's own models, or options without the field `visible`.
    """
    if name in OWN:
        raise NotebeamError("register_prior(name)", name, "a name that no model of the package has")
    is_kind = isinstance(options, type) and is_dataclass(options)
    if not is_kind or "visible" not in {entry.name for entry in fields(options)}:
        expected = "a dataclass, one field of which is `visible`"
        raise NotebeamError("register_prior(options)", getattr(options, "__name__", brief(options)), expected)
    PRIORS[name] = Model((options,), build)


def build_prior(name: str, options: Options | None = None) -> Prior:
    """Untrained prior of a model.

    Args:
        name: of the model, such as "lstm-nade".
        options: fields of its options dataclasses; those left out keep their defaults.

    Raises:
        NotebeamError: an unknown model or option, or a size beyond all bounds.

    Example:
        >>> import notebeam as nb
        >>> prior = nb.build_prior("lstm-nade", {"units": 64, "hidden": 32})
        >>> prior.visible
        88
    """
    if options is not None:
        options = of_type(options, Mapping, "build_prior(options)", "a table of options by name")
    return _model(name).build(*_checked(name, options or {}))


def full_options(name: str, options: Options) -> dict[str, Any]:
    """Options with every default filled in, refused as `build_prior` refuses them."""
    parts = _checked(name, options)
    return {entry.name: getattr(part, entry.name) for part in parts for entry in fields(part)}


def _checked(name: str, options: Options) -> list[Any]:
    """`_options`, refused if the model would have too many parameters."""
    model = _model(name)
    own = _options(name, model, options)
    if any(size > LARGE for part in own for size in _sizes(part)):
        # Without memory: only the shapes are made.
        with torch.device("meta"):
            count = sum(values.numel() for values in model.build(*own).parameters())
        if count > MOST_PARAMETERS:
            raise NotebeamError(f"{name} options", f"{count} parameters", f"{MOST_PARAMETERS} at most")
    return own


def _model(name: str) -> Model:
    if not isinstance(name, str) or name not in PRIORS:
        expected = f"one of {', '.join(PRIORS)}; or a model registered by a module that is imported"
        raise NotebeamError("build_prior(name)", name, expected)
    return PRIORS[name]


def _options(name: str, model: Model, table: Options) -> list[Any]:
    """An instance of each of the model's dataclasses."""
    by_kind = [[entry.name for entry in fields(kind)] for kind in model.kinds]
    known = [field for names in by_kind for field in names]
    for field in table:
        if field not in known:
            raise NotebeamError(
                f"{name} options.{field}", table[field], f"one of the keys {', '.join(known)}"
            )
    parts = []
    for kind, names in zip(model.kinds, by_kind, strict=True):
        try:
            part = options_from(kind, {key: table[key] for key in names if key in table}, "options")
        except NotebeamError as error:
            raise NotebeamError(f"{name} {error.place}", error.value, error.expected) from error
        parts.append(part)
    for part in parts:
        for entry in fields(part):
            if any(abs(size) > MOST for size in _numbers(getattr(part, entry.name))):
                value = getattr(part, entry.name)
                raise NotebeamError(f"{name} options.{entry.name}", value, f"{MOST} at most")
    return parts


def _sizes(part: Any) -> Iterable[float]:
    """All numbers among the options."""
    return [size for entry in fields(part) for size in _numbers(getattr(part, entry.name))]


def _numbers(value: Any) -> list[float]:
    values = value if isinstance(value, tuple | list) else [value]
    return [size for size in values if isinstance(size, int | float)]
