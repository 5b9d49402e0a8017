"""The engine for any language: a Jupyter kernel in the user's interpreter, driven from here.

`python -m nbbg.engines.kernel ABS_ATTEMPT_DIR` runs in nbbg's own interpreter. The kernel holds
the attempt's lock too, and can be looked into while it works: `jupyter console --existing
ATTEMPT/connection.json`. A Python kernel records itself (`nbbg.inside.kernel_start`); what a
kernel of another language shows is recorded here, from its messages. jupyter_client lives here
alone.
"""
