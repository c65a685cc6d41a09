"""Training of priors: `python -m symbolic.training CONFIG.toml`."""
