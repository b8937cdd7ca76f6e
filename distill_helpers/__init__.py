"""Helpers for the book on knowledge distillation: one module for each idea."""

__version__ = "0.1.0"
