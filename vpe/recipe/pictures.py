"""Draw the people's pictures: ``python -m vpe.recipe.pictures --people people.jsonl --to pictures --url http://127.0.0.1:8188``.

By any model of a running ComfyUI: ``--graph`` is a graph in API format in which the texts ``{prompt}`` and ``{seed}`` stand; without it
the pack's pocket model draws. Several ``--url`` share the work. What is there already is kept: a picture is drawn again only when its
graph, prompt or seed changed, and a run that was cut off goes on.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import queue
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from .options import RecipeError
from .people import Person, read

POCKET = {
    "1": {"class_type": "ViPerLoadPocketModel", "inputs": {}},
    "2": {"class_type": "CLIPTextEncode", "inputs": {"text": "{prompt}", "clip": ["1", 1]}},
    "3": {"class_type": "CLIPTextEncode", "inputs": {"text": "", "clip": ["1", 1]}},
    "4": {"class_type": "EmptyLatentImage", "inputs": {"width": 128, "height": 128, "batch_size": 1}},
    "5": {"class_type": "KSampler", "inputs": {
        "model": ["1", 0], "seed": "{seed}", "steps": 20, "cfg": 3.0, "sampler_name": "euler", "scheduler": "normal",
        "positive": ["2", 0], "negative": ["3", 0], "latent_image": ["4", 0], "denoise": 1.0,
    }},
    "6": {"class_type": "VAEDecode", "inputs": {"samples": ["5", 0], "vae": ["1", 2]}},
    "7": {"class_type": "SaveImage", "inputs": {"images": ["6", 0], "filename_prefix": "viper/people"}},
}  # fmt: skip
MADE = "made.jsonl"  # in the pictures' folder: what each was drawn from
PATIENCE = 3  # times that a server may fail in a row


def filled(graph: Any, prompt: str, seed: int) -> Any:
    """The graph with the prompt and the seed in their places."""
    if isinstance(graph, dict):
        return {key: filled(value, prompt, seed) for key, value in graph.items()}
    if isinstance(graph, list):
        return [filled(value, prompt, seed) for value in graph]
    if graph == "{seed}":
        return seed
    return graph.replace("{prompt}", prompt).replace("{seed}", str(seed)) if isinstance(graph, str) else graph


def read_graph(path: Path) -> dict:
    try:
        graph = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RecipeError(f"{path} cannot be read as a graph ({error}).") from error
    if not isinstance(graph, dict) or "nodes" in graph or not all(isinstance(n, dict) and "class_type" in n for n in graph.values()):
        raise RecipeError(f"{path} is no graph in API format: use Workflow \u2192 Export (API) in ComfyUI.")
    if filled(graph, "a", 1) == filled(graph, "b", 1) or filled(graph, "a", 1) == filled(graph, "a", 2):
        raise RecipeError(f"{path} must hold the texts {{prompt}} and {{seed}} where the prompt and the seed belong.")
    return graph


def draw(
    everyone: Sequence[Person], folder: Path, urls: Sequence[str], graph: dict | None = None, log: Callable[[str], None] | None = None
) -> int:
    """Every picture of everyone into ``folder``; returns how many were drawn anew. Raises RecipeError with the host's own words."""
    folder.mkdir(parents=True, exist_ok=True)
    made, left = _made(folder / MADE), queue.SimpleQueue()
    for remark in (r for person in everyone for r in person.remarks):
        job = filled(graph or POCKET, remark.prompt, remark.seed)
        digest = hashlib.sha256(json.dumps(job, sort_keys=True).encode()).hexdigest()
        if made.get(remark.file) != digest or not (folder / remark.file).is_file():
            left.put((remark.file, digest, job))
    count, done, lock, troubles = left.qsize(), [], threading.Lock(), []

    def work(url: str) -> None:
        failed = 0
        while not any(refused for refused, _ in troubles):
            try:
                file, digest, job = left.get_nowait()
            except queue.Empty:
                return
            try:
                picture = _picture(url, job)
            except RecipeError as error:  # the graph's fault: it would fail everywhere
                troubles.append((True, error))
            except (OSError, ValueError) as error:  # the server's: another one may do it
                left.put((file, digest, job))
                failed += 1
                if failed == PATIENCE:
                    troubles.append((False, RecipeError(f"{url} does not answer ({error}): is ComfyUI running there?")))
                    return
                time.sleep(failed)
            else:
                failed = 0
                with lock:
                    _keep(folder, file, digest, picture)
                    done.append(file)
                    if log:
                        log(f"{len(done)} of {count}: {file}")

    threads = [threading.Thread(target=work, args=(url.rstrip("/"),), daemon=True) for url in urls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if len(done) < count:
        raise max(troubles, key=lambda trouble: trouble[0])[1]
    return count


def _made(path: Path) -> dict[str, str]:
    """File → digest of what it was drawn from; a line that was cut off counts for nothing."""
    found = {}
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        try:
            entry = json.loads(line)
            found[entry["file"]] = entry["digest"]
        except (ValueError, KeyError, TypeError):
            continue
    return found


def _keep(folder: Path, file: str, digest: str, picture: bytes) -> None:
    from PIL import Image

    Image.open(io.BytesIO(picture)).convert("RGB").save(folder / f"{file}.new", "PNG")
    (folder / f"{file}.new").replace(folder / file)
    with (folder / MADE).open("a", encoding="utf-8") as made:
        made.write(f"{json.dumps({'file': file, 'digest': digest})}\n")


def _picture(url: str, job: dict) -> bytes:
    """The first picture of the graph, drawn by the ComfyUI at ``url``."""
    try:
        queued = json.loads(_ask(f"{url}/prompt", {"prompt": job}))["prompt_id"]
    except urllib.error.HTTPError as error:
        if error.code != 400:
            raise
        raise RecipeError(f"{url} refuses the graph: {_reasons(error.read())}") from error
    while not (entry := json.loads(_ask(f"{url}/history/{queued}")).get(queued)):
        time.sleep(0.1)
    if entry["status"]["status_str"] != "success":
        said = [data.get("exception_message", "") for name, data in entry["status"]["messages"] if name == "execution_error"]
        raise RecipeError(f"{url} could not run the graph: {(said or ['it was interrupted'])[0].strip()}")
    images = [image for output in entry["outputs"].values() for image in output.get("images", [])]
    if not images:
        raise RecipeError("The graph gives no picture: end it with Save Image.")
    return _ask(f"{url}/view?{urllib.parse.urlencode(images[0])}")


def _reasons(body: bytes) -> str:
    try:
        answer = json.loads(body)
        found = [f"{e['message']} {e['details']}".strip() for n in answer["node_errors"].values() for e in n["errors"]]
        return "; ".join([answer["error"]["message"], *found])
    except (ValueError, KeyError, TypeError, AttributeError):
        return body[:300].decode(errors="replace")


def _ask(address: str, body: dict | None = None) -> bytes:
    if not address.startswith(("http://", "https://")):
        raise RecipeError(f"{address} is no address of a ComfyUI: it begins with http://.")
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(address, data, {"Content-Type": "application/json"} if data else {})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return answer.read()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=Path, required=True)
    parser.add_argument("--to", type=Path, required=True, help="the pictures' folder")
    parser.add_argument("--url", action="append", help="a running ComfyUI, more than once for several; default http://127.0.0.1:8188")
    parser.add_argument("--graph", type=Path, help="a graph in API format; default the pocket model")
    options = parser.parse_args()
    try:
        graph = read_graph(options.graph) if options.graph else None
        count = draw(read(options.people), options.to, options.url or ["http://127.0.0.1:8188"], graph, print)
    except RecipeError as error:
        raise SystemExit(str(error)) from None
    print(f"{count} pictures drawn anew in {options.to}")


if __name__ == "__main__":
    main()
