"""What the documentation points at is there: links and anchors, pages, commands and their options,
`make` targets, configurations, settings, files.

FLEET_BINARY names the program (build/release/fleet by default) that plans the complete examples.
"""

import collections
import functools
import json
import os
import re
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BINARY = (ROOT / os.environ.get("FLEET_BINARY", "build/release/fleet")).resolve()
AT_THE_TOP = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")
PAGES = [
    *(ROOT / name for name in AT_THE_TOP),
    ROOT / "analysis" / "README.md",
    ROOT / "python" / "README.md",
    *sorted((ROOT / "docs").rglob("*.md")),
]
#: Pages of the site that lie outside docs/.
OUTSIDE = {"index.md", "analysis.md", "python.md", "contributing.md", "changelog.md"}

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#{1,6} +(.+?)$", re.MULTILINE)
#: Names that stand for a reader's own.
PLACEHOLDER = re.compile(r"your_|NAME|CONFIG|DIR|<|…|\$")

Checker = Callable[[str], Iterator[str]]


def prose(text: str) -> str:
    """Without code."""
    return SPAN.sub("", FENCE.sub("", text))


def fences(text: str, language: str) -> list[str]:
    return [code for name, code in FENCE.findall(text) if name == language]


def spans(text: str) -> list[str]:
    return SPAN.findall(FENCE.sub("", text))


def command_lines(text: str) -> list[str]:
    """Of shell blocks and of code within sentences; indented blocks count as shell."""
    indented = re.findall(r"^ {4}(\S.*)$", FENCE.sub("", text), re.MULTILINE)
    blocks = "\n".join(fences(text, "sh")).replace("\\\n", " ").splitlines()
    return [line.partition(" #")[0] for line in [*blocks, *indented, *spans(text)]]


@functools.cache
def read(*names: str) -> str:
    """Source files, by glob patterns."""
    return "\n".join(path.read_text() for name in names for path in sorted(ROOT.glob(name)))


CPP = ("src/**/*.cpp", "experiments/**/*.cpp")
COMMANDS = ("src/command/*.cpp", "experiments/**/*.cpp", "experiments/simulation/sight.hpp")


@functools.cache
def settings_read() -> set[str]:
    """Every setting that the pages list which the program has written."""
    pages = read(*(str(page.relative_to(ROOT)) for page in ROOT.glob("docs/settings*.md")))
    return set(re.findall(r"^\| `([a-z][\w.-]*)` \|", pages, re.MULTILINE))


@functools.cache
def python_names() -> set[str]:
    """What the Python package `fleet` offers."""
    return set(re.findall(r'^    "(\w+)",$', read("python/src/fleet/__init__.py"), re.MULTILINE))


def programs(text: str) -> dict[str, str]:
    """Complete programs of a page, by the name that their first line gives."""
    return {
        name: code
        for code in fences(text, "python")
        for name in re.findall(r"\A# (\w+\.py)$", code, re.MULTILINE)
    }


def anchors(text: str) -> set[str]:
    """As both GitHub and the site make them."""
    found = set()
    for heading in HEADING.findall(FENCE.sub("", text)):
        words = re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-")
        if "--" not in words:  # where the two differ
            found.add(words)
    return found


def broken_links(page: Path, text: str) -> Iterator[str]:
    for link in LINK.findall(prose(text)):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        if not target.exists() or not target.is_relative_to(ROOT):
            yield f"{link}: there is no such file"
        elif anchor and anchor not in anchors(text if target == page else target.read_text()):
            yield f"{link}: no such heading"


PYTHON_COMMAND = re.compile(r"python3? -m fleet ([a-z]+)(.*)")


def unknown_options(line: str, arguments: str, known: set[str]) -> Iterator[str]:
    for option in re.findall(r"(?<=\s)--([a-z][a-z-]*)", arguments):
        if option not in known:
            yield f"{line}: there is no --{option}"


def unknown_python_commands(text: str) -> Iterator[str]:
    """Of the Python package: python -m fleet symmetry ..."""
    source = read("python/src/fleet/*.py")
    known = set(re.findall(r'Command\(\s*"([a-z]+)"', source))
    options = set(re.findall(r'"--([a-z-]+)"', source))
    for line in command_lines(text):
        used = PYTHON_COMMAND.search(line)
        if used is None:
            continue
        if used[1] not in known:
            yield f"{line}: there is no `python -m fleet {used[1]}`"
        yield from unknown_options(line, used[2], options)


def unknown_commands(text: str) -> Iterator[str]:
    source = read(*CPP)
    names = re.findall(
        r'^Command [\w:]+\(\) \{\s*return \{\.name = "([a-z ]+)"', source, re.MULTILINE
    )
    for world in re.findall(r"commands_of<(\w+)::suite_entry>", source):
        verbs = re.findall(r'kName \+ " (\w+)"', read("experiments/simulation/command.hpp"))
        names += [f"{world} {verb}" for verb in verbs]
    names += re.findall(r'push_back\(\{\.name = "([a-z]+ [a-z]+)"', source)  # a world's own
    known = {name.partition(" ")[0] for name in names}
    below = collections.defaultdict(set)
    for name in names:
        if " " in name:
            below[name.partition(" ")[0]].add(name.partition(" ")[2])
    options = set(re.findall(r'[("]([a-z][a-z-]+)(?:,[a-z])?"', read(*COMMANDS)))
    for line in command_lines(text):
        line = PYTHON_COMMAND.sub("", line)
        used = re.search(r"(?<![\w/.-])(?:\S*/)?fleet ([a-z]+)(?: ([a-z]+))?(.*)", line)
        if used is None or "-m fleet" in line:  # the Python package has commands of its own
            continue
        command, verb, rest = used.groups()
        if command not in known:
            yield f"{line}: there is no `fleet {command}`"
        elif command in below and verb and verb not in below[command]:
            yield f"{line}: there is no `fleet {command} {verb}`"
        yield from unknown_options(line, rest, options)


def unknown_analysis(text: str) -> Iterator[str]:
    source = read("analysis/fleet_analysis/cli.py")
    known = set(re.findall(r'add_parser\(\s*"([a-z]+)"', source))
    options = set(re.findall(r'"--([a-z-]+)"', source))
    for line in command_lines(text):
        used = re.search(r"fleet-analysis +([a-z]+)(.*)", line)
        if used is None:
            continue
        if used[1] not in known:
            yield f"{line}: there is no `fleet-analysis {used[1]}`"
        yield from unknown_options(line, used[2], options)


def unknown_targets(text: str) -> Iterator[str]:
    makefile = read("Makefile")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    variables = set(re.findall(r"^([A-Z_]+) \?=", makefile, re.MULTILINE))
    for line in command_lines(text):
        used = re.match(r"make(?= |$)(.*)", line)
        for word in used[1].split() if used else ():
            name, assigned, _ = word.partition("=")
            if name not in (variables if assigned else targets):
                yield f"{line}: the Makefile knows no {name}"


def unknown_presets(text: str) -> Iterator[str]:
    presets = json.loads(read("CMakePresets.json"))["configurePresets"]
    known = {preset["name"] for preset in presets}
    for line in command_lines(text):
        for preset in re.findall(r"(?:cmake|ctest).*?--preset (\S+)", line):
            if preset not in known:
                yield f"{line}: there is no preset {preset}"


def unknown_files(text: str) -> Iterator[str]:
    """Configurations wherever they are named, other files of the repository in code."""
    for name in re.findall(r"configs/[\w.]+\.toml", text):
        if not (ROOT / name).exists():
            yield f"{name}: there is no such configuration"
    folders = r"(?:src|experiments|tests|analysis|python|scripts|slurm|cmake|docs)"
    for code in command_lines(text):
        for name in re.findall(rf"(?<![\w/.-]){folders}/[\w./*-]+", code):
            if not PLACEHOLDER.search(name) and not any(ROOT.glob(name.rstrip("./"))):
                yield f"{name}: there is no such file"


def unknown_settings(text: str) -> Iterator[str]:
    """Keys of a configuration in code, of the form section.key."""
    sections = (
        "data fleet model train merge evaluate instruments run system noise tasks policy external"
    )
    pattern = re.compile(rf"(?<![\w./-])(?:{sections.replace(' ', '|')})\.[a-z][\w.-]*\w")
    for code in [*command_lines(text), *fences(text, "toml")]:
        for found in pattern.finditer(code):
            key = found[0]
            file = re.search(r"\.(py|cpp|hpp|h5|toml|md|sh|json|pt|safetensors|sif|def)$", key)
            family = code[found.end() :].startswith((".…", ".*", ".<"))
            own = "external.settings" in key  # of a program of the user's
            python = key.removeprefix("fleet.") in python_names()
            if not file and not family and not own and not python and key not in settings_read():
                yield f"{key}: nothing reads such a setting"


CHECKERS = [
    unknown_commands,
    unknown_python_commands,
    unknown_analysis,
    unknown_targets,
    unknown_presets,
    unknown_files,
    unknown_settings,
]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    assert list(broken_links(page, page.read_text())) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
@pytest.mark.parametrize("unknown", CHECKERS, ids=lambda unknown: unknown.__name__)
def test_what_a_page_names_exists(page: Path, unknown: Checker) -> None:
    assert list(unknown(page.read_text())) == []


def test_every_page_is_in_the_navigation_once() -> None:
    named = re.findall(r": (\S+\.md)$", read("mkdocs.yml"), re.MULTILINE)
    pages = [str(page.relative_to(ROOT / "docs")) for page in (ROOT / "docs").rglob("*.md")]
    assert sorted(named) == sorted([*pages, *OUTSIDE])


def test_every_configuration_is_in_some_page() -> None:
    text = "".join(page.read_text() for page in PAGES)
    names = [path.name for path in sorted(ROOT.glob("configs/*.toml"))]
    assert [name for name in names if name not in text] == []


@pytest.mark.skipif(not BINARY.exists(), reason=f"there is no {BINARY}")
def test_the_pages_of_settings_are_as_the_code_has_them(tmp_path: Path) -> None:
    listed = subprocess.run([BINARY, "list"], capture_output=True, text=True, check=True).stdout
    if "not built" in listed:
        pytest.skip("a world is not built, whose settings the pages have")
    writer = ROOT / "scripts" / "write_keys.py"
    subprocess.run([sys.executable, writer, BINARY, tmp_path], check=True)
    for page in tmp_path.iterdir():
        written = (ROOT / "docs" / page.name).read_text()
        assert written == page.read_text(), f"{page.name} is out of date: make keys"


def test_readme_is_short() -> None:
    assert len(read("README.md").splitlines()) <= 150


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_no_page_is_longer_than_three_screens(page: Path) -> None:
    assert len(page.read_text().splitlines()) <= 160


@pytest.mark.parametrize(
    ("text", "checker"),
    [
        ("[here](docs/nowhere.md)", lambda text: broken_links(ROOT / "README.md", text)),
        ("[here](docs/start.md#nowhere)", lambda text: broken_links(ROOT / "README.md", text)),
        ("[here](#nowhere)\n# Somewhere", lambda text: broken_links(ROOT / "README.md", text)),
        ("`fleet fly`", unknown_commands),
        ("```sh\nmpirun -n 2 build/release/fleet run CONFIG --sideways\n```", unknown_commands),
        ("`fleet data burn`", unknown_commands),
        ("`fleet-analysis dance x.h5`", unknown_analysis),
        ("`make love`", unknown_targets),
        ("`make run WAR=1`", unknown_targets),
        ("```sh\ncmake --preset fast\n```", unknown_presets),
        ("configs/nothing.toml", unknown_files),
        ("`src/merge/nothing.cpp`", unknown_files),
        ("`merge.regression.nothing`", unknown_settings),
    ],
)
def test_what_is_not_there_is_found(text: str, checker: Checker) -> None:
    assert len(list(checker(text))) == 1


def write_images(directory: Path, count: int = 600) -> Path:
    """A data set in MNIST's format, of black images: planning asks for no more."""
    directory.mkdir()
    images = bytes([0, 0, 8, 3]) + struct.pack(">3I", count, 8, 8) + bytes(64 * count)
    labels = bytes([0, 0, 8, 1]) + struct.pack(">I", count) + bytes(range(10)) * (count // 10)
    for name in ("train", "t10k"):
        (directory / f"{name}-images-idx3-ubyte").write_bytes(images)
        (directory / f"{name}-labels-idx1-ubyte").write_bytes(labels)
    return directory


TORCH_PYTHON = Path(os.environ.get("FLEET_TORCH_PYTHON", ROOT / ".venv-debian" / "bin" / "python"))
PROGRAMS = {name: code for page in PAGES for name, code in programs(page.read_text()).items()}
EXAMPLES = [
    pytest.param(code, id=f"{page.stem}-{place}")
    for page in PAGES
    for place, code in enumerate(fences(page.read_text(), "toml"))
    if "workload =" in code
]


@pytest.mark.skipif(not BINARY.exists(), reason=f"there is no {BINARY}")
@pytest.mark.parametrize("code", EXAMPLES)
def test_a_complete_example_can_be_planned(code: str, tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(code)
    for _, name in re.findall(r'([\w.]+) = \["python3", "(\w+\.py)"\]', code):
        program = PROGRAMS[name]
        if "torch" in program and not TORCH_PYTHON.exists():
            pytest.skip(f"{TORCH_PYTHON}, a Python with PyTorch, is not there")
        (tmp_path / name).write_text(program)
        python = str(TORCH_PYTHON if "torch" in program else sys.executable)
        text = (tmp_path / "mine.toml").read_text()
        (tmp_path / "mine.toml").write_text(
            text.replace('["python3", "' + name, f'["{python}", "{name}')
        )
    arguments = [BINARY, "plan", "mine.toml", "--ranks", "8"]
    if 'workload = "mnist"' in code:
        arguments += ["--set", f"run.data={write_images(tmp_path / 'images')}"]
    planned = subprocess.run(
        arguments,
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT / "python" / "src")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert planned.returncode == 0, planned.stderr
    cells = re.search(r"(\d+) cells", code)  # where the example says how many
    if cells:
        assert f"cells     {cells[1]} " in planned.stdout


def test_there_are_complete_examples() -> None:
    assert len(EXAMPLES) >= 2


def targets() -> list[str]:
    listing = re.search(r"^\.PHONY: (.*?[^\\])$", read("Makefile"), re.MULTILINE | re.DOTALL)
    assert listing
    return listing[1].replace("\\\n", " ").split()


@pytest.mark.parametrize("target", targets())
def test_make_knows_what_to_do_for_each_target(target: str) -> None:
    """Without doing it: what is wrong with a recipe's variables shows."""
    planned = subprocess.run(
        ["make", "-n", target], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert planned.returncode == 0, planned.stderr
