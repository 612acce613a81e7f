"""How well the built-in extractor reads comments.

usage: python benchmarks/comments.py [GOLD.json …] [--scorer PATH] [--part train|held-out|all] [--means both|rules|tagger|all]
       [--errors] [--out PREDICTED.json] [--people N] [--page FILE.md]

GOLD.json defaults to comments_own.json and comments_people.json beside this file. A predicted feature matches a gold item of its side when,
lower-cased and without plural endings, one is a run of whole words of the other and the prediction is at most one word
longer; bare heads ("texture") match nothing. Matching is one to one; further wordings of a matched item do not count.
A feature is flipped when it stands on both sides or matches an item of the other side only. ``--scorer`` uses the
``score(gold, predicted)`` of another file instead. ``--errors`` never lists held-out profiles.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import re
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
BARE = set("color texture pattern lighting light style tone line detail background composition look effect art brush stroke brushwork "
           "surface mood palette view shape image picture piece vibe feel thing".split())


def load(path: Path, name: str):
    """A module from a file; a folder is loaded as a package."""
    folder = [str(path)] if path.is_dir() else None
    spec = importlib.util.spec_from_file_location(name, path / "__init__.py" if folder else path, submodule_search_locations=folder)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def stem(text: str) -> tuple[str, ...]:
    text = text.lower().replace("colour", "color").replace("grey", "gray").replace("-", " ")
    words = re.findall(r"[a-z0-9'\uac00-\ud7a3]+", text)
    return tuple(w[:-1] if len(w) > 3 and w.endswith("s") and not w.endswith("ss") else w for w in words)


def contains(long: tuple[str, ...], short: tuple[str, ...]) -> bool:
    return any(long[i:i + len(short)] == short for i in range(len(long) - len(short) + 1))


def same(guess: str, wordings: list[str]) -> bool:
    g = stem(guess)
    if set(g) <= BARE:
        return False
    return any(contains(w, g) or (len(g) <= len(w) + 1 and contains(g, w)) for w in map(stem, wordings))


def assign(fits: list[list[int]]) -> dict[int, int]:
    """Greatest one-to-one matching (Kuhn's augmenting paths): guess → item."""
    taken: dict[int, int] = {}

    def augment(guess: int, tried: set[int]) -> bool:
        for item in fits[guess]:
            if item not in tried:
                tried.add(item)
                if item not in taken or augment(taken[item], tried):
                    taken[item] = guess
                    return True
        return False

    for guess in range(len(fits)):
        augment(guess, set())
    return {guess: item for item, guess in taken.items()}


def score(gold: dict, predicted: dict) -> dict:
    """Precision, recall and F1 of each side and of all, and the share of flipped features."""
    counts = {"liked": [0, 0, 0], "disliked": [0, 0, 0]}  # hits, counted predictions, gold items
    flipped = given = 0
    for profile in gold["profiles"]:
        answer = predicted.get(profile["id"], {})
        for side, other in (("liked", "disliked"), ("disliked", "liked")):
            guesses = list(dict.fromkeys(answer.get(side, [])))
            across = {stem(g) for g in answer.get(other, [])}
            fits = [[j for j, item in enumerate(profile[side]) if same(g, item)] for g in guesses]
            pairs = assign(fits)
            counts[side][0] += len(pairs)
            counts[side][1] += sum(i in pairs or not fits[i] for i in range(len(guesses)))
            counts[side][2] += len(profile[side])
            given += len(guesses)
            flipped += sum(stem(g) in across or (not fits[i] and any(same(g, item) for item in profile[other]))
                           for i, g in enumerate(guesses))
    counts["all"] = [a + b for a, b in zip(counts["liked"], counts["disliked"], strict=True)]
    result = {}
    for side, (hits, counted, items) in counts.items():
        p, r = hits / max(1, counted), hits / max(1, items)
        result[side] = (p, r, 2 * p * r / max(1e-9, p + r))
    return {**result, "flipped": flipped / max(1, given), "predicted": given}


def differences(profile: dict, predicted: dict, side: str) -> tuple[list[str], list[str]]:
    """What was missed on a side of a profile, and what was wrongly put there."""
    fits = [[j for j, item in enumerate(profile[side]) if same(g, item)] for g in predicted[side]]
    found = set(assign(fits).values())
    missed = [item[0] for j, item in enumerate(profile[side]) if j not in found]
    return missed, [g for g, fit in zip(predicted[side], fits, strict=True) if not fit]


def print_errors(gold: dict, predicted: dict) -> None:
    for profile in gold["profiles"]:
        if profile.get("held_out"):
            continue
        print(f"\n## {profile['id']}")
        for side in ("liked", "disliked"):
            missed, wrong = differences(profile, predicted[profile["id"]], side)
            print(f"{side}: missed {missed}, wrong {wrong}")


def _comments(some: list[dict]):
    from vpe.comments import Comment, Comments

    return Comments(tuple(Comment(c["text"], c.get("verdict")) for c in some))


def features_of(extractor, profile: dict) -> dict[str, list[str]]:
    preferences = extractor.extract(_comments(profile["comments"]))
    return {"liked": [f.text for f in preferences.liked], "disliked": [f.text for f in preferences.disliked]}


def rows(gold: dict, name: str, means: list[str], scorer, options) -> None:
    """One line of the table for each way of reading."""
    from vpe.extractor import BuiltInExtractor

    for mean in means:
        extractor = BuiltInExtractor(mean)
        extractor.extract(_comments(gold["profiles"][0]["comments"][:1]))  # what is loaded once is not a comment's time
        start = time.perf_counter()
        predicted = {p["id"]: features_of(extractor, p) for p in gold["profiles"]}
        spent, count = time.perf_counter() - start, sum(len(p["comments"]) for p in gold["profiles"])
        if options.out:
            options.out.write_text(json.dumps(predicted, ensure_ascii=False, indent=1), encoding="utf-8")
        if options.errors:
            print_errors(gold, predicted)
        result = scorer(gold, predicted)
        line = "| {} | {} | {:.3f} | {:.3f} | {:.3f} | {:.1%} of {} | {:.1f} ms |"
        print(line.format(name, mean, *result["all"], result["flipped"], result["predicted"], 1000 * spent / max(1, count)))


def page(paths: list[Path], out: Path, each: int = 5) -> None:
    """Real inputs and outputs as Markdown: some people of the open half, every comment, what was read of it, and what went wrong."""
    from vpe.extractor import BuiltInExtractor

    extractor = BuiltInExtractor()
    lines = [
        "# What the built-in reader makes of comments",
        "",
        "Written by `python dev.py bench comments --page benchmarks/COMMENTS.md`. The first people of the open half of",
        "`comments_people.json`, not picked: every comment, what was read of it (**+** liked, **\u2212** disliked, with the weight), and",
        "under each person what an attentive reader would have taken otherwise.",
    ]
    for path in paths:
        gold = json.loads(path.read_text(encoding="utf-8"))
        for language in ("en", "ko"):
            for profile in [p for p in gold["profiles"] if p.get("language") == language and not p.get("held_out")][:each]:
                lines += ["", f"## {profile['person']}", "", "| comment | read |", "|---|---|"]
                for comment in profile["comments"]:
                    found = extractor.extract(_comments([comment]))
                    sides = (("+", found.liked), ("\u2212", found.disliked))
                    told = [f"**{sign}** {f.text} ({f.weight:g})" for sign, side in sides for f in side]
                    verdict = {"like": "[+] ", "dislike": "[\u2212] "}.get(comment.get("verdict"), "")
                    lines.append(f"| {verdict}{comment['text'].replace('|', '/')} | {'; '.join(told) or 'nothing'} |")
                predicted, faults = features_of(extractor, profile), []
                for side in ("liked", "disliked"):
                    missed, wrong = differences(profile, predicted, side)
                    faults += [f"missed {side} *{m}*" for m in missed] + [f"not {side}: *{w}*" for w in wrong]
                lines += ["", "; ".join(faults) + "." if faults else "Nothing wrong."]
    out.write_text("\n".join(lines) + "\n", encoding="utf-8")


def people(count: int, seed: int = 5) -> None:
    """The author test and the VP-vs-VP test (``vpe/agents.py``) in words of comments that the tagger was not trained on."""
    from vpe import agents
    from vpe.extractor import BuiltInExtractor
    from vpe.recipe.marked import comments, set_aside

    moulds = [m for some in comments("en") for m in set_aside(some) if m.marks]
    crowd = agents.draw_agents(count, seed)
    for mean in ("both", "rules"):
        tests = agents.author_test, agents.preference_test
        author, preference = (test(BuiltInExtractor(mean), crowd, moulds, seed) for test in tests)
        print(f"{count} people, {mean}: author test {author:.1%}, VP-vs-VP {preference:.1%}, by chance 20.0%")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("gold", nargs="*", type=Path, default=[HERE / "comments_own.json", HERE / "comments_people.json"])
    parser.add_argument("--scorer", type=Path)
    parser.add_argument("--part", choices=("train", "held-out", "all"), default="all")
    parser.add_argument("--means", choices=("both", "rules", "tagger", "all"), default="both")
    parser.add_argument("--people", type=int, default=0, help="only the author and VP-vs-VP tests, on this many synthetic people")
    parser.add_argument("--page", type=Path, help="only write real inputs and outputs into this Markdown file")
    parser.add_argument("--errors", action="store_true")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()

    load(HERE.parent / "vpe", "vpe")
    if options.people:
        return people(options.people)
    if options.page:
        return page([HERE / "comments_people.json"], options.page)
    from vpe.extractor import MEANS

    scorer = load(options.scorer, "scorer").score if options.scorer else score
    print("| set | means | precision | recall | F1 | flipped | a comment |\n|---|---|---|---|---|---|---|")
    for path in options.gold:
        gold = json.loads(path.read_text(encoding="utf-8"))
        for language in ("en", "ko"):
            some = [p for p in gold["profiles"] if p.get("language", "en") == language]
            if options.part != "all":
                some = [p for p in some if bool(p.get("held_out")) == (options.part == "held-out")]
            if some:
                name = f"{path.stem}, {language}, {options.part} ({len(some)} people)"
                means = [options.means] if options.means != "all" else [m for m in MEANS if language == "en" or m == "both"]
                rows({"profiles": some}, name, means, scorer, options)


if __name__ == "__main__":
    main()
