"""What `workloadlab replay --list-routers` and `--list-signals` print."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from workloadlab.cli.common import print_json, print_rows

if TYPE_CHECKING:
    from workloadlab.oracles import Oracle
    from workloadlab.routing import Router

__all__ = ["print_routers", "print_signals"]


def print_routers(as_json: bool) -> None:
    """Print every router and oracle that ships."""
    from workloadlab.oracles.registry import ORACLES
    from workloadlab.routing import SHELF

    policies: list[Router | Oracle] = [*SHELF.values(), *(make() for make in ORACLES.values())]
    shelf: list[dict[str, Any]] = [
        {"name": r.name, "family": r.family, "needs": sorted(r.needs), "formula": r.formula,
         "source": r.source}
        for r in policies
    ]  # fmt: skip
    if as_json:
        print_json({"schema_version": 1, "routers": shelf})
        return
    needs = {r["name"]: f" (needs {', '.join(r['needs'])})" if r["needs"] else "" for r in shelf}
    print_rows((r["name"], f"{r['family']}: {r['formula']}{needs[r['name']]}") for r in shelf)


def print_signals(as_json: bool) -> None:
    """Print what a router sees."""
    from workloadlab.routing import signals_table

    signals = signals_table()
    if as_json:
        print_json({"schema_version": 1, "signals": signals})
        return
    for s in signals:
        kind = ", ".join(filter(None, (s["kind"], s["unit"])))
        print_rows([(f"{s['record']}.{s['name']}", f"{s['meaning']} ({kind})")], width=33)
