"""The product: pipeline, command and evaluation of whole transcriptions."""
