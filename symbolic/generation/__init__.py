"""Music out of priors: `python -m symbolic.generation`."""
