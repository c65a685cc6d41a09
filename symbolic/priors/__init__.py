"""Language models of music: a recurrence whose output sets an estimator. Loaded by `priors.registry`."""
