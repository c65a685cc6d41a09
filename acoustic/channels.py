"""The channels of a recording as one, without losing what would cancel.

Is: the mix of consecutive blocks of one recording.
Is not: reading them (audio).
"""

import numpy as np
import numpy.typing as npt

# Part of the energy of channels that say nothing of one another which their mean must keep: for two channels
# a correlation of -0.5. Microphones far apart stay above it; a channel wired the wrong way round does not.
KEPT = 0.5
FEWEST = 4096  # samples of a block that tells whether they do
CANCELLED = "channels that cancel (one is inverted?): one channel was read"

Block = npt.NDArray[np.float32]


class Mixer:
    """Blocks of channels in, their mean out, until they cancel in some block.

    From there on the loudest channel of that block is read alone.
    """

    def __init__(self) -> None:
        self.taken: int | None = None  # the channel that is read alone
        self._channels = 0

    def __call__(self, block: Block) -> Block:
        """Samples (S, channels) -> (S,)."""
        channels = block.shape[1]
        if channels != self._channels:  # files of other channels may be joined
            self._channels, self.taken = channels, None
        if channels == 1:
            return block[:, 0]
        mono: Block = block.mean(axis=1, dtype=np.float32)
        if self.taken is None:
            # Variances: an offset of one channel says nothing about what sounds.
            alone = block.var(axis=0, dtype=np.float64)
            if len(block) >= FEWEST and mono.var(dtype=np.float64) < KEPT * alone.mean() / channels:
                self.taken = int((alone > 0.99 * alone.max()).argmax())  # the first of equals
        return mono if self.taken is None else block[:, self.taken]
