"""Estimators by import path, and the preprocessing in front of them."""

from __future__ import annotations

import difflib
import importlib
import inspect
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from flows.scoring import Input
from metadata.errors import PilothouseError
from metadata.parts import Estimator

MOST_CATEGORIES = 254
"""Categories of one feature that are told apart; the rarest share one code (histogram estimators allow 255)."""


def new_estimator(definition: Estimator, prefixes: Sequence[str], kind: str) -> Any:
    """An unfitted estimator; `seed` becomes its `random_state` where it takes one.

    Raises PilothouseError PH603 (not allowed), PH604 (cannot be imported), PH605 (wrong parameter, or no estimator that
    fits `kind`).
    """
    path = definition.path
    if not any(path.startswith(prefix) for prefix in prefixes):
        raise PilothouseError(
            "PH603",
            f"estimator {path}",
            f"its import path starts with none of {', '.join(prefixes)}",
            "choose another, or allow it with PILOTHOUSE_ESTIMATOR_PREFIXES",
        )
    found = _imported(path)
    needed = ("fit", "predict_proba") if kind == "binary" else ("fit", "predict")
    missing = [name for name in needed if not hasattr(found, name)]
    if not inspect.isclass(found) or missing:
        lacks = f"it has no {missing[0]}, which a {kind} model needs" if inspect.isclass(found) else "it is no class"
        raise PilothouseError("PH605", f"estimator {path}", lacks, "choose another estimator in the blueprint (e)")
    accepted = inspect.signature(found).parameters
    params = dict(definition.params)
    if "random_state" in accepted:
        params.setdefault("random_state", definition.seed)
    takes_any = any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in accepted.values())
    unknown = [name for name in params if name not in accepted]
    if unknown and not takes_any:
        near = difflib.get_close_matches(unknown[0], accepted, 1)
        raise PilothouseError(
            "PH605",
            f"estimator {path}",
            f"it takes no parameter {unknown[0]}",
            f"did you mean {near[0]}? Mend it in the blueprint (e)" if near else "remove it in the blueprint (e)",
        )
    return found(**params)


def model_pipeline(estimator: Any, inputs: Sequence[Input]) -> Any:
    """A scikit-learn Pipeline that takes what `flows.scoring.prepare` gives.

    Categories become codes where the estimator splits by categories itself, else one column each; a category that
    training has not seen, and the rarest beyond 254, are told from all others. Numbers stay as they are; where the
    estimator knows no missing values the median stands for them.
    """
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import Pipeline

    categories = [name for name, kind, _ in inputs if kind == "category"]
    numbers = [name for name, kind, _ in inputs if kind == "number"]
    imputer = "passthrough" if _takes_missing(estimator) else SimpleImputer(strategy="median", keep_empty_features=True)
    by_category = "categorical_features" in inspect.signature(type(estimator)).parameters
    if by_category:
        estimator.set_params(categorical_features=list(range(len(categories))))
    columns = ColumnTransformer(
        [("categories", _encoder(estimator, by_category), categories), ("numbers", imputer, numbers)],
        sparse_threshold=0.0,
    )
    return Pipeline([("columns", columns), ("estimator", estimator)])


def requirements(definition: Estimator) -> tuple[str, ...]:
    """What a reader of the fitted model must have installed, pinned to what it was fitted with."""
    distributions = {"sklearn": "scikit-learn", "lightgbm": "lightgbm", "xgboost": "xgboost"}
    root = definition.path.split(".")[0]
    wanted = dict.fromkeys(("scikit-learn", "numpy", "pandas", "cloudpickle", distributions.get(root, root)))
    pinned = []
    for name in wanted:
        try:
            pinned.append(f"{name}=={version(name)}")
        except PackageNotFoundError:
            continue
    return tuple(pinned)


def _imported(path: str) -> Any:
    module, _, name = path.rpartition(".")
    try:
        return getattr(importlib.import_module(module), name)
    except AttributeError as error:
        near = difflib.get_close_matches(name, dir(importlib.import_module(module)), 1)
        remedy = f"did you mean {module}.{near[0]}?" if near else "mend its import path in the blueprint (e)"
        raise PilothouseError("PH604", f"estimator {path}", f"{module} has no {name}", remedy) from error
    except ModuleNotFoundError as error:
        cause = f"there is no module {error.name}"
        remedy = f"install {path.split('.')[0]} beside Pilothouse, or mend the import path (e)"
        raise PilothouseError("PH604", f"estimator {path}", cause, remedy) from error
    except (ImportError, OSError) as error:
        package = path.split(".")[0]
        if "libgomp" in str(error):
            cause = f"{package} needs the system library libgomp.so.1, which this host lacks"
            remedy = "install it (Debian: libgomp1), or choose an estimator of scikit-learn"
        else:
            cause, remedy = f"{package} cannot be imported", "see the detail, and install what it names"
        raise PilothouseError("PH604", f"estimator {path}", cause, remedy, str(error)) from error


def _takes_missing(estimator: Any) -> bool:
    tags = getattr(estimator, "__sklearn_tags__", None)
    return bool(tags and tags().input_tags.allow_nan)


def _encoder(estimator: Any, by_category: bool) -> Any:
    import numpy as np
    from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder

    if not by_category:
        return OneHotEncoder(handle_unknown="ignore", max_categories=MOST_CATEGORIES, sparse_output=False)
    most = min(MOST_CATEGORIES, int(getattr(estimator, "max_bins", MOST_CATEGORIES + 1)) - 1)
    return OrdinalEncoder(
        handle_unknown="use_encoded_value",
        unknown_value=np.nan,
        encoded_missing_value=np.nan,
        max_categories=most,
    )
