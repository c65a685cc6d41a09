"""Music as symbols: notes, rolls, clocks, priors, decoding. Imports neither of the other packages."""
