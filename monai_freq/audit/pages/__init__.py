"""Audits as pages, tables and cards for readers."""

__all__ = []
