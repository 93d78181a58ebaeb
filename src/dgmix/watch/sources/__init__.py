"""Where sound comes from: sound cards, streams, folders, standard input.

A source is a small state machine; it gives blocks of sound, each with the time of its first sample.
"""
