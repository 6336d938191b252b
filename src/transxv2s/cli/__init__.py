"""The command line: `transxv2s info | predict | train`."""

from transxv2s.cli.app import main

__all__ = ["main"]
