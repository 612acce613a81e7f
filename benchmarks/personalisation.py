"""Do personalised pictures win? ``python dev.py bench personalisation [--part main|beta|attributes|causes|choose|schedules|all]``

The counterpart of ViPer's user study (Salehi et al., ECCV 2024: the personalised picture among 8 is ranked first in 86.1 % of
the cases, chance 12.5 %) with made-up people (``_people.py``) whose comments the built-in extractor reads, the pocket model as
the painter (``_conditions.py``) and, in the person's place, a judge that knows their true taste (``_judge_many.py``): a
picture's score is the sum of the probabilities of the looks the person likes less those of the looks they dislike.

- own against none: one personalised picture among seven plain ones of the same prompt, of other seeds; first place wins.
- own against others': one among seven pictures of the same prompt that were personalised for other people.
- subject kept: the judge still names the subject, of 24, where it did in the plain picture of the same seed (behind it: of 100).
- liked seen, disliked seen: looks that win in their group in the judge's eyes.

``--part choose`` found each way's \u03b2 on people, prompts and seeds of their own; the others were scored with it afterwards.
``--out FILE`` also writes the tables, ``--plots docs`` the charts, ``--sheet FILE.png`` a page of pictures to look at.
Everything is seeded and kept in ``.work/personalisation``, so that a run that was cut off goes on where it was.
"""

import argparse
import sys
import time
from dataclasses import replace
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
WORK = HERE.parent / ".work" / "personalisation"
TITLES = {
    "words": "prompt words", "shift": "embedding shift only", "guidance": "\u03b5_vp only", "paper": "both, paper",
    "official": "both, official", "held": "both, paper, hold_norm, rescale 0.7", "held official": "both, official, hold_norm, rescale 0.7",
    "behind": "\u03b5_vp of lists behind the prompt (not ViPer's)",
}  # fmt: skip
CHOSEN = {"words": 0.0, "shift": 0.4, "guidance": 0.6, "paper": 0.4, "official": 0.4, "held": 0.5, "held official": 0.5,
          "behind": 0.75}  # by --part choose, where "held" was tried at several rescales too
CHANCE = {"chance 12.5 %": 0.125}
GRID = (0.2, 0.4, 0.6, 0.8, 1.0)
TRIED = {"shift": (0.4, 0.7, 1.0), "guidance": (0.3, 0.6, 0.9), "paper": (0.2, 0.4, 0.5, 0.6), "official": (0.2, 0.4, 0.5, 0.6),
         "held": (0.5, 0.6, 0.8), "held official": (0.4, 0.5, 0.6, 0.8), "behind": (0.5, 0.75, 1.0)}
KEPT = 0.9  # of subjects that must be kept for a strength to be chosen
SCHEDULED = {"beta": 0.6, "steps": 30, "cfg": 5.0, "sampler": ("euler", "normal")}  # what the schedules are compared at
LIMITS = {"diversity": 0.6, "chroma": 2.0, "clipped": 0.1}  # least share of plain's, most times plain's, most points above plain's
HEAD = "| {} | own against none | own against others' | subject kept | liked seen | disliked seen (plain) | diversity | chroma | clipped |"


def line(name: str, row: dict) -> str:
    """A row of the tables; chroma is relative to plain, clipped is points above plain's; ! marks what is beyond LIMITS."""
    from viper.benchmarks._ranks import shown

    def told(key: str) -> str:
        return shown(row[key]) if key in row and row[key][0] == row[key][0] else "\u2013"

    chroma, clipped = row["chroma"][0] / row["plain, chroma"][0], row["clipped"][0] - row["plain, clipped"][0]
    diverse = row.get("diversity")
    beyond = ["!" if b else "" for b in ((diverse or 1) < LIMITS["diversity"], chroma > LIMITS["chroma"], clipped > LIMITS["clipped"])]
    cells = [told(key) for key in ("own against none", "own against others'", "subject kept", "liked seen")]
    cells[2] += f"; {row['of 100'][0]:.0%}"
    cells += [f"{row['disliked seen'][0]:.1%} ({row['plain, disliked seen'][0]:.1%})", f"{diverse:.2f}{beyond[0]}" if diverse else "\u2013"]
    return f"| {name} | " + " | ".join([*cells, f"\u00d7 {chroma:.2f}{beyond[1]}", f"{100 * clipped:+.0f}{beyond[2]}"]) + " |"


def table(what: str, rows: dict[str, dict]) -> str:
    return "\n".join([HEAD.format(what), "|---" * 9 + "|", *(line(name, row) for name, row in rows.items())])


def ways():
    from viper.benchmarks._study import Way
    from viper.samplers.schedule import GuidanceOptions

    held = {"held": "paper", "held official": "official"}
    return {
        name: Way(held[name], beta, hold_norm=True, options=GuidanceOptions(rescale=0.7)) if name in held else Way(name, beta)
        for name, beta in CHOSEN.items()
    }


def choose(study) -> str:
    """The strengths of every way on the people who are set aside for it."""
    rows = {"real icons": study.real(), "words": study.measure(ways()["words"], diverse=False)}
    best = {}
    for name, strengths in TRIED.items():
        for beta in strengths:
            row = rows[f"{name} \u03b2 {beta:g}"] = study.measure(replace(ways()[name], beta=beta), diverse=False)
            value = row["own against none"][0] + row["own against others'"][0] if row["subject kept"][0] >= KEPT else 0
            best[name] = max(best.get(name, (0, 0)), (value, beta))
    found = ", ".join(f"{name} {beta:g}" for name, (_, beta) in best.items())
    return table("to choose by", rows) + f"\n\nHighest sum of both first places with {KEPT:.0%} of subjects kept: {found}."


def main_part(study) -> str:
    rows = {"real icons in the liked looks (the judge's ceiling)": study.real()}
    rows["plain"] = study.measure(replace(ways()["words"], condition="plain"))
    for name, way in ways().items():
        rows[TITLES[name] + (f", \u03b2 {way.beta:g}" if way.beta else "")] = study.measure(way)
    people = len(study.crowd(ways()["paper"].each))
    right, wrong = study.understanding(ways()["paper"].each, "extractor")
    asked = {name: study.measure(replace(way, complaint=True), 32) for name, way in ways().items()}
    return (
        table(f"{people} people, {2 * people} pictures each way", rows)
        + f"\n\nThe extractor read {right:.1%} of people's looks on their side and {wrong:.1%} on the other one."
        + "\n\n| the prompt asks for a look that the person dislikes | that look is seen (plain) | liked seen | subject kept |\n"
        + "\n".join(["|---|---|---|---|", *(complaint(TITLES[name], row) for name, row in asked.items())])
    )


def complaint(name: str, row: dict) -> str:
    from viper.benchmarks._ranks import shown

    seen = f"{shown(row['disliked seen'])} ({row['plain, disliked seen'][0]:.1%})"
    return f"| {name} | {seen} | {shown(row['liked seen'])} | {shown(row['subject kept'])} |"


def beta_part(study, plots: Path | None, people: int = 32) -> str:
    from viper.benchmarks._ranks import at_level

    rows = {f"paper, \u03b2 {b:g}": study.measure(replace(ways()["paper"], beta=b), people) for b in GRID}
    rows = {"paper, \u03b2 0": study.measure(replace(ways()["paper"], condition="plain"), people)} | rows
    rows["prompt words"] = study.measure(ways()["words"], people)
    if plots:
        from viper.benchmarks._plots import chart

        names = ("own against none", "own against others'", "subject kept")
        lines = {n: [(b, row[n]) for b, row in zip((0.0, *GRID), rows.values(), strict=False) if row[n][0] == row[n][0]] for n in names}
        title = "Strength of the personalisation (paper mode)"
        chart(plots / "personalisation_beta.png", title, "beta", "%", lines, CHANCE)
    words = rows["prompt words"]
    curve = [row for name, row in rows.items() if name.startswith("paper")]
    told = [f"Where as many subjects are kept as with prompt words ({words['subject kept'][0]:.1%}), paper mode, between two \u03b2:"]
    for name in ("own against none", "own against others'", "liked seen"):
        points = [(row["subject kept"][0], row[name][0]) for row in curve if name in row and row[name][0] == row[name][0]]
        told.append(f"{name} {at_level(points, words['subject kept'][0]):.1%} (words {words[name][0]:.1%});")
    return table(f"the first {people} people", rows) + "\n\n" + " ".join(told).rstrip(";") + "."


def attributes_part(study, plots: Path | None, people: int = 24) -> str:
    rows, each_of = {}, (1, 2, 4, 8)
    for each in each_of:
        rows[f"real icons, {each} a side"] = study.real(each, people)
        for name in ("words", "paper"):
            rows[f"{name}, {each} a side"] = study.measure(replace(ways()[name], each=each), people, diverse=False)
    if plots:
        from viper.benchmarks._plots import chart

        x_name = "looks that a person likes, and as many disliked"
        for key, file in (("own against others'", "others"), ("subject kept", "subject")):
            lines = {title: [(e, rows[f"{name}, {e} a side"][key]) for e in each_of]
                     for name, title in (("real icons", "real icons"), ("words", "prompt words"), ("paper", "paper mode"))}  # fmt: skip
            marks = CHANCE if file == "others" else {}
            chart(plots / f"personalisation_attributes_{file}.png", key.capitalize(), x_name, "%", lines, marks)
    return table(f"looks a side, the first {people} people", rows)


def causes_part(study, people: int = 24) -> str:
    from viper.samplers.schedule import GuidanceOptions

    paper, words = ways()["paper"], ways()["words"]
    changes = {
        "paper": paper,
        "\u2026 the true looks instead of what was read": replace(paper, reader="true"),
        "\u2026 the true looks, \u03b2 0.6": replace(paper, reader="true", beta=0.6),
        "\u2026 comments in strangers' words": replace(paper, reader="strangers"),
        "prompt words, the true looks": replace(words, reader="true"),
        "prompt words, strangers' words": replace(words, reader="strangers"),
        "\u2026 guided from 20 % on": replace(paper, options=GuidanceOptions(0.2, 1.0)),
        "\u2026 guided to 60 %": replace(paper, options=GuidanceOptions(0.0, 0.6)),
        "\u2026 rescale 0.7": replace(paper, options=GuidanceOptions(rescale=0.7)),
        "\u2026 hold_norm": replace(paper, hold_norm=True),
    }
    read = study.understanding(paper.each, "strangers")
    rows = {name: study.measure(way, people, diverse=False) for name, way in changes.items()}
    told = f"Of looks in strangers' words {read[0]:.1%} were read on their side, {read[1]:.1%} on the other one."
    return table(f"the first {people} people", rows) + "\n\n" + told


def schedules_part(study) -> str:
    """What each schedule of the guidance costs in won places, person by person."""
    from speed import schedules

    from viper.benchmarks._ranks import interval, shown
    from viper.benchmarks._study import Way

    found = {"the shift alone": study.won(Way("shift", SCHEDULED["beta"]))}
    for name, options in schedules().items():
        found[name] = study.won(Way("paper", SCHEDULED["beta"], options=options))
    head = f"{' '.join(SCHEDULED['sampler'])}, {SCHEDULED['steps']} steps"
    lines = [f"| {head} | own against none | less that of exact, points |", "|---" * 3 + "|"]
    for name, places in found.items():
        less = interval([[a - b for a, b in zip(*pair, strict=True)] for pair in zip(places, found["exact"], strict=True)])
        lines.append(f"| {name} | {shown(interval(places))} | " + "{:+.1f} ({:+.1f} to {:+.1f}) |".format(*(100 * v for v in less)))
    return "\n".join(lines)


def sheet(study, path: Path, people: int = 8) -> None:
    """The first people's first prompt in every way."""
    from viper.benchmarks import _plots

    made = {name: study.jobs(way) for name, way in [("plain", replace(ways()["words"], condition="plain")), *ways().items()]}
    rows = []
    for i, person in enumerate(study.crowd(ways()["paper"].each)[:people]):
        pictures = (study.studio.pictures([jobs[i][0] for jobs in made.values()]) * 255).byte().permute(0, 2, 3, 1).numpy()
        read = study.preferences(ways()["paper"].each, "extractor")[i]
        told = [", ".join(names) for names in (person.liked, person.disliked, *([f.text for f in s] for s in (read.liked, read.disliked)))]
        caption = "\n".join(f"{sign} {text}"[:48] for sign, text in zip(("+", "-", "read +", "read -"), told, strict=True))
        rows.append((f"{made['plain'][i][0].prompt}\n{caption}", pictures))
    _plots.sheet(path, rows, list(made))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", choices=("main", "beta", "attributes", "causes", "choose", "schedules", "all"), default="main")
    parser.add_argument("--people", type=int, default=64)
    parser.add_argument("--out", type=Path, help="write the tables into this file as well")
    parser.add_argument("--plots", type=Path, help="write the charts into this folder")
    parser.add_argument("--sheet", type=Path, help="a page of pictures to look at")
    parser.add_argument("--threads", type=int, default=0, help="of the CPU; 0 leaves it to torch")
    options = parser.parse_args()
    import pocket

    pocket.import_pack()
    import torch

    if options.threads:
        torch.set_num_threads(options.threads)
    import comfy.utils

    from viper.benchmarks._study import Study

    comfy.utils.set_progress_bar_enabled(False)
    began = time.perf_counter()
    WORK.mkdir(parents=True, exist_ok=True)
    say = lambda text: print(f"[{time.perf_counter() - began:.0f} s] {text}", file=sys.stderr, flush=True)  # noqa: E731
    how = {name: value for name, value in SCHEDULED.items() if name != "beta"} if options.part == "schedules" else {}
    study = Study("choose" if options.part == "choose" else "test", 16 if options.part == "choose" else options.people, WORK, say, **how)
    parts = {
        "choose": lambda: choose(study), "main": lambda: main_part(study), "beta": lambda: beta_part(study, options.plots),
        "attributes": lambda: attributes_part(study, options.plots), "causes": lambda: causes_part(study),
        "schedules": lambda: schedules_part(study),
    }  # fmt: skip
    if options.plots:
        options.plots.mkdir(parents=True, exist_ok=True)
    texts = []
    for part in ("main", "beta", "causes", "attributes") if options.part == "all" else (options.part,):
        texts.append(parts[part]())
        print(texts[-1], flush=True)
    if options.out:
        options.out.write_text("\n\n".join(texts) + "\n", encoding="utf-8")
    if options.sheet:
        sheet(study, options.sheet)


if __name__ == "__main__":
    main()
