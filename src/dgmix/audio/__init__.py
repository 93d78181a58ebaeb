"""Sound: reading recordings, mel spectrograms, and the store that keeps them."""
