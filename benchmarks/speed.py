"""What does the guidance cost, and how near do its schedules come to the exact one?
``python dev.py bench speed [--part schedules|networks|sweep|pack|all] [--device cuda]``

- schedules: the pocket model at β = 0.6, cfg 5 and 30 steps; seeded tastes (two liked and two disliked looks), each drawn by the host's
  own KSampler, by the shift of the prompt alone, and by the guidance on every schedule. Evaluations: how often the network was
  asked for the liked or disliked side, a picture (60 are exact). Error: distance of the latents to the exact ones, as a share of the
  distance that the shift alone has; cosine of what the guidance added; PSNR of the pictures.
- networks: whole sampling runs of the pocket model and of networks of SD 1.5's and SDXL's size (random weights) against the host's
  KSampler: ours, PerpNegGuider (the host's own guider of three branches), and the official formulation as its authors run it, in
  diffusers on the same weights, two calls of two a step. Peak memory beside what was held before; the share of a step that is our code.
- sweep: the same against image size and batch, with plots (``--plots docs``).
- pack: import time, what the node itself costs, the built-in reader, a step of DreamBooth Train.

Times are ratios within one run: ways take turns, and each ratio is to the host's KSampler of its own round; the median counts. On a CPU
it is the process's own time, so use one thread. Peak memory is that of a first step, when every way computes everything.
"""

import argparse
import random
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import median_high

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
import pocket  # noqa: E402

SAMPLERS = (("euler", "normal"), ("dpmpp_2m", "karras"))
BARS = (0.15, 1.25)  # error, time
PARTS = ("schedules", "networks", "sweep", "pack")


def schedules() -> dict:
    from viper.samplers.schedule import GuidanceOptions

    ways = {"exact": GuidanceOptions()}
    ways |= {f"range 0 to {end:g}": GuidanceOptions(0.0, end) for end in (0.3, 0.6)}
    ways |= {f"reuse {k}": GuidanceOptions(schedule="reuse", every=k) for k in (2, 3, 4, 6)}
    ways["reuse 4, hold"] = GuidanceOptions(schedule="reuse", every=4, between="hold")
    ways |= {f"adaptive {t:g}": GuidanceOptions(schedule="adaptive", tolerance=t) for t in (0.1, 0.2, 0.3, 0.5)}
    return ways


def interleaved(runs: dict[str, Callable[[], object]], rounds: int, first: str, warm: dict[str, Callable[[], object]] | None = None,
                ) -> dict[str, tuple[float, float, float]]:  # fmt: skip
    """(median, least, most) over rounds of each run's time against that of ``first`` in the same round; ``warm`` runs go before them.

    On a CPU it is the process's own time that counts, which other programs on the machine hardly touch.
    """
    import torch

    cuda = torch.cuda.is_available()
    clock = time.perf_counter if cuda else time.process_time
    ratios: dict[str, list[float]] = {name: [] for name in runs}
    for run in (warm or runs).values():
        run()
    for _ in range(rounds):
        seconds = {}
        for name, run in runs.items():
            began = clock()
            run()
            if cuda:
                torch.cuda.synchronize()
            seconds[name] = clock() - began
        for name, value in seconds.items():
            ratios[name].append(value / seconds[first])
    return {name: (median_high(values), min(values), max(values)) for name, values in ratios.items()}


# --- schedules -----------------------------------------------------------------------------------------------------------


class Cases:
    """Prompts with tastes, and the ways to draw them."""

    def __init__(self, count: int, network):
        from viper import host
        from viper.benchmarks._networks import BETA, SEED
        from viper.nodes.conditioning import PreferenceConditioning
        from viper.pocket.loader import load_pocket_model
        from viper.pocket.recipe import icons
        from viper.vpe.preferences import Preferences

        _, clip, self.vae = load_pocket_model()
        rng, vocabulary = random.Random(SEED), icons.vocabulary()
        subjects = sorted(vocabulary["subjects"]["simple"])
        self.networks = []
        for _ in range(count):
            liked, disliked = ([rng.choice(sorted(vocabulary["attributes"][group])) for group in groups] for groups in
                               zip(*(rng.sample(sorted(vocabulary["attributes"]), 2) for _ in range(2)), strict=True))  # fmt: skip
            words = [host.encode_prompt(clip, t) for t in (f"a {rng.choice(subjects)}", "")]
            preferences = Preferences.from_text(", ".join(liked), ", ".join(disliked))
            conds = PreferenceConditioning.execute(clip, preferences, *words, BETA, "paper").result[:4]
            self.networks.append(replace(network, conds=conds))

    def drawn(self, options, run):
        """(latents of all cases, evaluations of the liked and disliked side a picture)."""
        import torch

        from viper.benchmarks import _networks

        counted, seen = _networks.counting(self.networks[0].model)
        latents = [
            _networks.guided(replace(network, model=counted), replace(run, seed=run.seed + which), options)
            for which, network in enumerate(self.networks)
        ]
        return torch.cat(latents), seen["samples"] / len(self.networks) - 2 * run.steps

    def pictures(self, latents):
        return self.vae.decode(latents).clamp(0, 1)


def schedule_table(cases: Cases, sampler: str, scheduler: str, rounds: int, say, points: dict) -> str:
    import torch

    from viper.benchmarks import _networks

    run, one = _networks.Run(sampler=sampler, scheduler=scheduler), cases.networks[0]
    plain = "host's KSampler (shift alone)"
    ways = {plain: None, **schedules()}
    (shift, _), (exact, _) = ends = [cases.drawn(ways[name], run) for name in (plain, "exact")]
    known = dict(zip((plain, "exact"), ends, strict=True))
    far, right = (exact - shift).flatten(1), cases.pictures(exact)
    runs = {name: lambda options=options: _networks.guided(one, run, options) for name, options in ways.items()}
    runs["PerpNegGuider"] = lambda: _networks.perp_neg(one, run)
    times = interleaved(runs, rounds, plain)
    head = f"{sampler}, {scheduler}, {run.steps} steps | evaluations | time | error | worst of {len(exact)} | cosine | PSNR"
    lines = [f"| {head} |", "|---" * 7 + "|"]
    reached = []
    for name, options in ways.items():
        found, count = known.get(name) or cases.drawn(options, run)
        error = (found - exact).flatten(1).norm(dim=1) / far.norm(dim=1)
        cosine = torch.nn.functional.cosine_similarity((found - shift).flatten(1), far).mean()
        psnr = -10 * ((cases.pictures(found) - right) ** 2).flatten(1).mean(1).clamp_min(1e-12).log10()
        told = ["–", "–"] if options is None else [f"{cosine:.3f}", "∞" if name == "exact" else f"{psnr.mean():.1f} dB"]
        lines.append(f"| {name} | {count:.1f} | × {times[name][0]:.2f} | {error.mean():.3f} | {error.max():.3f} | {' | '.join(told)} |")
        if not name.endswith("hold"):
            points.setdefault(name.split()[0], []).append((count, (float(error.mean()),) * 3))
        if error.mean() <= BARS[0] and times[name][0] <= BARS[1]:
            reached.append(name)
        say(lines[-1])
    lines.append(f"| PerpNegGuider | ({run.steps} of its third branch) | × {times['PerpNegGuider'][0]:.2f} | – | – | – | – |")
    lines.append(f"\nError at most {BARS[0]:g} at × {BARS[1]:g} at most: {', '.join(reached) or 'none'}.")
    return "\n".join(lines)


def schedules_part(options, say) -> str:
    from viper.benchmarks import _networks, _plots

    cases, texts = Cases(options.cases, _networks.pocket()), []
    for sampler, scheduler in SAMPLERS:
        points: dict = {}
        texts.append(schedule_table(cases, sampler, scheduler, options.rounds, say, points))
        if options.plots and (sampler, scheduler) == SAMPLERS[0]:
            lines = {name: sorted(points[name]) for name in ("range", "reuse", "adaptive")}
            _plots.chart(options.plots / "speed_schedules.png", "Error against the exact guidance", "evaluations of both sides (exact: 60)",
                         "share of the shift's", lines, {"asked for": BARS[0]}, _plots.Axis(0, 0.7, 0.1, 1))  # fmt: skip
    return "\n\n".join(texts)


# --- networks ------------------------------------------------------------------------------------------------------------


def networks_part(options, say) -> str:
    import torch

    from viper.benchmarks import _networks

    device = torch.device(options.device)
    cells = {"pocket": 16, "sd15": 64, "sdxl": 128} if device.type == "cuda" else {"pocket": 16, "sd15": 32, "sdxl": 32}
    lines = ["| network, picture, batch, steps | way | evaluations of both sides | time | peak memory, MB |", "|---" * 5 + "|"]
    shares = []
    for name in options.networks:
        network = _networks.pocket() if name == "pocket" else _networks.true_size(name, device)
        _networks.check_twin(network)
        for batch in (1, 4) if device.type == "cuda" or name == "pocket" else (1,):
            steps = 30 if device.type == "cuda" or name == "pocket" else options.steps
            run = _networks.Run(steps=steps, cells=cells[name], batch=batch)
            ways = {way: lambda draw=draw, run=run: draw(run) for way, draw in _networks.ways(network).items()}
            short = replace(run, steps=1)
            brief = {way: lambda draw=draw, run=short: draw(run) for way, draw in _networks.ways(network).items()}
            times = interleaved(ways, options.rounds if name == "pocket" else options.few, _networks.HOST, brief)
            for way, draw in brief.items():
                count = _networks.count(network, way, run)
                what = f"{name}, {8 * run.cells} px, {batch}, {steps}"
                lines.append(f"| {what} | {way} | {count} | × {times[way][0]:.2f} | {_networks.peak(draw, device) / 1e6:.0f} |")
                say(lines[-1])
        shares.append(f"{name} {_networks.own_share(network, run):.2%}")
        del network, ways, brief
        _networks.forget()
    return "\n".join([*lines, "", f"Our own code's share of the time, exact: {', '.join(shares)}. {machine(device)}"])


def machine(device) -> str:
    import torch

    if device.type == "cuda":
        return f"{torch.cuda.get_device_name(device)}, float16 but for pocket."
    return f"CPU, {torch.get_num_threads()} thread(s), bfloat16 but for pocket."


def sweep_part(options, say) -> str:
    import torch

    from viper.benchmarks import _networks, _plots

    device = torch.device(options.device)
    cuda = device.type == "cuda"
    network = _networks.true_size("sdxl", device) if cuda else _networks.pocket()
    sides = (32, 64, 96, 128) if cuda else (8, 16, 32, 64)
    shapes = {"size": [(cells, 1) for cells in sides], "batch": [(sides[1], batch) for batch in (1, 2, 4, 8)]}
    texts = []
    for what, some in shapes.items():
        columns = {}
        for cells, batch in some:
            run = _networks.Run(cells=cells, batch=batch)
            ways = {way: lambda draw=draw, run=run: draw(run) for way, draw in _networks.ways(network).items()}
            columns[8 * cells if what == "size" else batch] = interleaved(ways, options.few, _networks.HOST)
            say(f"{what} {cells} {batch}: {columns}")
        told = (lambda x: f"{x} px") if what == "size" else (lambda x: f"batch {x}")
        at = f"batch 1, {network.name}" if what == "size" else f"{8 * sides[1]} px, {network.name}"
        lines = [f"| {at} | " + " | ".join(map(told, columns)) + " |", "|---" * (len(columns) + 1) + "|"]
        names = [name for name in next(iter(columns.values())) if name != _networks.HOST]
        lines += [f"| {name} | " + " | ".join(f"× {column[name][0]:.2f}" for column in columns.values()) + " |" for name in names]
        texts.append("\n".join(lines))
        if options.plots:
            series = {_networks.SHORT.get(name, name): [(x, column[name]) for x, column in columns.items()] for name in names}
            title = f"Time of a sampling run, against the host's KSampler ({network.name})"
            _plots.chart(options.plots / f"speed_{what}.png", title, "pixels a side" if what == "size" else "batch", "times", series,
                         {"KSampler": 1.0}, _plots.Axis(0.5, 4, 0.5, 1), even=True)  # fmt: skip
    return "\n\n".join([*texts, machine(device)])


def pack_part(options, say) -> str:
    from viper.benchmarks import _pack

    return _pack.table(options.rounds, interleaved, say)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", choices=(*PARTS, "all"), default="all")
    parser.add_argument("--cases", type=int, default=24)
    parser.add_argument("--rounds", type=int, default=9, help="of the measurements of time")
    parser.add_argument("--few", type=int, default=3, help="the same of large networks and of the sweep")
    parser.add_argument("--steps", type=int, default=12, help="of large networks on a CPU")
    parser.add_argument("--networks", nargs="+", choices=("pocket", "sd15", "sdxl"), default=("pocket", "sd15", "sdxl"))
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--plots", type=Path, help="write the charts into this folder")
    parser.add_argument("--threads", type=int, default=0, help="of the CPU; 0 leaves it to torch")
    options = parser.parse_args()
    pocket.import_pack(cpu=options.device == "cpu")
    import comfy.utils
    import torch

    comfy.utils.set_progress_bar_enabled(False)
    if options.threads:
        torch.set_num_threads(options.threads)
    if options.plots:
        options.plots.mkdir(parents=True, exist_ok=True)
    say = lambda line: print(line, file=sys.stderr, flush=True)  # noqa: E731
    parts = {"schedules": schedules_part, "networks": networks_part, "sweep": sweep_part, "pack": pack_part}
    for part in PARTS if options.part == "all" else (options.part,):
        with torch.inference_mode():
            print(parts[part](options, say) + "\n", flush=True)


if __name__ == "__main__":
    main()
