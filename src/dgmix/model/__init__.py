"""Learning: encoders, objectives, optimisers and the one training loop."""
