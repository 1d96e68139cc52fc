"""Models of a whole request: TTFT and TPOT as quantiles, from what a router sees.

Routers that predict latency use them. Start with `rows.py`: what was seen of the instance at the
decision, and what the request then took; then `fit.py`, gradient boosting for each quantile; then
`model.py`, the fitted model with its JSON, its compiled prediction, and the loading of whichever kind
of model a file holds. To add a feature, add it to the list in `rows.py`: a model keeps the names of
those that it was fitted on.
"""
