"""The runner: lives exactly as long as one attempt, claims it, and writes how it ended.

It needs no supervisor, no database and no network: the folder of the attempt is all it is given.
"""
