"""Whether onset probabilities look like those of a piano.

Is: one number of a posteriorgram, and the words for a recording where it is high.
Is not: what a probability is worth (calibration).

A model trained on pianos is sure of most strikes of a piano, in most rooms. Of organs, strings, voices and
drums, and of recordings that spoil a piano's attacks, it is not: their probabilities lie between.
"""

import numpy as np
import numpy.typing as npt

from symbolic.decoding.evidence import peak_values

IN_QUESTION = 0.1  # probability of a strike from which it counts
FEW = 20  # strikes: fewer say nothing
# Above it lie organs, strings, voices and most winds, below it the development recordings and all sampled
# pianos: `python -m benchmarks.domains`.
HIGH = 0.4


def doubt(onset: npt.NDArray[np.float32]) -> float:
    """Of (T, 88) probabilities: mean of 4 p (1 - p) over strikes in question; 0 sure, 1 as likely as not.

    0 where there are too few strikes.
    """
    return _doubt(_in_question(onset))


def warning(onset: npt.NDArray[np.float32]) -> str | None:
    """What to say of a recording with these probabilities (T, 88), if anything."""
    prob = _in_question(onset)
    if _doubt(prob) <= HIGH:
        return None
    share = np.mean((prob > 0.2) & (prob < 0.8))
    return f"not the sound of a piano, or a poor recording: {share:.0%} of its strikes are in doubt"


def _in_question(onset: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    prob = peak_values(onset)
    return prob[prob >= IN_QUESTION].astype(np.float64)


def _doubt(prob: npt.NDArray[np.float64]) -> float:
    return float((4 * prob * (1 - prob)).mean()) if len(prob) >= FEW else 0.0
