"""Whether what papers say holds in results: a page with a row for each claim.

A claim compares two sides of one sweep, cell by cell: same seed, same settings `by`. It holds where
the first side is better than the second by more than `margin`.
"""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fleet_analysis.files import ResultsError
from fleet_analysis.layout import MARKDOWN
from fleet_analysis.load import Results, load
from fleet_analysis.paired import mean_interval
from fleet_analysis.schema import SEED, higher_is_better, is_ratio, is_share

#: What a side may choose of instruments' rows, beside settings of cells.
OF_INSTRUMENTS = ("subject", "split", "metric", "robot", "at")
#: The key by which a side is the robots' own policies before the last merge, and its values.
ROBOTS = "robots"
OF_ROBOTS = ("mean", "best")
VERDICTS = {
    "holds": "holds",
    "in part": "holds in part",
    "open": "open",
    "no": "does not hold",
}
COUNTED = {"holds": "hold", "in part": "hold in part", "open": "are open", "no": "do not hold"}
BEYOND = 1e6  # a cost over the optimum that counts as this, if more
MARK = "<!-- written by fleet-analysis claims -->"


@dataclass(frozen=True)
class Claim:
    """One row of the page. `better` and `than` choose cells by their settings and, with
    `instrument`, rows of /instruments by subject, split, metric, robot and at. A side with
    `robots` is what the robots' own policies come to: their "mean", or the "best" of them."""

    id: str
    paper: str
    where: str  # figure, section
    says: str
    sweep: str = ""  # name of the results file, and of the configuration; empty: none can tell
    better: dict[str, Any] = field(default_factory=dict)
    than: dict[str, Any] = field(default_factory=dict)
    given: dict[str, Any] = field(default_factory=dict)  # of both sides
    by: list[str] = field(default_factory=list)  # settings that are kept apart
    metric: str = "accuracy"
    instrument: str = ""
    margin: float = 0.0  # by how much the first is better at least; below 0: may be worse
    note: str = ""


@dataclass(frozen=True)
class Finding:
    """What results say of a claim: differences in the claim's favour, less its margin."""

    claim: str  # digest of what was asked
    revision: str
    seeds: int
    settings: int
    held: int  # settings in which the mean difference is above 0
    mean: float
    low: float  # of the 95 % interval of the mean over seeds; NaN for fewer than two
    high: float
    first: float  # means of the two sides; of costs over the optimum, of their logarithms
    second: float

    @property
    def verdict(self) -> str:
        if self.held == self.settings:
            return "holds" if self.low > 0.0 else "open"
        if self.held > 0:
            return "in part"
        return "no" if self.high < 0.0 else "open"


def read_claims(path: Path) -> list[Claim]:
    """The tables [[claim]] of a TOML file. Raises ResultsError that names the claim and key."""
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8")).get("claim", [])
        if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
            raise ResultsError(f"{path}: claims are tables [[claim]]")
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ResultsError(f"{path}: {error}") from error
    kinds = {each.name: type(getattr(_BLANK, each.name)) for each in fields(Claim)}
    claims: list[Claim] = []
    for number, table in enumerate(tables, 1):
        name = f"{path}: claim {table.get('id', number)}"
        for key, value in table.items():
            if key not in kinds:
                raise ResultsError(f"{name}: no key {key!r}; there are {', '.join(kinds)}")
            if kinds[key] is float and isinstance(value, int):
                table[key] = float(value)
            elif not isinstance(value, kinds[key]):
                raise ResultsError(f"{name}: {key} = {value!r}: expected {kinds[key].__name__}")
        missing = [key for key in ("id", "paper", "where", "says") if not table.get(key)]
        missing += [key for key in ("better", "than") if table.get("sweep") and not table.get(key)]
        if missing:
            raise ResultsError(f"{name}: {' and '.join(missing)} must be there")
        if any(table["id"] == claim.id for claim in claims):
            raise ResultsError(f"{name}: there is another of this id")
        claims.append(Claim(**table))
    if not claims:
        raise ResultsError(f"{path}: has no [[claim]]")
    return claims


def judge(claim: Claim, results: Results) -> Finding:
    """Raises ResultsError where a side has no cells, or none that pair with the other's."""
    keys = [*claim.by, SEED]
    sides = [_side(claim, results, chosen) for chosen in (claim.better, claim.than)]
    pairs = sides[0].merge(sides[1], on=keys, suffixes=("_1", "_2")).dropna()
    if pairs.empty:
        raise ResultsError(f"claim {claim.id}: no pair of finished cells of {results.name}")
    sign = 1.0 if _rises(claim) else -1.0
    first, second = _comparable(claim, pairs.value_1), _comparable(claim, pairs.value_2)
    pairs["difference"] = sign * (first - second) - claim.margin
    within = pairs.groupby(claim.by).difference.mean() if claim.by else pairs.difference.mean()
    held = np.atleast_1d(np.asarray(within)) > 0.0
    asked = pd.concat(sides)[claim.by].drop_duplicates() if claim.by else [None]
    by_seed = pairs.groupby(SEED).difference.mean()
    low, high = mean_interval(by_seed.to_numpy())
    # Of cells that several versions ran, a line each.
    lines = results.provenance.get("git_revision", pd.Series([""])).astype(str).str.split("\n")
    return Finding(
        claim=_digest(claim),
        revision=", ".join(dict.fromkeys(lines.explode())),
        seeds=len(by_seed),
        settings=len(asked),  # one without a pair does not hold
        held=int(held.sum()),
        mean=float(by_seed.mean()),
        low=low,
        high=high,
        first=float(first.mean()),
        second=float(second.mean()),
    )


def _side(claim: Claim, results: Results, chosen: Mapping[str, Any]) -> pd.DataFrame:
    """Its values, with the settings that pair them."""
    wanted_of_both = {**claim.given, **chosen}
    own = {key: value for key, value in wanted_of_both.items() if key in OF_INSTRUMENTS}
    settings = {key: value for key, value in wanted_of_both.items() if key not in own}
    which = settings.pop(ROBOTS, None)
    if claim.instrument:
        cells = results.done.merge(_measured(claim, results, own), on="cell")
    elif which is not None:
        cells = results.done.merge(_of_robots(claim, results, which), on="cell")
    else:
        cells = results.final(claim.metric, str(own.get("split", "test")))
    for key, value in settings.items():
        if key not in cells:
            raise ResultsError(f"claim {claim.id}: the cells of {results.name} have no {key}")
        wanted = value if isinstance(value, list) else [value]
        cells = cells[cells[key].isin(wanted)]
        if cells.empty:
            raise ResultsError(f"claim {claim.id}: no cell of {results.name} has {key} = {value}")
    keys = [*claim.by, SEED]
    strange = [key for key in keys if key not in cells]
    if strange:
        raise ResultsError(f"claim {claim.id}: the cells of {results.name} have no {strange[0]}")
    if cells.duplicated(keys).any():
        more = [key for key in results.swept if key not in keys and cells[key].nunique() > 1]
        raise ResultsError(
            f"claim {claim.id}: several cells of {results.name} with {chosen} and one seed; name "
            f"in given, or keep apart in by: {', '.join(more) or 'what tells them apart'}"
        )
    return cells[[*keys, "value"]]


def _digest(claim: Claim) -> str:
    """Of what decides a finding."""
    aside = ("paper", "where", "says", "note")
    asked = {key: value for key, value in asdict(claim).items() if key not in aside}
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:16]


def _comparable(claim: Claim, values: pd.Series) -> pd.Series:
    """Costs over the optimum by their logarithm: some are beyond all bounds."""
    return np.log(values.clip(upper=BEYOND)) if is_ratio(claim.metric) else values


def _rises(claim: Claim) -> bool:
    """Whether more is better."""
    return higher_is_better(claim.metric) and not claim.instrument.startswith("barrier")


def _of_robots(claim: Claim, results: Results, which: Any) -> pd.DataFrame:
    """The mean or best of the robots' own values, of the last round that has them."""
    if which not in OF_ROBOTS:
        raise ResultsError(
            f"claim {claim.id}: robots = {which!r}: expected {' or '.join(OF_ROBOTS)}"
        )
    rows = results.metrics
    rows = rows[(rows.robot >= 0) & (rows.metric == claim.metric) & (rows.split == "test")]
    if rows.empty:
        raise ResultsError(f"claim {claim.id}: {results.name} has no {claim.metric} of robots")
    last = rows[rows["round"] == rows.groupby("cell")["round"].transform("max")]
    best = "max" if higher_is_better(claim.metric) else "min"
    values = last.groupby("cell").value
    return (values.mean() if which == "mean" else values.agg(best)).reset_index()


def _measured(claim: Claim, results: Results, own: Mapping[str, Any]) -> pd.DataFrame:
    """The mean of the chosen rows of each cell's last round."""
    rows = results.instruments
    for key, value in {"instrument": claim.instrument, "metric": claim.metric, **own}.items():
        rows = rows[rows[key] == value]
    if rows.empty:
        raise ResultsError(f"claim {claim.id}: {results.name} has no {claim.instrument} like that")
    last = rows[rows["round"] == rows.groupby("cell")["round"].transform("max")]
    return last.groupby("cell").value.mean().reset_index()


def judge_all(
    claims: Sequence[Claim], sources: Sequence[Path], known: Mapping[str, Finding]
) -> dict[str, Finding]:
    """Findings by claim: those that the results tell anew, and the `known` ones of the others. A
    claim's results are the file that is named as its sweep, or whose sweep has that name."""
    sweeps = {claim.sweep for claim in claims}
    loaded: dict[str, Results] = {}
    for path in map(Path, sources):
        results = load(path)
        name = path.stem if path.stem in sweeps else results.name
        if name not in sweeps:
            raise ResultsError(f"{path}: no claim is about a sweep of this name, nor about {name}")
        if name in loaded:
            raise ResultsError(f"{path}: another file is of the sweep {name}, too")
        loaded[name] = results
    digests = {claim.id: _digest(claim) for claim in claims}
    found = {name: each for name, each in known.items() if each.claim == digests.get(name)}
    for claim in claims:
        if claim.sweep in loaded:
            found[claim.id] = judge(claim, loaded[claim.sweep])
    return found


def write_page(claims: Sequence[Claim], found: Mapping[str, Finding]) -> str:
    """Markdown: how to read it, and a table for each paper."""
    verdicts = [each.verdict for each in found.values()]
    counts = [
        f"{verdicts.count(key)} {name}" for key, name in COUNTED.items() if verdicts.count(key)
    ]
    untested = sum(not claim.sweep for claim in claims)
    counts += [f"{len(claims) - len(found) - untested} were not run"]
    counts += [f"{untested} have no test here"] if untested else []
    lines = [MARK, "# Which claims hold", "", *_HOW_TO_READ]
    lines += ["", f"Of {len(claims)} claims {', '.join(counts)}."]
    for paper in dict.fromkeys(claim.paper for claim in claims):
        lines += ["", f"## {paper}", "", "| Claim | Where | Run | Difference | Verdict |"]
        lines += ["|---|---|---|---|---|"]
        lines += [_row(each, found.get(each.id)) for each in claims if each.paper == paper]
    return "\n".join(lines) + "\n"


def _row(claim: Claim, finding: Finding | None) -> str:
    says = claim.says + (f" *{claim.note}*" if claim.note else "")
    run = f"`configs/{claim.sweep}.toml`" if claim.sweep else ""
    if finding is None:
        told, verdict = "", "not run" if claim.sweep else "not tested"
    else:
        seeds = "seed" if finding.seeds == 1 else "seeds"
        run += f", {finding.seeds} {seeds}, {finding.revision}"
        told, verdict = _difference(claim, finding), f"**{VERDICTS[finding.verdict]}**"
        if finding.settings > 1:
            verdict += f", in {finding.held} of {finding.settings} settings"
    cells = [says, claim.where, run, told, verdict]
    return f"| {' | '.join(cell.translate(MARKDOWN) for cell in cells)} |"


def _difference(claim: Claim, finding: Finding) -> str:
    """By how much the first side is better, with the interval, and what both come to."""
    numbers = [value + claim.margin for value in (finding.mean, finding.low, finding.high)]
    sides = (finding.first, finding.second)
    if is_ratio(claim.metric):  # from logarithms to factors
        mean, low, high = (f"÷ {np.exp(value):.3g}" for value in numbers)
        first, second = (f"{np.exp(value):.4g}" for value in sides)
    elif is_share(claim.metric):
        mean, low, high = (f"{100 * value:+.1f}" for value in numbers)
        first, second = (f"{100 * value:.1f}" for value in sides)
    else:
        mean, low, high = (f"{value:+.3g}" for value in numbers)
        first, second = (f"{value:.4g}" for value in sides)
    told = f"{mean} ({low} to {high})" if np.isfinite(finding.low) else mean
    return f"{told}: {first} against {second}"


def read_findings(path: Path) -> dict[str, Finding]:
    """What an earlier run of the command has kept; nothing where there is no such file."""
    if not path.exists():
        return {}
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        return {
            name: Finding(
                **{key: np.nan if value is None else value for key, value in each.items()}
            )
            for name, each in kept.items()
        }
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise ResultsError(
            f"{path}: not what this command keeps of its findings: {error}"
        ) from error


def findings_text(found: Mapping[str, Finding]) -> str:
    """The inverse."""
    kept = {
        name: {key: _plain(value) for key, value in asdict(finding).items()}
        for name, finding in sorted(found.items())
    }
    return json.dumps(kept, indent=1) + "\n"


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and not np.isfinite(value) else value


def is_page(path: Path) -> bool:
    """Whether a file is a page that this command has written."""
    try:
        with path.open(encoding="utf-8") as file:
            return re.match(re.escape(MARK), file.readline()) is not None
    except (OSError, UnicodeDecodeError):
        return False


_HOW_TO_READ = [
    "This page has a row for every empirical claim of the two papers, and some of ours: what was",
    "run here to test it, and what came out. It is made from results files:",
    "",
    "```sh",
    "fleet-analysis claims docs/claims.toml results/fleet_size.h5 -o docs/claims.md",
    "```",
    "",
    "- **Difference**: by how much the side that the claim favours is better: the mean over seeds",
    "  with its 95 % interval, then what both sides come to. Shares are in points. Costs over the",
    "  optimum are compared by their geometric means, as a factor; more than a million times the",
    "  optimum counts as such.",
    "- **Holds**: the mean difference is what is claimed in every setting, and so is the whole",
    "  interval. **In part**: the mean difference is what is claimed in some settings only.",
    "  **Does not hold**: in no setting, and the whole interval is less than what is claimed.",
    "  **Open**: in every setting or in none, but the interval has values of both kinds.",
    "- **Not run**: this page has not been given a results file of that sweep, though other pages",
    "  may have a table of it, from an earlier version. **Not tested**: no sweep can tell.",
    "- Our networks, tasks and data are smaller than the papers'. What does not hold here may hold",
    "  there.",
]
_BLANK = Claim(id="", paper="", where="", says="")
