"""Beats, bars and key of a performance, from its notes alone: a small recurrent network and two searches."""
