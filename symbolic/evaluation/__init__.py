"""Scores of priors: `python -m symbolic.evaluation PRIOR DATASET`."""
