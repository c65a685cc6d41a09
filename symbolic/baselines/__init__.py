"""Closed-form models of rolls: what a learnt prior has to beat."""
