"""A comparison as pictures: every seed, the curves, the differences, who is better how often.

Made of a `Comparison` alone, with matplotlib's own objects and never its global `pyplot`. A panel
knows how large it must be to be read; `composing` puts those that apply into one figure, and
`writing` puts that into a file. Colours are those of Okabe and Ito, and markers, line styles and
labels say the same again, for print in grey and for those who see colours otherwise.
"""
