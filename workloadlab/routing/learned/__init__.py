"""Routers that were trained, as a file and as compiled code; nothing here trains.

Start with `terms.py`: the costs of a choice, the same for every instance. `rules.py` is what all forms
share, `linear.py`, `trees.py` and `network.py` are the forms, which `forms.py` lists and reads; the last
two see the numbers of `features.py`. `artefact.py` is the
file, refused in a sentence where it is damaged, `explain.py` puts a router in words, and `onnx_file.py`
in a graph.
To add a cost, write its row and its value in `terms.py`; a form, its file and its row in `forms.py`.
"""
