"""Node names, tooltips and help pages in every language: all there, nothing stale, nothing the frontend would trip over."""

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
LANGUAGES = ("en", "ko", "ja", "zh")
LOCALES, DOCS = ROOT / "locales", ROOT / "web" / "docs"
PACK = "viper-personalization"
# The frontend compiles every text as a vue-i18n message: these begin an interpolation, a link, a plural form or an escape.
SPECIAL = set("{}@|\\")
# Category names that the host translates itself: ours would replace them everywhere.
HOST_CATEGORIES = {"sampling"}


@pytest.fixture(scope="module")
def schemas(host):
    from viper.nodes import NODES

    return {schema.node_id: schema for schema in (node.GET_SCHEMA() for node in NODES)}


def read(language: str, name: str) -> dict:
    def no_duplicates(pairs):
        keys = [key for key, _ in pairs]
        assert len(keys) == len(set(keys)), f"{language}/{name}.json says something twice: {keys}"
        return dict(pairs)

    return json.loads((LOCALES / language / f"{name}.json").read_text(encoding="utf-8"), object_pairs_hook=no_duplicates)


def page(node_id: str, language: str) -> Path:
    """Where the frontend finds it: ``<id>/<language>.md``, else ``<id>.md``, which is the English one."""
    return DOCS / f"{node_id}.md" if language == "en" else DOCS / node_id / f"{language}.md"


def texts(data, path=()):
    if isinstance(data, str):
        yield ".".join(path), data
    else:
        for key, value in data.items():
            yield from texts(value, (*path, key))


def input_ids(schema) -> set[str]:
    """The schema's inputs, and the widget that the frontend puts under a seed."""
    seeds = {"control_after_generate"} if any(getattr(i, "control_after_generate", None) for i in schema.inputs) else set()
    return {i.id for i in schema.inputs} | seeds


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_node_input_and_output_has_a_name_and_none_is_stale(schemas, language):
    nodes = read(language, "nodeDefs")
    assert set(nodes) == set(schemas)
    for node_id, schema in schemas.items():
        entry = nodes[node_id]
        assert set(entry) <= {"display_name", "description", "inputs", "outputs"}, node_id
        assert entry["display_name"] and entry["description"], node_id
        inputs, outputs = entry.get("inputs", {}), entry.get("outputs", {})
        assert set(inputs) == input_ids(schema), node_id
        assert set(outputs) == {str(n) for n in range(len(schema.outputs))}, node_id
        for key, said in (*inputs.items(), *outputs.items()):
            assert set(said) <= {"name", "tooltip"} and said["name"], (node_id, key)
            assert said.get("tooltip") or key == "control_after_generate", (node_id, key)


def test_english_is_what_the_nodes_themselves_say(schemas):
    nodes = read("en", "nodeDefs")
    for node_id, schema in schemas.items():
        entry = nodes[node_id]
        change = f"{node_id}: when a node's text changes, its entries in locales/ change with it, in all languages"
        assert (entry["display_name"], entry["description"]) == (schema.display_name, schema.description), change
        for spec in schema.inputs:
            assert spec.tooltip in (None, entry["inputs"][spec.id]["tooltip"]), change
        for n, output in enumerate(schema.outputs):
            assert entry["outputs"][str(n)]["name"] == output.display_name, change


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_text_holds_a_character_that_means_something_to_the_frontend(language):
    for name in ("main", "nodeDefs"):
        for path, text in texts(read(language, name)):
            assert not SPECIAL & set(text), f"{language}/{name}.json {path}: {text}"
            assert text == text.strip() and "\n" not in text, f"{language}/{name}.json {path}"


def test_no_name_has_a_dot_that_the_frontend_would_split(schemas):
    assert not [key for schema in schemas.values() for key in (schema.node_id, *input_ids(schema)) if "." in key]


@pytest.mark.parametrize("language", ("ko", "ja", "zh"))
def test_translations_are_translated(language):
    english, nodes = read("en", "nodeDefs"), read(language, "nodeDefs")
    own = {"ko": r"[가-힣]", "ja": r"[ぁ-んァ-ン一-龯]", "zh": r"[一-龯]"}[language]
    for node_id, entry in nodes.items():
        for path, text in texts(entry):
            if path.endswith("name") and path != "display_name":
                continue  # cfg, beta and clip are called so everywhere
            assert re.search(own, text), (node_id, path)
        assert entry["description"] != english[node_id]["description"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_our_categories_have_names_and_the_hosts_keep_theirs(schemas, language):
    named = read(language, "main")["nodeCategories"]
    assert set(named) == {part for schema in schemas.values() for part in schema.category.split("/")} - HOST_CATEGORIES


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_node_has_a_help_page_that_names_all_its_inputs_and_outputs(schemas, language):
    for node_id, schema in schemas.items():
        text = page(node_id, language).read_text(encoding="utf-8")
        lines = text.splitlines()
        title = read(language, "nodeDefs")[node_id]["display_name"]
        assert lines[0] == f"# {title}", f"{node_id}: the page is called like the node"
        assert 25 <= len(lines) <= 60, f"{node_id}: a page is one or two screens long"
        for name in [i.id for i in schema.inputs] + [o.display_name for o in schema.outputs]:
            assert f"`{name}`" in text, f"{language} page of {node_id} does not mention {name}"


def test_pages_of_all_languages_have_the_same_links_tables_and_blocks(schemas):
    """None of these is translated: what differs was forgotten in one language."""
    for node_id in schemas:
        english = page(node_id, "en").read_text(encoding="utf-8")
        for language in LANGUAGES[1:]:
            other = page(node_id, language).read_text(encoding="utf-8")
            assert re.findall(r"https?://[^)\s]+", other) == re.findall(r"https?://[^)\s]+", english), (node_id, language)
            assert other.count("\n|") == english.count("\n|"), (node_id, language)
            assert other.count("\n```") == english.count("\n```"), (node_id, language)


def test_no_help_page_or_language_is_left_over(schemas):
    expected = {page(node_id, language) for node_id in schemas for language in LANGUAGES}
    assert {p for p in DOCS.rglob("*") if p.is_file()} == expected
    assert {p.relative_to(LOCALES).as_posix() for p in LOCALES.rglob("*.json")} == {
        f"{language}/{name}.json" for language in LANGUAGES for name in ("main", "nodeDefs")
    }


def test_the_running_host_hands_out_names_and_pages(client, schemas):
    served = client.get("/i18n").json()
    for language in LANGUAGES:
        assert served[language]["nodeDefs"].items() >= read(language, "nodeDefs").items()
        assert served[language]["nodeCategories"].items() >= read(language, "main")["nodeCategories"].items()
    for node_id in schemas:
        for language in LANGUAGES:
            path = page(node_id, language).relative_to(DOCS).as_posix()
            assert client.get(f"/extensions/{PACK}/docs/{path}").content == (DOCS / path).read_bytes()


def test_the_widgets_say_everything_in_every_language():
    """Names in four languages; what the server says in the three others, by its English sentence."""
    from viper.vpe import portrait

    script = (ROOT / "web" / "js" / "words.js").read_text(encoding="utf-8")
    lines = dict(re.findall(r'^  (\w+|"[^"]+"): (\{.*\}),$', script, re.M))
    assert {f'"{sentence}"' for sentence in portrait.ADVICE.values()} == {name for name in lines if name.startswith('"')}
    for name, said in lines.items():
        spoken = dict(re.findall(r'(\w\w): "([^"]+)"', said))
        assert (name, set(spoken)) == (name, set(LANGUAGES) - ({"en"} if name.startswith('"') else set()))
        assert len({frozenset(re.findall(r"\{\w+\}", text)) for text in spoken.values()}) == 1, name
    comments = (ROOT / "web" / "js" / "comments.js").read_text(encoding="utf-8")
    assert f"const ENOUGH = {portrait.ENOUGH};" in comments
