"""Heat maps that show where the network looked, and the attention that it shows by itself.

The names below are loaded when they are first used, as they bring the network's library, which takes seconds;
`meaning` and `overlay` do without it.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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

_HOMES = {
    "attention": ("GraphAttention", "graph_attention"),
    "maps": ("BRANCHES", "FUSED", "HeatMap", "heat_maps"),
    "methods": ("METHODS", "SIX", "Method"),
}


def __getattr__(name: str) -> Any:
    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{home}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
