"""The figures of a table, a row a method, data set and budget: what its CSV file holds and its page shows."""

from collections.abc import Collection, Iterator

import pandas as pd

from sftdec.experiments.tables.differences import difference
from sftdec.experiments.tables.methods import BUDGET_TITLES, FLOOR, REFERENCE, UNTRAINED, Method, Table, trained_model

Row = dict[str, object]

COSTS = ["parameters", "gmacs", "seconds", "memory"]  # million; and a megapixel: GMAC, s, MiB
TRAINING = ["steps", "minutes"]
NOT_TRAINED, NOT_JUDGED = "not trained", "not judged"


def missing(method: Method, trained: Collection[str]) -> str:
    """Why a method has no figures; ``trained``: the networks whose weights are there."""
    return NOT_JUDGED if trained_model(method.judged) in {None, *trained} else NOT_TRAINED


def columns_of(table: Table) -> list[str]:
    """The columns of the table's rows.

    ``paper_X`` and ``X`` for each measure; ``X_difference``, ``X_low``, ``X_high``, ``X_chance``: the difference to
    SFT-Dec, its interval and its two-sided p-value; ``better``: scenes of ``scenes`` in which the method is ahead of
    SFT-Dec in the first measure.
    """
    first, second = table.measures
    found = [f"{measure}{part}" for measure in (first, second) for part in ("_difference", "_low", "_high", "_chance")]
    return ["dataset", "budget", "method", "title", f"paper_{first}", f"paper_{second}", first, second, *found,
            "better", "scenes", "photos", *COSTS, *TRAINING, "weights", "status"]  # fmt: skip


def table_rows(table: Table, judged: pd.DataFrame, costs: pd.DataFrame, training: pd.DataFrame) -> pd.DataFrame:
    """The rows of one table (``columns_of``): for each data set and budget the floor, then the methods in their order.

    ``judged``: ``judged.JUDGED_COLUMNS``, of one split. ``costs``: ``method`` and ``COSTS``. ``training``: ``model``,
    ``budget``, ``TRAINING`` and whether the weights are there (``trained``). What isn't there is NaN, and ``status``
    says why a row has no figures.

    Raises:
        ValueError: nothing was judged, or two methods not on the same scenes.
    """
    if judged.empty:
        raise ValueError("no method was judged; train and judge at least one")
    rows = [
        row
        for dataset in judged["dataset"].unique()
        for budget in BUDGET_TITLES
        for row in _section(table, dataset, budget, judged[judged["dataset"] == dataset], costs, training)
    ]
    return pd.DataFrame(rows, columns=columns_of(table))


def _section(
    table: Table, dataset: str, budget: str, judged: pd.DataFrame, costs: pd.DataFrame, training: pd.DataFrame
) -> Iterator[Row]:  # fmt: skip
    """One data set and budget."""
    there = {str(model): rows for model, rows in judged[judged["budget"].isin([budget, UNTRAINED])].groupby("model")}
    trained = set(training.loc[(training["budget"] == budget) & training["trained"], "model"])
    head: Row = {"dataset": dataset, "budget": budget}
    if there:
        any_method = next(iter(there.values()))
        own = dict(zip(table.measures, table.floor.columns, strict=True))
        floor = any_method.assign(**{measure: any_method[column] for measure, column in own.items()})
        figures = _figures(table, floor, there.get(REFERENCE))
        yield head | {"method": FLOOR, "title": table.floor.title, "status": ""} | figures
    for method in table.methods:
        row = head | {"method": method.judged, "title": method.title, "status": ""} | _paper(table, method)
        row |= _looked_up(costs, {"method": method.cost or method.judged}, COSTS)
        model = trained_model(method.judged)
        if model is not None:
            row |= _looked_up(training, {"model": model, "budget": budget}, TRAINING)
        rows = there.get(method.judged)
        if rows is None:
            yield row | {"status": missing(method, trained)}
            continue
        reference = None if method.judged == REFERENCE else there.get(REFERENCE)
        yield row | {"weights": rows["weights"].iloc[0]} | _figures(table, rows, reference)


def _paper(table: Table, method: Method) -> Row:
    return dict(zip((f"paper_{measure}" for measure in table.measures), method.paper or (), strict=False))


def _looked_up(figures: pd.DataFrame, key: dict[str, str], wanted: list[str]) -> Row:
    """The one row of ``figures`` with this key, or nothing."""
    chosen = figures[(figures[list(key)] == list(key.values())).all(axis="columns")]
    return {} if chosen.empty else {column: chosen.iloc[0][column] for column in wanted}


def _figures(table: Table, rows: pd.DataFrame, reference: pd.DataFrame | None) -> Row:
    """Means over the rows, and the differences to those of the reference if there is one."""
    found: Row = {"scenes": len(rows), "photos": rows["photo"].nunique()}
    for measure in table.measures:
        found[measure] = rows[measure].mean()
        if reference is None:
            continue
        pair = difference(rows, reference, measure)
        found[f"{measure}_difference"] = pair.mean
        if pair.estimate is not None:
            ends = pair.ends()
            found |= {f"{measure}_{end}": ends[end] for end in ("low", "high")}
            found[f"{measure}_chance"] = min(1.0, 2 * min(pair.estimate.chance(sign) for sign in (1, -1)))
        if measure == table.measures[0]:
            found["better"] = pair.better
    return found
