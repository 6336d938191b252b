"""Tests of the heat maps."""
