"""Deciding: from trained network and recordings to anomaly scores."""
