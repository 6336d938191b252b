"""Readers of public data sets, lesion-disjoint splits and the prepared store that training reads."""
