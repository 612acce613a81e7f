"""One alias for the pack: tests import it as ``viper``, whatever its folder is called."""

import importlib.util
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def _alias_pack() -> None:
    if "viper" in sys.modules:
        return
    spec = importlib.util.spec_from_file_location("viper", ROOT / "__init__.py", submodule_search_locations=[str(ROOT)])
    module = importlib.util.module_from_spec(spec)
    sys.modules["viper"] = module
    spec.loader.exec_module(module)


_alias_pack()
