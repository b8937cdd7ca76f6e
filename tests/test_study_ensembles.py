"""The study of ensembles: its training sets, its arms, and how it chooses their settings."""

from __future__ import annotations

import importlib.util
import itertools
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import Tensor

from distill_helpers import experiments as ex
from distill_helpers import metrics, studies
from distill_helpers.networks import Stack
from distill_helpers.tasks import Task, gaussian_mixture_task
from distill_helpers.training import HardLabels, fit

SCRIPT = Path(__file__).parent.parent / "studies" / "ensembles.py"
SMALL = gaussian_mixture_task(3, 4, 0.2, num_train=80, num_test=20)


@pytest.fixture(scope="module")
def module() -> ModuleType:
    spec = importlib.util.spec_from_file_location("ensembles_study", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    sys.modules["ensembles_study"] = loaded  # dataclasses look their module up
    spec.loader.exec_module(loaded)
    return loaded


@pytest.fixture
def study(module: ModuleType, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The study, with small networks on a small task and hardly any training."""
    small = module.Recipe(2, (6,), (0.0,), (1, 2), 2, 200, epochs=2)
    monkeypatch.setattr(module, "RECIPES", dict.fromkeys(("article", "overlap", "digits"), small))
    original = module.training_set
    monkeypatch.setattr(
        module,
        "training_set",
        lambda name, index: (
            original(name, index) if name == "digits" else SMALL.with_fresh_data(index)
        ),
    )
    monkeypatch.setattr("torch.set_num_threads", lambda number: None)
    return module


def test_the_folds_of_a_repeat_cover_every_image_once(module: ModuleType) -> None:
    folds = [module.digits_fold(index) for index in range(module.SPLITS)]
    raw = np.concatenate([fold.x_test.numpy() * fold.scale + fold.mean for fold in folds])
    ours = sorted(map(tuple, raw.round().astype(int).tolist()))
    assert ours == sorted(map(tuple, load_digits().data.astype(int).tolist()))
    for fold in folds:
        assert len(fold.y_train) + len(fold.y_test) == 1797
        torch.testing.assert_close(fold.x_train.mean(0), torch.zeros(64), rtol=0, atol=1e-5)
    again = module.digits_fold(module.SPLITS)
    assert not torch.equal(again.y_test, folds[0].y_test), "another repeat is dealt anew"


def test_the_tables_are_of_fresh_training_sets(module: ModuleType) -> None:
    one, other = (module.training_set("overlap", index) for index in (0, 1))
    assert one.law is not None and other.law is not None
    np.testing.assert_array_equal(one.law.centroids, other.law.centroids)
    assert not torch.equal(one.x_train, other.x_train)
    assert len(one.y_train) == 1000 and one.num_classes == 4


def test_doubling_keeps_the_samples_and_adds_as_many_in_the_same_scale(study: ModuleType) -> None:
    task, more = SMALL.with_fresh_data(3), SMALL.with_fresh_data(1003)
    both = study.doubled("overlap", task, 3)
    assert torch.equal(both.x_train[:80], task.x_train)
    assert torch.equal(both.y_train, torch.cat([task.y_train, more.y_train]))
    raw = both.x_train[80:].double().numpy() * both.scale + both.mean
    np.testing.assert_allclose(
        raw, more.x_train.double().numpy() * more.scale + more.mean, atol=1e-5
    )


def test_weight_decays_train_side_by_side_as_they_would_alone(module: ModuleType) -> None:
    rows = torch.arange(60).expand(2, -1)
    together = module.train(SMALL, (6,), (0.0,), [4, 5], epochs=2, decays=[0.0, 0.1], rows=rows)
    for position, decay in enumerate([0.0, 0.1]):
        alone = Stack.build((4, 6, 3), seeds=[4, 5])
        labels = HardLabels(SMALL.y_train)
        fit(alone, SMALL, labels, epochs=2, weight_decay=decay, seeds=[4, 5], rows=rows)
        part = together[2 * position : 2 * position + 2]
        for mine, theirs in zip(part.parameters(), alone.parameters(), strict=True):
            torch.testing.assert_close(mine, theirs, rtol=0, atol=1e-5)


def test_pools_are_of_disjoint_groups_in_order(module: ModuleType) -> None:
    logits = torch.randn(5, 7, 3, generator=torch.Generator().manual_seed(0))
    geometric = module.pooled(logits, "geometric", 2)
    arithmetic = module.pooled(logits, "arithmetic", 2)
    assert geometric.shape == arithmetic.shape == (2, 7, 3), "the fifth member is in no group"
    for group in range(2):
        two = logits[2 * group : 2 * group + 2].double()
        torch.testing.assert_close(geometric[group].softmax(-1), two.mean(0).softmax(-1))
        torch.testing.assert_close(arithmetic[group].exp(), two.softmax(-1).mean(0))


def test_scores_are_means_over_networks_and_kl_is_beyond_the_noise(module: ModuleType) -> None:
    logits = torch.randn(3, 50, 4, generator=torch.Generator().manual_seed(1))
    posterior = torch.softmax(torch.randn(50, 4, dtype=torch.float64), -1)
    scores = module.scored(logits, posterior)
    p = logits.double().softmax(-1)
    kl = (posterior * (posterior / p).log()).sum(-1).mean()
    assert scores["kl"] == pytest.approx(float(kl))
    accuracy = metrics.accuracy(logits, posterior, members=True).mean()
    assert scores["accuracy"] == pytest.approx(float(accuracy))
    labels = torch.zeros(50, dtype=torch.int64)
    assert "kl" not in module.scored(logits, labels)


def test_every_arm_gets_the_trial_that_its_metric_prefers(
    study: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Accuracy is best at one setting, NLL at another; both are known beforehand."""
    recipe = study.RECIPES["overlap"]
    trials: list[tuple[int, int]] = []

    class Answers:
        def __init__(self, epochs: int, count: int) -> None:
            self.epochs, self.count = epochs, count

        def predict(self, x: Tensor) -> Tensor:
            """Right and timid for length 1 and no decay; else often wrong, but never sure."""
            rows = (SMALL.x_train[:, None] == x).all(-1).float().argmax(0)
            labels = SMALL.y_train[rows]
            every = []
            for decay in study.DECAYS:
                z = torch.nn.functional.one_hot(labels, 3).float()
                if (self.epochs, decay) == (1, 0.0):
                    z *= 0.01  # always right, hardly sure
                elif (self.epochs, decay) == (2, 1e-3):
                    z *= 4
                    z[::5] = z[::5].roll(1, -1) * 0.5  # wrong now and then, but mostly sure
                else:
                    z = -3 * z
                every += [z] * self.count
            return torch.stack(every)

    def train(task: Task, hidden, dropout, seeds, *, epochs, decays, rows):  # type: ignore[no-untyped-def]
        trials.append((epochs, len(seeds)))
        assert tuple(decays) == study.DECAYS and len(rows) == len(seeds)
        return Answers(epochs, len(seeds))

    monkeypatch.setattr(study, "train", train)
    chosen = study.tune(recipe, SMALL, [9], list(range(12)), 0)
    arms = ("one member", "geometric", "arithmetic", "wide")
    assert chosen.keys() == set(itertools.product(arms, study.TUNED_BY))
    for arm in arms:
        assert chosen[arm, "accuracy"] == {"epochs": 1, "weight_decay": 0.0}
        assert chosen[arm, "negative_log_likelihood"] == {"epochs": 2, "weight_decay": 1e-3}
    assert sorted(trials) == sorted([(1, 4), (1, 1), (2, 4), (2, 1)] * recipe.folds)


@pytest.mark.parametrize("name", ["overlap", "digits"])
def test_a_replicate_scores_every_arm(study: ModuleType, name: str) -> None:
    rows = study.replicate(name, 1)
    of = {(row["arm"], row["chosen_by"]): row for row in rows}
    assert len(of) == len(rows), "no arm twice"
    members = [of[f"member {n}", "no one"]["accuracy"] for n in range(1, 13)]
    assert of["one member", "no one"]["accuracy"] == pytest.approx(np.mean(members))
    assert (
        of["geometric, 12", "no one"]["negative_log_likelihood"]
        <= (of["one member", "no one"]["negative_log_likelihood"])
    ), "the ambiguity is not negative"
    assert (("one member, twice the data", "no one") in of) == (name == "overlap")
    for arm in ("one member", "geometric, 12", "arithmetic, 12", "wide"):
        for metric in study.TUNED_BY:
            assert of[f"{arm}, tuned", metric]["epochs"] in (1, 2)
    usual = of["one member, tuned", "accuracy"]
    if (usual["epochs"], usual["weight_decay"]) == (2, 0.0):
        assert usual["accuracy"] == of["one member", "no one"]["accuracy"]
    first = ex.member_seeds(42, "teacher", 1, 1)
    task = study.training_set(name, 1)
    alone = study.train(task, (6,), (0.0,), first, epochs=2)
    x, labels = (task.x_test, task.y_test)
    if name == "overlap":
        x, _ = task.sample(200, seed=1)
        labels = task.posterior(x)
    nll = float(metrics.negative_log_likelihood(alone.predict(x)[0], labels))
    assert of["member 1", "no one"]["negative_log_likelihood"] == pytest.approx(nll, abs=1e-5)


def test_a_run_writes_its_table(
    study: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "table.csv"
    monkeypatch.setattr(sys, "argv", ["x", "overlap", "--replicates", "2", "--output", str(path)])
    study.main()
    found = studies.read(path)
    assert found.about["command"] == "python studies/ensembles.py overlap --replicates 2"
    assert found.arm("wide", chosen_by="no one").keys() == {0, 1}
    kl = found.arm("one member", "kl", chosen_by="no one")
    assert all(isinstance(value, float) and value > 0 for value in kl.values())


def test_counts_below_one_are_refused(
    study: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["x", "overlap", "--replicates", "0"])
    with pytest.raises(SystemExit):
        study.main()
    assert "counts must be 1 or more" in capsys.readouterr().err
