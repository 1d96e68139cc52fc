"""A latency model as a section of the page: how wrong it is, where it was fitted, what a step costs.

Start with `section.py`: the sentences and the order; then `curves.py`: prefill by chunk and decode
by batch, with the measured steps beside them. `errors.py` draws measured against predicted,
`roofline.py` what steps reach of what the GPU can do. To add a figure, write its file and name it
in `section.py`.
"""
