"""DreamBooth's objective, by hand in float64, and against diffusers."""

import math

import pytest
import torch

from viper.training import objective as o

B = 5
SHAPE = (B, 3, 4, 4)


def draw(seed=0, shape=SHAPE):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def level(target):
    """One noise level a sample, from almost clean to almost noise."""
    s = torch.tensor([0.03, 0.4, 1.0, 3.0, 12.0], dtype=torch.float64)
    return s / (1 + s) if target == "flow" else s


@pytest.mark.parametrize("target", o.TARGETS)
def test_targets_are_those_of_the_literature(target):
    x0, eps, s = draw(1), draw(2), level(target)
    alpha, sigma = o.levels(target, s)
    got = o.native_target(target, x0, eps, alpha, sigma)
    for i in range(B):
        a, b = (1 - s[i], s[i]) if target == "flow" else (1 / math.sqrt(1 + s[i] ** 2), s[i] / math.sqrt(1 + s[i] ** 2))
        want = {"eps": eps[i], "v": a * eps[i] - b * x0[i], "flow": eps[i] - x0[i], "x0": x0[i]}[target]
        torch.testing.assert_close(got[i], want, rtol=1e-12, atol=1e-12)
        torch.testing.assert_close(o.noised(x0, eps, alpha, sigma)[i], a * x0[i] + b * eps[i], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("source", o.TARGETS)
@pytest.mark.parametrize("target", o.TARGETS)
def test_predictions_convert_between_all_targets(source, target):
    x0, eps = draw(1), draw(2)
    alpha, sigma = o.levels("v", level("v"))
    x_t = o.noised(x0, eps, alpha, sigma)
    prediction = o.native_target(source, x0, eps, alpha, sigma)
    got = o.convert(prediction, source, target, x_t, alpha, sigma)
    torch.testing.assert_close(got, o.native_target(target, x0, eps, alpha, sigma), rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(torch.stack(o.split(source, prediction, x_t, alpha, sigma)), torch.stack((x0, eps)), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("how, in_x0", [("min_snr", lambda snr: min(snr, 5.0)), ("debiased", math.sqrt)])
@pytest.mark.parametrize("target", o.TARGETS)
def test_weights_mean_the_same_error_in_x0_whatever_the_network_predicts(target, how, in_x0):
    """A wrong prediction costs w(SNR) ‖x̂₀ − x₀‖², in every target."""
    x0, eps, s = draw(1), draw(2), level(target)
    alpha, sigma = o.levels(target, s)
    x_t, p = o.noised(x0, eps, alpha, sigma), o.native_target(target, x0, eps, alpha, sigma)
    wrong = p + 0.1 * draw(3)
    cost = o.loss_weight(how, target, alpha, sigma) * o.squared_errors(wrong, p)
    x0_error = o.squared_errors(o.split(target, wrong, x_t, alpha, sigma)[0], x0)
    want = torch.stack([in_x0(float(a / b) ** 2) * e for a, b, e in zip(alpha, sigma, x0_error, strict=True)])
    torch.testing.assert_close(cost, want, rtol=1e-9, atol=1e-12)


def test_weights_of_the_papers_by_hand():
    alpha, sigma = o.levels("eps", level("eps"))
    snr = (alpha / sigma) ** 2
    torch.testing.assert_close(o.loss_weight("paper", "eps", alpha, sigma), torch.ones(B, dtype=torch.float64))
    torch.testing.assert_close(o.loss_weight("min_snr", "eps", alpha, sigma, gamma=2.0), snr.clamp_max(2.0) / snr)
    torch.testing.assert_close(o.loss_weight("min_snr", "v", alpha, sigma), snr.clamp_max(5.0) / (snr + 1))
    torch.testing.assert_close(o.loss_weight("debiased", "eps", alpha, sigma), snr**-0.5)
    torch.testing.assert_close(o.loss_weight("high_noise", "eps", alpha, sigma), sigma**2)
    t = level("flow")
    torch.testing.assert_close(o.loss_weight("min_snr", "flow", 1 - t, t), ((1 - t) ** 2 / t**2).clamp_max(5.0) * t**2)


@pytest.mark.parametrize("target", ["v", "flow"])
def test_high_noise_weights_the_error_of_the_picture(target):
    alpha, sigma = o.levels(target, level(target))
    x0, eps, off = draw(1, (B, 4, 3, 3)), draw(2, (B, 4, 3, 3)), draw(3, (B, 4, 3, 3))
    x_t, wanted = o.noised(x0, eps, alpha, sigma), o.native_target(target, x0, eps, alpha, sigma)
    seen, _ = o.split(target, wanted + off, x_t, alpha, sigma)
    weighted = o.loss_weight("high_noise", target, alpha, sigma) * o.squared_errors(wanted + off, wanted)
    torch.testing.assert_close(weighted, o.squared_errors(seen, x0))


@pytest.mark.parametrize("how", o.WEIGHTINGS)
@pytest.mark.parametrize("target", o.TARGETS)
def test_weights_are_finite_at_the_ends(target, how):
    ends = torch.tensor([0.0, 1e-6, 1.0 if target == "flow" else 4518.0])
    alpha, sigma = o.levels(target, ends)
    assert torch.isfinite(o.loss_weight(how, target, alpha, sigma)).all()


def test_loss_is_the_instance_term_and_lambda_times_the_prior_term():
    errors = torch.tensor([1.0, 2.0, 4.0, 8.0], dtype=torch.float64)
    weights = torch.tensor([1.0, 0.5, 2.0, 0.25], dtype=torch.float64)
    loss = o.dreambooth_loss(errors, weights, [False, True, False, True], lam=0.3)
    assert loss.instance == (1 + 8) / 2 and loss.prior == (1 + 2) / 2
    assert float(loss.total) == pytest.approx(4.5 + 0.3 * 1.5)
    alone = o.dreambooth_loss(errors, weights, [False] * 4, lam=1.0)
    assert alone.prior is None and alone.total == (1 + 1 + 8 + 2) / 4


def test_gradient_of_a_batch_of_four_is_the_mean_of_four_batches_of_one():
    net = torch.nn.Linear(16, 16, dtype=torch.float64)
    x, y = draw(1, (8, 3, 4, 16)), draw(2, (8, 3, 4, 16))
    alpha, sigma = o.levels("v", torch.linspace(0.1, 9, 8, dtype=torch.float64))
    weights = o.loss_weight("min_snr", "v", alpha, sigma)
    is_prior = [False] * 4 + [True] * 4

    def gradient(rows):
        net.zero_grad()
        errors = o.squared_errors(net(x[rows]), y[rows])
        o.dreambooth_loss(errors, weights[rows], [is_prior[i] for i in rows], lam=0.7).total.backward()
        return net.weight.grad.clone()

    whole = gradient(list(range(8)))
    parts = torch.stack([gradient([i, i + 4]) for i in range(4)]).mean(0)
    torch.testing.assert_close(whole, parts, rtol=1e-12, atol=1e-14)


def test_error_is_taken_in_float32_of_half_precision_predictions():
    prediction, target = torch.full((1, 1, 2, 2), 300.0, dtype=torch.float16), torch.zeros(1, 1, 2, 2)
    assert o.squared_errors(prediction, target) == 90000.0, "float16 ends at 65504"


def test_mask_leaves_out_what_it_covers_and_a_small_subject_counts_as_much_as_a_large_one():
    error = torch.zeros(2, 3, 4, 4)
    error[..., :2, :2] = 2.0
    small = torch.zeros(2, 1, 4, 4)
    small[0, :, :2, :2] = 1.0
    got = o.squared_errors(error, torch.zeros_like(error), small)
    assert got.tolist() == [4.0, 0.0], "mean over the mask; a mask of zeros has no error"
    soft = torch.full((2, 1, 4, 4), 0.5)
    torch.testing.assert_close(o.squared_errors(error, torch.zeros_like(error), soft), o.squared_errors(error, torch.zeros_like(error)))


def test_no_gradient_flows_where_the_mask_is_zero():
    p = torch.ones(1, 1, 2, 2, requires_grad=True)
    o.squared_errors(p, torch.zeros(1, 1, 2, 2), torch.tensor([[[[1.0, 0.0], [0.0, 0.0]]]])).sum().backward()
    assert p.grad.flatten().tolist() == [2.0, 0.0, 0.0, 0.0]


# --- times and noise -----------------------------------------------------------------------------------------------------


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def test_times_are_seeded_and_within_the_ends():
    for how in o.TIMES:
        t = o.sample_times(4000, how, seeded(), shift=3.0)
        assert t.dtype == torch.float64 and (0 < t).all() and (t < 1).all()
        assert torch.equal(t, o.sample_times(4000, how, seeded(), shift=3.0))


def test_times_have_the_distributions_they_are_named_after():
    t = o.sample_times(200_000, "uniform", seeded())
    assert abs(t.mean() - 0.5) < 0.005 and abs(t.var() - 1 / 12) < 0.002
    logits = torch.logit(o.sample_times(200_000, "logit_normal", seeded(), mean=0.5, std=1.5))
    assert abs(logits.mean() - 0.5) < 0.02 and abs(logits.std() - 1.5) < 0.02


def test_shift_moves_times_towards_noise_as_in_sd3():
    plain, moved = o.sample_times(9, "uniform", seeded()), o.sample_times(9, "uniform", seeded(), shift=3.0)
    torch.testing.assert_close(moved, 3 * plain / (1 + 2 * plain), rtol=1e-12, atol=0)
    assert (moved > plain).all()


def test_uniform_times_are_uniform_rows_of_a_models_table():
    table = torch.arange(10, dtype=torch.float32)
    rows = o.noise_levels(o.sample_times(100_000, "uniform", seeded()), table)
    counts = torch.bincount(rows.long(), minlength=10)
    assert (counts - 10_000).abs().max() < 500
    times = torch.tensor([0.0, 0.0999, 0.1, 0.95, 1.0], dtype=torch.float64)
    assert o.noise_levels(times, table).tolist() == [0, 0, 1, 9, 9]
    assert torch.equal(o.noise_levels(times, None), times)


def test_offset_noise_shifts_whole_channels():
    eps = torch.zeros(2, 3, 4, 4)
    assert o.offset_noise(eps, 0.0, seeded()) is eps
    moved = o.offset_noise(eps, 0.1, seeded(1))
    assert (moved == moved[:, :, :1, :1]).all() and moved.flatten(2)[:, :, 0].unique().numel() == 6
    expected = 0.1 * torch.randn(2, 3, generator=seeded(1))
    torch.testing.assert_close(moved[:, :, 0, 0], expected)


def test_unknown_names_are_refused():
    ones = torch.ones(1)
    for call in (lambda: o.coefficients("score", ones, ones), lambda: o.loss_weight("p2", "eps", ones, ones),
                 lambda: o.sample_times(1, "cosine", seeded())):  # fmt: skip
        with pytest.raises(ValueError, match=", not '"):
            call()


# --- diffusers -----------------------------------------------------------------------------------------------------------


def test_agrees_with_diffusers_ddpm_for_noise_velocity_and_snr_weights():
    diffusers = pytest.importorskip("diffusers", reason="needs the optional package diffusers")
    from diffusers.training_utils import compute_snr

    ddpm = diffusers.DDPMScheduler(beta_schedule="scaled_linear", beta_start=0.00085, beta_end=0.012)
    bar = ddpm.alphas_cumprod
    steps = torch.tensor([0, 10, 250, 700, 999])
    s = ((1 - bar) / bar).sqrt()[steps]
    x0, eps = draw(1).float(), draw(2).float()
    alpha, sigma = o.levels("v", s)
    torch.testing.assert_close(o.noised(x0, eps, alpha, sigma), ddpm.add_noise(x0, eps, steps), rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(o.native_target("v", x0, eps, alpha, sigma), ddpm.get_velocity(x0, eps, steps), rtol=1e-5, atol=1e-5)
    snr = compute_snr(ddpm, steps)
    torch.testing.assert_close((alpha / sigma) ** 2, snr, rtol=1e-4, atol=0)
    clipped = torch.minimum(snr, torch.full_like(snr, 5.0))  # as diffusers' train_dreambooth and train_text_to_image weight
    torch.testing.assert_close(o.loss_weight("min_snr", "eps", alpha, sigma), clipped / snr, rtol=1e-4, atol=0)
    torch.testing.assert_close(o.loss_weight("min_snr", "v", alpha, sigma), clipped / (snr + 1), rtol=1e-4, atol=0)


def test_agrees_with_diffusers_flow_matching():
    diffusers = pytest.importorskip("diffusers", reason="needs the optional package diffusers")
    from diffusers.training_utils import compute_density_for_timestep_sampling

    flow = diffusers.FlowMatchEulerDiscreteScheduler()
    t = flow.timesteps[[3, 400, 800, 990, 999]]
    s = t / 1000
    x0, eps = draw(1).float(), draw(2).float()
    alpha, sigma = o.levels("flow", s)
    torch.testing.assert_close(o.noised(x0, eps, alpha, sigma), flow.scale_noise(x0, t, eps), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(o.native_target("flow", x0, eps, alpha, sigma), eps - x0)
    ours = o.sample_times(100_000, "logit_normal", seeded(), mean=0.2, std=0.9).sort().values
    theirs = compute_density_for_timestep_sampling("logit_normal", 100_000, 0.2, 0.9, generator=seeded(1)).sort().values
    assert (ours - theirs).abs().max() < 0.02, "two draws of one distribution"


def test_whole_loss_is_that_of_diffusers_dreambooth_script():
    """Its recipe: halves of one batch, mean squared errors, ``instance + λ prior``."""
    prediction, target = draw(1, (4, 3, 4, 4)).float(), draw(2, (4, 3, 4, 4)).float()
    (p, p_prior), (t, t_prior) = prediction.chunk(2), target.chunk(2)
    want = torch.nn.functional.mse_loss(p, t) + 0.6 * torch.nn.functional.mse_loss(p_prior, t_prior)
    got = o.dreambooth_loss(o.squared_errors(prediction, target), torch.ones(4), [False, False, True, True], lam=0.6)
    torch.testing.assert_close(got.total, want)
