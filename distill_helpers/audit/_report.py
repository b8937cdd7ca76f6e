"""What the audit says: its checks, the mistakes that have a name, and how a report reads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from distill_helpers.conventions import Canonical

PASSED, FAILED, WARNED, UNKNOWN = "passed", "failed", "warning", "could not tell"

CHECKS = {
    "finite": "The loss is a finite number on ordinary logits.",
    "graph": "The gradient that autograd finds is the slope of the loss.",
    "soft part": "The teacher's part has the gradient of KL(teacher || student).",
    "temperature": "Teacher and student are both divided by the declared temperature.",
    "labels": "The labels' part is the cross-entropy of the student's plain logits.",
    "T squared": "The teacher's part carries the factor T^2.",
    "reduction": "Both parts are means over the batch, and not over classes too.",
    "alpha": "Alpha weighs the teacher's part, and 1 - alpha the labels'.",
    "members": "Every member of an ensemble is heard.",
    "rows": "Both parts count the same rows, and none that is padding.",
    "extremes": "The loss stays finite where a probability underflows.",
    "inputs": "Teacher and student are asked about the same inputs.",
    "order": "Each row of the teacher's output belongs to the same row of the inputs.",
    "student output": "The student returns logits.",
    "student mode": "The student is in train mode.",
    "teacher output": "The teacher returns what the loss takes.",
    "teacher quality": "The teacher agrees with the labels more often than by chance.",
    "teacher mode": "The teacher answers as in eval mode.",
    "teacher gradient": "No gradient goes into the teacher.",
    "optimiser": "The optimiser moves the student's parameters and none of the teacher's.",
    "evaluation": "The student is tested at temperature 1.",
}

OVER_TOKENS = (
    "The loss is over tokens; on masks, means per token or per sequence, and the direction of KL: "
    "chapter 09, One token at a time (notebooks/09-one-token-at-a-time.ipynb)."
)

BUGS = {
    "mean instead of batchmean": 'Use reduction="batchmean": "mean" divides by the classes too.',
    "T^2 missing": "Multiply the teacher's part by T ** 2.",
    "T instead of T^2": "Multiply the teacher's part by T ** 2, not by T.",
    "T^2 twice": "Multiply the teacher's part by T ** 2 once.",
    "T^2 on the wrong term": "Multiply the teacher's part by T ** 2, not the labels' part.",
    "alpha on the wrong term": "Let alpha weigh the teacher's part and 1 - alpha the labels', or "
    "declare the other value.",
    "sum instead of a mean": "Take both parts as means over the batch.",
    "batch divided out twice": 'Divide by the batch once; "batchmean" has done it already.',
    "batchmean over positions": 'Divide by all rows (tokens, pixels): "batchmean" divides by the '
    "first axis only. Flatten the logits to (rows, classes) first.",
    "mean over left-out rows": "Divide by the rows that count: sum(loss * mask) / sum(mask).",
    "sum over a fixed number": "Divide by the rows of the batch at hand, not by a fixed number.",
    "a weight left out": "Weigh the teacher's part with alpha and the labels' with 1 - alpha, or "
    "declare the alpha that the weights come to.",
    "rows broadcast against each other": "Give both the same shape before they meet: (B, 1) and "
    "(B,) make a table (B, B). Use squeeze(1), or leave keepdim out.",
    "a factor on one part alone": "Scale the whole loss, never one part: divide by the steps of "
    "accumulation, or multiply by a loss weight, after both parts are added.",
    "another alpha": "Mend the weights, or declare the alpha that they come to.",
    "a part is missing": "Add the part, or declare alpha 0 or 1.",
    "a part is subtracted": "Add both parts; the KL divergence and the cross-entropy are both "
    "to become small.",
    "probabilities where log-probabilities belong": "Give kl_div log_softmax(student / T) as its "
    "first argument.",
    "logits where log-probabilities belong": "Give kl_div log_softmax(student / T) as its first "
    "argument.",
    "logits where probabilities belong": "Take softmax(teacher / T) first.",
    "log-probabilities where probabilities belong": "Take softmax for the teacher, or set "
    "log_target=True where no teacher logit is -inf: there its value is NaN.",
    "probabilities where log_target=True": "Take log_softmax for the teacher, or leave log_target "
    "out.",
    "arguments swapped": "Write kl_div(log_softmax(student / T), softmax(teacher / T)): the first "
    "argument is the student's. Where KL(student || teacher) is meant, declare "
    'divergence="reverse".',
    "student and teacher swapped": "Look at the order of the arguments: the student's logits come "
    "first, and the labels' part belongs to them.",
    "softmax twice": "Take softmax once, from logits.",
    "softmax before the cut": "Cut the teacher's logits to the classes that both know, then take "
    "the softmax: cut afterwards, its probabilities do not sum to 1.",
    "softmax over the batch": "Take softmax over the classes: dim=-1.",
    "softmax over positions": "Take softmax over the classes: the last axis of (B, L, C), axis 1 "
    "of (B, C, H, W).",
    "softmax over independent labels": "Compare the teacher's sigmoids with the student's, label "
    "by label: binary_cross_entropy_with_logits(student / T, sigmoid(teacher / T)).",
    "T on one side only": "Divide both the student's and the teacher's logits by T.",
    "members added": "Take the mean of the members' logits; their sum is sharper by their number.",
    "another temperature": "Divide both by the declared temperature, once, or declare the other.",
    "labels on tempered logits": "Take the cross-entropy with the labels from the student's plain "
    "logits.",
    "no logarithm before nll_loss": "Use cross_entropy on logits, or nll_loss on log_softmax.",
    "binary cross-entropy": "Use cross_entropy: classes exclude each other.",
    "another loss": 'Declare divergence="other" where this loss is meant, and all but its value is '
    "judged; or write the loss that is declared.",
    "padding counted": "Leave padding out of both parts: select the rows that count, by the mask, "
    "before the loss.",
    "class weights inside KL": "Give a row one weight, after the sum over its classes.",
    "the wrong end of the vocabulary": "Keep the classes that both know: "
    "teacher_logits[..., :student_logits.shape[-1]].",
    "student is frozen": "Freeze the teacher, and let student.requires_grad_(True) stand.",
    "labels of another class": "Number the classes as the student's outputs are numbered, from 0 "
    "on.",
    "the student teaches itself": "Switch the adapter off for the teacher's pass, or hand over a "
    "frozen copy.",
    "a member is not heard": "Take the mean over all members before the loss.",
    "labels not shifted": "Compare each token's logits with the next token: logits[:, :-1] and "
    "labels[:, 1:].",
    "ignored labels trained on": "Leave rows without a label out of the labels' part: "
    "ignore_index=-100, or select them before the mean. Do not clamp the mark to a class.",
    "teacher asked about mixed inputs": "Ask both about the same inputs, or mix the teacher's "
    "outputs as the inputs are mixed.",
    "teacher asked about other inputs": "Ask both about the same tensor. Fine where two views, or "
    "a preparation of the teacher's own, are meant.",
    "graph cut": "Do not copy, detach or convert the student's logits on the way to the loss.",
    "not finite": "Look for a logarithm of a negative number or of 0.",
    "NaN on underflow": "Use log_softmax and kl_div; neither takes the logarithm of a probability "
    "that may be 0.",
    "teacher in train mode": "Call teacher.eval(), after any call of train() too.",
    "teacher is random": "Take the randomness out of the teacher's forward pass.",
    "teacher's outputs out of step": "Index inputs, labels and cached outputs with the same rows; "
    "compute cached outputs without shuffling.",
    "labels out of step": "Index labels and inputs with the same rows.",
    "labels smoothed twice": "Smooth labels once: leave label_smoothing out, or hand over class "
    "numbers.",
    "labels rounded": "Keep class numbers whole: convert the inputs alone to half precision.",
    "mixed labels exchanged": "Give the row's own label the share that it keeps of its inputs, and "
    "the other row's label the rest.",
    "labels mixed unlike the inputs": "Mix the labels by the share that the inputs were mixed by: "
    "count again after a patch is cut at the border.",
    "outputs of another teacher": "Compute the cached outputs again: with this teacher, in eval "
    "mode, on these very inputs, without shuffling. Hand over all rows to see whether they are "
    "out of step.",
    "teacher's classes in another order": "Bring the teacher's logits into the student's order of "
    "classes: teacher_logits[:, order].",
    "teacher's output is constant": "Look at the teacher's weights and at how its inputs are "
    "prepared: it gives every row the same answer.",
    "teacher not detached": "Call the teacher under torch.no_grad(); a head of the student's own "
    "network: use teacher_head.detach().",
    "teacher in the optimiser": "Give the optimiser student.parameters() alone; where one network "
    "is both, with adapters on and off, the adapters' alone.",
    "moving average turned around": "Move the teacher's weights to the student's, not the "
    "student's to the teacher's.",
    "student not in the optimiser": "Give the optimiser student.parameters().",
    "optimiser older than the student": "Build the optimiser after the last change to the "
    "student, or add what is new with add_param_group.",
    "student in eval mode": "Call student.train() before training, and after each validation. Fine "
    "where dropout and batch norm are meant to rest.",
    "student evaluated at T": "Test the student at temperature 1; T belongs to the loss.",
}


@dataclass(frozen=True)
class Check:
    """The outcome of one check.

    Attributes
    ----------
    name
        A key of `CHECKS`.
    outcome
        ``"passed"``, ``"failed"``, ``"warning"`` (a hazard that does no harm at ordinary logits, or
        that may be meant) or ``"could not tell"``.
    reason
        What was seen, or why nothing could be.
    bug
        A key of `BUGS` where it failed or warns; empty otherwise.
    """

    name: str
    outcome: str
    reason: str
    bug: str = ""

    @property
    def mend(self) -> str:
        """What to change; empty where there is nothing to name."""
        return BUGS.get(self.bug, "")


class Report(Mapping[str, Check]):
    """What `check_distillation_setup` found, check by check.

    Prints as text, and as a table in a notebook.

    Attributes
    ----------
    effective
        The loss as measured, in the terms of `losses.distillation_loss`: ``(alpha, temperature,
        scale)``. None where it is not of that form.
    chapter
        Where to read on, where the loss is over tokens; empty otherwise.
    """

    def __init__(
        self, checks: Sequence[Check], effective: Canonical | None, chapter: str = ""
    ) -> None:
        self.chapter = chapter
        self._checks = {check.name: check for check in checks}
        self.effective = effective

    def __getitem__(self, name: str) -> Check:
        """Return a check by its name."""
        return self._checks[name]

    def __iter__(self) -> Iterator[str]:
        """Go through the names."""
        return iter(self._checks)

    def __len__(self) -> int:
        """Count the checks."""
        return len(self._checks)

    @property
    def ok(self) -> bool:
        """Whether no check failed."""
        return not self.failed

    @property
    def failed(self) -> list[Check]:
        """The checks that failed."""
        return [check for check in self.values() if check.outcome == FAILED]

    @property
    def bugs(self) -> list[str]:
        """The names of the mistakes that were found."""
        return list(dict.fromkeys(check.bug for check in self.failed))

    @property
    def warnings(self) -> list[str]:
        """The names of what may be meant, or does harm at logits far apart alone."""
        warned = [check.bug for check in self.values() if check.outcome == WARNED]
        return list(dict.fromkeys(warned))

    def __str__(self) -> str:
        """Write the report as text, what failed first."""
        width = max(map(len, self))
        lines = [self._summary()]
        for check in self._sorted():
            lines.append(f"{check.outcome:<14}  {check.name:<{width}}  {check.reason}")
            if check.mend:
                lines.append(f"{'':<14}  {'':<{width}}  {check.bug}: {check.mend}")
        lines += [self.chapter] if self.chapter else []
        return "\n".join(lines)

    __repr__ = __str__

    def _repr_markdown_(self) -> str:
        lines = [self._summary(), "", "| check | outcome | why | mend |", "|:--|:--|:--|:--|"]
        for check in self._sorted():
            outcome = "**failed**" if check.outcome == FAILED else check.outcome
            outcome += f": {check.bug}" if check.bug else ""
            cells = (check.name, outcome, _escape(check.reason), _escape(check.mend))
            lines.append(f"| {' | '.join(cells)} |")
        lines += ["", self.chapter] if self.chapter else []
        return "\n".join(lines)

    def _sorted(self) -> list[Check]:
        rank = {FAILED: 0, WARNED: 1, UNKNOWN: 2, PASSED: 3}
        return sorted(self.values(), key=lambda check: rank[check.outcome])

    def _summary(self) -> str:
        counts = [f"{sum(c.outcome == o for c in self.values())} {o}" for o in (PASSED, FAILED)]
        if warned := sum(check.outcome == WARNED for check in self.values()):
            counts.append(f"{warned} warning{'s' if warned > 1 else ''}")
        unknown = sum(check.outcome == UNKNOWN for check in self.values())
        text = f"{', '.join(counts)}, {unknown} could not be told."
        if self.effective is not None:
            alpha, temperature, scale = self.effective
            text += (
                f" In effect: alpha {alpha:.4g}, temperature {temperature:.4g}, scale {scale:.4g}."
            )
        return text


def _escape(text: str) -> str:
    return text.replace("|", "\\|").replace("*", "\\*")
