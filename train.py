"""Training on a larger machine: ``accelerate launch train.py --config job.json`` (see docs/larger_machines.md)."""

from __future__ import annotations

import argparse
import importlib.util
import logging
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent


def comfyui(given: str | None) -> Path | None:
    """The host's folder: as told, or the one that this pack lies in, or the one that development uses."""
    told = given or os.environ.get("COMFYUI_PATH")
    candidates = [Path(told).expanduser()] if told else [*ROOT.parents, ROOT / ".host" / "ComfyUI"]
    return next((path.resolve() for path in candidates if (path / "comfy" / "sd.py").is_file()), None)


def import_pack() -> None:
    """As ``viper``: the pack's folder may have any name, so it is imported under one of ours."""
    spec = importlib.util.spec_from_file_location("viper", ROOT / "__init__.py", submodule_search_locations=[str(ROOT)])
    sys.modules["viper"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sys.modules["viper"])


def main() -> int:
    parser = argparse.ArgumentParser(description="Go on with a training out of a job file.")
    parser.add_argument("--config", type=Path, required=True, help="the job file")
    parser.add_argument("--comfyui", help="ComfyUI's folder, where the pack does not lie in its custom_nodes (or set COMFYUI_PATH)")
    args = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    host = comfyui(args.comfyui)
    if host is None:
        print("ComfyUI is not there: name its folder with --comfyui.", file=sys.stderr)
        return 1
    sys.path.insert(0, str(host))
    import_pack()
    from viper.training.errors import TrainingError
    from viper.training.launch import together, train

    try:
        peers = together()  # before the host looks for its device
        if peers.device.type == "cpu":
            from comfy.cli_args import args as of_host

            of_host.cpu = True
        train(args.config, peers)
        peers.end()
    except TrainingError as e:
        print(e, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
