"""The readers of comments side by side: F1, flipped features, time and memory for a person's comments.

usage: python dev.py bench extractors [GOLD.json …] [--scorer PATH] [--part open|held-out|all] [--language en|ko] [--limit N]
       [--by builtin|rules|endpoint:URL[,MODEL]|vlm:FOLDER|vpe:BASE,ADAPTER …] [--precision P] [--pid N]

GOLD.json defaults to comments_people.json beside this file, the scorer is that of ``comments.py``. Memory is the peak of the
process that reads: this one, or with ``--pid`` the server's. A person whose comments a model answers unreadably counts as
nothing found. Needs the host (``dev.py bench`` brings it).
"""

from __future__ import annotations

import argparse
import json
import sys
import threading
import time
from pathlib import Path

import psutil

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
import comments as words  # noqa: E402

import pocket  # noqa: E402


def reader(by: str, precision: str):
    from viper.vpe.endpoint import EndpointExtractor
    from viper.vpe.extractor import BuiltInExtractor
    from viper.vpe.vlm import ChatModel, VisionLanguageExtractor, load_vpe

    kind, _, rest = by.partition(":")
    if kind == "endpoint":
        url, _, model = rest.partition(",")
        return EndpointExtractor(url, model, timeout=600)
    if kind == "vlm":
        return VisionLanguageExtractor(ChatModel(Path(rest), precision=precision), image_size=512)
    if kind == "vpe":
        base, _, adapter = rest.partition(",")
        return load_vpe(Path(base), Path(adapter) if adapter else None, precision)
    return BuiltInExtractor({"builtin": "both"}.get(kind, kind))


class Peak:
    """The greatest resident memory of a process while it is watched, in bytes."""

    def __init__(self, pid: int | None):
        self.process, self.bytes, self._over = psutil.Process(pid), 0, threading.Event()

    def __enter__(self):
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *args):
        self._over.set()
        self._thread.join()

    def _watch(self):
        while True:
            self.bytes = max(self.bytes, self.process.memory_info().rss)
            if self._over.wait(0.2):
                return


def row(by: str, gold: dict, name: str, scorer, options) -> None:
    from viper.vpe.comments import Comment, Comments
    from viper.vpe.errors import AnswerError

    unread, predicted = 0, {}
    with Peak(options.pid) as peak:
        extractor = reader(by, options.precision)
        extractor.extract(Comments.parse("I love fog"))  # what is loaded once is not a person's time
        start = time.perf_counter()
        for profile in gold["profiles"]:
            said = Comments(tuple(Comment(c["text"], c.get("verdict")) for c in profile["comments"]))
            try:
                found = extractor.extract(said)
            except AnswerError:
                unread, found = unread + 1, None
            sides = {side: [f.text for f in getattr(found, side)] if found else [] for side in ("liked", "disliked")}
            predicted[profile["id"]] = sides
        spent = (time.perf_counter() - start) / len(gold["profiles"])
    result = scorer(gold, predicted)
    precision, recall, f1 = result["all"]
    print(f"| {by} | {name} | {precision:.3f} | {recall:.3f} | {f1:.3f} | {result['flipped']:.1%} of {result['predicted']} | {unread} | "
          f"{spent:.2f} s | {peak.bytes / 2**20:.0f} MiB |", flush=True)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("gold", nargs="*", type=Path, default=[HERE / "comments_people.json"])
    parser.add_argument("--scorer", type=Path)
    parser.add_argument("--part", choices=("open", "held-out", "all"), default="open")
    parser.add_argument("--language", choices=("en", "ko"), default="en")
    parser.add_argument("--limit", type=int, default=0)
    parser.add_argument("--by", action="append")
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--pid", type=int)
    options = parser.parse_args()
    import torch

    pocket.import_pack(cpu=not torch.cuda.is_available())
    scorer = words.load(options.scorer, "scorer").score if options.scorer else words.score
    print("| reader | set | precision | recall | F1 | flipped | unread | a person | memory |\n|---|---|---|---|---|---|---|---|---|")
    for path in options.gold:
        people = [p for p in json.loads(path.read_text(encoding="utf-8"))["profiles"] if p.get("language", "en") == options.language]
        if options.part != "all":
            people = [p for p in people if bool(p.get("held_out")) == (options.part == "held-out")]
        people = people[: options.limit or None]
        for by in options.by or ["builtin", "rules"]:
            row(by, {"profiles": people}, f"{path.stem}, {options.language}, {options.part} ({len(people)})", scorer, options)


if __name__ == "__main__":
    main()
