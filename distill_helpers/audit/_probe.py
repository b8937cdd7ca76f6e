"""What the loss says at made-up logits: whether it repeats, which rows count, and its gradient.

The rows of a loss are found before its form is known. With the same logits in every row the
gradient's change with the teacher is the same in every row, up to the row's weight in the teacher's
part, whatever that part is. With logits of zero on both sides what is left is the labels' part,
and it points from each row to the label that the row is given.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from distill_helpers.audit._forms import Form, softmax
from distill_helpers.audit._layout import Cut, cut
from distill_helpers.audit._modules import dtype_name, first_line, reseed
from distill_helpers.audit._setup import HALF, NotFollowed, Setup
from distill_helpers.audit._standins import row_numbers

TOLERANCE = 3e-4
LIMIT = 400_000
"""Entries of a batch that the loss is asked with at most."""
FEW = 5
"""Rows of the small probe, by which forms are tried."""
MANY = 2000
"""Classes from which on forms are tried by one row, and compared at some of the classes."""
WIDEST = 1024
"""Rows up to which pairs are looked for whose labels are mixed."""


@dataclass(frozen=True)
class Weights:
    """What each row weighs in both parts, in units of their mean; ones where all are alike."""

    soft: Tensor
    hard: Tensor


@dataclass
class Blend:
    """Rows that are mixed two by two: the other row ``(P,)``, and the own label's share."""

    partner: Tensor
    share: Tensor
    inputs: Tensor | None  # the own row's share of the inputs; None where it could not be seen


class Probe:
    """The loss at made-up logits of one part of the batch.

    Two sets of logits, one as wide as softmax at 1 can tell apart and one for softmax at T. For
    each the gradient, what changes in it with the labels, and what changes with the teacher.
    """

    def __init__(self, setup: Setup, part: Cut, dtype: torch.dtype) -> None:
        self.T, self.setup, self.dtype, self.cut = setup.T, setup, dtype, part
        self.rows = math.prod(part.positions)
        self.C = part.classes
        self.Ct = self.C + setup.teacher_classes - setup.C
        self.pad(False)
        self.device = setup.z.device
        self._generator = torch.Generator().manual_seed(self.rows * 1_000_003 + self.C)
        wide = 1.5 * min(self.T, 20.0)
        self.points = [
            (self.draw(self.C) * w, self.draw(self.Ct) * w, self.draw(self.Ct) * w)
            for w in (1.5, wide)
        ]
        self.relabelled = ""  # in words, where each label stands for another class
        self.own_teacher = False  # whether each row answers to its own row of the teacher alone
        self.y = self._labels()
        self.other = torch.where(self.y >= 0, (self.y + 1) % self.shared, self.y)
        self.connected, self.changes = False, False
        self.values: list[Tensor] = []
        self.precision = dtype
        z, v, _ = self.points[0]
        first = self.gradient(z, v, self.y)
        second = self.gradient(z, v, self.y)
        slack = 1e-2 if self.precision in HALF else 1e-6
        both = bool(torch.isfinite(first).all() and torch.isfinite(second).all())
        self.changes = both and self._differs(second, first)
        one, two = self.values[:2]
        self.changes |= both and float((one - two).abs()) > slack * (1e-6 + float(one.abs()))

    def measure(self) -> None:
        """Ask for all gradients, and for the rows' weights."""
        blocks = []
        for z, v, v2 in self.points:
            base = self.gradient(z, v, self.y)
            blocks += [
                base,
                base - self.gradient(z, v, self.other),
                base - self.gradient(z, v2, self.y),
            ]
        norms = [float(block.norm()) for block in blocks]
        largest = [max(norms[i - i % 3], 1e-300) for i in range(len(norms))]
        # What is left of a difference by rounding is not to be magnified.
        floor = 0.1 if self.precision in HALF else 1e-4
        self.scales = [1 / max(n, floor * m) for n, m in zip(norms, largest, strict=True)]
        self.finite = bool(all(torch.isfinite(block).all() for block in blocks))
        self.blocks = blocks
        self.source = torch.arange(self.rows, device=self.device)
        self.blend: Blend | None = None
        self.labels_mixed: bool | None = None
        self.order: Tensor | None = None
        self.weights = [Weights(torch.ones(self.rows), torch.ones(self.rows))] * 2
        self.pick = torch.arange(self.rows, device=self.device)
        self.compared = torch.arange(self.C, device=self.device)
        if self.C > MANY:
            some = torch.linspace(0, self.C - 1, MANY // 4, device=self.device).long()
            named = torch.cat([self.y[:50], self.other[:50]]).clamp_min(0)
            self.compared = torch.cat([some, named]).unique()
        self.target = self._flatten(blocks)

    def draw(self, classes: int, rows: int | None = None) -> Tensor:
        """Draw logits, always the same ones."""
        shape = (self.rows if rows is None else rows, classes)
        made = torch.randn(shape, generator=self._generator, dtype=torch.float64)
        return made.to(self.dtype).to(self.device)

    def _labels(self) -> Tensor:
        """Return the batch's own labels of these rows; such as other classes have are drawn."""
        own = self.setup.y.reshape(self.setup.layout.positions)
        y: Tensor = self.cut.take(own, self.setup.layout).flatten()
        if self.setup.labels is None:
            return y
        return torch.where(y >= self.shared, y % self.shared, y)

    @property
    def tolerance(self) -> float:
        """How near is near enough, relative."""
        if self.precision not in HALF:
            return TOLERANCE
        return max(1e-2, 8 * torch.finfo(self.precision).eps)

    @property
    def grain(self) -> float:
        """What counts as nothing beside the largest."""
        if self.precision in HALF:
            return 0.1
        fine = self.dtype == torch.float64 and self.values[0].dtype == torch.float64
        return 1e-6 if fine else 2e-3

    def loss(self, z: Tensor, v: Tensor, y: Tensor, seed: int = 0) -> Tensor:
        """Return the loss, always with the same random numbers."""
        reseed(seed)
        if not z.requires_grad:  # the step may call backward itself
            z = z.detach().clone().requires_grad_()
        with torch.enable_grad():
            return self.setup.loss(z, v, y, self.cut)

    def gradient(self, z: Tensor, v: Tensor, y: Tensor, seed: int = 0) -> Tensor:
        """Return the loss's gradient for `z`, zero where there is no way to it."""
        z = z.detach().clone().requires_grad_()
        loss = self.loss(z, v, y, seed)
        self.values.append(loss.detach())
        if loss.dtype in HALF:
            self.precision = loss.dtype
        made = z.grad  # of a step that calls backward itself
        if made is None and loss.requires_grad:
            (made,) = torch.autograd.grad(loss, z, allow_unused=True)
        self.connected |= made is not None
        return torch.zeros_like(z, dtype=torch.float64) if made is None else made.double()

    def has_changed(self) -> bool:
        """Tell whether the first question has another answer by now."""
        z, v, _ = self.points[0]
        return self._differs(self.gradient(z, v, self.y), self.blocks[0])

    def is_random(self) -> bool:
        """Tell whether other random numbers change the loss.

        By more than which rows count, and a factor before the whole.
        """
        z, v, _ = self.points[0]
        first, again = self.blocks[0], self.gradient(z, v, self.y, seed=1)
        counted = (first.norm(dim=1) > 0) & (again.norm(dim=1) > 0)
        if bool(counted.any()):
            first, again = (x[counted] / x[counted].norm() for x in (first, again))
        return self._differs(again, first)

    def _differs(self, x: Tensor, y: Tensor) -> bool:
        slack = 1e-2 if self.precision in HALF else 1e-6
        return float((x - y).norm()) > slack * float(y.norm())

    # -- which rows count ------------------------------------------------------------------------

    def weigh(self) -> None:
        """Find the weight of each row in both parts, for both labellings."""
        T = min(self.T, 20.0)
        z = self.draw(self.C, 1).expand(self.rows, -1) * 1.5 * T
        v, v2 = (self.draw(self.Ct, 1).expand(self.rows, -1) * 1.5 * T for _ in range(2))
        found: list[tuple[Tensor, Tensor]] = []
        soft_size = hard_size = 0.0
        for y in (self.y, self.other):
            change = self.gradient(z, v, y) - self.gradient(z, v2, y)
            soft = self._along(change)
            hard, _ = self.pull(y)
            if not found:
                soft_size, hard_size = float(soft.mean()), float(hard.mean())
            found.append((soft, hard))
        self.weights = [
            Weights(self._even(soft, soft_size), self._even(hard, hard_size))
            for soft, hard in found
        ]
        # Forms are tried by a few rows, those that count most.
        rank = self.weights[0].soft.abs() + self.weights[0].hard.abs()
        most = 1 if self.C > MANY else FEW + 3
        if self.rows > most:
            self.pick = rank.argsort(descending=True, stable=True)[:most].sort().values
        self.pick = self.pick.to(self.device)
        self.target = self._flatten(self.blocks)

    def weigh_labels(self, by_class: Tensor) -> None:
        """Give the labels' rows the weights of their classes."""
        for i, y in enumerate((self.y, self.other)):
            given = self.given(y).cpu()
            hard = by_class[given.clamp_min(0)] * (given >= 0)
            self.weights[i] = Weights(self.weights[i].soft, hard / hard.mean())

    def _along(self, change: Tensor) -> Tensor:
        """Measure rows that all point one way; ones where they do not."""
        size = change.norm(dim=1)
        if not bool(torch.isfinite(size).all()) or float(size.max()) == 0:
            return torch.ones(self.rows)
        way = change[size.argmax()] / size.max()
        along = change @ way
        off = (change - along.unsqueeze(1) * way).norm(dim=1)
        if float(off.max()) > max(1e-4, self.grain) * float(size.max()):
            return torch.ones(self.rows)
        return along.cpu()

    def pull(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """Return how strongly each row is drawn to its label where all logits are 0, and whither.

        Ones where the labels have no pull.
        """
        zeros = torch.zeros(self.rows, self.C, dtype=self.dtype, device=self.device)
        still = torch.zeros(self.rows, self.Ct, dtype=self.dtype, device=self.device)
        made = -self.gradient(zeros, still, y)
        made = made - made.mean(1, keepdim=True)
        ideal = self._ideal(y)
        size = (made * ideal).sum(1) / ideal.square().sum(1).clamp_min(1e-12)
        largest = float(made.abs().max())
        ordinary = float(self.blocks[0].abs().max())
        least = {True: 3e-2, False: 1e-3 * self.grain}[self.precision in HALF]
        if not math.isfinite(largest) or largest < least * ordinary:
            return torch.ones(self.rows), made * 0
        return size.cpu(), made

    def _ideal(self, y: Tensor) -> Tensor:
        """Return whither the labels that each row is given draw it; zeros where it has none."""
        made = torch.zeros(self.rows, self.C, dtype=torch.float64, device=self.device)
        for share, given in self._labels_given(y):
            counts = share * (given >= 0)
            made -= counts.unsqueeze(1) / self.C
            made.scatter_add_(1, given.clamp_min(0).unsqueeze(1), counts.unsqueeze(1))
        return made

    def _labels_given(self, y: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Return the label that each row is given, and the other where two are mixed; shares."""
        given = self.given(y)
        if self.blend is None:
            return [(torch.ones(self.rows, dtype=torch.float64, device=self.device), given)]
        share = self.blend.share
        return [(share, given), (1 - share, given[self.blend.partner])]

    def given(self, y: Tensor) -> Tensor:
        """Return the label that each row is given: its own, or that of the next token."""
        moved = y[self.source.clamp_min(0)]
        return torch.where(self.source >= 0, moved, torch.full_like(moved, -1))

    def _even(self, x: Tensor, size: float) -> Tensor:
        """Bring weights to a mean of one, and take those for alike that nearly are."""
        if abs(size) < 1e-3 * float(x.abs().mean()) or size == 0:
            return torch.ones_like(x)
        x = x / size
        near = max(self.grain, 1e-6)
        if float((x - 1).abs().max()) < near:
            return torch.ones_like(x)
        return x.where(x.abs() > near * float(x.abs().max()), torch.zeros_like(x))

    # -- which row belongs to which --------------------------------------------------------------

    def label_rows(self) -> str:
        """Find the row whose label each row is given; return what is wrong, or nothing.

        In every round each row has a label drawn for it. The labels that a row is drawn to over the
        rounds are those of one row alone.
        """
        if self.setup.labels is None or self.rows < 2:
            return ""
        drawn = self._drawn()
        if drawn is None:
            return ""
        made, code, listens = drawn
        best = self._out_of_step(made, code, listens)
        if not best:
            return ""
        # What draws a row whatever its label, as weights of classes inside the teacher's part do.
        made = made - made.amin(0)
        strength = made.amax(2)
        return self._out_of_step(made, code, strength > 1e-3 * strength.max()) and best

    def _drawn(self) -> tuple[Tensor, Tensor, Tensor] | None:
        """Draw labels in rounds; return how they pull ``(rounds, P, C)``, them, and who listens."""
        rounds = 3 + math.ceil(math.log(self.rows) / math.log(self.shared))
        codes, seen, heard = [], [], []
        for _ in range(rounds):
            drawn = torch.randint(self.shared, (self.rows,), generator=self._generator)
            y = torch.where(self.y >= 0, drawn.to(self.device), self.y)
            _, made = self.pull(y)
            if not bool(made.any()):
                return None
            strength = made.abs().amax(1)
            codes.append(y)
            seen.append(made)
            heard.append(strength > 1e-3 * strength.max())
        return torch.stack(seen), torch.stack(codes), torch.stack(heard)

    def find_blend(self) -> None:
        """See whether each row is drawn to its own label and to one other row's, as mixup does.

        Then `blend` holds the other row, the own label's share, and the own row's share of the
        inputs that the student's stand-in was asked about.
        """
        if self.setup.labels is None or not 2 <= self.rows <= WIDEST or self.precision in HALF:
            return
        if bool(self.pull(self.y)[1].any()):
            self.labels_mixed = self.mixes_labels()
        if not self.labels_mixed:
            return
        drawn = self._drawn()
        if drawn is None or not bool(drawn[2].all()) or bool((drawn[1] < 0).any()):
            return
        made, code, _ = drawn
        size = made.shape[0] * (1 - 1 / self.C)
        # <onehot(y_i), onehot(y_j)>, both centred, over the rounds; and with what was seen.
        alike = (code.unsqueeze(2) == code.unsqueeze(1)).double() - 1 / self.C
        between = alike.sum(0)
        picked = code.unsqueeze(1).expand(-1, self.rows, -1)
        along = torch.gather(made, 2, picked).sum(0)  # (P, P): row i's pull along y_j
        own = along.diagonal().unsqueeze(1)
        det = (size * size - between * between).clamp_min(1e-9 * size * size)
        a = (own * size - along * between) / det
        b = (along * size - own * between) / det
        explained = a * own + b * along
        explained.fill_diagonal_(0)
        partner = explained.argmax(1)
        rows = torch.arange(self.rows, device=self.device)
        a, b = a[rows, partner], b[rows, partner]
        total = made.square().sum((0, 2))
        alone = own.squeeze(1).square() / size  # a row that is its own partner
        single = alone > (1 - 1e-4) * total
        left = torch.where(single, total - alone, total - explained[rows, partner])
        if bool((left > 1e-3 * total).any()) or bool(single.all()):
            return
        partner = torch.where(single, rows, partner)
        share = torch.where(single, torch.ones_like(a), a / (a + b))
        if bool((share < -1e-3).any()) or bool((share > 1 + 1e-3).any()):
            return
        share = share.clamp(0, 1)
        mixed = partner != rows
        if not bool(((share > 1e-2) & (share < 1 - 1e-2))[mixed].all()):
            return
        self.blend = Blend(partner, share, self._share_of_inputs(partner))

    def _share_of_inputs(self, partner: Tensor) -> Tensor | None:
        """Return the share of each row's own numbers in what the student was asked; or None."""
        asked = self.setup.asked
        if isinstance(asked, Mapping):
            asked = next((x for x in asked.values() if isinstance(x, Tensor)), None)
        if not isinstance(asked, Tensor) or asked.ndim < 2 or not asked.is_floating_point():
            return None
        if len(asked) != self.rows or self.setup.layout.positions != (self.setup.B,):
            return None
        x = asked.detach().reshape(self.rows, -1).double().to(self.device)
        own = row_numbers(self.rows).to(self.device).double()
        other = own[partner]
        gap = torch.where(own == other, torch.ones_like(own), own - other)
        share = (x - other.unsqueeze(1)) / gap.unsqueeze(1)
        flat = (share - share[:, :1]).abs().amax(1) < 1e-3  # blended
        pure = ((share.abs() < 1e-3) | ((share - 1).abs() < 1e-3)).all(1)  # patched
        mixed = other != own
        if not bool((flat | pure)[mixed].all()):
            return None
        mean = share.mean(1)
        return torch.where(mixed, mean, torch.ones_like(mean))

    def _out_of_step(self, seen: Tensor, code: Tensor, listens: Tensor) -> str:
        """Say that rows are drawn to the labels of others; seen ``(rounds, P, C)``."""
        best = ""
        for sign in (1, -1):
            drawn_to = (sign * seen).argmax(2)
            if self._told(drawn_to, code, listens, torch.arange(self.rows)):
                return ""
            shifted = self._next_token()
            if shifted is not None and self._told(drawn_to, code, listens, shifted):
                self.source = shifted.to(self.device)
                return ""
            words = self._rounded(drawn_to, code, listens)
            if sign == 1 and (words := words or self._exchanged(drawn_to, code, listens)):
                self.relabelled = words
                return ""
            ours = ((drawn_to == code) | ~listens).all(0)
            # Where another row's labels explain all rounds, and its own do not.
            others = ~ours & listens.all(0)
            for i in others.nonzero().flatten().tolist()[:50]:
                fits = (code == drawn_to[:, i : i + 1]).all(0)
                if bool(fits.any()):
                    best = "labels out of step"
            if sign == 1 and not bool(others.any()):
                return ""
        return best

    def _rounded(self, drawn_to: Tensor, code: Tensor, listens: Tensor) -> str:
        """Tell whether class numbers went through a type too coarse for them; in words."""
        counts = listens & (code >= 0)
        for dtype in HALF:
            coarse = code.to(dtype).long()
            moved = counts & (coarse != code)
            # A loop may bring back into range what was rounded beyond it.
            same = (drawn_to == coarse) | (drawn_to == coarse.clamp(max=self.C - 1))
            if bool(moved.any()) and bool(same[counts].all()):
                first = int(code[moved][0])
                words = f"class numbers are rounded to {dtype_name(dtype)}: a row with label "
                return words + f"{first} is drawn to class {int(drawn_to[moved][0])}"
        return ""

    def _exchanged(self, drawn_to: Tensor, code: Tensor, listens: Tensor) -> str:
        """Tell whether each label of a row's own draws it to one other class; in words."""
        counts = listens & (code >= 0)
        if int(counts.sum()) < 4 * self.shared:
            return ""
        pairs = torch.stack([code[counts], drawn_to[counts]], 1).unique(dim=0)
        classes, turned = pairs.unbind(1)
        same = len(classes.unique()) == len(classes) == len(turned.unique())
        if not same or bool((classes == turned).all()) or len(classes) < 2:
            return ""
        first = pairs[classes != turned][0].tolist()
        return f"a row with label {first[0]} is drawn to class {first[1]}, and so on"

    def _told(self, drawn_to: Tensor, code: Tensor, listens: Tensor, source: Tensor) -> bool:
        source = source.to(self.device)
        labelled = (source >= 0) & (code[0][source.clamp_min(0)] >= 0)
        own = code[:, source.clamp_min(0)]
        return bool(((drawn_to == own) | ~listens | ~labelled).all())

    def _next_token(self) -> Tensor | None:
        """Return the next token's row for each row, -1 at the end; None where there is no text."""
        positions = self.cut.positions
        if len(positions) != 2 or positions[1] < 2:
            return None
        rows = torch.arange(self.rows).reshape(positions)
        return torch.cat([rows[:, 1:], torch.full((positions[0], 1), -1)], 1).flatten()

    def teacher_rows(self) -> str:
        """See whether each row answers to its own row of the teacher; return what is wrong.

        In every round half of the rows get another teacher. The rounds in which a row moves are its
        code.
        """
        if self.rows < 2:
            return ""
        z, v, v2 = self.points[0]
        # Enough that no row's code is another's by chance, nor that of several taken together.
        rounds = 8 + math.ceil(math.log2(self.rows))
        base = self.gradient(z, v, self.y)
        turned = torch.rand(rounds, self.rows, generator=self._generator) < 0.5
        turned = turned.to(self.device)
        moves = torch.stack(
            [
                (self.gradient(z, torch.where(k[:, None], v2, v), self.y) - base).abs().sum(1)
                for k in turned
            ]
        )
        if not bool(torch.isfinite(moves).all()) or float(moves.max()) < 1e-9:
            return ""
        floor = 0.1 if self.precision in HALF else 1e-3
        large = moves > floor * moves.max(0).values.clamp_min(floor * moves.max())
        strange = (large != turned).any(0) & large.any(0)
        self.own_teacher = not bool(strange.any())
        for i in strange.nonzero().flatten().tolist()[:50]:
            if bool(large[:, i].all()):
                continue  # it moves in every round, with several rows
            fits = (turned == large[:, i : i + 1]).all(0)
            fits[i] = False
            if bool(fits.any()):
                return "teacher's outputs out of step"
        return ""

    def unlabelled(self) -> str:
        """Tell whether rows without a label are drawn to a class by the labels' part; in words.

        A class that follows the teacher is a label made by the teacher, and no mistake.
        """
        bare = self.given(self.y) < 0
        if self.setup.labels is None or not bool(bare.any()) or bool(bare.all()):
            return ""
        zeros = torch.zeros(self.rows, self.C, dtype=self.dtype, device=self.device)
        still = torch.zeros(self.rows, self.Ct, dtype=self.dtype, device=self.device)
        nudged = still.clone()
        nudged[:, self.shared - 1] = 1e-3 * self.T
        made = [-self.gradient(zeros, v, self.y) for v in (still, nudged)]
        made = [x - x.mean(1, keepdim=True) for x in made]
        size = [x.abs().amax(1) for x in made]
        labelled = size[0][~bare]
        floor = 0.1 if self.precision in HALF else 1e-2
        if not bool(torch.isfinite(size[0]).all()) or float(labelled.max()) <= 0:
            return ""
        if float(labelled.max()) < 1e-2 * float(self.blocks[0].abs().max()):
            return ""  # the labels have no pull
        told, again = (x.argmax(1) for x in made)
        drawn = bare & (size[0] > floor * labelled.max()) & (told == again)
        if not bool(drawn.any()):
            return ""
        kinds = told[drawn].unique().tolist()
        where = f"class {kinds[0]}" if len(kinds) == 1 else "some class"
        count = f"{int(drawn.sum())} of {int(bare.sum())}"
        return f"the labels' part draws {count} rows without a label to {where}"

    def class_order(self) -> Tensor | None:
        """Return the teacher's class that each class answers to; None where it is its own.

        A loop may bring the classes of its teacher into the order of the student's.
        """
        moved = self.blocks[2].norm(dim=1) + self.blocks[5].norm(dim=1)
        live = (moved > 1e-6 * moved.max()).nonzero().flatten().cpu()  # others are left out
        if self.shared < 3 or self.Ct > 8 * len(live) or self.precision in HALF:
            return None
        zeros = torch.zeros(self.rows, self.C, dtype=self.dtype, device=self.device)
        still = torch.zeros(self.rows, self.Ct, dtype=self.dtype, device=self.device)
        base = self.gradient(zeros, still, self.y)
        answers = torch.full((self.Ct,), -1)
        for start in range(0, self.Ct, len(live)):
            turn = (torch.arange(len(live)) + start) % self.Ct
            raised = still.clone()
            raised[live, turn] = 2 * self.T
            change = (base - self.gradient(zeros, raised, self.y)).cpu()[live]
            top = change.topk(2).values
            clear = top[:, 0] > 1.01 * top[:, 1].abs().clamp_min(1e-12)
            answers[turn[clear]] = change.argmax(1)[clear]
        heard = answers >= 0
        if int(heard.sum()) < self.shared or len(answers[heard].unique()) < int(heard.sum()):
            return None
        order = torch.empty(self.shared, dtype=torch.int64)
        if int(answers.max()) >= self.shared or int(heard.sum()) > self.shared:
            return None
        order[answers[heard]] = heard.nonzero().flatten()
        return None if bool((order == torch.arange(self.shared)).all()) else order

    def pad(self, padded: bool) -> None:
        """Let the classes that the student alone has count as such that the teacher rules out."""
        self.padded = padded
        self.shared = self.C if padded else min(self.C, self.Ct - self.setup.teachers_unused)

    def taught(self, v: Tensor) -> Tensor:
        """Return the teacher's logits of the classes that both have, in the student's order."""
        known = v[:, : self.shared] if self.order is None else v[:, self.order.to(v.device)]
        if not self.padded:
            return known
        return nn.functional.pad(known, (0, self.C - known.shape[1]), value=-1e9)

    def mixes_labels(self) -> bool:
        """Tell whether a row is drawn to more than one label of the batch.

        By what changes with the labels: a teacher's few largest classes pull as well.
        """
        first, second = (self.pull(y)[1] for y in (self.y, self.other))
        change = first - second
        ideal = self._ideal(self.y) - self._ideal(self.other)
        size = (change * ideal).sum(1) / ideal.square().sum(1).clamp_min(1e-12)
        off = (change - size.unsqueeze(1) * ideal).norm(dim=1)
        return bool((off > 1e-2 * change.norm(dim=1).max()).any())

    # -- forms -----------------------------------------------------------------------------------

    def soft(self, form: Form, pick: Tensor | None = None) -> Tensor:
        """Return the column of a teacher's part."""
        pick = self.pick if pick is None else pick
        u, w = (x.soft.to(self.device).unsqueeze(1) for x in self.weights)
        blocks = []
        for z, v, v2 in self.points:
            slope, changed = (
                self._slope(form, z, x if form.whole else self.taught(x), pick) for x in (v, v2)
            )
            blocks += [u[pick] * slope, (u - w)[pick] * slope, u[pick] * (slope - changed)]
        return self._flatten(blocks, whole=False)

    def hard(self, form: Form, pick: Tensor | None = None) -> Tensor:
        """Return the column of a labels' part."""
        pick = self.pick if pick is None else pick
        u, w = (x.hard.to(self.device).unsqueeze(1) for x in self.weights)

        def drawn(z: Tensor, y: Tensor) -> Tensor:
            parts = [
                share[pick].unsqueeze(1) * self._slope(form, z, label.clamp_min(0), pick)
                for share, label in self._labels_given(y)
            ]
            return torch.stack(parts).sum(0)

        blocks = []
        for z, _, _ in self.points:
            slope, changed = drawn(z, self.y), drawn(z, self.other)
            blocks += [u[pick] * slope, u[pick] * slope - w[pick] * changed, slope * 0]
        return self._flatten(blocks, whole=False)

    def _slope(self, form: Form, z: Tensor, other: Tensor, pick: Tensor) -> Tensor:
        z = z.double().detach()
        if not form.coupled:
            z, other = z[pick], other[pick]
        rows = len(z)
        z = z.requires_grad_()
        if other.is_floating_point():
            other = other.double()
            used = z[:, : self.shared]
        else:
            used = z
        if form.shaped:
            used, other = (x.reshape(*self.cut.positions, -1) for x in (used, other))
        with torch.enable_grad():
            (made,) = torch.autograd.grad(form.value(used, other, self.T), z)
        # A form is a mean over the rows that it is given.
        return made[pick] if form.coupled else made * (rows / self.rows)

    def _flatten(self, blocks: list[Tensor], whole: bool = True) -> Tensor:
        kept = [b[self.pick] for b in blocks] if whole else blocks
        kept = [b[:, self.compared] for b in kept] if len(self.compared) < self.C else kept
        return torch.cat([b.flatten() * w for b, w in zip(kept, self.scales, strict=True)])

    def of_all_rows(self) -> None:
        """Compare all rows from now on."""
        self.pick = torch.arange(self.rows, device=self.device)
        self.target = self._flatten(self.blocks)

    def solve(self, columns: Tensor) -> tuple[Tensor, float]:
        """Fit columns ``(k, n)`` to what was seen; return the weights and what is left over."""
        weights, left = self.solve_each(columns.unsqueeze(0))
        return weights[0], float(left[0])

    def solve_each(self, columns: Tensor) -> tuple[Tensor, Tensor]:
        """Fit sets of columns ``(sets, k, n)``; return weights ``(sets, k)``, and what is left."""
        norms = columns.norm(dim=2, keepdim=True).clamp_min(1e-300)
        unit = columns / norms
        eye = torch.eye(columns.shape[1], dtype=unit.dtype, device=unit.device)
        weights = torch.linalg.solve(unit @ unit.mT + 1e-13 * eye, unit @ self.target)
        left = self.target - (weights.unsqueeze(1) @ unit).squeeze(1)
        scale = self.target.norm().clamp_min(1e-300)
        return weights / norms.squeeze(2), left.norm(dim=1) / scale


def make_probes(setup: Setup) -> tuple[Probe, Probe]:
    """Ask the loss about a small part of the batch, and about as much of it as may be."""
    layout, P, C = setup.layout, setup.P, setup.C
    at_most = max(1, LIMIT // C)
    every = torch.arange(setup.B)
    inside = P // setup.B
    whole = None
    if inside > at_most // min(setup.B, 2):
        per_axis = max(1, at_most // min(setup.B, 2))
        whole = max(2, int(per_axis ** (1 / max(1, len(layout.positions) - 1))))
    kept = cut(layout, every[:1], whole, C)
    most = max(1, at_most // math.prod(kept.positions[1:]))
    large = cut(layout, every[:most], whole, C)
    labelled = (setup.y.reshape(setup.B, -1) >= 0).sum(1)
    first = labelled.argsort(descending=True, stable=True).cpu()
    if setup.step is None:
        first = first.repeat(math.ceil(FEW / setup.B))
    if len(layout.positions) > 1 and layout.axis is not None:
        small = cut(layout, first[:2], 2 if len(layout.positions) > 2 else 4, C)
    else:
        small = cut(layout, first[:FEW], None, C)
    if C > MANY:
        classes = 500
        small_few = Cut(small.rows, small.inner, classes)
    else:
        small_few = small
    problems: list[Exception] = []
    for dtype in (torch.float64, torch.float32, setup.z.dtype):
        own = None
        for part in (large, cut(layout, every, None, C)):
            try:
                own = Probe(setup, part, dtype)
                own.measure()
                break
            except NotFollowed:
                raise
            except ValueError as problem:
                if "it must be a tensor of one number" in str(problem):
                    raise
                own = None
                problems.append(problem)
            except Exception as problem:
                own = None
                problems.append(problem)
        if own is None:
            continue
        for part in (small_few, small):
            try:
                few = Probe(setup, part, dtype)
                few.measure()
                if few.finite or not own.finite:
                    return few, own  # else no row counts in so small a part
            except Exception:  # the loss is made for this batch, or these classes, alone
                continue
        return own, own
    first_problem = problems[0]
    if setup.problem is not None:
        first_problem = setup.problem
    if "backward through the graph" in str(first_problem):
        raise ValueError(
            "step calls backward; it must return the loss and no more. Leave backward and the "
            "optimiser's step to the loop."
        ) from first_problem
    if setup.teacher_classes != C:
        raise ValueError(
            f"the teacher returned shape (..., {setup.teacher_classes}) and the student (..., {C}) "
            f"classes, and the loss does not bring them together: {first_line(first_problem)}. "
            f"Give both the same classes: teacher=lambda x: teacher(x)[..., :{C}]."
        ) from first_problem
    if setup.problem is not None:
        raise ValueError(
            f"the step fails on this batch: {first_line(first_problem)}. Hand over what the loop "
            f"hands to it, or what is made of the logits as loss_fn."
        ) from first_problem
    raise ValueError(
        f"the loss fails on made-up logits of this batch's shape: {first_line(first_problem)}. "
        f"Hand over the loss as the loop calls it, and name what it takes with teacher_output."
    ) from first_problem


def part_of(setup: Setup, probe: Probe, rows: Tensor, classes: int) -> Probe:
    """Ask the loss about other rows, or another number of classes."""
    made = Probe(setup, Cut(rows % setup.B, probe.cut.inner, classes), probe.dtype)
    made.measure()
    made.order = probe.order if classes == probe.C else None
    shifted = made._next_token()
    if shifted is not None and bool((probe.source < 0).any()):
        made.source = shifted.to(made.device)
    made.find_blend()
    made.pad(probe.padded)
    made.weigh()
    return made


def compare_slope(probe: Probe) -> float | None:
    """Return how far autograd is from finite differences, relative; None in half precision."""
    if probe.precision in HALF:
        return None
    fine = probe.dtype == torch.float64 and probe.values[0].dtype == torch.float64
    worst, n = 0.0, probe.shared
    for z, v, _ in probe.points:
        gradient = probe.gradient(z, v, probe.y)
        given = probe.given(probe.y)
        one_hot = nn.functional.one_hot(given.clamp_min(0), z.shape[1]) * (given >= 0)[:, None]
        soft = torch.zeros_like(z)
        soft[:, :n] = softmax(z[:, :n], probe.T) - softmax(probe.taught(v), probe.T)
        ways = (soft, softmax(z, 1) - one_hot)
        for way in ways:
            way = way / way.norm().clamp_min(1e-300)
            wide = float(z.norm()) / math.sqrt(z.numel())
            slope = float((gradient * way).sum())
            offs = []
            # A loop may compute a part in float32 and return float64: then the wide step tells.
            for share in (1e-5, 3e-2) if fine else (3e-2,):
                step = share * min(wide, probe.T)
                ahead, behind = (probe.loss(z + s * way, v, probe.y) for s in (step, -step))
                rise = float(ahead.detach().double() - behind.detach().double()) / (2 * step)
                if not math.isfinite(rise):
                    return None
                # In float32 T^2 magnifies what rounding leaves of p log p.
                size = abs(float(ahead.detach())) + probe.T**2 * math.log(z.shape[1])
                noise = 0.0 if fine else 3e-7 * size / step
                largest = max(abs(slope), abs(rise), 1e-3 * float(gradient.norm()), 1e-12)
                offs.append((abs(rise - slope) - noise) / largest)
            worst = max(worst, min(offs))
    return worst


def labels_weigh_teacher(probe: Probe) -> bool:
    """Tell whether the labels move the loss, and do so by the teacher's logits alone."""
    (z, v, v2), (z2, _, _) = probe.points
    with torch.no_grad():

        def gap(z: Tensor, v: Tensor) -> float:
            one, two = (probe.loss(z, v, y).detach().double() for y in (probe.y, probe.other))
            return float(one - two)

        first = gap(z, v)
        return (
            abs(first) > 1e-5
            and abs(gap(z2, v) - first) < 1e-3 * abs(first)
            and abs(gap(z, v2) - first) > 1e-3 * abs(first)
        )


def unheard_members(probe: Probe) -> list[int]:
    """Return the members of an ensemble whose logits never change the gradient."""
    setup = probe.setup
    if setup.M < 2 or (setup.kind != "member logits" and setup.step is None):
        return []
    z, _, v2 = probe.points[0]
    members = torch.stack([probe.draw(probe.Ct) * 1.5 for _ in range(setup.M)])
    unheard = []
    for m in range(setup.M):
        moved = members.clone()
        moved[m] = v2
        # A step may draw a member; a few draws hear all of few members.
        if not any(
            float(
                (
                    probe.gradient(z, moved, probe.y, s) - probe.gradient(z, members, probe.y, s)
                ).norm()
            )
            > 1e-9
            for s in range(4 * setup.M)
        ):
            unheard.append(m)
    return unheard
