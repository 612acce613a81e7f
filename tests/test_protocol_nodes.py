"""Protocol Prompts through the host: in process, and as a user's client meets it."""

import pytest

from viper.tests.host_server import use_host
from viper.tests.test_workflows import node, show

use_host()

from viper.nodes.protocol import ProtocolPrompts  # noqa: E402


def test_it_gives_the_prompt_its_class_prompt_all_of_them_and_their_number():
    prompt, class_prompt, prompts, count = ProtocolPrompts.execute("by class noun", " poodle dog ", " sks ", 10).result
    assert (prompt, class_prompt, count) == ("a sks poodle dog wearing a red hat", "a poodle dog wearing a red hat", 25)
    assert prompts.splitlines()[10] == prompt and len(prompts.splitlines()) == 25


def test_without_an_identifier_both_prompts_are_the_class():
    prompt, class_prompt, *_ = ProtocolPrompts.execute("object", "cup", "", 23).result
    assert prompt == class_prompt == "a wet cup"


@pytest.mark.parametrize(
    "change, said",
    [({"class_noun": "  "}, "need a class noun"), ({"kind": "plant"}, 'no kind called "plant"'), ({"index": 25}, "bigger than max"),
     ({"index": -1}, "smaller than min")],
)  # fmt: skip
def test_bad_input_is_refused_before_the_run(client, change, said):
    from viper.devtools.client import Refused

    asked = {"kind": "object", "class_noun": "cup", "identifier": "", "index": 0, **change}
    with pytest.raises(Refused, match=said):
        client.run({"asked": node("ViPerProtocolPrompts", **asked), **show(["asked", 0])})


def test_a_class_noun_that_comes_over_a_wire_is_judged_in_the_run(client):
    from viper.devtools.client import ExecutionFailed

    graph = {
        "noun": node("PrimitiveString", value="cat"),
        "asked": node("ViPerProtocolPrompts", kind="by class noun", class_noun=["noun", 0], identifier="sks", index=14),
        **show(["asked", 0], ["asked", 3]),
    }
    assert client.texts(client.run(graph)) == {"show0": ["a sks cat in a chef outfit"], "show1": ["25"]}
    graph["noun"]["inputs"]["value"] = " "
    with pytest.raises(ExecutionFailed, match="need a class noun") as failure:
        client.run(graph)
    assert "\n" not in failure.value.message
