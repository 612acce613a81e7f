"""The host with its page, for trying the nodes by hand: ``python dev.py serve [host arguments]``."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from process import ROOT, free_port, is_free, prepare_base


def has_accelerator() -> bool:
    import torch

    return torch.cuda.is_available() or torch.backends.mps.is_available() or (hasattr(torch, "xpu") and torch.xpu.is_available())


def models_of(comfyui: Path) -> list[str]:
    """Host arguments that make that ComfyUI's own models selectable; our base directory has none."""
    folders = sorted(p.name for p in (comfyui / "models").glob("*") if p.is_dir())
    if not folders:
        return []
    listing = ROOT / ".host" / "model_paths.yaml"  # JSON is YAML
    paths = {"base_path": str(comfyui / "models"), **{name: name for name in folders}}
    listing.write_text(json.dumps({"comfyui": paths}), encoding="utf-8")
    return ["--extra-model-paths-config", str(listing)]


def main(args: list[str]) -> int:
    chosen = {arg.split("=")[0] for arg in args}
    base = prepare_base(ROOT / ".host" / "base")
    comfyui = Path(os.environ["COMFYUI_PATH"])
    command = [sys.executable, str(comfyui / "main.py"), "--base-directory", str(base), "--disable-auto-launch", *models_of(comfyui)]
    if "--preview-method" not in chosen:
        command += ["--preview-method", "auto"]
    if "--database-url" not in chosen:
        command += ["--database-url", "sqlite:///:memory:"]
    if not chosen & {"--port", "--listen"}:
        port = 8188 if is_free(8188) else free_port()
        command += ["--port", str(port)]
        print(f"[serve] open http://127.0.0.1:{port} when the host says so; Ctrl-C stops it", flush=True)
    if not chosen & {"--cpu", "--directml"} and not has_accelerator():
        command.append("--cpu")
    command += args
    if os.name != "nt":
        os.execv(command[0], command)
    child = subprocess.Popen(command)
    while True:
        try:
            return child.wait()
        except KeyboardInterrupt:  # the host got it too and is stopping
            continue


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
