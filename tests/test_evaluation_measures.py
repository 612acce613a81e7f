"""The formulas of the measures against float64 by hand and against the libraries that define them, and what stops them."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from viper.evaluation import distributions, diversity, fidelity, identity, metrics
from viper.evaluation.errors import EvaluationError


def unit(count, width, seed=0):
    return F.normalize(torch.randn(count, width, generator=torch.Generator().manual_seed(seed), dtype=torch.float64), dim=-1)


# --- fidelity ---------------------------------------------------------------------------------------------------------


def test_subject_fidelity_is_the_mean_cosine_over_all_pairs():
    x, y = unit(5, 7), unit(3, 7, 1)
    by_hand = [float(np.dot(a, b) / np.linalg.norm(a) / np.linalg.norm(b)) for a in x.numpy() for b in y.numpy()]
    assert float(fidelity.similarity(x, y).mean()) == pytest.approx(np.mean(by_hand), abs=1e-14)
    own = [float(y[i] @ y[j]) for i in range(3) for j in range(3) if i != j]
    assert fidelity.among(y) == pytest.approx(np.mean(own), abs=1e-14) and math.isnan(fidelity.among(y[:1]))


def test_prompt_fidelity_compares_each_picture_with_its_own_prompt():
    x, y = unit(4, 6), unit(4, 6, 1)
    assert torch.allclose(fidelity.prompt_similarity(x, y), torch.stack([a @ b for a, b in zip(x, y, strict=True)]))


@pytest.mark.parametrize(
    "prompt, identifier, rest",
    [
        ("a sks dog", "sks", "a dog"),
        ("a SKS dog, sks", "sks", "a dog"),
        ("a sksy dog", "sks", "a sksy dog"),
        ("sks, a dog on  a beach", "sks", "a dog on a beach"),
        ("a xq bv dog", "xq  bv", "a dog"),
        ("a dog.", "c++", "a dog."),
        ("a c++ dog", "c++", "a dog"),
        ("a 강아 dog", "강아", "a dog"),
        (" a dog ", "", "a dog"),
    ],
)
def test_the_identifier_is_taken_out_as_a_whole_word(prompt, identifier, rest):
    assert fidelity.without(prompt, identifier) == rest


def test_one_prompt_is_for_all_pictures_and_as_many_are_one_each():
    assert fidelity.prompts_of("a sks dog\n", 3, "sks") == ["a dog"] * 3
    assert fidelity.prompts_of("a dog\n\n a cat ", 2) == ["a dog", "a cat"]
    with pytest.raises(EvaluationError, match="^There are 2 prompts and 3 pictures: write one line"):
        fidelity.prompts_of("a\nb", 3)
    with pytest.raises(EvaluationError, match="^There is no prompt"):
        fidelity.prompts_of(" \n", 1)
    with pytest.raises(EvaluationError, match='^Without its identifier "sks" a prompt is empty'):
        fidelity.prompts_of("sks", 1, "sks")


# --- diversity --------------------------------------------------------------------------------------------------------


def test_diversity_is_the_mean_distance_of_pairs_within_a_prompt():
    x = unit(6, 5)
    groups = [diversity.cosine_distances(x[g.start : g.stop]) for g in diversity.prompts_apart(6, 3)]
    by_hand = [np.mean([1 - float(x[i] @ x[j]) for i in g for j in g if i != j]) for g in ((0, 1, 2), (3, 4, 5))]
    assert [diversity.diversity(g) for g in groups] == pytest.approx(by_hand, abs=1e-14)


def test_every_pair_is_measured_once_however_many_pictures_there_are():
    places, looked = torch.rand(21, dtype=torch.float64), []

    def features(i):
        looked.append(i)
        return [places[i]]

    got = diversity.pairwise(features, lambda a, b: float((a[0] - b[0]).abs()), 21)
    assert torch.equal(got, (places[:, None] - places).abs())
    assert len(looked) < 21 * 21 / 4


@pytest.mark.parametrize(
    "count, per_prompt, sentence",
    [(5, 2, "^5 pictures are not so many times 2"), (4, 1, "^Diversity compares .* and 1 has no other"), (1, 0, "and 1 has no other")],
)
def test_pictures_that_do_not_come_out_even_are_one_sentence(count, per_prompt, sentence):
    with pytest.raises(EvaluationError, match=sentence):
        diversity.prompts_apart(count, per_prompt)


def test_the_interval_of_diversity_never_pairs_a_picture_with_itself():
    same = torch.ones(5, 5, dtype=torch.float64).fill_diagonal_(0)  # all pairs are equally far apart: nothing is uncertain
    assert diversity.diversity_interval([same]) == (1.0, 1.0)
    assert all(math.isnan(v) for v in diversity.diversity_interval([same[:2, :2]]))
    low, high = diversity.diversity_interval([same, same * 2, same * 3])
    assert 1 <= low < 2 < high <= 3


# --- distributions ----------------------------------------------------------------------------------------------------


def published_fid(x, y):
    """Heusel et al. 2017 as their code computes it: with the matrix square root."""
    from scipy.linalg import sqrtm

    x, y = x.double().numpy(), y.double().numpy()
    a, b = np.cov(x, rowvar=False), np.cov(y, rowvar=False)
    apart = x.mean(0) - y.mean(0)
    return apart @ apart + np.trace(a + b - 2 * np.real(sqrtm(a @ b)))


@pytest.mark.parametrize("n, m, width", [(200, 150, 12), (40, 300, 30), (31, 31, 30)])
def test_the_frechet_distance_is_the_published_one(n, m, width):
    generator = torch.Generator().manual_seed(n)
    x = torch.randn(n, width, generator=generator, dtype=torch.float64)
    y = torch.randn(m, width, generator=generator, dtype=torch.float64) @ torch.rand(width, width, generator=generator).double() + 0.3
    assert distributions.frechet_distance(x, y) == pytest.approx(published_fid(x, y), rel=1e-7)


def test_the_frechet_distance_is_exact_where_few_pictures_make_a_singular_covariance():
    """Sets in one plane of a wide space: their distance is that in the plane, where the covariance has full rank."""
    generator = torch.Generator().manual_seed(3)
    x, y = torch.randn(9, 2, generator=generator).double(), torch.randn(7, 2, generator=generator).double() * 2 + 1
    plane = torch.linalg.qr(torch.randn(50, 2, generator=generator).double()).Q
    assert distributions.frechet_distance(x @ plane.T, y @ plane.T) == pytest.approx(published_fid(x, y), rel=1e-9)
    assert distributions.frechet_distance(x, x) == pytest.approx(0, abs=1e-9)
    moved = distributions.frechet_distance(x, x + 3)
    assert moved == pytest.approx(18, rel=1e-9)  # only the means differ: 3² in two directions


def published_score(p):
    """exp(E KL(p(y|x) || p(y))), Salimans et al. 2016, with probabilities."""
    marginal = p.mean(0)
    return float(np.exp(np.mean([np.sum(q * np.log(q / marginal)) for q in p])))


def test_the_inception_score_is_the_published_one():
    logits = torch.randn(12, 9, generator=torch.Generator().manual_seed(0)) * 3
    p = logits.double().softmax(1).numpy()
    assert distributions.inception_score(logits, 1)[0] == pytest.approx(published_score(p), rel=1e-12)
    order = np.random.RandomState(2020).permutation(12)
    parts = [published_score(p[order][a : a + 4]) for a in (0, 4, 8)]
    assert distributions.inception_score(logits, 3) == pytest.approx((np.mean(parts), np.std(parts)), rel=1e-12)
    sure = torch.eye(9) * 500  # each picture is surely something else: as many as there are
    assert distributions.inception_score(sure, 1)[0] == pytest.approx(9)
    with pytest.raises(EvaluationError, match="^3 pictures make no 10 splits"):
        distributions.inception_score(logits[:3], 10)


# --- identity ---------------------------------------------------------------------------------------------------------


def test_identity_stability_is_the_least_similarity_to_the_pictures_that_were_not_given():
    x, person = unit(3, 5), unit(4, 5, 1)
    others = identity.others_of(person, 1)
    by_hand = [min(float(a @ person[k]) for k in (0, 2, 3)) for a in x]
    assert identity.identity_stability(x, others).tolist() == pytest.approx(by_hand, abs=1e-14)
    copied = identity.identity_stability(person[1:2], others)  # a copy of the input is no better for it
    assert float(copied) == pytest.approx(min(float(person[1] @ person[k]) for k in (0, 2, 3)), abs=1e-14)


@pytest.mark.parametrize("count, index, sentence", [(1, 0, "beside the one that the model was"), (3, 3, "^input_index is 3, .* 0 to 2")])
def test_a_person_without_other_pictures_is_one_sentence(count, index, sentence):
    with pytest.raises(EvaluationError, match=sentence):
        identity.others_of(torch.zeros(count, 4), index)


# --- rows -------------------------------------------------------------------------------------------------------------


def row(label="a", metric="DIV", value=0.5, low=0.4, high=0.6, encoder="pocket", better="higher"):
    return metrics.Row(label, metric, value, low, high, 4, encoder, better)


def test_metrics_never_change():
    first = metrics.Metrics().add(row())
    second = first.add(row("b"))
    assert len(first.rows) == 1 and len(second.rows) == 2 and metrics.Metrics().rows == ()
    with pytest.raises(AttributeError):
        first.rows = ()


def test_the_bootstrap_of_a_mean_covers_the_true_mean_about_nineteen_times_in_twenty():
    rng = np.random.default_rng(5)
    hits = sum(low <= 2 <= high for low, high in (metrics.mean_interval(torch.from_numpy(rng.normal(2, 1, 40))) for _ in range(200)))
    assert 178 <= hits <= 198
    values = torch.rand(10)
    assert metrics.mean_interval(values) == metrics.mean_interval(values)
    assert all(math.isnan(v) for v in metrics.mean_interval(values[:1]))


def test_an_interval_by_standard_errors_leaves_out_draws_that_allow_no_number():
    low, high = metrics.spread_interval(5.0, lambda rng: rng.normal(9, 1), 200)
    assert (low + high) / 2 == pytest.approx(5) and high - low == pytest.approx(2 * 1.96, rel=0.2)
    assert all(math.isnan(v) for v in metrics.spread_interval(5.0, lambda rng: math.nan, 200))
    assert metrics.spread_interval(0.1, lambda rng: rng.normal(9, 1), 200)[0] == 0


def test_the_table_has_a_line_a_label_and_a_column_a_metric_and_encoder():
    found = metrics.Metrics((row(), row("b", value=0.25, low=math.nan, high=math.nan), row(encoder="dino"), row(metric="FID", value=12.345,
                             better="lower"), row(value=0.7)))  # fmt: skip
    assert found.table().splitlines() == [
        "|  | DIV ↑ (pocket) | DIV ↑ (dino) | FID ↓ (pocket) |",
        "| --- | ---: | ---: | ---: |",
        "| a | 0.500 (0.400 – 0.600) · 0.700 (0.400 – 0.600) | 0.500 (0.400 – 0.600) | 12.35 (0.400 – 0.600) |",
        "| b | 0.250 |  |  |",
    ]
    assert "| a\\|b " in metrics.Metrics((row("a|b"),)).table()


def test_the_csv_gives_back_every_number_as_it_was():
    import csv
    import io

    found = metrics.Metrics((row('my "dog", trained', value=1 / 3), row(low=math.nan, high=math.nan)))
    first, second = csv.DictReader(io.StringIO(found.csv()))
    assert list(first) == ["label", "metric", "value", "low", "high", "pictures", "encoder", "better"]
    assert (first["label"], float(first["value"]), second["low"]) == ('my "dog", trained', 1 / 3, "")


def test_an_older_report_is_never_lost_and_the_same_one_is_kept_once(tmp_path):
    from viper.evaluation.report import write_csv

    folder = tmp_path / "viper" / "evaluation"
    one, two = metrics.Metrics((row(),)), metrics.Metrics((row(), row("b")))
    assert write_csv(folder, " my dog ", one) == folder / "my dog.csv" == write_csv(folder, "my dog", one)
    before = (folder / "my dog.csv").read_bytes()
    assert write_csv(folder, "my dog", two) == folder / "my dog 2.csv" == write_csv(folder, "my dog", two)
    assert (folder / "my dog.csv").read_bytes() == before and before.startswith(b"\xef\xbb\xbf")
    assert sorted(p.name for p in folder.iterdir()) == ["my dog 2.csv", "my dog.csv"]
    with pytest.raises(EvaluationError, match="cannot hold"):
        write_csv(folder, "../x", one)
    (tmp_path / "file").write_text("")
    with pytest.raises(EvaluationError, match="^The report could not be written"):
        write_csv(tmp_path / "file", "x", one)


def test_the_chart_shows_longer_bars_for_larger_numbers_and_draws_what_has_no_number():
    from viper.evaluation.chart import COLOURS, chart

    rows = row(value=0.2, low=math.nan, high=math.nan), row("b", value=0.8), row("c", value=-0.1), row("d", value=math.nan)
    found = metrics.Metrics(rows)
    pixels = chart(found, "my dog").astype(int)

    def area(colour):
        rgb = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
        return int((abs(pixels - rgb).max(-1) < 12).sum())

    assert area(COLOURS[1]) > 3 * area(COLOURS[0]) > 0 and area(COLOURS[2]) > 0 and area(COLOURS[3]) == 0
    many = metrics.Metrics(tuple(row(f"label {n}, longer than its place", f"metric {k}", 0.1 * n) for n in range(12) for k in range(9)))
    assert chart(many, "a title " * 40).shape[2] == 3
    constant = chart(metrics.Metrics((row(value=0.0, low=0.0, high=0.0),)), "")
    assert constant.shape[0] > 50
