"""Beats, bars and key of a performance, from its notes alone: three small networks and two searches."""
