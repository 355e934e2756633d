"""How a new user begins: a configuration to start from, what can be set, completion in a shell."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from conftest import BINARY, ENVIRONMENT, Fleet, table

#: What a world's start needs to run in a test: data, and less of it.
SMALL = {
    "mnist": ["data.samples=300", "sweep.grid.seed=[0]", "model.hidden=[8]"],
    "shakespeare": ["run.data=plays.txt", "model.hidden=[8]", "data.window=20"],
    "lqg": ["train.epochs=20", "sweep.grid.seed=[0]"],
}


def listed(fleet: Fleet, *arguments: str) -> list[str]:
    """The first words of lines that are not indented further."""
    return re.findall(r"^(?:  )?(\S+)", fleet(*arguments).expect(0).out, re.MULTILINE)


def worlds(fleet: Fleet) -> list[str]:
    text = fleet("list").expect(0).out.partition("methods (")[0]
    return [line.split()[0] for line in text.splitlines()[1:] if "not built" not in line]


def keys(fleet: Fleet) -> list[str]:
    return re.findall(r"^(\S+)$", fleet("keys").expect(0).out, re.MULTILINE)


def test_every_world_has_a_start_whose_keys_are_explained(fleet: Fleet) -> None:
    for world in worlds(fleet):
        fleet("init", world).expect(0)
        lines = (fleet.directory / f"{world}.toml").read_text().splitlines()
        settings = [place for place, line in enumerate(lines) if re.match(r"[\w.-]+ = ", line)]
        assert len(settings) > 6
        for place in settings:
            assert re.fullmatch(r"# [A-Z].*\.", lines[place - 1]), lines[place]


@pytest.mark.parametrize("world", SMALL)
def test_a_start_plans_and_runs_as_it_is(fleet: Fleet, world: str) -> None:
    speech = "To be, or not to be, that is the question: whether 'tis nobler in the mind."
    roles = ("HAMLET", "OPHELIA", "GHOST", "GERTRUDE", "HORATIO")
    plays = "\n".join([f"{role}:\n{speech}\n{speech}\n" for role in roles] * 12)
    (fleet.directory / "plays.txt").write_text(plays)
    fleet("init", world).expect(0)
    small = [word for setting in SMALL[world] for word in ("--set", setting)]
    needs_data = world == "mnist"
    planned = fleet("plan", f"{world}.toml", *small[: 2 * (world != "lqg")], data=needs_data)
    assert re.search(r"^cells +[1-9]", planned.expect(0).out, re.MULTILINE)
    fleet("run", f"{world}.toml", *small, ranks=2, data=needs_data).expect(0)
    assert (table(fleet.directory / f"results/{world}.h5", "cells").status == "done").all()


def test_a_start_replaces_nothing(fleet: Fleet) -> None:
    place = fleet.directory / "mnist.toml"
    for make in (lambda: place.write_text("mine"), lambda: place.symlink_to("elsewhere")):
        make()
        before = fleet.everything()
        assert "mnist.toml is there already" in fleet("init", "mnist").expect(2).err
        assert fleet.everything() == before
        place.unlink()
    assert "there is no workload mnits; did you mean mnist?" in fleet("init", "mnits").expect(2).err
    assert "there is no folder nowhere" in fleet("init", "mnist", "-o", "nowhere/a.toml").err


def test_keys_are_listed_by_prefix_with_what_they_may_be(fleet: Fleet) -> None:
    every = keys(fleet)
    assert every == sorted(every)
    assert len(every) > 120
    some = fleet("keys", "train.b", "merge.gl").expect(0).out
    assert re.findall(r"^\S+$", some, re.MULTILINE) == [
        key for prefix in ("train.b", "merge.gl") for key in every if key.startswith(prefix)
    ]
    assert 'integer from 1 to 1000000; default 3000; where merge.gl.solver = "gradient"' in some
    assert "did you mean fleet.robots?" in fleet("keys", "fleet.robtos").expect(2).err
    assert "begins with alpha; did you mean fleet.alpha?" in fleet("keys", "alpha").expect(2).err


def test_a_resolved_configuration_explains_its_keys_and_is_one(fleet: Fleet) -> None:
    config = fleet.config('\n[sweep.grid]\nmerge.method = ["average", "local"]\n')
    resolved = fleet("plan", config, "--resolved").expect(0).out
    assert "# Robots of the fleet, each with data of its own.\nfleet.robots = 5\n" in resolved
    assert re.search(r"# How policies are merged.*\nsweep.grid.merge.method = ", resolved)
    again = fleet.config(resolved, name="again", base="")
    assert fleet("plan", again, "--resolved", data=False).expect(0).out == resolved


def test_a_mistake_is_answered_with_what_the_key_means(fleet: Fleet) -> None:
    config = fleet.config()
    wrong = fleet("plan", config, "--set", "fleet.robots=0").expect(2).err
    assert "fleet.robots: Robots of the fleet" in wrong
    misspelt = fleet("plan", config, "--set", "merge.every_epoch=2").expect(2).err
    assert "did you mean merge.every_epochs?\n  merge.every_epochs: Local epochs" in misspelt


# Completion


BASH = """\
source {script}
COMP_WORDS=({words})
COMP_CWORD={last}
_fleet
printf "%s\\n" "${{COMPREPLY[@]}}"
"""
#: What is asked of zsh's completion is printed, and prefixes are matched as it would.
ZSH = """\
compdef() {{ :; }}
source {script}
compadd() {{
  while [[ $1 == -* && $1 != -- ]]; do [[ $1 == -S ]] && shift; shift; done
  shift
  print -l -- "${{(M)@:#${{words[CURRENT]}}*}}"
}}
_files() {{ print -l -- ${{~2:-*}}(N) *(/N) }}
_directories() {{ print -l -- *(/N) }}
words=({words})
CURRENT={current}
_fleet
"""
SHELLS = {"bash": BASH, "zsh": ZSH}


@pytest.fixture(scope="module")
def scripts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """What the program prints for each shell, in a file."""
    folder = tmp_path_factory.mktemp("completion")
    for shell in SHELLS:
        command = [str(BINARY), "completion", shell]
        printed = subprocess.run(command, env=ENVIRONMENT, capture_output=True, check=True).stdout
        (folder / shell).write_bytes(printed)
    return {shell: folder / shell for shell in SHELLS}


def completed(shell: str, line: str, directory: Path, scripts: dict[str, Path]) -> list[str]:
    """What the shell offers for the last word of `line`."""
    words = line.split(" ")
    quoted = " ".join(repr(word) for word in words)
    script = SHELLS[shell].format(
        script=scripts[shell], words=quoted, last=len(words) - 1, current=len(words)
    )
    arguments = [shell, "--norc" if shell == "bash" else "-f", "-c", script]
    done = subprocess.run(
        arguments, cwd=directory, env=ENVIRONMENT, capture_output=True, text=True, check=False
    )
    assert not done.stderr, done.stderr
    return sorted({word for word in done.stdout.split("\n") if word})


@pytest.fixture(params=["bash", "zsh"])
def shell(request: pytest.FixtureRequest) -> str:
    if shutil.which(request.param) is None:
        pytest.skip(f"there is no {request.param}")
    return str(request.param)


def test_a_shell_completes_every_command_and_option(
    fleet: Fleet, shell: str, scripts: dict[str, Path]
) -> None:
    help_text = fleet("--help").expect(0).out
    commands = re.findall(r"^  (\S+(?: \S+)?)  +", help_text, re.MULTILINE)
    assert len(commands) > 10
    first = completed(shell, "fleet ", fleet.directory, scripts)
    assert first == sorted({command.split()[0] for command in commands} | {"--help", "--version"})
    for command in commands:
        if " " in command:
            word, second = command.split()
            assert second in completed(shell, f"fleet {word} ", fleet.directory, scripts)
        options = set(re.findall(r"(--[\w-]+)", fleet(*command.split(), "--help").expect(0).out))
        offered = completed(shell, f"fleet {command} --", fleet.directory, scripts)
        assert options <= set(offered), command


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("fleet pl", ["plan"]),
        ("fleet data ", ["--help", "fetch", "show"]),
        ("fleet data fetch fash", ["fashion-mnist"]),
        ("fleet run --rerun ", ["all", "failed", "none"]),
        ("fleet run --rerun f", ["failed"]),
        ("fleet run a.toml --set merge.gl.s", ["merge.gl.solver="]),
        ("fleet plan --set sweep.grid.fleet.al", ["sweep.grid.fleet.alpha="]),
        ("fleet keys train.beta", ["train.beta1", "train.beta2"]),
        ("fleet init sh", ["shakespeare"]),
        ("fleet completion ", ["bash", "zsh"]),
        ("fleet merge --method git", ["git-rebasin"]),
        ("fleet plan ", ["a folder", "a.toml"]),
        ("fleet status ", ["a folder"]),
        ("fleet export ", ["a folder", "m.h5"]),
        ("fleet barrier ", ["a folder", "a.toml", "m.h5", "notes.txt"]),
        ("fleet list ", []),
    ],
)
def test_a_shell_completes_values(
    fleet: Fleet, shell: str, line: str, expected: list[str], scripts: dict[str, Path]
) -> None:
    (fleet.directory / "a folder").mkdir()
    for name in ("a.toml", "m.h5", "notes.txt"):
        (fleet.directory / name).touch()
    for own in ("digits",):
        shutil.rmtree(fleet.directory / own, ignore_errors=True)
    assert completed(shell, line, fleet.directory, scripts) == expected
