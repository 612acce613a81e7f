"""``python dev.py demo``: comments in, pictures out. Starts the host and sends it the strength sweep, as a user's script would.

Rows are prompts, one run of the graph each; columns are strengths β of the same preferences, and β = 0 is the plain picture.
"""

from __future__ import annotations

import argparse
import copy
import json
import os
import signal
import sys
import time
from pathlib import Path

from client import Client, ExecutionFailed, Refused
from PIL import Image, ImageDraw, ImageFont
from process import ROOT, Host, temporary_base

WORKFLOW = ROOT / "workflows" / "api" / "strength_sweep.json"
PROMPTS = ["a red apple", "a house", "a boat"]
CELL, MARGIN = 192, 24


def find(graph: dict, title: str) -> tuple[str, dict]:
    """The id and the inputs of the node called `title` in the graph."""
    return next((node, spec["inputs"]) for node, spec in graph.items() if spec["_meta"]["title"] == title)


def patched(graph: dict, prompt: str) -> dict:
    graph = copy.deepcopy(graph)
    find(graph, "Prompt")[1]["text"] = prompt
    find(graph, "Save Image")[1]["filename_prefix"] = f"viper/{prompt.replace(' ', '_')}"
    return graph


def strengths(graph: dict) -> list[float]:
    """β of the graph's columns, in the order of its pictures."""
    return [spec["inputs"]["beta"] for spec in graph.values() if spec["class_type"] == "ViPerPreferenceConditioning"]


def contact_sheet(rows: dict[str, list[Image.Image]], betas: list[float], captions: list[str]) -> Image.Image:
    font = ImageFont.load_default(14)
    top, left = (len(captions) + 1) * MARGIN, 110
    sheet = Image.new("RGB", (left + len(betas) * (CELL + 4), top + len(rows) * (CELL + 4)), "white")
    draw = ImageDraw.Draw(sheet)
    for line, caption in enumerate(captions):
        while draw.textlength(caption, font) > sheet.width - 12:
            caption = caption.rstrip("…").rpartition(" ")[0] + "…"
        draw.text((6, 4 + line * MARGIN), caption, "black", font)
    for column, beta in enumerate(betas):
        draw.text((left + column * (CELL + 4) + 4, top - MARGIN + 4), f"beta = {beta:.1f}", "black", font)
    for row, (prompt, pictures) in enumerate(rows.items()):
        draw.text((6, top + row * (CELL + 4) + CELL // 2), prompt, "black", font)
        for column, picture in enumerate(pictures):
            picture = picture.convert("RGB").resize((CELL, CELL), Image.Resampling.LANCZOS)
            sheet.paste(picture, (left + column * (CELL + 4), top + row * (CELL + 4)))
    return sheet


def progress(label: str):
    """Shows the sampler's steps on one line of a terminal; silent elsewhere."""

    def show(event: dict) -> None:
        if event["type"] == "progress" and sys.stdout.isatty():
            print(f"\r[demo] {label}: step {event['data']['value']}/{event['data']['max']} ", end="", flush=True)

    return show


def sweep(client: Client, graph: dict, output: Path) -> None:
    rows, said, betas = {}, {}, strengths(graph)
    for number, prompt in enumerate(PROMPTS, 1):
        label, start = f"{number}/{len(PROMPTS)} {prompt}, β = {', '.join(map(str, betas))}", time.monotonic()
        entry = client.run(patched(graph, prompt), on_event=progress(label))
        said = said or client.texts(entry)  # the comments are read once, the host remembers
        rows[prompt] = client.images(entry)
        for beta, picture in zip(betas, rows[prompt], strict=True):
            picture.save(output / f"{prompt.replace(' ', '_')}_beta_{beta:.1f}.png")
        end = "\r" if sys.stdout.isatty() else ""
        print(f"{end}[demo] {label}: {time.monotonic() - start:.1f} s        ", flush=True)
    comments = find(graph, "Comment on Images")[1]["comments"]
    liked, disliked = ("".join(said.get(find(graph, title)[0], [])) for title in ("Liked", "Disliked"))
    print("[demo] the comments:", *comments.splitlines(), sep="\n         ")
    print(f"[demo] what they say:\n         likes     {liked}\n         dislikes  {disliked}")
    sheet = output / "sheet.png"
    contact_sheet(rows, betas, [f"likes {liked}", f"dislikes {disliked}"]).save(sheet)
    print(f"[demo] {sum(map(len, rows.values()))} pictures and the sheet of all: {sheet}")


def main() -> int:
    parser = argparse.ArgumentParser(prog="dev.py demo", description=__doc__)
    parser.add_argument("--output", type=Path, default=ROOT / "output" / "demo", help="folder for the pictures (default: %(default)s)")
    output = parser.parse_args().output.resolve()
    sys.stdout.reconfigure(errors="replace")  # a console may not know β
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # tidy up then, too
    output.mkdir(parents=True, exist_ok=True)
    graph = json.loads(WORKFLOW.read_text(encoding="utf-8"))
    start, log = time.monotonic(), ROOT / ".host" / "demo.log"
    print("[demo] starting the host", flush=True)
    try:
        with (
            temporary_base() as base,
            Host(Path(os.environ["COMFYUI_PATH"]), base, log, "--cpu", "--disable-api-nodes") as host,
            Client(host.url) as client,
        ):
            print(f"[demo] the host is ready after {time.monotonic() - start:.0f} s", flush=True)
            sweep(client, graph, output)
    except (Refused, ExecutionFailed, RuntimeError, TimeoutError) as error:
        print(f"\n[demo] failed: {error}\n[demo] the host's log: {log}")
        return 1
    except KeyboardInterrupt:
        print("\n[demo] stopped")
        return 130
    print(f"[demo] done in {time.monotonic() - start:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
