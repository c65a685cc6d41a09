"""Training of the acoustic network: corpus, targets, loop; `python -m acoustic.training CONFIG.toml`."""
