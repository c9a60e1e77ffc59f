"""What binds every mechanism, whatever it claims."""

from trilemma.testing.laws import answers, labels, sameness

__all__ = ["LAWS"]

LAWS = (
    answers.ANSWERS,
    answers.SHAPES,
    answers.FINITE,
    answers.NON_NEGATIVE,
    answers.NO_OVERPAYMENT,
    answers.DEGENERATE,
    sameness.INPUT_UNTOUCHED,
    sameness.ONE_ANSWER,
    sameness.CARRY_PICKLES,
    sameness.BATCHES_AGREE,
    sameness.SPARSE_AGREES,
    sameness.STAGES_AGREE,
    labels.VALIDATORS_EQUIVARIANT,
    labels.MINERS_EQUIVARIANT,
    labels.SCALE_FREE,
)
"""What binds every mechanism; each is a `Check`."""
