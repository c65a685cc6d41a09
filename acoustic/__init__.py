"""Audio to posteriorgram: reading, features, network, training, inference."""
