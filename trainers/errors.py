"""The root of what can go wrong in training and evaluation.

The tree:

    TrainersError
    ├── TrainingError       a training run cannot go on, see `trainers.training.errors`
    ├── CalibrationError    a series holds nothing by which its noise can be measured
    ├── PairError           two images that should be a pair are not (`trainers.readers`)
    ├── MetricError         a metric has no meaning for what it was given
    ├── EvaluationError     a case, a method or a source cannot be measured
    ├── AnswersError        answers of a blind reading do not fit together
    ├── RecordError         the files of a run do not fit together
    └── ReportError         figures and the files that they go into do not fit
"""

from __future__ import annotations


class TrainersError(ValueError):
    """Training or evaluation cannot do what was asked; the sentence says why."""
