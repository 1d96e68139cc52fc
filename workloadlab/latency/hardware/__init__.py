"""Facts about GPUs and models, and what follows from them without any measurement.

Start with `gpus.py`: what each GPU does at best, and the KV cache that fits beside a model's
weights; then `geometry.py`: the layers, heads and weights of a model, read from its config; then
`collectives.py`: what the GPUs of one instance take to exchange their results. To add a GPU or a
model, add its row to the table in the file of its kind.
"""
