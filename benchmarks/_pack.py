"""What the pack costs beside the sampling itself: its import, its nodes, its reader of comments, a step of its training."""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import torch

from viper import host
from viper.benchmarks import _host_training, _networks
from viper.vpe.comments import Comments

HERE = Path(__file__).resolve().parent
IMPORT = """
import asyncio, sys, time
sys.path[0] = {host!r}
from comfy.cli_args import args
args.cpu = True
import utils.install_util  # first, as the host does it: its nodes put a folder with another utils on the path
import server, nodes, comfy_api.latest
sys.path.append({here!r})
import pocket
began = time.perf_counter()
pocket.import_pack()
async def names():
    return await (await sys.modules["viper"].comfy_entrypoint()).get_node_list()
found = asyncio.run(names())
[node.GET_NODE_INFO_V1() for node in found]
print(len(found), time.perf_counter() - began)
"""


def import_time(rounds: int) -> tuple[int, float]:
    """(nodes, median seconds from a host that is ready to all nodes described), each time in a process of its own."""
    import comfy

    root, found = str(Path(comfy.__path__[0]).parent), []
    for _ in range(rounds):
        script = IMPORT.format(here=str(HERE), host=root)
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=root)
        found.append(done.stdout.split()[-2:])
    return int(found[0][0]), median(float(seconds) for _, seconds in found)


def extractor_latency(rounds: int) -> tuple[int, float, float]:
    """(people, median milliseconds for a person's comments, most) of the built-in reader on ``comments_people.json``."""
    from viper.vpe.extractor import BuiltInExtractor

    people = json.loads((HERE / "comments_people.json").read_text(encoding="utf-8"))["profiles"]
    some = [Comments.parse(json.dumps({"version": 1, "comments": [{"text": c["text"]} for c in p["comments"]]})) for p in people]
    reader, times = BuiltInExtractor(), []
    reader.extract(some[0])
    for _ in range(rounds):
        for comments in some:
            began = time.perf_counter()
            reader.extract(comments)
            times.append(1000 * (time.perf_counter() - began))
    return len(some), median(times), max(times)


def node_overhead(rounds: int, interleaved: Callable) -> float:
    """Time of KSampler (Preference) at β = 0 against the host's KSampler."""
    network, run = _networks.pocket(), _networks.Run()
    ways = _networks.ways(network)
    runs = {"host": lambda: ways[_networks.HOST](run), "β = 0": lambda: _networks.guided(network, run, None)}
    return interleaved(runs, rounds, "host")["β = 0"][0]


def training_steps(rounds: int, steps: int = 6) -> dict[str, tuple[float, float]]:
    """(seconds a step, against the host's TrainLoraNode) at batch 4."""
    from viper.pocket.loader import load_pocket_model

    _, clip, vae = load_pocket_model()
    words, prior = (host.encode_prompt(clip, text) for text in ("a vuqix pig", "a pig"))
    latents = [torch.randn(1, vae.latent_channels, 16, 16, generator=torch.Generator().manual_seed(n)) for n in range(4)]
    found = _host_training.interleaved(_host_training.pocket_runs(4, latents, words, prior), rounds, steps)
    return {name: (median(s), median(a / b for a, b in zip(s, found["host"], strict=True))) for name, s in found.items()}


def table(rounds: int, interleaved: Callable, say) -> str:
    count, seconds = import_time(min(rounds, 5))
    lines = ["| the pack itself | |", "|---|---|", f"| import, beyond torch and the host: {count} nodes described | {seconds:.2f} s |"]
    say(lines[-1])
    lines.append(f"| KSampler (Preference) at β = 0 against the host's KSampler | × {node_overhead(rounds, interleaved):.3f} |")
    say(lines[-1])
    people, middle, most = extractor_latency(rounds)
    lines.append(f"| built-in reader, all comments of one person ({people} people) | {middle:.0f} ms (at most {most:.0f} ms) |")
    say(lines[-1])
    for name, (seconds, ratio) in training_steps(min(rounds, 5)).items():
        lines.append(f"| DreamBooth Train, batch 4, a step: {name} | {1000 * seconds:.0f} ms, × {ratio:.2f} of TrainLoraNode's |")
        say(lines[-1])
    return "\n".join(lines)
