"""The page of the server: HTML without data, and scripts that ask the HTTP interface for it."""

from transxv2s.serve.web.assets import mount_static
from transxv2s.serve.web.pages import router

__all__ = ["mount_static", "router"]
