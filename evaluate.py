"""Protocols from a command line: ``python evaluate.py run …`` draws them, ``table`` measures (see docs/evaluation_protocols.md)."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from train import comfyui, import_pack


def words(text: str) -> list[str]:
    return list(dict.fromkeys(word.strip() for word in text.split(",") if word.strip()))


def positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("1 or more is needed")
    return number


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Draw the pictures of an evaluation protocol, and measure them.")
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="draw every subject × prompt × seed on running ComfyUIs; goes on where it was stopped")
    run.add_argument("--protocol", required=True, help="dreambench, customconcept101 or stellar")
    run.add_argument("--data", type=Path, required=True, help="the protocol's folder, with the subjects' pictures")
    run.add_argument("--graph", type=Path, required=True, help="your graph, exported in API format")
    run.add_argument("--out", type=Path, required=True, help="where the pictures go: SUBJECT/prompt_NN/seed_N.png")
    run.add_argument("--seeds", type=positive, default=4, metavar="N", help="pictures a prompt, with the seeds 0 to N − 1 (4)")
    run.add_argument("--hosts", type=words, default=["http://127.0.0.1:8188"], metavar="URL,URL", help="running ComfyUIs, one or several")
    run.add_argument("--identifier", default="sks", help="the word that calls the subject (sks); several concepts: one each, with commas")
    run.add_argument("--subjects", type=words, default=[], metavar="NAME,NAME", help="only these")
    run.add_argument("--prompts", type=words, default=[], metavar="N,N", help="only these, counted from 0")
    run.add_argument("--set", action="append", default=[], metavar="NODE.INPUT=VALUE", help="an input of the graph; may hold %%prompt%% …")
    run.add_argument("--seed-input", action="append", default=[], metavar="NODE.INPUT", help="where the seed goes")
    run.add_argument("--output", metavar="NODE", help="the node whose picture counts, where several save one")
    run.add_argument("--timeout", type=float, default=7200, metavar="SECONDS", help="for one picture, a training before it included (7200)")
    run.add_argument("--patience", type=float, default=600, metavar="SECONDS", help="without any host before it ends (600)")
    table = commands.add_parser("table", help="subject fidelity, prompt fidelity and DIV of what was drawn")
    table.add_argument("--out", type=Path, action="append", required=True, help="a folder that run has made; several give a row each")
    table.add_argument("--encoder", action="append", default=[], metavar="pocket|FOLDER", help="what looks (pocket); several give columns")
    table.add_argument("--data", type=Path, help="where the subjects' pictures lie now, if they have moved")
    table.add_argument("--comfyui", help="ComfyUI's folder, where the pack does not lie in its custom_nodes (or set COMFYUI_PATH)")
    return parser.parse_args()


def run(args: argparse.Namespace) -> int:
    from viper.evaluation import protocol_folders
    from viper.evaluation.errors import EvaluationError
    from viper.evaluation.graph_places import places
    from viper.evaluation.host_client import HostClient
    from viper.evaluation.protocol_record import record
    from viper.evaluation.runner import Runner, jobs

    try:
        graph = json.loads(args.graph.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        raise EvaluationError(f"The graph {args.graph} cannot be read: {error}.") from error
    if wrong := [n for n in args.prompts if not n.isdecimal()]:
        raise EvaluationError(f"--prompts takes numbers, counted from 0: {', '.join(wrong)} is none.")
    found = places(graph, args.set, args.seed_input, args.output)
    subjects = protocol_folders.chosen(protocol_folders.read(args.protocol, args.data), args.subjects)
    todo = jobs(args.out, subjects, args.seeds, [int(n) for n in args.prompts])
    record(args.protocol, subjects, args.seeds, args.identifier, found, args.data).write(args.out)
    print(f"{len(subjects)} subjects, {len(todo)} pictures in {args.out}", flush=True)
    runner = Runner(
        [HostClient(url) for url in args.hosts],
        found,
        args.identifier,
        timeout=args.timeout,
        patience=args.patience,
        say=lambda text: print(text, flush=True),
    )
    result = runner.run(todo)
    print(f"{result.made} made, {result.kept} were there, {len(result.given_up)} given up, {result.left} left.")
    for job in result.given_up:
        print(f"Given up: {job.name}: {job.reasons[-1]}", file=sys.stderr)
    if result.why:
        print(result.why, file=sys.stderr)
    return 0 if result.complete else 1


def table(args: argparse.Namespace) -> int:
    host = comfyui(args.comfyui)
    if host is None:
        print("ComfyUI is not there: name its folder with --comfyui.", file=sys.stderr)
        return 1
    sys.path.insert(0, str(host))
    import torch
    from comfy.cli_args import args as of_host

    # The host looks for a GPU unless told that there is none.
    mps, xpu = torch.backends.mps.is_available(), hasattr(torch, "xpu") and torch.xpu.is_available()
    of_host.cpu = not (torch.cuda.is_available() or mps or xpu)
    from viper.evaluation import encoders, protocol_table

    looking = [encoders.pocket() if name == "pocket" else encoders.from_folder(Path(name)) for name in args.encoder or ["pocket"]]
    rows, notes = protocol_table.table(args.out, looking, args.data)
    text = protocol_table.markdown(rows, notes)
    (args.out[0] / "table.md").write_text(text, encoding="utf-8")
    (args.out[0] / "table.csv").write_text(protocol_table.as_csv(rows), encoding="utf-8")
    print(text)
    return 0


def main() -> int:
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="replace")  # consoles with an old code page
    args = arguments()
    import_pack()
    from viper.evaluation.errors import EvaluationError

    try:
        return {"run": run, "table": table}[args.command](args)
    except EvaluationError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Stopped. The same command goes on from here.", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
