"""The supervisor of a batch: decides what to start next, and keeps nothing that matters.

`python -m nbbg.supervisor ABS_BATCH_DIR`. It may be killed at any instant and started again.
"""
