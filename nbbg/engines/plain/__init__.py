"""The engine that is plain Python: `python -u script.py`, with a log and nothing else.

The script is made at launch (`script`): what was launched where that is a script without given
parameters, else the notebook as percent-format. It is refused where it would not do what the
notebook does. The user's interpreter needs neither IPython nor nbbg; nothing of nbbg runs in it
unless the script imports it. So how it ended is told by its exit status and its traceback
(`ending`), the runner writes the journal, and there is no executed notebook.
"""
