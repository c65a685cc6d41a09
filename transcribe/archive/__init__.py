"""`python -m transcribe.archive`: what `transcribe` does, over a Ray cluster and from object stores."""
