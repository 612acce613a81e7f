"""One alias for the pack: tests import it as ``viper``, whatever its folder is called. And one host for all tests of a process.

Fixtures: `host` (host code importable in this process), `server` (the host running with the pack, one per
process), `client` (a fresh client of that server).
"""

import importlib.util
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def _alias_pack() -> None:
    if "viper" in sys.modules:
        return
    spec = importlib.util.spec_from_file_location("viper", ROOT / "__init__.py", submodule_search_locations=[str(ROOT)])
    module = importlib.util.module_from_spec(spec)
    sys.modules["viper"] = module
    spec.loader.exec_module(module)


_alias_pack()


def pytest_collection_modifyitems(items):
    """A file's tests stay in one process, where their fixtures are made once. (The page's have their own rule.)"""
    for item in items:
        if not item.get_closest_marker("xdist_group"):
            item.add_marker(pytest.mark.xdist_group(item.path.stem))


@pytest.fixture(scope="session")
def host() -> Path:
    """The host's folder; from here on `comfy`, `nodes` and the like can be imported in this process."""
    from viper.tests.host_server import use_host

    return use_host()


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """The host as a server of its own process, started when first asked for and stopped with the session."""
    from viper.devtools.process import Host, temporary_base
    from viper.tests.host_server import Server, host_path

    path = host_path()
    if path is None:
        pytest.skip("needs the host: run `python dev.py test`, or set COMFYUI_PATH")
    log = tmp_path_factory.mktemp("server") / "host.log"
    with temporary_base() as base, Host(path, base, log, "--cpu", "--preview-method", "auto") as running:
        yield Server(running)


@pytest.fixture
def client(server):
    with server.client() as client:
        yield client


@pytest.fixture(scope="session")
def tiny(host):
    """A random model small enough to sample in a tenth of a second: `.model`, `.clip`, `.vae`."""
    import torch

    from viper.tests.guided import tiny_model

    with torch.inference_mode():
        return tiny_model()


@pytest.fixture(scope="session")
def c(tiny):
    """Its four conditionings for one prompt and one taste."""
    import torch

    from viper.tests.guided import encode, personalised

    with torch.inference_mode():
        return personalised(tiny.clip, encode(tiny.clip, "a red apple"), encode(tiny.clip, ""))


@pytest.fixture
def as_in_the_host():
    """Nodes run under inference mode."""
    import torch

    with torch.inference_mode():
        yield


@pytest.fixture(scope="session")
def taught(host, tmp_path_factory):
    """A models folder with tiny models that know one conversation: vpe/idefics2-8b, vpe/VPE-ViPer, vlm/tiny-chat."""
    pytest.importorskip("peft", reason="needs the optional package peft")
    from viper.tests import tiny_vlm

    models = tmp_path_factory.mktemp("models")
    tiny_vlm.vpe_folders(models / "vpe" / "idefics2-8b", models / "vpe" / "VPE-ViPer")
    tiny_vlm.chat_folder(models / "vlm" / "tiny-chat")
    return models
