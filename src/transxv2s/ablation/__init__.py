"""Comparisons of training runs that differ in one thing at a time: plan, run, table and figure."""
