"""A latency model as a section of the report.

Start with `section`: what it says and in which order. A figure is one file: `predicted`, `regions`,
`roofline`, `steps`; each holds a dataclass that draws itself and the function that reads the model.
`scatter` draws measured steps by kind; `operations` counts what a step computes and moves.
"""
