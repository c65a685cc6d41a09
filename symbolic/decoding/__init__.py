"""From probabilities of keys to a roll: threshold, HMM, greedy and beam search with a prior."""
