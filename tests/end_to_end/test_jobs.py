"""Jobs of federated learning: splits of a user's own, fleets larger than their data, robots that
fail, targets, and how long all that will take.
"""

from pathlib import Path

import pytest

from conftest import Fleet, table

JOB = """
merge.method = "average"
train.robots = "participants"
evaluate.local = "never"
"""


def averaged(fleet: Fleet, text: str = "", name: str = "sweep") -> Path:
    """A sweep of one cell."""
    base = 'workload = "mnist"\nmodel.hidden = [8]\ntrain.batch_size = 10\n'
    return fleet.config(JOB + text, name, base)


def test_a_split_of_ones_own_is_taken_and_robots_are_tested_on_their_own_images(
    fleet: Fleet,
) -> None:
    rows = [f"{sample},{sample % 3},train" for sample in range(60)]
    rows += [f"{sample},{sample % 3},test" for sample in range(90)]
    split = fleet.directory / "split.csv"
    split.write_text("sample,robot,part\n" + "\n".join(rows) + "\n")
    config = averaged(fleet, "fleet.robots = 3\n")
    fleet.run(config, "out", "--set", f"run.split={split}", ranks=2).expect(0)
    shards = table(fleet.directory / "out.h5", "shards")
    assert shards.groupby("robot").samples.sum().tolist() == [20, 20, 20]
    metrics = table(fleet.directory / "out.h5", "metrics")
    assert {"accuracy", "accuracy_robot_mean", "accuracy_robot_p10"} <= set(metrics.metric)

    # Under another name it is the same cell; with another owner of one image it is another.
    other = split.rename(fleet.directory / "moved.csv")
    listed = fleet("plan", config, "--cells", "--set", f"run.split={other}").expect(0).out
    assert next(iter(fleet.cells("out").labels())) in listed
    other.write_text(other.read_text().replace("0,0,train", "0,1,train", 1))
    changed = fleet("plan", config, "--cells", "--set", f"run.split={other}").expect(0).out
    assert next(iter(fleet.cells("out").labels())) not in changed


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("sample,robot\n0,0\n1,one\n", 'split.csv:3: robot is "one"'),
        ("sample,robot\n600,0\n", "training image 600, but there are 600"),
        ("sample,robot\n0,0\n", "there are 1 robots in"),
        ("sample,robot,part\n0,0,test\n0,4,test\n", "nothing to train on"),
    ],
)
def test_a_split_that_does_not_fit_is_refused(fleet: Fleet, text: str, told: str) -> None:
    split = fleet.directory / "split.csv"
    split.write_text(text)
    refused = fleet("plan", averaged(fleet), "--set", f"run.split={split}").expect(2)
    assert told in refused.err


def test_keys_of_dealing_are_refused_beside_a_split(fleet: Fleet) -> None:
    split = fleet.directory / "split.csv"
    split.write_text("sample,robot\n0,0\n1,1\n")
    given = averaged(fleet, "fleet.robots = 2\n")
    for key, value in (("fleet.alpha", "0.1"), ("data.samples", "10"), ("fleet.samples", "1")):
        told = fleet(
            "plan", given, "--set", f"run.split={split}", "--set", f"{key}={value}"
        ).expect(2)
        assert f"{key} = {value}: the file of run.split says who has which images" in told.err


def test_a_fleet_may_be_larger_than_its_data(fleet: Fleet) -> None:
    many = 'fleet.robots = 5000\nfleet.partition = "drawn"\nfleet.samples = 20\n'
    ten = "merge.participants = 10\ntrain.epochs = 3\n"
    fleet.run(averaged(fleet, many + ten), "out", ranks=2).expect(0)
    assert table(fleet.directory / "out.h5", "rounds").participants.tolist() == [10, 10, 10]
    shards = table(fleet.directory / "out.h5", "shards")
    assert (shards.groupby("robot").samples.sum() == 20).all()
    assert shards.robot.nunique() == 5000
    refused = fleet("plan", averaged(fleet, "fleet.samples = 20\n")).expect(2)
    assert 'it is of fleet.partition = "drawn"' in refused.err


def test_a_target_ends_training_and_names_its_round(fleet: Fleet) -> None:
    config = averaged(fleet, "fleet.robots = 4\ntrain.epochs = 40\n")
    fleet.run(config, "out", "--set", "train.until=accuracy >= 0.5", ranks=2).expect(0)
    metrics = table(fleet.directory / "out.h5", "metrics")
    accuracy = metrics[metrics.metric == "accuracy"]
    assert (accuracy.value.iloc[:-1] < 0.5).all() and accuracy.value.iloc[-1] >= 0.5
    reached = metrics[metrics.metric == "rounds_to_target"]
    assert reached.value.tolist() == [accuracy["round"].max()]
    assert accuracy["round"].max() < 40
    for target in ("accuracy > 0.5", "accuracy", ">= 0.5"):
        refused = fleet("plan", config, "--set", f"train.until={target}").expect(2)
        assert "expected a metric and a bound" in refused.err
    percent = fleet("plan", config, "--set", "evaluate.target=accuracy >= 85").expect(2)
    assert "accuracy is a share: expected a bound between 0 and 1" in percent.err


def test_a_target_that_nothing_is_tested_by_fails_before_training(fleet: Fleet) -> None:
    endless = averaged(fleet, "fleet.robots = 4\ntrain.epochs = 1000000\n")
    set_target = ("--set", "evaluate.target=success >= 0.5")
    failed = fleet.run(endless, "out", *set_target, ranks=2).expect(1)
    assert 'a target is set for "success", but what is tested is accuracy, loss' in failed.err
    assert "no cell has a final test" in failed.out


def test_robots_fail_alike_whatever_the_method(fleet: Fleet) -> None:
    failing = "fleet.robots = 6\ntrain.epochs = 12\nmerge.dropped = 0.3\nmerge.late = 0.3\n"
    grid = '[sweep.grid]\nmerge.method = ["average", "git-rebasin"]\n'
    config = averaged(fleet, failing).read_text().replace('merge.method = "average"\n', "")
    path = fleet.config(grid, "fails", config)
    fleet.run(path, "out", ranks=2).expect(0)
    rounds = table(fleet.directory / "out.h5", "rounds")
    columns = ["round", "participants", "dropped", "late"]
    first, second = (group[columns].to_numpy().tolist() for _, group in rounds.groupby("cell"))
    assert first == second
    assert rounds.dropped.sum() > 0 and rounds.late.sum() > 0
    assert (rounds.processor_seconds > 0).all()


def test_a_plan_says_how_long_it_will_take(fleet: Fleet) -> None:
    text = averaged(fleet).read_text().replace('merge.method = "average"\n', "")
    grid = '[sweep.grid]\nmerge.method = ["average", "local", "joint"]\n'
    config = fleet.config(grid, "three", text)
    said = fleet("plan", config, "--time").expect(0).out
    assert "time      about" in said and "for 3 cells on 1 rank" in said
    assert "training" in said and "testing" in said
    fleet.run(config, "out").expect(0)
    assert "for 0 cells" in fleet("plan", config, "-o", "out", "--time").expect(0).out
