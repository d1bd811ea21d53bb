"""Songs by rule: a style file and a seed give a band's arrangement, from the form to the fills."""
