"""`python -m transxv2s`: the command line without its installed script."""

from transxv2s.cli import main

if __name__ == "__main__":
    main()
