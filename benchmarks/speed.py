"""What does the guidance cost, and how near do its schedules come to the exact one? ``python dev.py bench speed``

On the pocket model at β = 0.6, cfg 5 and 30 steps: seeded tastes (two liked and two disliked looks), every one drawn by the host's
own KSampler, by the shift of the prompt alone, and by the guidance on each schedule.

- evaluations: how often the network was asked for the liked or disliked side, a picture (60 are exact);
- time: against the host's KSampler on the same conditionings, measured in turn; the median of the rounds;
- error: distance of the latents to the exact ones, as a share of the distance that the shift alone has; cosine of what the guidance
  added; PSNR of the pictures.

PerpNegGuider, the host's own guider of three branches, stands beside. Everything is seeded.
"""

import argparse
import random
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median_high

sys.path.insert(0, str(Path(__file__).resolve().parent))
import pocket  # noqa: E402

BETA, CFG, STEPS = 0.6, 5.0, 30
SAMPLERS = (("euler", "normal"), ("dpmpp_2m", "karras"))
SEED = 11
BARS = (0.15, 1.25)  # error, time


def schedules() -> dict:
    from viper.samplers.schedule import GuidanceOptions

    ways = {"exact": GuidanceOptions()}
    ways |= {f"range 0 to {end:g}": GuidanceOptions(0.0, end) for end in (0.3, 0.6)}
    ways |= {f"reuse {k}": GuidanceOptions(schedule="reuse", every=k) for k in (2, 3, 4, 6)}
    ways["reuse 4, hold"] = GuidanceOptions(schedule="reuse", every=4, between="hold")
    ways |= {f"adaptive {t:g}": GuidanceOptions(schedule="adaptive", tolerance=t) for t in (0.1, 0.2, 0.3, 0.5)}
    return ways


class Cases:
    """Prompts with tastes, and the ways to draw them."""

    def __init__(self, count: int):
        from viper import host
        from viper.nodes.conditioning import PreferenceConditioning
        from viper.pocket.loader import load_pocket_model
        from viper.pocket.recipe import icons
        from viper.vpe.preferences import Preferences

        self.model, self.clip, self.vae = load_pocket_model()
        rng, vocabulary = random.Random(SEED), icons.vocabulary()
        subjects = sorted(vocabulary["subjects"]["simple"])
        self.texts, self.conds = [], []
        for _ in range(count):
            liked, disliked = ([rng.choice(sorted(vocabulary["attributes"][group])) for group in groups] for groups in
                               zip(*(rng.sample(sorted(vocabulary["attributes"]), 2) for _ in range(2)), strict=True))  # fmt: skip
            text = f"a {rng.choice(subjects)}"
            self.texts.append((text, ", ".join(liked), ", ".join(disliked)))
            words = [host.encode_prompt(self.clip, t) for t in (text, "")]
            preferences = Preferences.from_text(self.texts[-1][1], self.texts[-1][2])
            self.conds.append(PreferenceConditioning.execute(self.clip, preferences, *words, BETA, "paper").result[:4])

    def guided(self, which: int, options, sampler: str, scheduler: str, model=None, batch: int = 1):
        """Latents of case ``which``; without ``options`` the host's KSampler on the shifted prompt."""
        import torch

        from viper.samplers.guider import sample

        latent = {"samples": torch.zeros(batch, self.vae.latent_channels, 16, 16)}
        beta = 0.0 if options is None else BETA
        positive, negative, liked, disliked = self.conds[which]
        how = (SEED + which, STEPS, CFG, sampler, scheduler)
        return sample(model or self.model, *how, positive, negative, liked, disliked, latent, 1.0, beta, None, options)["samples"]

    def perp_neg(self, which: int, sampler: str, scheduler: str, batch: int = 1):
        """The host's PerpNegGuider, with the disliked side as its negative and the empty prompt."""
        import comfy.samplers
        import torch
        from comfy_extras.nodes_custom_sampler import BasicScheduler, RandomNoise, SamplerCustomAdvanced
        from comfy_extras.nodes_perpneg import PerpNegGuider

        positive, empty, _, disliked = self.conds[which]
        guider = PerpNegGuider.execute(self.model, positive, disliked, empty, CFG, 1.0).result[0]
        sigmas = BasicScheduler.execute(self.model, scheduler, STEPS, 1.0).result[0]
        latent = {"samples": torch.zeros(batch, self.vae.latent_channels, 16, 16)}
        noise, how = RandomNoise.execute(SEED + which).result[0], comfy.samplers.sampler_object(sampler)
        return SamplerCustomAdvanced.execute(noise, guider, how, sigmas, latent).result[0]["samples"]

    def drawn(self, options, sampler: str, scheduler: str):
        """(latents of all cases, evaluations of the liked and disliked side a picture)."""
        import torch

        total = 0

        def count(apply_model, args):
            nonlocal total
            total += len(args["cond_or_uncond"])
            return apply_model(args["input"], args["timestep"], **args["c"])

        model = self.model.clone()
        model.set_model_unet_function_wrapper(count)
        latents = torch.cat([self.guided(which, options, sampler, scheduler, model) for which in range(len(self.conds))])
        return latents, total / len(self.conds) - 2 * STEPS

    def pictures(self, latents):
        return self.vae.decode(latents).clamp(0, 1)


def interleaved(runs: dict[str, Callable[[], object]], rounds: int, first: str) -> dict[str, float]:
    """Median over rounds of each run's time against that of ``first`` in the same round."""
    ratios: dict[str, list[float]] = {name: [] for name in runs}
    for n in range(rounds + 1):
        seconds = {}
        for name, run in runs.items():
            began = time.perf_counter()
            run()
            seconds[name] = time.perf_counter() - began
        if n:  # the first round warms up
            for name, value in seconds.items():
                ratios[name].append(value / seconds[first])
    return {name: median_high(values) for name, values in ratios.items()}


def schedule_table(cases: Cases, sampler: str, scheduler: str, rounds: int, say) -> str:
    import torch

    plain = "host's KSampler (shift alone)"
    ways = {plain: None, **schedules()}
    (shift, _), (exact, _) = ends = [cases.drawn(ways[name], sampler, scheduler) for name in (plain, "exact")]
    known = dict(zip((plain, "exact"), ends, strict=True))
    far, right = (exact - shift).flatten(1), cases.pictures(exact)
    runs = {name: lambda options=options: cases.guided(0, options, sampler, scheduler) for name, options in ways.items()}
    runs["PerpNegGuider"] = lambda: cases.perp_neg(0, sampler, scheduler)
    times = interleaved(runs, rounds, plain)
    head = f"{sampler}, {scheduler}, {STEPS} steps | evaluations | time | error | worst of {len(exact)} | cosine | PSNR"
    lines = [f"| {head} |", "|---" * 7 + "|"]
    reached = []
    for name, options in ways.items():
        found, count = known.get(name) or cases.drawn(options, sampler, scheduler)
        error = (found - exact).flatten(1).norm(dim=1) / far.norm(dim=1)
        cosine = torch.nn.functional.cosine_similarity((found - shift).flatten(1), far).mean()
        psnr = -10 * ((cases.pictures(found) - right) ** 2).flatten(1).mean(1).clamp_min(1e-12).log10()
        told = ["–", "–"] if options is None else [f"{cosine:.3f}", "∞" if name == "exact" else f"{psnr.mean():.1f} dB"]
        lines.append(f"| {name} | {count:.1f} | × {times[name]:.2f} | {error.mean():.3f} | {error.max():.3f} | {' | '.join(told)} |")
        if error.mean() <= BARS[0] and times[name] <= BARS[1]:
            reached.append(name)
        say(lines[-1])
    lines.append(f"| PerpNegGuider | ({STEPS} of its third branch) | × {times['PerpNegGuider']:.2f} | – | – | – | – |")
    lines.append(f"\nError at most {BARS[0]:g} at × {BARS[1]:g} at most: {', '.join(reached) or 'none'}.")
    return "\n".join(lines)


def batch_table(cases: Cases, rounds: int) -> str:
    from viper.samplers.schedule import GuidanceOptions

    plain = "host's KSampler"
    ways = {plain: None, "exact": GuidanceOptions(), "adaptive": GuidanceOptions(schedule="adaptive")}
    lines = ["| time against the host's KSampler, euler | batch 1 | batch 2 | batch 4 |", "|---|---|---|---|"]
    columns = []
    for batch in (1, 2, 4):
        runs = {name: lambda options=options, batch=batch: cases.guided(0, options, *SAMPLERS[0], batch=batch)
                for name, options in ways.items()}  # fmt: skip
        runs["PerpNegGuider"] = lambda batch=batch: cases.perp_neg(0, *SAMPLERS[0], batch=batch)
        columns.append(interleaved(runs, rounds, plain))
    lines += [f"| {name} | " + " | ".join(f"× {column[name]:.2f}" for column in columns) + " |" for name in columns[0]]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=24)
    parser.add_argument("--rounds", type=int, default=9, help="of the measurements of time")
    parser.add_argument("--threads", type=int, default=0, help="of the CPU; 0 leaves it to torch")
    options = parser.parse_args()
    pocket.import_pack(cpu=True)
    import comfy.utils
    import torch

    comfy.utils.set_progress_bar_enabled(False)
    if options.threads:
        torch.set_num_threads(options.threads)
    say = lambda line: print(line, file=sys.stderr, flush=True)  # noqa: E731
    with torch.inference_mode():
        cases = Cases(options.cases)
        for sampler, scheduler in SAMPLERS:
            print(schedule_table(cases, sampler, scheduler, options.rounds, say) + "\n", flush=True)
        print(batch_table(cases, options.rounds))


if __name__ == "__main__":
    main()
