"""What a training run does, as frozen dataclasses read from TOML."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from symbolic.commands import import_models
from symbolic.config import at_least, at_most, check_seed, options_from, read_toml
from symbolic.datasets.config import DataConfig
from symbolic.errors import NotebeamError, within
from symbolic.priors.registry import full_options

DEFAULT_STEPS = 4000  # of a run that names no limit


@dataclass(frozen=True, kw_only=True)
class LoopConfig:
    """How a prior learns. It ends at `steps` or `minutes`, whichever comes first; 0 is no limit."""

    steps: int = 0  # of the optimiser, over all resumptions; 0 without `minutes` either: DEFAULT_STEPS
    minutes: float = 0.0  # of work, over all resumptions
    batch_size: int = 32  # B rows, each an endless sequence of pieces
    chunk: int = 400  # T steps at most that gradients reach back; the state is carried further
    # AdamW; SGD with Nesterov's momentum; truncated Newton, which has no rate, no dropout and no clipping.
    optimizer: Literal["adam", "sgd", "hessian-free"] = "adam"
    learning_rate: float = 1e-3
    momentum: float = 0.9  # of SGD
    damping: float = 0.1  # of hessian-free to begin with, which adapts it; likewise:
    structural: float = 0.3  # the share of the damping that the recurrence's units get
    curvature_rows: int = 0  # of a batch, that products look at; 0 is all
    iterations: int = 100  # of conjugate gradients, at most, an update
    warmup: int = 100  # steps in which the rate rises to `learning_rate`
    # Of the rate: over the run's progress (cosine, step), or `decay` once in `decay_every` steps.
    schedule: Literal["cosine", "step", "exponential", "constant"] = "cosine"
    decay: float = 0.95
    decay_every: int = 1000
    weight_decay: float = 0.0
    clip_norm: float = 1.0  # largest norm of a gradient
    ema: float = 0.0  # decay of the averaged weights, which are then what is validated and kept; 0 is off
    validate_every: int = 200  # steps
    validate_steps: int = 0  # of music at most, the beginnings of all validation pieces; 0 is all steps
    # Of priors that leave out log Z: annealed importance sampling in validations and of the test score.
    ais_temperatures: int = 200
    ais_runs: int = 16
    ais_steps: int = 400  # steps judged, evenly spread over the rolls; 0 is all
    patience: int = 0  # validations without a better one, after which the run ends; 0 is off
    checkpoint_minutes: float = 5.0  # of work, at most, between two checkpoints; each validation writes one

    def __post_init__(self) -> None:
        if not self.steps and not self.minutes:
            object.__setattr__(self, "steps", DEFAULT_STEPS)
        at_least("loop", self, steps=0, minutes=0, batch_size=1, chunk=1, warmup=0, weight_decay=0)
        at_least("loop", self, validate_every=1, validate_steps=0, patience=0, checkpoint_minutes=0)
        at_least("loop", self, ais_temperatures=1, ais_runs=2, ais_steps=0, decay_every=1)
        at_least("loop", self, structural=0, iterations=1, curvature_rows=0)
        at_most("loop", self, steps=10**9, minutes=10**6, batch_size=10**5, chunk=10**6, warmup=10**9)
        at_most("loop", self, learning_rate=1e3, clip_norm=1e9, damping=1e9, decay=1, weight_decay=1e3)
        at_most("loop", self, ais_temperatures=10**6, ais_runs=10**5, iterations=10**6)
        if self.optimizer == "hessian-free" and self.weight_decay:
            raise NotebeamError(
                "loop.weight_decay", self.weight_decay, "0 where the optimizer is hessian-free"
            )
        for name in ("learning_rate", "clip_norm", "decay", "damping"):
            if not getattr(self, name) > 0:
                raise NotebeamError(f"loop.{name}", getattr(self, name), "a number > 0")
        for name in ("ema", "momentum"):
            if not 0 <= getattr(self, name) < 1:
                raise NotebeamError(f"loop.{name}", getattr(self, name), "a number in 0..1, below 1")


@dataclass(frozen=True, kw_only=True)
class PretrainingConfig:
    """What is learnt before the run's first step; 0 steps leave a part out (training.pretraining)."""

    estimator_steps: int = 0  # of the optimiser, on the estimator alone
    estimator_batch_size: int = 100  # steps of music, drawn from all pieces
    recurrence_steps: int = 0  # of the optimiser, on the recurrence and the visible biases
    learning_rate: float = 1e-3  # of Adam, falling to nothing, in both

    def __post_init__(self) -> None:
        at_least("pretraining", self, estimator_steps=0, estimator_batch_size=1, recurrence_steps=0)
        at_most(
            "pretraining", self, estimator_steps=10**9, estimator_batch_size=10**6, recurrence_steps=10**9
        )
        at_most("pretraining", self, learning_rate=1e3)
        if not self.learning_rate > 0:
            raise NotebeamError("pretraining.learning_rate", self.learning_rate, "a number > 0")


@dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """One run: what is trained, on what, how."""

    name: str  # of the weights: "jsb" becomes lstm-nade/jsb
    model: str  # a name in priors.registry
    module: str = ""  # to import first: it registers a model of one's own (priors.registry.register_prior)
    licence: str = "not stated"  # of the weights, which the data decides
    data: DataConfig
    loop: LoopConfig = field(default_factory=LoopConfig)
    pretraining: PretrainingConfig = field(default_factory=PretrainingConfig)
    options: dict[str, Any] = field(default_factory=dict)  # of the model
    init: str = ""  # name or path of a prior of the same model and options, whose weights the run begins with
    seed: int = 0

    def __post_init__(self) -> None:
        check_seed(self.seed)


TABLES: dict[str, type[Any]] = {"data": DataConfig, "loop": LoopConfig, "pretraining": PretrainingConfig}


def read_config(path: str | Path) -> TrainingConfig:
    """Run described by a TOML file; its `module`, if it names one, is imported.

    Raises:
        NotebeamError: an unknown key, a value of the wrong type or out of bounds, a module that is not found.
    """
    values = {"name": Path(path).stem} | read_toml(path)
    with within(str(path)):
        for name, kind in TABLES.items():
            values[name] = options_from(kind, values.get(name, {}), name)
        config = options_from(TrainingConfig, values, "")
    if config.module:
        import_models(config.module, f"{path}: module", Path(path).parent)
    with within(str(path)):
        full_options(config.model, config.options)
    return config
