"""Draws every picture of a protocol on one or several running hosts, and goes on where it was stopped.

``OUT/protocol.json`` tells what was asked for; each picture is ``OUT/SUBJECT/prompt_NN/seed_N.png``, written whole or not at all.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from .errors import EvaluationError
from .graph_places import Places
from .host_client import Failed, HostClient, Stopped, Unreachable
from .protocol_record import picture_file
from .protocols import Subject

TRIES = 3
HOPELESS = 10  # failures without a single picture: the graph is at fault, not the job
RETRY = (2.0, 60.0)  # seconds until a host that is gone is asked again


@dataclass(eq=False)
class Job:
    subject: Subject
    index: int
    seed: int
    file: Path
    tried: list[str] = field(default_factory=list)  # hosts on which it failed
    reasons: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        return f"{self.subject.name}, prompt {self.index}, seed {self.seed}"


def jobs(out: Path, subjects: Sequence[Subject], seeds: int, prompts: Sequence[int] = ()) -> list[Job]:
    """All that is to be drawn, subject by subject; ``prompts``: only these, by their place in the list."""
    for subject in subjects:
        if wrong := [n for n in prompts if not 0 <= n < len(subject.prompts)]:
            raise EvaluationError(f"{subject.name} has {len(subject.prompts)} prompts, counted from 0: there is no {wrong[0]}.")
    return [
        Job(subject, index, seed, picture_file(out, subject.name, index, seed))
        for subject in subjects
        for index in prompts or range(len(subject.prompts))
        for seed in range(seeds)
    ]


class Work:
    """One queue for all hosts. A subject stays with the host that began it, since it may have been trained there."""

    def __init__(self, todo: Sequence[Job]):
        self.waiting: dict[str, list[Job]] = {}
        for job in todo:
            self.waiting.setdefault(job.subject.name, []).append(job)
        self.owner: dict[str, str] = {}
        self.there: set[str] = set()
        self.alone_since = time.monotonic()  # since when no host has been there
        self.left, self.made, self.failures = len(todo), 0, 0
        self.given_up: list[Job] = []
        self.why = ""  # … it was stopped before its end
        self.over = threading.Event()
        self.change = threading.Condition()
        if not todo:
            self.over.set()

    def take(self, host: str) -> Job | None:
        """The next job for a host; waits while others may still hand one back. None when all is over."""
        with self.change:
            while not self.over.is_set():
                if job := self._next(host):
                    self.owner.setdefault(job.subject.name, host)
                    self.waiting[job.subject.name].remove(job)
                    return job
                self.change.wait(0.5)
        return None

    def _next(self, host: str) -> Job | None:
        def fits(job: Job) -> bool:  # where it failed once another host has a try first
            return host not in job.tried or not self.there - set(job.tried)

        fitting = {name: found for name, waiting in self.waiting.items() if (found := [job for job in waiting if fits(job)])}
        for mine in (host, None):
            for name, found in fitting.items():
                if self.owner.get(name) == mine:
                    return found[0]
        return max(fitting.values(), key=len)[0] if fitting else None  # nothing of its own is left: help with the largest

    def came(self, host: str) -> None:
        with self.change:
            self.there.add(host)

    def went(self, host: str) -> None:
        with self.change:
            if host in self.there:
                self.there.discard(host)
                self.alone_since = time.monotonic()
            self.owner = {name: owner for name, owner in self.owner.items() if owner != host}
            self.change.notify_all()

    def hand_back(self, job: Job) -> None:
        with self.change:
            self.waiting[job.subject.name].insert(0, job)
            self.change.notify_all()

    def drawn(self, job: Job) -> int:
        with self.change:
            self.made += 1
            self._settle()
            return self.made

    def failed(self, job: Job, host: str, reason: str) -> bool:
        """True when the job is given up; otherwise it comes again after the others."""
        with self.change:
            job.tried.append(host)
            job.reasons.append(reason)
            self.failures += 1
            if last := len(job.tried) >= TRIES:
                self.given_up.append(job)
                self._settle()
            else:
                self.waiting[job.subject.name].append(job)
            if not self.made and self.failures >= HOPELESS:
                self.stop(f"Not one picture was made in {self.failures} tries: {reason}")
            self.change.notify_all()
            return last

    def _settle(self) -> None:
        self.left -= 1
        if not self.left:
            self.over.set()
        self.change.notify_all()

    def stop(self, why: str) -> None:
        with self.change:
            self.why = self.why or why
            self.over.set()
            self.change.notify_all()


@dataclass
class Result:
    made: int
    kept: int
    left: int
    given_up: list[Job]
    why: str

    @property
    def complete(self) -> bool:
        return not self.left and not self.given_up


class Runner:
    def __init__(
        self,
        clients: Sequence[HostClient],
        places: Places,
        identifier: str,
        *,
        timeout: float = 7200,
        patience: float = 600,
        say: Callable[[str], None] = print,
    ):
        self.clients, self.places, self.identifier = clients, places, identifier
        self.timeout, self.patience, self.say = timeout, patience, say

    def run(self, all_jobs: Sequence[Job]) -> Result:
        """Draws what is not there yet. Ctrl-C takes back what is queued and raises KeyboardInterrupt."""
        for job in all_jobs:  # said before the first picture, not after hours
            job.subject.prompt(job.index, self.identifier)
        todo = [job for job in all_jobs if not job.file.exists()]
        work = Work(todo)
        away = [client.url for client in self.clients if todo and not self._ask(client, work)]
        if away and not work.there:
            raise EvaluationError(f"No ComfyUI answers at {', '.join(away)}: start it, or name others with --hosts.")
        for url in away:
            self.say(f"{url} does not answer: it is asked again later.")
        ends = [threading.Event() for _ in self.clients]  # a join that Ctrl-C interrupts takes its thread for ended (before Python 3.13)
        for client, end in zip(self.clients, ends, strict=True):
            threading.Thread(target=self._serve, args=(client, work, len(todo), end), daemon=True).start()
        try:
            while not all(end.wait(0.1) for end in ends):
                if not work.there and not work.over.is_set() and time.monotonic() - work.alone_since > self.patience:
                    work.stop(f"No host has answered for {self.patience:.0f} seconds. Start one, and run the same command again.")
        except KeyboardInterrupt:
            work.stop("Stopped. The same command goes on from here.")
            for end in ends:
                end.wait(10)
            raise
        return Result(work.made, len(all_jobs) - len(todo), work.left, work.given_up, work.why)

    def _ask(self, client: HostClient, work: Work) -> bool:
        if there := client.alive():
            work.came(client.url)
        return there

    def _serve(self, client: HostClient, work: Work, total: int, end: threading.Event) -> None:
        """One host's share."""
        uploaded: dict[str, dict] = {}
        pause = RETRY[0]
        try:
            while not work.over.is_set():
                if client.url not in work.there and not self._ask(client, work):
                    work.over.wait(pause)
                    pause = min(RETRY[1], pause * 2)
                    continue
                if (job := work.take(client.url)) is None:
                    return
                pause, begun = RETRY[0], time.monotonic()
                try:
                    self._draw(client, job, work.over, uploaded)
                except Stopped:
                    work.hand_back(job)
                except Unreachable as error:
                    uploaded.clear()
                    work.went(client.url)
                    if isinstance(error, _Lost):  # a picture that takes hosts down with it is not tried for ever
                        self._missed(work, job, client, str(error))
                    else:
                        work.hand_back(job)
                        self.say(f"{error}: its picture goes to another, and it is asked again later.")
                    work.over.wait(pause)
                except (Failed, EvaluationError) as error:
                    self._missed(work, job, client, str(error))
                else:
                    where = f" on {client.url}" if len(self.clients) > 1 else ""
                    self.say(f"[{work.drawn(job)}/{total}] {job.name}: {time.monotonic() - begun:.1f} s{where}")
        except OSError as error:
            work.stop(f"A file cannot be read or written: {error}")
        except BaseException as error:
            work.stop(f"{type(error).__name__}: {error}")
            raise
        finally:
            end.set()

    def _missed(self, work: Work, job: Job, client: HostClient, reason: str) -> None:
        last = work.failed(job, client.url, reason)
        self.say(f"{job.name} {'is given up' if last else 'failed and comes again'}: {reason}")

    def _draw(self, client: HostClient, job: Job, over: threading.Event, uploaded: dict) -> None:
        graph = self.places.filled(self._values(client, job, uploaded))
        prompt_id = client.queue(graph, self.places.output)
        try:
            found = client.pictures(client.wait(prompt_id, over, self.timeout), self.places.output)
        except Unreachable as error:
            raise _Lost(str(error)) from error
        if len(found) != 1:
            raise Failed(
                f"the graph gave {len(found)} pictures, and one is needed: set its batch size to 1, and where several nodes save pictures "
                "name one with --output"
            )
        _write(job.file, found[0])

    def _values(self, client: HostClient, job: Job, uploaded: dict) -> dict:
        subject = job.subject
        if subject.name not in uploaded and (self.places.uses("images") or self.places.uses("image")):
            uploaded[subject.name] = _upload(client, subject)
        return {
            "prompt": subject.prompt(job.index, self.identifier),
            "class_prompt": subject.class_prompt(job.index),
            "class_noun": [concept.class_noun for concept in subject.concepts],
            "identifier": [word.strip() for word in self.identifier.split(",")],
            "subject": subject.name,
            "index": job.index,
            "seed": job.seed,
            **uploaded.get(subject.name, {}),
        }


class _Lost(Unreachable):
    """The host went while it was drawing."""


def _upload(client: HostClient, subject: Subject) -> dict:
    """The subject's pictures, a folder a concept. Other pictures are another folder, so that none of an older set is left in it."""
    folders, files = [], []
    for n, concept in enumerate(subject.concepts):
        digest = hashlib.sha256(b"".join(hashlib.sha256(picture.read_bytes()).digest() for picture in concept.pictures)).hexdigest()
        folders.append(f"viper/protocol/{subject.name}{f'_{n}' if n else ''}-{digest[:8]}")
        files += [client.upload(picture, folders[-1]) for picture in concept.pictures]
    return {"images": folders, "image": files}


def _write(file: Path, picture: bytes) -> None:
    if not picture.startswith(b"\x89PNG\r\n\x1a\n") or b"IEND" not in picture[-12:]:
        raise Failed("what came back is no whole PNG file: end the graph with Save Image")
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_name(f".{file.name}.part")
    part.write_bytes(picture)
    part.replace(file)
