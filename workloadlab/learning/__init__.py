"""A trace and a cluster become a router that beats every heuristic there, or the best of these.

Start with `train.py`: learn on the first half, choose on the next quarter, test on the last.
`problem.py` states what is trained for: the cells of `cells.py`, the objective of `objective.py`,
the rival of `rivals.py`. `es.py` searches; `card.py` and `importance.py` test what was found; `found.py`
keeps it. `imitation.py` learns from labels, `guided.py` by reward with the network of `network.py`.
The router itself, its file and its compiled code are in `routing/learned/`; `lengths/` predicts
output lengths, which routers see as predicted_output_tokens.
To add a method, write its file and its row in `train.py`.
"""

from workloadlab.learning.arms import length_arms
from workloadlab.learning.blocks import Blocks, time_blocks
from workloadlab.learning.card import Comparison, card_table, comparisons, doubt_of
from workloadlab.learning.lengths.predictor import LengthPredictor
from workloadlab.learning.problem import LOADS
from workloadlab.learning.train import METHODS, train

__all__ = [
    "LOADS",
    "METHODS",
    "Blocks",
    "Comparison",
    "LengthPredictor",
    "card_table",
    "comparisons",
    "doubt_of",
    "length_arms",
    "time_blocks",
    "train",
]
