"""Protocols: the published prompts word by word, and the three published folders read into one structure."""

import json

import pytest

from viper.evaluation import protocol_folders, protocols
from viper.evaluation.errors import EvaluationError
from viper.evaluation.protocol_folders import chosen, read
from viper.evaluation.protocols import LIVE, OBJECT, PROMPTS, kind_of

# As google/dreambooth publishes them; a part is enough to see that the file is read.
PUBLISHED = """Classes

subject_name,class
backpack,backpack
dog6,dog
mine,old cat

Prompts

Object Prompts

prompt_list = [
'a {0} {1} in the jungle'.format(unique_token, class_token),
'a cube shaped {0} {1}'.format(unique_token, class_token)
]

Live Subject Prompts

prompt_list = [
'a {0} {1} in a chef outfit'.format(unique_token, class_token),
]
"""


def pictures(folder, *names):
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_bytes(name.encode())


# --- DreamBench's prompts --------------------------------------------------------------------------------------------------------


def test_both_kinds_have_25_prompts_of_which_15_are_the_same():
    assert {kind: len(set(lines)) for kind, lines in PROMPTS.items()} == {OBJECT: 25, LIVE: 25}
    assert len(set(PROMPTS[OBJECT]) & set(PROMPTS[LIVE])) == 15
    assert all(line.count("{}") == 1 and line == line.strip() for lines in PROMPTS.values() for line in lines)


@pytest.mark.parametrize(
    "noun, index, prompt, class_prompt",
    [
        ("dog", 0, "a sks dog in the jungle", "a dog in the jungle"),
        ("dog", 13, "a sks dog wearing a black top hat and a monocle", "a dog wearing a black top hat and a monocle"),
        ("dog", 19, "a sks dog in a purple wizard outfit", "a dog in a purple wizard outfit"),
        ("teapot", 9, "a sks teapot on top of a purple rug in a forest", "a teapot on top of a purple rug in a forest"),
        ("teapot", 12, "a sks teapot with the Eiffel Tower in the background", "a teapot with the Eiffel Tower in the background"),
        ("teapot", 17, "a sks teapot on top of the sidewalk in a crowded street", "a teapot on top of the sidewalk in a crowded street"),
        ("teapot", 24, "a cube shaped sks teapot", "a cube shaped teapot"),
    ],
)
def test_a_prompt_stands_where_the_paper_has_it(noun, index, prompt, class_prompt):
    subject = protocols.dreambench(protocols.BY_CLASS_NOUN, noun)
    assert (subject.prompt(index, "sks"), subject.class_prompt(index)) == (prompt, class_prompt)


def test_of_the_30_subjects_the_nine_cats_and_dogs_are_alive():
    alive = [name for name, noun in protocols.CLASSES.items() if kind_of(noun) == LIVE]
    assert (len(protocols.CLASSES), len(set(protocols.CLASSES.values()))) == (30, 15)
    assert alive == ["cat", "cat2", "dog", "dog2", "dog3", "dog5", "dog6", "dog7", "dog8"]


@pytest.mark.parametrize("noun", ["woman", "Old Man", "parrot", "golden retriever dog"])
def test_people_and_animals_are_alive(noun):
    assert kind_of(noun) == LIVE


@pytest.mark.parametrize("noun", ["stuffed animal", "rubber duck", "dog bowl", "teapot", "zorp", ""])
def test_likenesses_and_all_else_are_objects(noun):
    assert kind_of(noun) == OBJECT


def test_a_kind_that_is_named_wins_over_the_class_noun():
    assert protocols.dreambench(LIVE, "robot").prompt(10, "sks") == "a sks robot wearing a red hat"
    assert protocols.dreambench(OBJECT, "dog").prompt(13, "") == "a dog floating on top of water"


@pytest.mark.parametrize(
    "kind, noun, index, said", [(OBJECT, "  ", 0, "class noun"), ("plant", "tree", 0, "no kind"), (OBJECT, "cup", 25, "no prompt 25")]
)
def test_what_cannot_be_prompted_is_said(kind, noun, index, said):
    with pytest.raises(EvaluationError, match=said):
        protocols.dreambench(kind, noun).prompt(index, "sks")


# --- folders ---------------------------------------------------------------------------------------------------------------------


def test_dreambench_without_its_list_has_the_published_classes_and_prompts(tmp_path):
    pictures(tmp_path / "backpack_dog", "01.jpg", "00.jpg", "notes.txt")
    pictures(tmp_path / "dog6", "00.png")
    (tmp_path / "papers").mkdir()
    bag, dog = read("dreambench", tmp_path)
    assert (bag.name, bag.class_noun, bag.kind) == ("backpack_dog", "backpack", OBJECT)
    assert [p.name for p in bag.pictures] == ["00.jpg", "01.jpg"]
    assert (dog.class_noun, dog.kind, dog.prompts) == ("dog", LIVE, PROMPTS[LIVE])


def test_dreambench_with_its_list_has_what_the_list_says(tmp_path):
    root = tmp_path / "dataset"  # as in the repository
    for name in ("backpack", "dog6", "mine"):
        pictures(root / name, "00.jpg")
    (root / "prompts_and_classes.txt").write_text(PUBLISHED)
    bag, dog, mine = read("dreambench", tmp_path)
    assert bag.prompts == ("a {} in the jungle", "a cube shaped {}")
    assert dog.prompts == mine.prompts == ("a {} in a chef outfit",)
    assert mine.prompt(0, "sks") == "a sks old cat in a chef outfit"


def test_dreambench_asks_for_the_class_noun_of_an_unknown_subject(tmp_path):
    pictures(tmp_path / "my_cup", "00.jpg")
    with pytest.raises(EvaluationError, match="my_cup has no class noun.*prompts_and_classes.txt"):
        read("dreambench", tmp_path)
    (tmp_path / "prompts_and_classes.txt").write_text("subject_name,class\nmy_cup,cup\n")
    assert read("dreambench", tmp_path)[0].prompts == PROMPTS[OBJECT]


def test_customconcept101_has_one_concept_or_several(tmp_path):
    for name in ("pet_cat1", "things_cup2"):
        pictures(tmp_path / "benchmark_dataset" / name, "a.jpeg", "b.jpeg")
    (tmp_path / "prompts").mkdir()
    (tmp_path / "prompts/cat.txt").write_text("Photo of a {}.\n{} in times square.\n\n")
    (tmp_path / "prompts/cup.txt").write_text("a {} on a table")
    (tmp_path / "prompts/both.txt").write_text("{1} beside the {0}")

    def concept(noun, folder, prompts):
        return {"instance_prompt": f"photo of a <new1> {noun}", "class_prompt": noun, "class_data_dir": "./regularization/x",
                "instance_data_dir": f"./benchmark_dataset/{folder}", "prompt_filename": prompts}  # fmt: skip

    cat, cup = concept("cat", "pet_cat1", "prompts/cat.txt"), concept("cup", "things_cup2", "prompts/cup.txt")
    (tmp_path / "dataset.json").write_text(json.dumps([cat, cup]))
    (tmp_path / "dataset_multiconcept.json").write_text(json.dumps([[cat, cup, {"prompt_filename_compose": "prompts/both.txt"}]]))
    one, two, both = read("customconcept101", tmp_path)
    assert (one.name, one.kind, one.prompt(1, "sks,olis")) == ("pet_cat1", "single concept", "sks cat in times square.")
    assert (two.class_noun, two.class_prompt(0)) == ("cup", "a cup on a table")
    assert (both.name, both.kind, len(both.pictures)) == ("pet_cat1+things_cup2", "multi-concept", 4)
    assert (both.prompt(0, "sks, olis"), both.class_prompt(0)) == ("olis cup beside the sks cat", "cup beside the cat")
    with pytest.raises(EvaluationError, match="2 concepts"):
        both.prompt(0, "sks")


def test_stellar_is_read_as_published_and_as_a_plain_list(tmp_path):
    pictures(tmp_path / "000", "0.jpg", "0_bg.png", "1.jpg", "1_bg.png", "0_attributes.json")
    told = {"prompts": ["{} as a clown skiing", "a portrait of {}"], "detectables": [["clown", "skis"], []]}
    (tmp_path / "000/prompt.json").write_text(json.dumps(told))
    pictures(tmp_path / "me", "a.png")
    (tmp_path / "prompts.txt").write_text("{} next to a shark\n")
    first, me = read("stellar", tmp_path)
    assert ([p.name for p in first.pictures], first.class_noun, first.kind) == (["0.jpg", "1.jpg"], "person", "person")
    assert (first.prompt(0, "sks"), first.class_prompt(1)) == ("a sks person as a clown skiing", "a portrait of a person")
    assert me.prompt(0, "sks") == "a sks person next to a shark"


@pytest.mark.parametrize(
    "protocol, files, said",
    [
        ("dreambooth", {}, "no protocol called"),
        ("dreambench", {}, "no subject"),
        ("dreambench", {"prompts_and_classes.txt": "Object Prompts\n'a {0} in the jungle'.format(x)"}, "Line 2 of prompts_and_classes.txt"),
        ("customconcept101", {}, "no dataset.json"),
        ("customconcept101", {"dataset.json": "[{"}, "cannot be read as JSON"),
        ("customconcept101", {"dataset.json": '[{"class_prompt": "cat"}]'}, "prompt_filename"),
        ("customconcept101", {"dataset.json": '[{"class_prompt": "x", "instance_data_dir": "a", "prompt_filename": "b"}]'}, "no .*b,"),
        ("stellar", {"me/a.png": "x"}, "me has no prompts"),
        ("stellar", {"me/prompt.json": "[]"}, "holds no"),
        ("stellar", {"me/prompts.txt": "at sea"}, "at sea.*needs {}"),
    ],
)
def test_a_folder_that_holds_no_such_protocol_is_refused_with_a_sentence(tmp_path, protocol, files, said):
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    with pytest.raises(EvaluationError, match=said):
        read(protocol, tmp_path)


def test_only_the_subjects_that_are_asked_for_need_their_pictures(tmp_path):
    pictures(tmp_path / "dog6", "00.jpg")
    (tmp_path / "cat").mkdir()
    subjects = read("dreambench", tmp_path)
    assert [s.name for s in chosen(subjects, ["dog6"])] == ["dog6"]
    with pytest.raises(EvaluationError, match="cat has no pictures"):
        chosen(subjects)
    with pytest.raises(EvaluationError, match="no subject called dog5: the protocol has cat, dog6"):
        chosen(subjects, ["dog5"])


def test_a_folder_that_is_not_there_is_said(tmp_path):
    with pytest.raises(EvaluationError, match="There is no folder"):
        protocol_folders.read("stellar", tmp_path / "none")
