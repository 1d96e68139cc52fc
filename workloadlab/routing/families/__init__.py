"""The routers that ship: one file per family, one function per router.

Each docstring says where the router comes from and what becomes of ties. Start with
`shortest_queue.py`, whose routers score an instance; then `power_of_d.py`, which choose among a
few; then `central_queue.py`, which defer. `controls.py` has the ones that every comparison needs.
To add a router, write it in the file of its family and name it in that file's `__all__`; a new
family also goes into the tuple of `../registry.py`.
"""
