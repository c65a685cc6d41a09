"""Audio to posteriorgram: reading, features, network, training, inference.

Its public names are imported when they are first used.
"""

from typing import TYPE_CHECKING

from symbolic.lazy import lazy_names

if TYPE_CHECKING:
    from acoustic.inference import load_acoustic

__all__ = [
    "load_acoustic",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "load_acoustic": "acoustic.inference",
    },
)
