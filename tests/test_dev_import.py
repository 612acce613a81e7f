"""Loading the pack leaves the host's modules as they were, and costs next to nothing."""

import json
import subprocess
import sys

import pytest

from viper.tests.host_server import ROOT, host_path

# In a process of its own: this one may have loaded anything already.
PROBE = """
import json, sys, time, importlib.util
root, host = sys.argv[1:]
sys.path[:0] = [host]
from comfy.cli_args import args
args.cpu = True
import torch, torchvision, nodes, execution, comfy.sd, comfy.sample, comfy.samplers, comfy_api.latest

HOST = ("comfy", "nodes", "execution", "folder_paths", "latent_preview", "node_helpers", "server")
def state():
    return {
        (name, key): id(value)
        for name, module in list(sys.modules.items()) if name.partition(".")[0].startswith(HOST)
        for key, value in vars(module).items() if not key.startswith("__")
    }
def classes(before):
    return {
        (module, name, key): id(value)
        for (module, name) in before for cls in [vars(sys.modules[module])[name]] if isinstance(cls, type)
        for key, value in list(vars(cls).items()) if not key.startswith("_abc")
    }

names = state()
members, modules = classes(names), set(sys.modules)
start = time.process_time()
spec = importlib.util.spec_from_file_location("pack", root + "/__init__.py", submodule_search_locations=[root])
pack = sys.modules["pack"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(pack)
import pack.nodes
seconds = time.process_time() - start
after = state()
changed = [".".join(k) for k, v in names.items() if after.get(k) != v]
# a submodule imported for the first time appears in its parent: that is no assignment
changed += [".".join(k) for k in after.keys() - names.keys() if k[0] in modules and ".".join(k) not in sys.modules]
changed += [".".join(k) for k, v in classes(names).items() if members.get(k) != v]
heavy = {"transformers", "diffusers", "peft"} & (set(sys.modules) - modules)
print(json.dumps({"changed": sorted(changed), "seconds": seconds, "heavy": sorted(heavy)}))
"""


@pytest.fixture(scope="module")
def probe():
    if host_path() is None:
        pytest.skip("needs the host: run `python dev.py test`, or set COMFYUI_PATH")
    result = subprocess.run([sys.executable, "-c", PROBE, ROOT, host_path()], capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout.splitlines()[-1])


def test_host_modules_and_classes_stay_as_they_were(probe):
    assert probe["changed"] == []


def test_loading_takes_less_than_a_third_of_a_second(probe):
    assert probe["heavy"] == []
    assert probe["seconds"] < 0.3
