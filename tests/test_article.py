"""The article's run: its order of random draws, held to PyTorch's own DataLoader, and its parts."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from distill_helpers import article, studies
from distill_helpers import experiments as ex
from distill_helpers.networks import mlp
from distill_helpers.soft_targets import soft_targets
from distill_helpers.tasks import gaussian_mixture_task

TASK = gaussian_mixture_task(2, 4, 0.1, num_train=150, num_test=60)
SMALL = {"ensemble_size": 2, "teacher_epochs": 2, "student_epochs": 5, "hidden": [6]}


@pytest.fixture(scope="module")
def run() -> article.Replay:
    return article.replay(TASK, random_state=1, **SMALL)  # type: ignore[arg-type]


@pytest.mark.parametrize("epochs", [1, 3])
def test_the_order_is_the_data_loaders(epochs: int) -> None:
    """Epoch after epoch, and the global state is left where the DataLoader leaves it."""
    loader = DataLoader(TensorDataset(torch.arange(150)), batch_size=64, shuffle=True)
    torch.manual_seed(5)
    theirs = [torch.cat([batch for (batch,) in loader]) for _ in range(epochs)]
    after = torch.rand(3)
    torch.manual_seed(5)
    ours = [article.loader_order(150) for _ in range(epochs)]
    assert all(map(torch.equal, ours, theirs))
    assert torch.equal(torch.rand(3), after)


def plainly(network: nn.Module, loss_of, epochs: int, weight_decay: float) -> list[float]:  # type: ignore[no-untyped-def]
    """Train over a DataLoader, with Adam's plain loop: the article's code in the fewest lines."""
    optimiser = torch.optim.Adam(
        network.parameters(), lr=1e-3, weight_decay=weight_decay, foreach=False
    )
    loader = DataLoader(TensorDataset(torch.arange(150)), batch_size=64, shuffle=True)
    losses = []
    for _ in range(epochs):
        total = 0.0
        for (rows,) in loader:
            loss = loss_of(network(TASK.x_train[rows]), rows)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            total += loss.item()
        losses.append(total / len(loader))
    return losses


def test_the_replay_is_the_articles_loop(run: article.Replay) -> None:
    """Teachers seeded one by one; student and baseline start from the state that is left."""
    x, y = TASK.x_train, TASK.y_train
    hard = lambda z, rows: nn.functional.cross_entropy(z, y[rows])  # noqa: E731
    torch.manual_seed(1)
    teachers = []
    for seed in range(2):
        torch.manual_seed(seed)
        teacher = mlp((4, 256, 128, 64, 2), (0.3, 0.3, 0.0))
        plainly(teacher, hard, 2, 0.0)
        teachers.append(teacher.eval())
    with torch.no_grad():
        logits = torch.stack([teacher(x) for teacher in teachers])
        torch.testing.assert_close(run.train_logits, logits, rtol=0, atol=1e-5)
        at_test = torch.stack([teacher(TASK.x_test) for teacher in teachers])
        torch.testing.assert_close(run.test_logits, at_test, rtol=0, atol=1e-5)
    targets = torch.softmax(logits.mean(0) / 3, 1)
    torch.testing.assert_close(run.targets, targets, rtol=0, atol=1e-6)

    def distil(z: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        soft = nn.functional.kl_div(
            torch.log_softmax(z / 3, 1), targets[rows], reduction="batchmean"
        )
        return 0.7 * 9 * soft + 0.3 * hard(z, rows)

    student = mlp((4, 6, 2))
    losses = plainly(student, distil, 5, 1e-4)
    torch.testing.assert_close(run.loss, torch.tensor(losses), rtol=0, atol=1e-5)
    baseline = mlp((4, 6, 2))
    plainly(baseline, hard, 5, 1e-4)
    with torch.no_grad():
        torch.testing.assert_close(run.student_logits[-1], student(TASK.x_test), rtol=0, atol=1e-5)
        torch.testing.assert_close(run.baseline_logits, baseline(TASK.x_test), rtol=0, atol=1e-5)


def test_the_student_is_looked_at_five_times(run: article.Replay) -> None:
    assert run.checkpoints.tolist() == [1, 2, 3, 4, 5]
    assert run.student_logits.shape == (5, 60, 2) and run.loss.shape == (5,)
    assert (run.student_logits[1:] != run.student_logits[:-1]).any(2).any(1).all()


def test_a_short_run_is_looked_at_as_often_as_it_can_be() -> None:
    short = article.replay(TASK, **(SMALL | {"student_epochs": 2}))  # type: ignore[arg-type]
    assert short.checkpoints.tolist() == [1, 2]


def test_the_callers_random_state_and_threads_are_left() -> None:
    threads = torch.get_num_threads()
    torch.manual_seed(9)
    expected = torch.rand(2)
    torch.manual_seed(9)
    article.replay(TASK, random_state=2, **SMALL)  # type: ignore[arg-type]
    assert torch.equal(torch.rand(2), expected)
    assert torch.get_num_threads() == threads


@pytest.mark.parametrize(
    ("setting", "value", "changed"),
    [
        ("temperature", 1.0, {"targets", "loss", "student_logits"}),
        ("alpha", 0.2, {"loss", "student_logits"}),
        ("hidden", [5], {"loss", "student_logits", "baseline_logits"}),
        ("student_epochs", 6, {"checkpoints", "loss", "student_logits", "baseline_logits"}),
    ],
)
def test_a_setting_changes_what_it_should_and_nothing_else(
    run: article.Replay, setting: str, value: object, changed: set[str]
) -> None:
    other = article.replay(TASK, random_state=1, **(SMALL | {setting: value}))  # type: ignore[arg-type]
    for field in dataclasses.fields(article.Replay):
        same = torch.equal(getattr(run, field.name), getattr(other, field.name))
        assert same == (field.name not in changed), field.name


def test_the_targets_are_the_packages(run: article.Replay) -> None:
    assert torch.equal(run.targets, soft_targets(run.train_logits, 3.0, "logits"))


def test_what_the_article_published_is_consistent() -> None:
    told = article.Published()
    gap = (told.student[-1] - told.baseline) / (told.ensemble - told.baseline)
    assert gap == pytest.approx(told.gap_recovered, abs=5e-4)
    assert len(told.teachers) == 12 and len(told.student) == len(told.loss) == len(told.epochs)
    assert told.ensemble_parameters // told.student_parameters == told.compression
    assert sum(told.first_soft_target) == pytest.approx(1)


def verdict(claim: int, word: str, result: str = "r") -> dict[str, str]:
    """A verdict on one of the article's claims."""
    source = f"the article, claim {claim}"
    return {
        "claim": f"C{word[0]}.",
        "source": source,
        "prediction": "p",
        "result": result,
        "verdict": word,
    }


def test_a_claim_has_one_row_its_halves_together_and_the_page_that_decides() -> None:
    interval = "gain: 0.7 points (95 % interval: -0.6 to 0.8); small"
    rows = article.claim_rows(
        [verdict(1, "holds", interval), verdict(1, "undecided"), verdict(6, "see chapter 04")],
        {"00": "here.ipynb", "04": "there.ipynb"},
    )
    first, second = rows
    assert first[0] == "**1.** (a) Ch. (b) Cu."
    assert first[2] == "(a) gain: 0.7 points [-0.6, 0.8]; small; (b) r"
    assert first[3:] == ["(a) holds; (b) undecided", "[00](here.ipynb)"]
    assert second == ["**6.** Cs.", "p", "r", "see chapter 04", "[04](there.ipynb)"]
    told_twice = verdict(6, "see chapter 04") | {"prediction": "judged in chapter 04"}
    assert article.claim_rows([told_twice], {"04": "there.ipynb"})[0][1] == ""
    with pytest.raises(KeyError):
        article.claim_rows([verdict(6, "see chapter 05")], {"00": "here.ipynb"})


# Many teacher sets

SHORT = {"ensemble_size": 2, "epochs": 1, "student_epochs": 2, "hidden": [6], "random_state": 3}


@pytest.fixture(scope="module")
def scored() -> dict[str, article.Scored]:
    names = ["ensemble", "hard labels"]
    return article.teacher_set(TASK, 4, names, num_students=3, num_test=620, **SHORT)  # type: ignore[arg-type]


def test_a_teacher_set_is_scored_on_a_sample_of_its_own(scored: dict[str, article.Scored]) -> None:
    """Networks trained step by step, samples counted one by one."""
    teachers = ex.train_teachers(TASK, ensemble_size=2, epochs=1, random_state=3, set_index=4)
    lesson = ex.Lesson(TASK, teachers.predict(TASK.x_train), seed=4)
    stacks = ex.train_students(
        TASK,
        ex.ladder_arms(lesson, names=["ensemble", "hard labels"]),
        seeds=ex.member_seeds(3, "student", 4, 3),
        hidden=[6],
        epochs=2,
    )
    x, y = TASK.sample(620, seed=4)
    logits = {name: stack.predict(x) for name, stack in stacks.items()}
    logits["the ensemble itself"] = teachers.predict(x).mean(0, keepdim=True)
    assert list(scored) == list(logits)
    for name, answers in logits.items():
        p = answers.double().softmax(2).numpy()
        own = p[:, np.arange(620), y.numpy()]
        right = p.argmax(2) == y.numpy()
        found = scored[name]
        expected = [[one[:250].sum() / 250, one[250:500].sum() / 250] for one in right]
        np.testing.assert_array_equal(found.right, expected)
        np.testing.assert_allclose(found.confidence, p.max(2).mean(1), rtol=1e-6)
        np.testing.assert_allclose(found.negative_log_likelihood, -np.log(own).mean(1), rtol=1e-6)


def test_the_knobs_of_a_teacher_set_reach_its_students(scored: dict[str, article.Scored]) -> None:
    for knob in ({"temperature": 1.0}, {"alpha": 0.1}):
        other = article.teacher_set(
            TASK, 4, ["ensemble", "hard labels"], num_students=3, num_test=620, **SHORT, **knob
        )  # type: ignore[arg-type]
        moved = {
            name: not np.array_equal(other[name].confidence, scored[name].confidence)
            for name in scored
        }
        assert moved == {"ensemble": True, "hard labels": False, "the ensemble itself": False}


def test_teacher_sets_come_back_from_a_table(
    scored: dict[str, article.Scored], tmp_path: Path
) -> None:
    """Every share to the last bit, whatever the number of errors, and the sets in order."""
    every = np.arange(251).reshape(1, -1) / 250
    other = {"ensemble": article.Scored(every, np.array([0.8]), np.array([0.3]))}
    writer = studies.Writer(tmp_path / "runs.csv", "command", "replicate")
    writer.add(article.to_rows(1, other))
    writer.add(article.to_rows(0, scored))
    writer.finish()
    back = article.from_rows(studies.read(tmp_path / "runs.csv"))
    for one, expected in zip(back, [scored, other], strict=True):
        assert list(one) == list(expected)
        for name, scores in one.items():
            np.testing.assert_array_equal(scores.right, expected[name].right)
            for field in ("confidence", "negative_log_likelihood"):
                was = getattr(expected[name], field)
                np.testing.assert_allclose(getattr(scores, field), was, rtol=1e-8)
