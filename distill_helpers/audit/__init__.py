r"""Check a reader's own distillation loop before it trains.

`check_distillation_setup` takes an ordinary PyTorch loop apart by what it does, not by how it is
written. It hands the loss made-up logits and compares the gradient that comes back with

.. math::

    \frac{\partial L}{\partial z} = s\,\Bigl( \alpha\, \frac{T}{B} (q - p)
    + (1 - \alpha)\, \frac{1}{B} (\mathrm{softmax}(z) - \mathrm{onehot}(y)) \Bigr)

for some scale :math:`s`, and where it differs with the gradient of every known mistake. So the
report says which loss it is, and not only that it is another one. The networks, the teacher's
outputs, the optimiser and the way of testing are looked at beside it.
"""

from distill_helpers.audit import _report
from distill_helpers.audit._check import check_distillation_setup
from distill_helpers.audit._plain_loss import PlainLoss
from distill_helpers.audit._report import Check, Report

__all__ = ["BUGS", "CHECKS", "Check", "PlainLoss", "Report", "check_distillation_setup"]

CHECKS = _report.CHECKS
"""What is checked, by name, in the report's order.

:meta hide-value:
"""

BUGS = _report.BUGS
"""Every mistake that has a name here, and its mend.

:meta hide-value:
"""
