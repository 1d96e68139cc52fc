"""Let vLLM's core be imported from the files of its wheel, without packages that schedule nothing.

A finder answers the import of each absent package with a module whose attributes are empty classes.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import os
import sys
import types
import warnings
from typing import Any

ABSENT = {
    "anthropic", "compressed_tensors", "cv2", "depyf", "diskcache", "ijson", "interegular", "lark",
    "llguidance", "lmformatenforcer", "mcp", "mistral_common", "model_hosting_container_standards",
    "openai_harmony", "opentelemetry", "outlines_core", "prometheus_fastapi_instrumentator", "tiktoken",
    "watchfiles", "xgrammar",
}  # fmt: skip


class EmptyType(type):
    """The type of an empty class: each attribute of it is its own name."""

    def __getattr__(cls, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        made = f"{cls.__name__}.{name}"
        setattr(cls, name, made)
        return made


class Empty(metaclass=EmptyType):
    """Takes everything, does nothing."""

    def __init__(self, *_: Any, **__: Any) -> None:
        pass

    def __call__(self, *given: Any, **_: Any) -> Any:
        return given[0] if given and callable(given[0]) else Empty()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return Empty()

    def __class_getitem__(cls, _: Any) -> Any:
        return cls

    def __init_subclass__(cls, **_: Any) -> None:
        pass

    @classmethod
    def __get_pydantic_core_schema__(cls, _: Any, __: Any) -> Any:
        from pydantic_core import core_schema

        return core_schema.any_schema()


class EmptyModule(types.ModuleType):
    """A module of empty classes."""

    __path__: list[str] = []  # noqa: RUF012  a module's
    __version__ = "0.0.0"

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        made = EmptyType(name, (Empty,), {"__module__": self.__name__})
        setattr(self, name, made)
        return made


class Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds what is absent."""

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> Any:
        if fullname.split(".", maxsplit=1)[0] not in ABSENT:
            return None
        return importlib.machinery.ModuleSpec(fullname, self, is_package=True)

    def create_module(self, spec: Any) -> Any:
        return EmptyModule(spec.name)

    def exec_module(self, module: Any) -> None:
        pass


warnings.filterwarnings("ignore")
os.environ.setdefault("VLLM_LOGGING_LEVEL", "ERROR")
os.environ.setdefault("VLLM_NO_USAGE_STATS", "1")
sys.meta_path.append(Finder())
sys.path.insert(0, os.environ["VLLM_SOURCES"])
