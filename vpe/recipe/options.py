"""What the training commands share: a dataclass is the configuration, its fields are the options."""

from __future__ import annotations

import dataclasses
from argparse import ArgumentParser, BooleanOptionalAction, Namespace
from importlib.util import find_spec
from pathlib import Path
from typing import TypeVar, get_type_hints

Config = TypeVar("Config")


class RecipeError(ValueError):
    """One sentence for the person at the keyboard."""


def needed(*packages: str) -> None:
    """Raises RecipeError that tells what to install when one of them is missing."""
    missing = [name for name in packages if find_spec(name) is None]
    if missing:
        raise RecipeError(f"This needs {' and '.join(missing)}, which the pack itself does not: run pip install {' '.join(missing)}.")


def arguments(parser: ArgumentParser, config: type) -> None:
    """An option for each field; without a default it is required. A field's ``help`` and ``choices`` are in its metadata."""
    hints = get_type_hints(config)
    for field in dataclasses.fields(config):
        kind, required = hints[field.name], field.default is dataclasses.MISSING
        more = {k: v for k, v in field.metadata.items() if k in ("help", "choices")}
        if kind is bool:
            more["action"] = BooleanOptionalAction
        else:
            more["type"] = Path if Path in (kind, *getattr(kind, "__args__", ())) else kind
        parser.add_argument(f"--{field.name.replace('_', '-')}", required=required, default=None if required else field.default, **more)


def configured(config: type[Config], options: Namespace) -> Config:
    return config(**{field.name: getattr(options, field.name) for field in dataclasses.fields(config)})


def option(default, help: str, choices: tuple | None = None):
    """A field with words for ``--help``."""
    return dataclasses.field(default=default, metadata={"help": help} | ({"choices": choices} if choices else {}))
