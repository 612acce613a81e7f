"""The pack in a running host: it loads, and the client tells apart success, refusal, failure and Cancel."""

import threading

import pytest

PACK = "viper-personalization"
BLANK = {
    "1": {"class_type": "EmptyImage", "inputs": {"width": 32, "height": 16, "batch_size": 2, "color": 0xFF8000}},
    "2": {"class_type": "SaveImage", "inputs": {"images": ["1", 0], "filename_prefix": "harness/blank"}},
}


def test_the_pack_loads_without_a_complaint(server):
    log = server.log_text()
    assert "IMPORT FAILED" not in log
    assert "Cannot import" not in log
    assert "comfy_entrypoint" not in log
    assert PACK in log


def test_the_pack_lists_all_its_nodes(host, client):
    from viper.nodes import NODES

    info = client.object_info()
    for node in NODES:
        assert info[node.GET_SCHEMA().node_id]["python_module"] == f"custom_nodes.{PACK}"


def test_pictures_come_back(client):
    entry = client.run(BLANK)
    images = client.images(entry, "2")
    assert [i.size for i in images] == [(32, 16)] * 2
    assert images[0].getpixel((0, 0)) == (255, 128, 0)
    assert images[0].info["filename"].startswith("blank_")


def test_text_comes_back(client):
    assert client.texts(client.run({"7": {"class_type": "PreviewAny", "inputs": {"source": "soft light"}}})) == {"7": ["soft light"]}


def test_a_bad_graph_is_refused_with_the_hosts_reason(client):
    from viper.devtools.client import Refused

    bad = {**BLANK, "1": {"class_type": "EmptyImage", "inputs": {"width": -5, "height": 16, "batch_size": 1, "color": 0}}}
    with pytest.raises(Refused, match="width") as refusal:
        client.run(bad)
    assert set(refusal.value.node_errors) == {"1"}


def test_a_failing_node_raises_its_message(client):
    from viper.devtools.client import ExecutionFailed

    failing = {
        "1": {"class_type": "EmptyLatentImage", "inputs": {"width": 16, "height": 16, "batch_size": 1}},
        "2": {"class_type": "LatentFromBatch", "inputs": {"samples": ["1", 0], "batch_index": 0, "length": 1}},
        "3": {"class_type": "SaveLatent", "inputs": {"samples": ["2", 0], "filename_prefix": "../../outside"}},
    }
    with pytest.raises(ExecutionFailed, match="outside the output folder") as failure:
        client.run(failing)
    assert not failure.value.interrupted


def test_events_reach_their_client(client):
    seen = []
    prompt = client.queue({**BLANK, "1": {**BLANK["1"], "inputs": {**BLANK["1"]["inputs"], "color": 1}}})
    client.wait(prompt, on_event=seen.append)
    kinds = [e["type"] for e in seen]
    assert "execution_start" in kinds and "executing" in kinds


def test_cancel_ends_the_run(client):
    from viper.devtools.client import ExecutionFailed

    chain = {"0": {"class_type": "EmptyImage", "inputs": {"width": 256, "height": 256, "batch_size": 1, "color": 7}}}
    for i in range(1, 200):
        chain[str(i)] = {"class_type": "ImageBlur", "inputs": {"image": [str(i - 1), 0], "blur_radius": 9, "sigma": 3.0}}
    chain["200"] = {"class_type": "PreviewImage", "inputs": {"images": ["199", 0]}}

    def cancel(event):
        if event["type"] == "executing" and event["data"]["node"] == "5":
            client.interrupt()

    with pytest.raises(ExecutionFailed) as failure:
        client.run(chain, on_event=cancel)
    assert failure.value.interrupted
    assert client.run(BLANK)["status"]["status_str"] == "success"  # and the next run is not touched by it


def test_upload_can_be_loaded(client):
    from PIL import Image

    stored = client.upload(Image.new("RGB", (8, 8), "red"), "dot.png", subfolder="harness")
    graph = {
        "1": {"class_type": "LoadImage", "inputs": {"image": f"{stored['subfolder']}/{stored['name']}"}},
        "2": {"class_type": "PreviewImage", "inputs": {"images": ["1", 0]}},
    }
    assert client.images(client.run(graph))[0].getpixel((4, 4)) == (255, 0, 0)


def test_two_clients_do_not_wait_for_each_others_events(server):
    with server.client() as one, server.client() as two:
        done = []
        threads = [
            threading.Thread(target=lambda c=c, n=n: done.append(c.images(c.run({**BLANK, "2": _save(n)}))[0].size))
            for n, c in enumerate((one, two))
        ]
        for t in threads:
            t.start()
        for t in threads:
            t.join(30)
        assert done == [(32, 16)] * 2


def _save(number: int) -> dict:
    return {"class_type": "SaveImage", "inputs": {"images": ["1", 0], "filename_prefix": f"harness/{number}"}}
