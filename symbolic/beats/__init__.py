"""Beats, bars and key of a performance, from its notes alone: two small networks and two searches."""
