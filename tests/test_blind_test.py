"""The blind test: its arithmetic, its secrets, its answers on disk, and its routes on the running host."""

import json
import math
import sys
import threading
import urllib.error
import urllib.parse
import urllib.request
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

ROOT = Path(__file__).resolve().parent.parent
DEVICE = "0123456789abcdef"


def pictures(*values, size=(12, 16)):
    """(B, 12, 16, 3): noise around a grey, another one for each value."""
    made = [torch.rand(*size, 3, generator=torch.Generator().manual_seed(v)) * 0.2 + v % 7 / 10 for v in values]
    return torch.stack(made).clamp(0, 1)


MINE, PLAIN = pictures(1, 2, 3), pictures(*range(10, 31))  # three sheets of 1 + 7


@pytest.fixture
def files(host):
    from viper.evaluation import blind_files

    return blind_files


@pytest.fixture
def blind(host):
    from viper.evaluation import blind

    return blind


@pytest.fixture
def refused(host):
    from viper.evaluation.errors import EvaluationError

    return lambda sentence: pytest.raises(EvaluationError, match=sentence)


def bytes_of(picture):
    return picture.mul(255).round().byte().numpy().tobytes()


def shown(path):
    from PIL import Image

    with Image.open(path) as picture:
        return picture.tobytes()


# --- arithmetic ------------------------------------------------------------------------------------------------------


def test_the_wilson_interval_is_where_the_score_test_just_rejects(blind):
    """By its definition: the bounds solve (p̂ − p)² = z² p (1 − p) / n."""
    for k, n in ((0, 1), (1, 1), (3, 8), (86, 100), (17, 20), (0, 12), (160, 160)):
        for bound in blind.wilson(k, n):
            assert (k / n - bound) ** 2 == pytest.approx(blind.Z95**2 * bound * (1 - bound) / n, abs=1e-15)
    assert blind.wilson(5, 10, z=2) == pytest.approx((0.5 - math.sqrt(5 / 70), 0.5 + math.sqrt(5 / 70)), abs=1e-15)  # by hand
    assert blind.wilson(0, 5)[0] == pytest.approx(0, abs=1e-15) and blind.wilson(5, 5)[1] == pytest.approx(1, abs=1e-15)


def test_places_that_were_not_given_count_as_their_mean(blind):
    assert [blind.rank_of(p, ("c", "a"), 8) for p in "cab"] == [1, 2, 5.5]
    assert blind.rank_of("h", tuple("abcdefg"), 8) == 8
    # However many places somebody gives, a guess has the mean rank (m + 1) / 2.
    for given in range(1, 9):
        ranks = [Fraction(blind.rank_of(p, tuple("abcdefgh"[:given]), 8)) for p in "abcdefgh"]
        assert sum(ranks) / 8 == Fraction(9, 2)


def made(blind, sheets=2, prompts=("a house", "a cat")):
    each = [blind.Sheet(n + 1, prompts[n], tuple(f"{n}{k}" for k in range(4)), f"{n}0") for n in range(sheets)]
    return blind.BlindTest("t", "", 0, 4, (8, 8), tuple(each))


def test_results_hold_rate_interval_mean_rank_and_every_prompt(blind):
    test = made(blind)
    answers = [
        blind.Answer("name:kim", "Kim", 1, ("03", "00")),
        blind.Answer("name:kim", "Kim", 1, ("00", "03")),  # meant this one
        blind.Answer("device:aa", "", 1, ("01",)),
        blind.Answer("device:bb", "", 2, ("10", "11", "12", "13")),
    ]
    found = blind.results(test, answers)
    low, high = blind.wilson(2, 3)
    assert found["rank_1"] == {"rate": 2 / 3, "low": low, "high": high, "n": 3}
    assert found["mean_rank"] == pytest.approx((1 + 3 + 1) / 3) and found["chance"] == 0.25
    assert [p["name"] for p in found["participants"]] == ["Kim", "anonymous 1", "anonymous 2"]
    assert found["participants"][0]["answers"] == [{"sheet": 1, "ranking": ["00", "03"], "rank": 1}]
    assert [(row["prompt"], row["rank_1"]["rate"], row["mean_rank"]) for row in found["prompts"]] == [("a house", 0.5, 2), ("a cat", 1, 1)]
    assert [sheet["rank_1"]["n"] for sheet in found["sheets"]] == [2, 1]
    report = blind.report(test, found)
    assert "66.7 %" in report and "3 people, 3 answers" in report and "a cat | 1 | 100.0 %" in report
    assert json.loads(json.dumps(found)) == found


def test_nobody_has_answered_yet_is_no_error(blind):
    found = blind.results(made(blind), [])
    assert found["rank_1"] == {"rate": None, "low": None, "high": None, "n": 0} and found["participants"] == []
    assert "Nobody has answered yet" in blind.report(made(blind), found)


# --- order -----------------------------------------------------------------------------------------------------------


def test_orders_come_from_the_seed_and_the_person_alone_and_put_each_picture_everywhere(blind):
    assert sorted(blind.shuffled(8, 0, "kim")) == list(range(8))
    assert blind.shuffled(8, 0, "kim") == blind.shuffled(8, 0, "kim") != blind.shuffled(8, 1, "kim")
    places = [blind.shuffled(8, seed, "kim").index(0) for seed in range(4000)]
    expected = 4000 / 8
    assert sum((places.count(k) - expected) ** 2 / expected for k in range(8)) < 24.3  # χ², 7 degrees of freedom, p = 0.001


def test_each_person_has_an_order_of_sheets_and_of_pictures_that_stays(blind):
    sheets = tuple(blind.Sheet(n, "", tuple(f"{n}{k}" for k in range(8)), f"{n}0") for n in range(1, 9))
    test = blind.BlindTest("t", "", 5, 8, (8, 8), sheets)
    kim, lee = blind.for_person(test, "name:kim"), blind.for_person(test, "name:lee")
    assert kim == blind.for_person(test, "name:kim") and kim != lee
    assert sorted(s.number for s, _ in kim) == list(range(1, 9)) and [s.number for s, _ in kim] != [s.number for s, _ in lee]
    assert all(sorted(order) == sorted(sheet.pictures) for sheet, order in kim)
    assert len({tuple(p[1:] for p in order) for _, order in kim}) > 1  # not one order on all sheets


def test_others_stand_in_order_or_are_drawn_evenly_from_a_pool(blind, refused):
    assert blind.others_for(3, 21, 8, 0) == [list(range(7)), list(range(7, 14)), list(range(14, 21))]
    drawn = blind.others_for(6, 10, 8, 3)
    assert drawn == blind.others_for(6, 10, 8, 3) != blind.others_for(6, 10, 8, 4)
    assert all(len(set(sheet)) == 7 for sheet in drawn)
    counts = [sum(sheet.count(i) for sheet in drawn) for i in range(10)]
    assert max(counts) - min(counts) <= 1  # 42 places for 10 pictures
    large = blind.others_for(3, 40, 8, 0)
    assert len({i for sheet in large for i in sheet}) == 21  # nobody comes twice when there are enough
    with refused("needs 7 others, but 6 are connected"):
        blind.others_for(3, 6, 8, 0)


# --- on disk ---------------------------------------------------------------------------------------------------------


def test_every_sheet_has_its_personalised_picture_and_its_seven_others(files, tmp_path):
    test = files.write_test(tmp_path, "t", MINE, PLAIN, "a\nb\nc")
    folder = tmp_path / "t"
    for n, sheet in enumerate(test.sheets):
        assert sheet.prompt == "abc"[n] and len(sheet.pictures) == 8
        assert shown(folder / f"{sheet.personalised}.png") == bytes_of(MINE[n])
        rest = {shown(folder / f"{p}.png") for p in sheet.pictures if p != sheet.personalised}
        assert rest == {bytes_of(p) for p in PLAIN[7 * n : 7 * n + 7]}
    assert test == files.load_test(tmp_path, "t")


def test_neither_names_nor_order_nor_metadata_nor_dates_tell_which_picture_it_is(files, tmp_path):
    from PIL import Image

    places = []
    for seed in range(30):
        test = files.write_test(tmp_path, f"t{seed}", MINE, PLAIN, seed=seed)
        folder = tmp_path / f"t{seed}"
        names = sorted(p.stem for p in folder.glob("*.png"))
        assert names == [f"{n:04}" for n in range(1, 25)]
        written = sorted(names, key=lambda name: (folder / f"{name}.png").stat().st_mtime_ns)
        assert written == names  # in the order of their numbers, which say nothing
        places += [names.index(s.personalised) for s in test.sheets]
        for name in names:
            with Image.open(folder / f"{name}.png") as picture:
                assert picture.info == {} and picture.mode == "RGB" and picture.size == (16, 12)
    assert len(set(places)) > 18 and 9 < sum(places) / len(places) < 14  # all over the folder


def test_a_picture_that_stands_on_two_sheets_has_two_names(files, tmp_path):
    test = files.write_test(tmp_path, "t", MINE, PLAIN[:7])
    assert len({p for s in test.sheets for p in s.pictures}) == 24


def test_running_again_keeps_the_answers_and_other_pictures_begin_a_test_beside_it(files, tmp_path):
    test = files.write_test(tmp_path, "t", MINE, PLAIN, "a house")
    files.keep_answer(tmp_path, test, "Kim", DEVICE, 1, [test.sheets[0].personalised])
    before = (tmp_path / "t" / "answers.jsonl").read_bytes()
    again = files.write_test(tmp_path, "t", MINE, PLAIN, "a home")
    assert (again.name, again.sheets[0].prompt, len(files.answers_of(tmp_path, again))) == ("t", "a home", 1)
    other = files.write_test(tmp_path, "t", PLAIN[:3], PLAIN)
    reseeded, asked = files.write_test(tmp_path, "t", MINE, PLAIN, seed=1), files.write_test(tmp_path, "t", MINE, PLAIN, question="Why?")
    assert [other.name, reseeded.name, asked.name] == ["t 2", "t 3", "t 4"]
    assert files.answers_of(tmp_path, other) == [] and files.newest_test(tmp_path, "t").name == "t 4"
    back = files.write_test(tmp_path, "t", MINE, PLAIN)
    assert back.name == "t" == files.newest_test(tmp_path, "t").name
    assert (tmp_path / "t" / "answers.jsonl").read_bytes() == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["t", "t 2", "t 3", "t 4"]  # no drafts


def test_a_folder_of_that_name_that_is_no_test_stays_as_it_is(files, tmp_path):
    (tmp_path / "t").mkdir()
    (tmp_path / "t" / "0001.png").write_bytes(b"mine")
    assert files.write_test(tmp_path, "t", MINE, PLAIN).name == "t 2"
    assert (tmp_path / "t" / "0001.png").read_bytes() == b"mine"


def test_cancel_leaves_no_half_test(files, tmp_path, monkeypatch):
    from viper import host

    class Cancelled(Exception):
        pass

    def cancel():
        raise Cancelled

    monkeypatch.setattr(files, "_key", lambda *_: "key")
    monkeypatch.setattr(host, "stop_if_cancelled", cancel)
    with pytest.raises(Cancelled):
        files.write_test(tmp_path, "t", MINE, PLAIN)
    assert list(tmp_path.iterdir()) == []


def test_answers_of_many_at_the_same_moment_are_all_kept(files, tmp_path):
    test = files.write_test(tmp_path, "t", MINE, PLAIN)
    start = threading.Barrier(12)

    def answer(n):
        start.wait()
        for sheet in test.sheets:
            files.keep_answer(tmp_path, test, f"person {n}", "", sheet.number, list(sheet.pictures))

    threads = [threading.Thread(target=answer, args=(n,)) for n in range(12)]
    [t.start() for t in threads], [t.join() for t in threads]
    kept = files.answers_of(tmp_path, test)
    assert {(a.name, a.sheet) for a in kept} == {(f"person {n}", s) for n in range(12) for s in (1, 2, 3)} and len(kept) == 36


def test_a_line_that_was_broken_off_costs_no_other_answer(files, tmp_path):
    test = files.write_test(tmp_path, "t", MINE, PLAIN)
    best = [test.sheets[0].pictures[0]]
    files.keep_answer(tmp_path, test, "Kim", DEVICE, 1, best)
    with open(tmp_path / "t" / "answers.jsonl", "ab") as file:
        file.write(b'{"who": "name:le')
    files.keep_answer(tmp_path, test, "Ann", DEVICE, 1, best)
    assert [a.name for a in files.answers_of(tmp_path, test)] == ["Kim", "Ann"]


def test_a_name_is_one_person_and_without_one_each_device_is(blind, refused):
    assert blind.person(" Kim  Lee ", "") == blind.person("Kim Lee", DEVICE) == ("name:kim lee", "Kim Lee")
    assert blind.person("KIM LEE", "")[0] == "name:kim lee"
    assert blind.person("", DEVICE) == (f"device:{DEVICE}", "") != blind.person("", "f" * 16)
    for name, device in (("x" * 61, ""), ("a\x00b", ""), ("", ""), ("", "../../etc"), (3, ""), ("", None)):
        with refused(r"\.$"):
            blind.person(name, device)


def test_only_the_beginning_of_a_permutation_is_a_ranking(blind, refused):
    sheet = made(blind).sheets[0]
    assert blind.checked_ranking(sheet, ["02"]) == ("02",) and len(blind.checked_ranking(sheet, ["03", "02", "01", "00"])) == 4
    for wrong in ([], ["00", "00"], ["00", "10"], ["../x"], "00", None, [1], [["00"]], ["00", "01", "02", "03", "00"]):
        with refused(r"\.$"):
            blind.checked_ranking(sheet, wrong)


@pytest.mark.parametrize(
    "change, sentence",
    [
        ({"others": PLAIN[:6]}, "needs 7 others"),
        ({"others": pictures(1, 2, 3, 4, 5, 6, 7, size=(8, 8))}, "one size"),
        ({"prompts": "a\nb"}, "2 prompts for 3"),
        ({"personalised": MINE[:0]}, "no personalised picture"),
        ({"name": "../up"}, "name cannot hold"),
        ({"name": " "}, "needs a name"),
    ],
)
def test_what_makes_no_test_is_said_in_a_sentence_and_writes_nothing(files, refused, tmp_path, change, sentence):
    with refused(sentence):
        files.write_test(tmp_path, **({"name": "t", "personalised": MINE, "others": PLAIN} | change))
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_said_in_a_sentence_and_leaves_nothing(files, refused, tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files, "write_png", full)
    with refused("could not be written .No space left on device.: check the space"):
        files.write_test(tmp_path, "t", MINE, PLAIN)
    assert list(tmp_path.iterdir()) == []


def test_a_test_file_from_elsewhere_cannot_point_out_of_its_folder(files, refused, tmp_path):
    (tmp_path / "secret.png").write_bytes(b"secret")
    files.write_test(tmp_path, "t", MINE, PLAIN)
    file = tmp_path / "t" / "test.json"
    file.write_text(file.read_text(encoding="utf-8").replace('"0001"', '"../secret"'), encoding="utf-8")
    with refused("cannot be read"):
        files.picture_file(tmp_path, "t", "../secret")


# --- the node --------------------------------------------------------------------------------------------------------


@pytest.fixture
def output(host, tmp_path, monkeypatch):
    import folder_paths

    monkeypatch.setattr(folder_paths, "output_directory", str(tmp_path))
    return tmp_path / "viper" / "blind"


def test_the_node_gives_link_report_and_results_and_runs_again_when_answers_came(files, output, as_in_the_host):
    from viper.nodes.blind_test import BlindTest

    run = {"personalised": MINE, "others": PLAIN, "name": "my test", "seed": 3}
    link, report, results = BlindTest.execute(**run).result
    assert link.endswith("/viper/blind?name=my+test") and "Nobody" in report and json.loads(results)["rank_1"]["n"] == 0
    fingerprint = BlindTest.fingerprint_inputs(name="my test", seed=3)
    assert fingerprint == BlindTest.fingerprint_inputs(name="my test", seed=3)
    test = files.load_test(output, "my test")
    files.keep_answer(output, test, "Kim", "", 2, [test.sheets[1].personalised])
    assert BlindTest.fingerprint_inputs(name="my test", seed=3) != fingerprint
    found = json.loads(BlindTest.execute(**run).result[2])
    assert (found["rank_1"]["rate"], found["mean_rank"], found["chance"]) == (1, 1, 1 / 8)
    assert (output / "my test" / "answers.jsonl").read_bytes().count(b"\n") == 1
    assert BlindTest.validate_inputs(name="a/b") is not True and BlindTest.validate_inputs(name=None) is True


@pytest.mark.parametrize(
    "address, files, url",
    [
        ("127.0.0.1", (None, None), "http://127.0.0.1:8188"),
        ("192.0.2.7", ("key", "cert"), "https://192.0.2.7:8188"),
        ("::1", (None, None), "http://[::1]:8188"),
        ("0.0.0.0", (None, None), "http://10.0.0.5:8188"),
        ("::", (None, None), "http://10.0.0.5:8188"),
    ],
)
def test_the_link_is_one_that_another_device_can_open_where_the_host_listens_to_it(host, monkeypatch, address, files, url):
    from comfy.cli_args import args

    from viper.host import routes, server_url

    assert server_url() == ""  # a script that runs nodes
    running = SimpleNamespace(address=address, port=8188)
    monkeypatch.setitem(sys.modules, "server", SimpleNamespace(PromptServer=SimpleNamespace(instance=running)))
    monkeypatch.setattr(routes, "_own_address", lambda: "10.0.0.5")
    monkeypatch.setattr(args, "tls_keyfile", files[0])
    monkeypatch.setattr(args, "tls_certfile", files[1])
    assert server_url() == url


# --- over HTTP -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def served(server, host):
    """A test in the running host's output folder."""
    from viper.evaluation import blind_files

    root = server.base / "output" / "viper" / "blind"
    return blind_files.write_test(root, "served", MINE, PLAIN, "a house\na cat\na tree"), root


def ask(server, route, body=None, **query):
    """→ (status, content type, bytes)"""
    data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
    url = f"{server.url}/viper/{route}" + (f"?{urllib.parse.urlencode(query)}" if query else "")
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data, {"Content-Type": "application/json"}), timeout=60) as response:
            return response.status, response.headers["Content-Type"], response.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers["Content-Type"], error.read()


def told(answer):
    return answer[0], json.loads(answer[2])


def test_the_page_and_its_parts_are_served_with_their_types_and_no_extension_of_the_host(server):
    types = {"blind": "text/html", "blind/page.css": "text/css"}
    types |= {f"blind/{path.name}": "text/javascript" for path in (ROOT / "web" / "blind").glob("*.mjs")}
    for prefix in ("viper", "api/viper"):  # the second is what a proxy hands on
        for route, type in types.items():
            with urllib.request.urlopen(f"{server.url}/{prefix}/{route}", timeout=60) as response:
                assert response.headers["Content-Type"] == f"{type}; charset=utf-8" and response.read()
    with urllib.request.urlopen(f"{server.url}/extensions", timeout=60) as response:
        assert not [path for path in json.load(response) if "/blind/" in path]  # each would be run in the host's own page


def test_the_page_never_gets_the_answer(server, served):
    test, _ = served
    firsts = []
    for n in range(40):
        status, sheets = told(ask(server, "blind/sheets", name="served", participant=f"p{n}", device=""))
        assert status == 200 and "personalised" not in json.dumps(sheets)
        assert sheets.keys() == {"name", "question", "size", "sheets"}
        assert all(sheet.keys() == {"sheet", "prompt", "pictures", "done"} for sheet in sheets["sheets"])
        firsts += [s["pictures"].index(test.sheet(s["sheet"]).personalised) for s in sheets["sheets"]]
    assert set(firsts) == set(range(8))  # it may stand anywhere
    assert ask(server, "blind/result", name="served", participant="p1", device="")[0] == 400  # nobody tries an answer and looks


def test_a_picture_comes_as_its_file_and_nothing_else_of_the_folder_does(server, served):
    test, root = served
    name = test.sheets[0].pictures[0]
    status, type, content = ask(server, "blind/picture", name="served", picture=name)
    assert (status, type, content) == (200, "image/png", (root / "served" / f"{name}.png").read_bytes())
    (root.parent / "outside.png").write_bytes(b"secret")
    for test_name, picture in (
        *(("served", p) for p in ("9999", "../../outside", "test", "0001.png", "", "..%2f..%2foutside", str(root.parent / "outside"))),
        *((n, "outside") for n in ("..", "../blind/served", ".", "", "served/..", "/", "nobody's", "a\x00b")),
    ):
        status, said = told(ask(server, "blind/picture", name=test_name, picture=picture))
        assert status in (400, 404) and said["error"].endswith("."), (test_name, picture)


def answered(server, **change):
    return told(ask(server, "blind/answer", {"name": "served", "participant": "Kim", "device": DEVICE, "sheet": 1} | change))


def test_answers_are_kept_at_once_and_a_reload_knows_them(server, served, files):
    test, root = served
    sheet = test.sheets[0]
    assert answered(server, participant="Ann", ranking=list(sheet.pictures[:3])) == (200, {"kept": 1})
    assert ("Ann", 1, sheet.pictures[:3]) in [(a.name, a.sheet, a.ranking) for a in files.answers_of(root, test)]
    _, sheets = told(ask(server, "blind/sheets", name="served", participant="ann", device="f" * 16))
    assert {s["sheet"]: s["done"] for s in sheets["sheets"]} == {1: True, 2: False, 3: False}
    for other in (2, 3):
        assert answered(server, participant="Ann", sheet=other, ranking=[test.sheet(other).personalised])[0] == 200
    status, result = told(ask(server, "blind/result", name="served", participant="Ann", device=""))
    assert status == 200 and result["own"]["rank_1"]["n"] == 3 and result["among"] == 8 and "personalised" not in json.dumps(result)


def test_what_is_no_answer_is_refused_with_a_sentence_and_not_kept(server, served):
    test, root = served
    file = root / "served" / "answers.jsonl"
    before = file.read_bytes() if file.exists() else b""
    good = list(test.sheets[0].pictures)
    wrong = [
        *({"ranking": r} for r in ([], good + good[:1], [*good[:2], "9999"], [test.sheets[1].pictures[0]], "0001", None, {"a": 1}, [1])),
        *({"ranking": good, "sheet": s} for s in (0, 4, "1", None, [1], True, -1)),
        *({"ranking": good, "participant": p} for p in ("x" * 61, 5, None, "a\nb\x07")),
        {"ranking": good, "participant": "", "device": "nobody"},
        *({"ranking": good, "name": n} for n in ("../served", "", None, 7, "..")),
    ]
    for change in wrong:
        status, said = answered(server, **change)
        assert status == 400 and said["error"].endswith("."), change
    assert answered(server, ranking=good, name="never made")[0] == 404
    for body in (b"", b"[]", b"{", b'"text"', b"\xff\xfe", json.dumps({"name": "served", "x": "y" * 20_000}).encode()):
        status, said = told(ask(server, "blind/answer", body))
        assert status == 400 and "JSON object" in said["error"]
    assert (file.read_bytes() if file.exists() else b"") == before


def test_the_node_hears_who_has_answered_and_of_no_test_without_an_error(server, served, files):
    test, root = served
    answered(server, participant="counted", ranking=[test.sheets[0].pictures[0]])
    answers = files.answers_of(root, test)
    told_of = {"name": "served", "people": len({a.who for a in answers}), "answers": len({(a.who, a.sheet) for a in answers})}
    assert told(ask(server, "blind/about", name="served")) == (200, told_of)
    for name in ("never made", "a/b", ""):
        assert told(ask(server, "blind/about", name=name)) == (200, {"name": "", "people": 0, "answers": 0})


def test_two_who_answer_at_the_same_moment_are_both_kept(server, served, files):
    test, root = served
    best = [test.sheets[2].pictures[0]]
    start = threading.Barrier(8)

    def answer(n):
        start.wait()
        answered(server, participant=f"same moment {n}", sheet=3, ranking=best)

    threads = [threading.Thread(target=answer, args=(n,)) for n in range(8)]
    [t.start() for t in threads], [t.join() for t in threads]
    assert {a.name for a in files.answers_of(root, test)} >= {f"same moment {n}" for n in range(8)}


def test_a_graph_writes_a_test_that_the_link_opens(server, client):
    def node(type, **inputs):
        return {"class_type": type, "inputs": inputs}

    def color(n, count):
        return node("EmptyImage", width=32, height=32, batch_size=count, color=n)

    graph = {"mine": color(255, 2), "plain": color(65280, 6)}
    graph["blind"] = node("ViPerBlindTest", personalised=["mine", 0], others=["plain", 0], name="from a graph", seed=1, among=4)
    graph |= {f"show{i}": node("PreviewAny", source=["blind", i]) for i in range(3)}
    texts = client.texts(client.run(graph))
    link = texts["show0"][0]
    assert link == f"{server.url}/viper/blind?name=from+a+graph"
    with urllib.request.urlopen(link, timeout=60) as response:
        assert response.headers.get_content_type() == "text/html"
    _, sheets = told(ask(server, "blind/sheets", name="from a graph", participant="Kim", device=""))
    for sheet in sheets["sheets"]:
        answered(server, name="from a graph", sheet=sheet["sheet"], ranking=sheet["pictures"])
    texts = client.texts(client.run(graph))
    assert "1 person, 2 answers" in texts["show1"][0] and json.loads(texts["show2"][0])["rank_1"]["n"] == 2


def test_the_page_speaks_every_language():
    import re

    text = (ROOT / "web" / "blind" / "words.mjs").read_text(encoding="utf-8")
    lines = dict(re.findall(r"^  (\w+): (\{.*\}),$", text, re.M))
    for name, said in lines.items():
        spoken = dict(re.findall(r'(\w\w): "([^"]+)"', said))
        assert (name, set(spoken)) == (name, {"en", "ko", "ja", "zh"})
        assert len({frozenset(re.findall(r"\{\w+\}", text)) for text in spoken.values()}) == 1, name
    page = "".join((ROOT / "web" / "blind" / f"{name}.mjs").read_text(encoding="utf-8") for name in ("page", "parts"))
    named = set(re.findall(r'\bt\((?:[^()]*\? )?"(\w+)"', page)) | set(re.findall(r'[?:] "(\w+)"', page))
    assert set(lines) <= named | {"best"}  # nothing said in vain
