"""The product: pipeline, command and scoring of whole transcriptions."""
