"""What reads a model: features as it expects them, and its scores. Training, inference and comparison share it.

It travels to the executors by value, so it imports nothing of Pilothouse, and heavy things only inside functions.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    import pyarrow as pa

Input = tuple[str, str, float | str | None]
"""Name, kind (`number` or `category`) and default of one feature."""


def prepare(frame: pd.DataFrame, inputs: Sequence[Input]) -> pd.DataFrame:
    """The model's inputs in its order, defaults applied: numbers as doubles, categories as text, no value as NaN, None.

    An infinite number is no value.
    """
    import numpy as np
    import pandas as pd

    columns: dict[str, Any] = {}
    for name, kind, default in inputs:
        values = frame[name]
        if kind == "number":
            numbers = values.to_numpy(dtype=np.float64, na_value=np.nan)
            fill = np.nan if default is None else float(default)
            columns[name] = np.where(np.isfinite(numbers), numbers, fill)
        else:
            texts = values.astype(object)
            columns[name] = texts.where(texts.notna(), None if default is None else str(default))
    return pd.DataFrame(columns, index=frame.index)


def scores(model: Any, prepared: pd.DataFrame, kind: str) -> np.ndarray[Any, Any]:
    """Probability of the label (`binary`) or value (`regression`) of each row; one thread."""
    import numpy as np
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    if not len(prepared):
        return np.empty(0)
    with threadpool_limits(limits=1):
        found = model.predict_proba(prepared)[:, 1] if kind == "binary" else model.predict(prepared)
    return np.asarray(found, dtype=np.float64)


def travel_by_value() -> None:
    """Let what is sent to executors carry this module's code with it: they need not have Pilothouse installed."""
    import sys

    from pyspark import cloudpickle

    cloudpickle.register_pickle_by_value(sys.modules[__name__])


def batch_scorer(
    model: bytes, inputs: Sequence[Input], kind: str, keep: Sequence[str]
) -> Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    """A function for `mapInArrow`: the columns `keep` as they are, and `score`. It unpickles the model once a call."""

    def score_batches(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        import pyarrow

        loaded = pickle.loads(model)  # noqa: S301 - the registry's own model, trusted as code is
        names = [name for name, _, _ in inputs]
        for batch in batches:
            found = scores(loaded, prepare(batch.select(names).to_pandas(), inputs), kind)
            columns = [*(batch.column(name) for name in keep), pyarrow.array(found, pyarrow.float64())]
            yield pyarrow.RecordBatch.from_arrays(columns, [*keep, "score"])

    return score_batches
