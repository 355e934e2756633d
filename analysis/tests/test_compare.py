"""Two versions of a sweep: B is made from A by changing values, ids or states in the file."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from synthetic import METHOD, ROUND, SHARD, changed, grid, write

from fleet_analysis import ResultsError, load
from fleet_analysis.cli import main
from fleet_analysis.compare import Comparison, compare, comparison_tables

AXES = grid(
    merge__method=["average", "fleet-merge", "joint"],
    fleet__alpha=[0.1, 1.0, 10.0],
    seed=[0, 1, 2, 3, 4],
)


def version(path: Path, change: Callable[[np.ndarray, np.ndarray], None] | None = None) -> Path:
    """A file of the sweep; `change` may write into its cells and metrics."""
    write(path, AXES, epochs=3)
    if change:
        with changed(path) as file:
            cells, metrics = file["cells"][:], file["metrics"][:]
            change(cells, metrics)
            file["cells"][:], file["metrics"][:] = cells, metrics
    return path


def shifted(method: str, by: float) -> Callable[[np.ndarray, np.ndarray], None]:
    """Moves all values of a method, by an amount that differs a little from cell to cell."""

    def change(cells: np.ndarray, metrics: np.ndarray) -> None:
        for cell in cells[cells[METHOD] == method.encode()]["cell"]:
            metrics["value"][metrics["cell"] == cell] += by * (1 + 0.1 * (cell % 5))

    return change


def compared(first: Path, second: Path, **options: str | float) -> Comparison:
    return compare(load(first), load(second), **options)  # type: ignore[arg-type]


def verdicts(result: Comparison) -> dict[str, str]:
    return dict(zip(result.methods[METHOD], result.methods.verdict, strict=True))


@pytest.fixture
def first(tmp_path: Path) -> Path:
    return version(tmp_path / "first.h5")


def test_a_version_compared_with_itself_is_the_same_everywhere(first: Path) -> None:
    result = compared(first, first)
    assert set(result.methods.verdict) == set(result.settings.verdict) == {"same"}
    assert result.pairs == 45 and result.unmatched == (0, 0) and not result.worse
    assert result.config == [] and result.newly_failed == []


def test_a_change_of_one_method_is_marked_there_and_nowhere_else(
    first: Path, tmp_path: Path
) -> None:
    second = version(tmp_path / "second.h5", shifted("fleet-merge", -0.05))
    result = compared(first, second)
    assert verdicts(result) == {"average": "same", "fleet-merge": "worse", "joint": "same"}
    assert result.worse
    assert verdicts(compared(first, second, metric="loss"))["fleet-merge"] == "better"


def test_turned_round_differences_change_sign_and_keep_their_p(first: Path, tmp_path: Path) -> None:
    second = version(tmp_path / "second.h5", shifted("average", 0.02))
    there, back = compared(first, second), compared(second, first)
    assert there.settings.difference.to_numpy() == pytest.approx(-back.settings.difference)
    assert there.settings.p.to_numpy() == pytest.approx(back.settings.p, nan_ok=True)
    assert verdicts(there)["average"] == "better" and verdicts(back)["average"] == "worse"
    assert not there.worse and back.worse


def test_noise_is_rarely_called_a_change(first: Path, tmp_path: Path) -> None:
    called = 0
    for seed in range(20):
        random = np.random.default_rng(seed)

        def noise(_: np.ndarray, metrics: np.ndarray, random: np.random.Generator = random) -> None:
            metrics["value"] += random.normal(0, 0.01, len(metrics))

        second = version(tmp_path / "noise.h5", noise)
        result = compared(first, second)
        assert "same" not in set(result.methods.verdict)
        called += bool({*result.methods.verdict, *result.settings.verdict} - {""})
    assert called <= 4, "of twenty sweeps at a level of 0.05"


def test_cells_are_matched_by_settings_where_ids_differ(first: Path, tmp_path: Path) -> None:
    def renamed(cells: np.ndarray, _: np.ndarray) -> None:
        cells["id"] = [f"new-{i}".encode() for i in range(len(cells))]
        for cost in ("seconds_total", "processor_seconds", "bytes_moved", "peak_memory_mib"):
            cells[cost] *= 2

    result = compared(first, version(tmp_path / "second.h5", renamed))
    assert result.pairs == 45 and set(result.settings.verdict) == {"same"}


def test_ids_tell_apart_what_common_settings_cannot(tmp_path: Path) -> None:
    swept = write(tmp_path / "a.h5", AXES | {"merge.strength": [1.0, 2.0]}, epochs=3)
    some = tmp_path / "b.h5"
    some.write_bytes(swept.read_bytes())
    with changed(some) as file:
        cells = file["cells"][:]
        kept = cells[cells["merge.strength"] == 1.0]
        metrics = file["metrics"][:]
        for name in ("cells", "metrics", "rounds", "shards"):
            del file[name]
        file["cells"] = kept[[n for n in kept.dtype.names if n != "merge.strength"]].copy()
        file["metrics"] = metrics[np.isin(metrics["cell"], kept["cell"])]
        file["rounds"], file["shards"] = np.zeros(0, ROUND), np.zeros(0, SHARD)
    result = compared(swept, some)
    assert result.pairs == 45 and result.unmatched == (45, 0)
    assert set(result.methods.verdict) == {"same"}


def test_the_order_of_cells_does_not_matter(first: Path, tmp_path: Path) -> None:
    def turned(cells: np.ndarray, metrics: np.ndarray) -> None:
        cells[:] = cells[::-1]

    result = compared(first, version(tmp_path / "second.h5", turned))
    assert result.pairs == 45 and set(result.settings.verdict) == {"same"}


def test_what_fails_anew_is_a_regression(first: Path, tmp_path: Path, capsys) -> None:
    def fails(cells: np.ndarray, _: np.ndarray) -> None:
        cells["status"][7] = b"failed"

    second = version(tmp_path / "second.h5", fails)
    assert compared(first, second).newly_failed == [
        "merge.method = average, fleet.alpha = 1, seed = 2"
    ]
    assert main(["compare", str(first), str(second)]) == 0
    assert main(["compare", str(first), str(second), "--check"]) == 1
    assert "failed only in the second" in capsys.readouterr().out
    assert main(["compare", str(second), str(first), "--check"]) == 0


def test_cells_of_one_side_only_are_counted(first: Path, tmp_path: Path) -> None:
    more = write(tmp_path / "more.h5", AXES | {"seed": list(range(9))}, epochs=3)
    result = compared(first, more)
    assert result.pairs == 45 and result.unmatched == (0, 36)


def test_a_setting_of_one_side_only_must_not_vary(first: Path, tmp_path: Path) -> None:
    further = write(tmp_path / "b.h5", AXES | {"merge.strength": [1.0]}, epochs=3)
    assert compared(first, further).pairs == 45
    swept = write(tmp_path / "c.h5", AXES | {"merge.strength": [1.0, 2.0]}, epochs=3)
    with pytest.raises(ResultsError, match="several counterparts"):
        compared(first, swept)


def test_nothing_in_common_is_an_error(first: Path, tmp_path: Path, capsys) -> None:
    other = write(tmp_path / "other.h5", grid(seed=[77]))
    assert main(["compare", str(first), str(other)]) == 2
    assert "no cell that both have finished" in capsys.readouterr().err


def test_infinite_costs_are_compared(first: Path, tmp_path: Path) -> None:
    def unstable(cells: np.ndarray, metrics: np.ndarray) -> None:
        metrics["value"][metrics["cell"] < 15] = np.inf

    second = version(tmp_path / "second.h5", unstable)
    result = compared(first, second, metric="loss")
    assert verdicts(result) == {"average": "worse", "fleet-merge": "same", "joint": "same"}
    again = compared(second, second, metric="loss")
    assert set(again.settings.verdict) == {"same"}
    assert all(table.render() for table in comparison_tables(result, everything=True))


def test_only_what_has_changed_is_listed(first: Path, tmp_path: Path) -> None:
    result = compared(first, version(tmp_path / "second.h5", shifted("joint", 0.01)))
    assert [len(table.rows) for table in comparison_tables(result)] == [3, 3]
    assert [len(table.rows) for table in comparison_tables(result, everything=True)] == [3, 9]
    assert len(comparison_tables(compared(first, first))) == 1
