"""`python -m dgmix` is `dgmix`."""

from dgmix.cli import main

if __name__ == "__main__":
    main()
