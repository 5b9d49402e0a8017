"""What nbbg does on a machine that another one's runs are carried to: `python -m nbbg.far VERB`.

A request comes as JSON on its input, the answer goes as one marked line to its output. Every verb
may be repeated: whoever asks may have lost the answer. It lives as long as the question; what it
starts is detached.
"""
