"""Does DreamBooth Train learn a subject? ``python dev.py bench dreambooth [--part main|prior|nouns|host|speed|all]``

The counterpart of the DreamBooth paper's tables (arXiv 2208.12242, tables 1, 3 and 4) on the pocket model: twelve subjects that
it has never seen (``_subjects.py``), each learned from four pictures, ten prompts with four samples each. What is measured, and
with which encoders in the place of the paper's, stands in ``_fidelity.py``.

- main: subject and prompt fidelity, and whose picture it is, of twelve; real pictures above, the plain class prompt below.
- prior: with and without prior loss, and with the text encoder and prompt preservation beside it.
- nouns: with the correct class noun, a wrong one, none, after 20 and after all steps.
- host: against the host's own ``TrainLoraNode`` on the same pictures, at three learning rates and with its best weights loaded at a lower
  strength; ours without a prior too, set to follow prompts, at several strengths of one training.
- speed: pictures a second and peak memory, ours and the host's in turn.
- ``--family sd15|sdxl``: steps a second and peak memory at true size (random weights), on a CUDA device, and nothing else.

Everything is seeded and kept in ``.work/dreambooth`` (the emoji too: half a gigabyte, fetched once with npm), so that a run that was cut
off goes on where it was. A training takes about a minute on a CPU core. ``--out FILE`` also writes the tables,
``--sheet FILE.png`` a page of pictures to look at.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from statistics import median_high

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from _subject_tables import (  # noqa: E402
    COMPARED,
    IDENTIFIED,
    MEASURES,
    PROMPT_MEASURES,
    SHARES,
    SHOWN,
    Row,
    answer,
    difference,
    matching,
    mean,
    table,
    trade_off,
)

WORK = HERE.parent / ".work" / "dreambooth"
PARTS = ("main", "prior", "nouns", "host", "speed")
RATES, DEFAULT_RATE = (5e-4, 1e-3, 2e-3), 5e-4  # of the host's node
CHOSEN_ON = (4, 6, 7, 10)  # places of the subjects on which our settings below were chosen: they do not count against the node
KEEPING, KEEPING_STRENGTH = (("text_encoder", True), ("prompt_preservation", 0.5)), 0.8
FAITHFUL = (*KEEPING, ("weighting", "high_noise"), ("layers", "all"))
FAITHFUL_RATE, STRENGTHS, NODE_STRENGTH = 1.25e-3, tuple(n / 20 for n in range(10, 21)), 0.7
NOUN_STEPS = (20,)  # besides the full length
BAR = 0.8  # of pictures to be identified
PAPER = {
    "real": ("0.774", "0.885", "\u2013"), "Imagen": ("0.696", "0.812", "0.306"), "SD": ("0.668", "0.803", "0.305"),
    "Textual Inversion, SD": ("0.569", "0.780", "0.255"),
}  # fmt: skip
PAPER_PRIOR = {"with": ("0.493", "0.391", "0.684", "0.815", "0.308"), "without": ("0.664", "0.371", "0.712", "0.828", "0.306")}
PAPER_NOUNS = {"correct": ("0.744", "0.853"), "wrong": ("0.454", "0.728"), "none": ("0.303", "0.607")}


class Bench:
    """Rows of measures, from a `Study`'s pictures."""

    def __init__(self, study):
        from viper.benchmarks._fidelity import Encoders
        from viper.benchmarks._subjects import SUBJECTS

        self.study, self.encoders = study, Encoders()
        self.reals = [self.encoders.pictures(study.reals(place)) for place in range(len(SUBJECTS))]
        self.looks = [self.encoders.pictures(study.dressed(place)) for place in range(len(SUBJECTS))]

    def measure(self, way, places: Iterable[int]) -> Row:
        """Of the subjects of these places, learned in this way."""
        from viper.benchmarks import _fidelity

        row: Row = {name: [] for name in MEASURES}
        for place in places:
            drawn = self.study.drawn(way, place)
            self._of_prompts(row, place, drawn.prompts)
            of_class = self.encoders.pictures(drawn.of_class)
            for name in self.encoders.NAMES:
                row[f"PRES, {name}"].append(_fidelity.similarity(of_class[name], self.reals[place][name]).tolist())
        return row

    def _of_prompts(self, row: Row, place: int, pictures, real: bool = False) -> None:
        """``pictures``: as many of each prompt, prompt by prompt. ``real``: the subject's own ones in those looks."""
        from viper.benchmarks import _fidelity, _subjects

        each = len(pictures) // len(_subjects.PROMPTS)
        which = [n for n in range(len(_subjects.PROMPTS)) for _ in range(each)]
        seen = self.encoders.pictures(pictures)
        for name in self.encoders.NAMES:
            found = _fidelity.identified(seen[name], [reals[name] for reals in self.reals])
            row[name].append(_fidelity.similarity(seen[name], self.reals[place][name]).tolist())
            row[f"identified by {name}"].append((found == place).float().tolist())
            alike, near = [], []
            for n, own in enumerate(seen[name].split(each)):
                worn = [looks[name].chunk(len(_subjects.PROMPTS))[n] for looks in self.looks]
                near += (_fidelity.among(own) if real else _fidelity.similarity(own, worn[place])).tolist()
                found = _fidelity.identified_among(worn, place) if real else _fidelity.identified(own, worn)
                alike += (found == place).float().tolist()
            row[f"\u2026 in its look by {name}"].append(alike)
            row[f"{name}, in its look"].append(near)
        asked = _subjects.texts("", _subjects.SUBJECTS[place].noun)
        row["CLIP-T"].append(self.encoders.prompt_fidelity(pictures, [asked[n] for n in which]).tolist())
        words = [_subjects.words(template) for template in _subjects.PROMPTS]
        said = self.encoders.prompt_fidelity(pictures, [words[n] for n in which]).tolist()
        row["CLIP-T of the words"].append([value if words[n] else float("nan") for n, value in zip(which, said, strict=True)])
        looks = zip(pictures.split(each), _subjects.PROMPTS.values(), strict=True)
        row["look seen"].append([value for some, look in looks for value in self.encoders.look_seen(some, look)])
        row["DIV"].append(_fidelity.diversity(self.encoders.maps(pictures), which).tolist())

    def dressed(self, places: Iterable[int]) -> Row:
        """Of real pictures that wear what the prompts ask for."""
        row: Row = {name: [] for name in MEASURES}
        for place in places:
            self._of_prompts(row, place, self.study.dressed(place), real=True)
        return row

    def real(self, subjects: int) -> Row:
        from viper.benchmarks import _fidelity

        row: Row = {name: [] for name in MEASURES}
        for name in self.encoders.NAMES:
            every = [reals[name] for reals in self.reals]
            row[name] = [_fidelity.among(own).tolist() for own in every[:subjects]]
            found = [_fidelity.identified_among(every, place) == place for place in range(subjects)]
            row[f"identified by {name}"] = [f.float().tolist() for f in found]
        return row


# --- the parts -----------------------------------------------------------------------------------------------------------


def main_part(bench: Bench, subjects: int) -> str:
    from viper.benchmarks._study_subjects import Way

    rows = {"real pictures, among themselves": bench.real(subjects), "real pictures, in the prompts' looks": bench.dressed(range(subjects))}
    rows["DreamBooth Train"] = ours = bench.measure(Way(), range(subjects))
    rows["the plain class prompt, untrained"] = plain = bench.measure(Way("plain"), range(subjects))
    names = SHOWN
    titles = {"real": "real", "Imagen": "DreamBooth, Imagen", "SD": "DreamBooth, Stable Diffusion"}
    rest = " | \u2013" * (len(names) - 3) + " |"
    lines = [f"| *paper: {titles.get(k, k)}* | DINO {a} | {b} | {c}{rest}" for k, (a, b, c) in PAPER.items()]
    text = table(f"{subjects} subjects, {bench.study.steps} steps", rows, names) + "\n" + "\n".join(lines)
    best = list(rows.values())[1]
    share = {n: (mean(ours, n) - mean(plain, n)) / (mean(best, n) - mean(plain, n)) for n in bench.encoders.NAMES}
    passed = ", ".join(f"{name} {answer(mean(ours, name) >= BAR)}" for name in IDENTIFIED)
    seconds = sorted(bench.study.drawn(Way(), place).seconds for place in range(subjects))
    return (
        text + "\n\nThe encoders are stand-ins (see above), so our rows compare with each other and not with the paper's. "
        "Looks change a picture: real ones that the pocket model's recipe dressed as the prompts ask are what a perfect model would draw. "
        f"From the plain prompt (0) to these (1), the trained one stands at {share['second']:.2f} (second encoder) and "
        f"{share['CLIP-I']:.2f} (CLIP-I); the bare [V] [class] to real pictures as they are, see below. "
        f"At least {BAR:.0%}: {passed}; by chance "
        f"{1 / len(bench.reals):.0%}. A training took {seconds[len(seconds) // 2]:.0f} s (median)."
        + "\n\n" + by_prompt(ours, plain, best)
    )  # fmt: skip


def by_prompt(*rows: Row) -> str:
    """What each prompt costs."""
    from viper.benchmarks._subjects import PROMPTS

    lines = ["| prompt: ours / plain / real in that look | " + " | ".join(SHOWN) + " |", "|---" * (len(SHOWN) + 1) + "|"]
    for i, prompt in enumerate(PROMPTS):
        cells = []
        for name in SHOWN:
            each = []
            for row in rows:
                n = len(row[name][0]) // len(PROMPTS)
                values = [v for subject in row[name] for v in subject[i * n : i * n + n]]
                each.append(sum(values) / len(values))
            shown = [f"{value:.0%}" if name in SHARES else f"{value:.3f}" for value in each]
            cells.append("\u2013" if each[0] != each[0] else " / ".join(shown))
        lines.append(f"| {prompt.format('[V] [class]')} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def prior_part(bench: Bench, subjects: int) -> str:
    from viper.benchmarks._study_subjects import Way

    names = ("PRES, second", "PRES, CLIP-I", "DIV", "second", "CLIP-I", "CLIP-T", "CLIP-T of the words", "look seen")
    rows = {"with prior loss": bench.measure(Way(), range(subjects)), "without": bench.measure(Way(prior=False), range(subjects))}
    with_, without = rows.values()
    for strength in (1.0, KEEPING_STRENGTH):
        title = f"with, text encoder, prompt preservation, strength {strength:g}"
        rows[title] = bench.measure(Way(settings=KEEPING, strength=strength), range(subjects))
    rows["before training (class prompts)"] = bench.measure(Way("plain"), range(subjects))
    none = "\u2013"
    cells = {k: (f"{p} (DINO)", none, f"{d} (LPIPS)", f"{s} (DINO)", i, t, none, none) for k, (p, d, s, i, t) in PAPER_PRIOR.items()}
    paper = [f"| *paper: {k}* | " + " | ".join(each) + " |" for k, each in cells.items()]
    change = "| with \u2212 without | " + " | ".join(difference(with_, without, name) for name in names) + " |"
    agree = {
        "less of the class is taken (PRES lower)": all(mean(with_, n) < mean(without, n) for n in names[:2]),
        "more diverse (DIV higher)": mean(with_, "DIV") > mean(without, "DIV"),
        "the subject a little less faithful": all(mean(with_, n) < mean(without, n) for n in bench.encoders.NAMES),
        "the prompt a little more faithful": mean(with_, "CLIP-T") > mean(without, "CLIP-T"),
    }
    return (
        table(f"the first {subjects} subjects", rows, names) + "\n" + "\n".join([change, *paper])
        + "\n\nPRES is how near pictures of the class come to the subject: lower is better. DIV is measured on the second encoder's "
        "feature map (1 \u2212 cosine), since LPIPS has no weights here. The paper's directions, with the prior loss: "
        + "; ".join(f"{what}: {answer(yes)}" for what, yes in agree.items()) + "."
    )  # fmt: skip


def nouns_part(bench: Bench, subjects: int) -> str:
    """The paper's table after several lengths: what a noun gives is a head start, which a long training makes up for."""
    from viper.benchmarks import _subjects
    from viper.benchmarks._study_subjects import Way

    names, rows, extra, falls = ("second", "CLIP-I", *IDENTIFIED), {}, {}, []
    for steps in sorted({*NOUN_STEPS, bench.study.steps}):
        titles = {noun: f"{steps} steps, {'no' if noun == 'none' else noun} class noun" for noun in _subjects.NOUNS}
        found = {title: bench.measure(Way(noun=noun, steps=steps), range(subjects)) for noun, title in titles.items()}
        extra |= {title: " / ".join(PAPER_NOUNS[noun]) for noun, title in titles.items()}
        correct, *others = found.values()
        for noun, other in zip(_subjects.NOUNS[1:], others, strict=True):
            less = ", ".join(f"{name} {difference(correct, other, name)}" for name in names[:2])
            higher = answer(all(mean(correct, name) > mean(other, name) for name in names[:2]))
            falls.append(f"- {steps} steps, correct noun less {noun}: {less}. As in the paper, the correct one is higher: {higher}")
        rows |= found
    wrong = ", ".join(f"{_subjects.SUBJECTS[i].name}: {_subjects.noun_of(i, 'wrong')}" for i in range(subjects))
    head = f"the first {subjects} subjects"
    return table(head, rows, names, extra, "paper: DINO / CLIP-I") + f"\n\nWrong nouns: {wrong}.\n\n" + "\n".join(falls)


def host_part(bench: Bench, subjects: int, plot: Path | None = None) -> str:
    """Subject and prompt fidelity trade against each other, so each of the node's rows meets one of ours with no less of the subject."""
    from viper.benchmarks._study_subjects import Way
    from viper.benchmarks._subjects import SUBJECTS

    places = [place for place in range(len(SUBJECTS)) if place not in CHOSEN_ON][:subjects]

    def node(rate: float, strength: float = 1.0) -> Row:
        return bench.measure(Way("host", prior=False, learning_rate=rate, strength=strength), places)

    of_rates = {rate: node(rate) for rate in RATES}
    total = {rate: sum(mean(row, name) for name in ("second", "CLIP-I", "CLIP-T")) for rate, row in of_rates.items()}
    best = max(total, key=total.get)
    theirs = {f"TrainLoraNode, lr {rate:g}": row for rate, row in of_rates.items()}
    theirs[f"TrainLoraNode, lr {best:g}, loaded at {NODE_STRENGTH:g}"] = node(best, NODE_STRENGTH)
    faithful = Way(prior=False, learning_rate=FAITHFUL_RATE, settings=FAITHFUL)
    mine = {strength: bench.measure(replace(faithful, strength=strength), places) for strength in STRENGTHS}
    plain, real = bench.measure(Way("plain"), places), bench.dressed(places)
    rows = {
        **{f"DreamBooth Train, strength {strength:g}": row for strength, row in mine.items()},
        **theirs,
        "the plain class prompt, untrained": plain,
        "real pictures, in the prompts' looks": real,
    }
    lines, verdicts = [f"| ours less the node's | {' | '.join(COMPARED)} |", "|---" * (len(COMPARED) + 1) + "|"], []
    for title, other in theirs.items():
        strength = matching(mine, other, bench.encoders.NAMES)
        if strength is None:
            verdicts.append(f"nothing of ours has more of the subject than {title}")
            continue
        cells = [difference(mine[strength], other, name) for name in COMPARED]
        lines.append(f"| strength {strength:g}, less {title} | " + " | ".join(cells) + " |")
        verdicts.append(f"{title}: " + " / ".join(answer(mean(mine[strength], name) > mean(other, name)) for name in PROMPT_MEASURES))
    if plot:
        trade_off(plot, {"DreamBooth Train": mine.values(), "TrainLoraNode": of_rates.values(), "untrained to real": (plain, real)})
    note = (
        f"The node's default rate is {DEFAULT_RATE:g}; its best, {best:g}, has the highest sum of the first three columns. It runs in "
        "float32, which suits it best. Each of its rows meets the lowest strength of ours with more of the subject by both encoders. "
        f"Higher by {' / '.join(PROMPT_MEASURES)}: "
    )
    what = f"{', '.join(SUBJECTS[place].name for place in places)}; rank 16, batch 4, {bench.study.steps} steps"
    return f"{table(what, rows, (*SHOWN, 'PRES, CLIP-I'))}\n\n{note}{'; '.join(verdicts)}.\n\n" + "\n".join(lines)


def speed_part(study, threads: int, rounds: int, steps: int = 6) -> str:
    import torch

    from viper import host
    from viper.benchmarks import _host_training

    with torch.inference_mode():
        latents = [study.vae.encode(p[None].float() / 255) for p in study.reals(0)]
        words, prior_words = (host.encode_prompt(study.clip, text) for text in ("a vuqix pig", "a pig"))
    lines = ["| pictures of the subject a second, median (against the host's, median of rounds) | batch 1 | batch 4 |", "|---|---|---|"]
    cells: dict[str, list[str]] = {}
    for batch in (1, 4):
        study.say(f"speed at batch {batch}")
        found = _host_training.interleaved(_host_training.pocket_runs(batch, latents, words, prior_words), rounds, steps)
        for name, seconds in found.items():
            ratio = median_high([theirs / own for own, theirs in zip(seconds, found["host"], strict=True)])
            cells.setdefault(name, []).append(f"{batch / median_high(seconds):.2f}" + (f" (\u00d7 {ratio:.2f})" if name != "host" else ""))
    lines += [f"| {name} | " + " | ".join(values) + " |" for name, values in cells.items()]
    lines += ["", "| peak memory of a training, MB beside what was held before | batch 1 | batch 4 |", "|---|---|---|"]
    for who in _host_training.PROBES:
        study.say(f"memory of {who}")
        lines.append(f"| {who} | " + " | ".join(f"{_host_training.memory(who, b, threads) / 1e6:.0f}" for b in (1, 4)) + " |")
    note = (
        f"\nRank 16, float32, no gradient checkpointing (the host's defaults: bf16 and checkpointing). Only pictures of the subject count: "
        f"with the prior loss as many of the class are learned besides. The node trains all layers, ours those of its preset (every linear "
        f"one). {rounds} rounds of {steps} steps in turn, {torch.get_num_threads()} threads; asked for are \u00d7 3.5 at batch 4, "
        "\u00d7 1.0 at batch 1 and no more memory."
    )
    return "\n".join([*lines, note])


def sheet(study, path: Path, subjects: int) -> None:
    """Each subject's own pictures, then one picture of each prompt."""
    from viper.benchmarks import _plots
    from viper.benchmarks._study_subjects import SEEDS, Way
    from viper.benchmarks._subjects import PROMPTS, SUBJECTS

    rows = []
    for place in range(subjects):
        pictures = [*study.reals(place).numpy(), *study.drawn(Way(), place).prompts[:: len(SEEDS)].numpy()]
        rows.append((f"{SUBJECTS[place].name}\na {study.identifiers[place]} {SUBJECTS[place].noun}", pictures))
    heads = [f"picture {n + 1}" for n in range(len(rows[0][1]) - len(PROMPTS))]
    _plots.sheet(path, rows, heads + [prompt.replace("a {}, ", "").format("[V] [class]") for prompt in PROMPTS], left=190)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", choices=(*PARTS, "all"), default="main")
    parser.add_argument("--subjects", type=int, default=0, help="the first of the twelve (host: of eight); 0: all in main, else 4")
    parser.add_argument("--steps", type=int, default=100, help="of a training")
    parser.add_argument("--rounds", type=int, default=7, help="of the speed part")
    parser.add_argument("--family", choices=("sd15", "sdxl"), help="measure speed and memory at true size instead (needs a CUDA device)")
    parser.add_argument("--out", type=Path, help="write the tables into this file as well")
    parser.add_argument("--sheet", type=Path, help="a page of pictures to look at")
    parser.add_argument("--plot", type=Path, help="of the host part: prompt against subject fidelity")
    parser.add_argument("--threads", type=int, default=0, help="of the CPU; 0 leaves it to torch")
    parser.add_argument("--probe", help=argparse.SUPPRESS)
    options = parser.parse_args()
    import torch

    if options.family and not torch.cuda.is_available():
        raise SystemExit(f"--family {options.family} needs a CUDA device: models of true size are too slow to train on a CPU.")
    import pocket

    pocket.import_pack(cpu=not options.family)
    if options.threads:
        torch.set_num_threads(options.threads)
    import comfy.utils

    comfy.utils.set_progress_bar_enabled(False)
    texts = []
    if options.probe:
        from viper.benchmarks._host_training import probe

        return print(probe(*json.loads(options.probe)))
    if options.family:
        from viper.benchmarks import _true_size

        texts.append(_true_size.table(options.family, options.rounds))
        print(texts[-1], flush=True)
    else:
        run(options, texts)
    if options.out:
        options.out.write_text("\n\n".join(texts) + "\n", encoding="utf-8")


def run(options, texts: list[str]) -> None:
    """The parts on the pocket model; each one's table is printed when it is done."""
    import folder_paths

    from viper.benchmarks._study_subjects import Study
    from viper.benchmarks._subjects import SUBJECTS

    began = time.perf_counter()
    WORK.mkdir(parents=True, exist_ok=True)
    folder_paths.set_output_directory(str(WORK / "output"))
    say = lambda text: print(f"[{time.perf_counter() - began:.0f} s] {text}", file=sys.stderr, flush=True)  # noqa: E731
    study, parts = Study(WORK, options.steps, say), PARTS if options.part == "all" else (options.part,)
    every, few = options.subjects or len(SUBJECTS), options.subjects or 4
    if not 1 <= every <= len(SUBJECTS):
        raise SystemExit(f"There are {len(SUBJECTS)} subjects: --subjects is 1 to {len(SUBJECTS)}.")
    bench = Bench(study) if set(parts) - {"speed"} else None
    for part in parts:
        texts.append({
            "main": lambda: main_part(bench, every), "prior": lambda: prior_part(bench, few), "nouns": lambda: nouns_part(bench, few),
            "host": lambda: host_part(bench, few, options.plot), "speed": lambda: speed_part(study, options.threads, options.rounds),
        }[part]())  # fmt: skip
        print(texts[-1] + "\n", flush=True)
    if options.sheet:
        sheet(study, options.sheet, every)


if __name__ == "__main__":
    main()
