"""Engines: how the cells of a frozen notebook are executed, each a program of its own."""
