"""Songs by rule: a style file and a seed give a band's arrangement, from the form to the fills.

The folders from the bottom up: `harmony` (chords and how they are voiced), `notation` (a style file
and its patterns, read), `form` (sections and their chords), `parts` (what each player plays),
`tunes` (lead sheets to arrange); then `arrange` (who plays when), `song` and `write`.
"""
