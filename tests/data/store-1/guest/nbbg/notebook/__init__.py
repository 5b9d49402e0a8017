"""Notebooks as documents: reading, freezing, parameters, pairing. jupytext lives here alone."""
