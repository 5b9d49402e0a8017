"""`nbbg report`: what was run, what came out and what went wrong, as one page to send to somebody.

`content` is what a report holds, `facts` and `failed` read it from the records, `page` writes it
down as HTML. Figures and the verdict are handed in: they are made elsewhere.
"""
