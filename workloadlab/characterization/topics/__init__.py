"""The topics of a profile: one file each, its facts and the function that measures them.

A topic that the trace cannot support is an `Unsupported` with the reason, and the others go on.
Start with `integrity.py`: findings about the trace itself; then `service_levels.py`, a short one;
then `arrivals.py`, which uses most of `../statistics/`. To add a topic, write its file and its row
in `TOPICS` of `../profile.py`; its figures stand under the same name in the room of reports.
"""
