"""Heat maps that show where the network looked, and the attention that it shows by itself."""

from transxv2s.explain.attention import GraphAttention, graph_attention
from transxv2s.explain.maps import BRANCHES, FUSED, HeatMap, heat_maps
from transxv2s.explain.methods import METHODS, SIX, Method

__all__ = [
    "BRANCHES",
    "FUSED",
    "METHODS",
    "SIX",
    "GraphAttention",
    "HeatMap",
    "Method",
    "graph_attention",
    "heat_maps",
]
