"""Puts all that fleet is built from into one folder, without root: Python wheels that carry
libraries and headers, and HDF5 from its source, as no wheel has its headers.

usage: wheel-prefix.py PREFIX

Each file is checked against a digest. HDF5 is left out where the system has it (HDF5_ROOT, or its
header in /usr/include). HDF5_SOURCE names an archive of its source where it cannot be downloaded.
"""

import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import urllib.error
import urllib.request
import zipfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
WHEELS = HERE / "wheels.txt"
HEADERS = HERE / "wheels-sources.txt"

# HDF5 1.14.5, in a package of Rust's registry that carries its sources whole.
HDF5 = "hdf5-metno-src-0.9.4"
HDF5_URL = f"https://static.crates.io/crates/hdf5-metno-src/{HDF5}.crate"
HDF5_SHA256 = "956b57b8b4e133bcfbc874a2c9c6d4020e0da420dcfa05aea79091888f2b0763"
HDF5_OPTIONS = (
    "-DCMAKE_BUILD_TYPE=Release",
    "-DBUILD_STATIC_LIBS=OFF",
    "-DBUILD_TESTING=OFF",
    "-DHDF5_BUILD_HL_LIB=OFF",
    "-DHDF5_BUILD_TOOLS=OFF",
    "-DHDF5_ENABLE_SZIP_SUPPORT=OFF",
    "-DHDF5_ENABLE_Z_LIB_SUPPORT=ON",
    "-DZLIB_PACKAGE_NAME=none",  # found as CMake finds it, not as its wheel says
)

PIP = (sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check")
#: Files for one interpreter, whichever runs this: what is taken from them does not depend on it.
ONE_PYTHON = (
    *("--only-binary", ":all:", "--implementation", "cp", "--python-version", "3.11"),
    *("--platform", "manylinux_2_28_x86_64", "--platform", "manylinux_2_25_x86_64"),
    *("--platform", "manylinux_2_17_x86_64", "--platform", "manylinux2014_x86_64"),
)


def fail(reason: str) -> None:
    sys.exit(f"wheel-prefix.py: {reason}")


def download(wanted: Path, into: Path, *options: str) -> list[Path]:
    """What the file lists, each with its digest."""
    command = ("download", "--no-deps", "--require-hashes", *options)
    subprocess.run([*PIP, *command, "--dest", into, "-r", wanted], check=True)
    return sorted(into.iterdir())


def place_of(name: str) -> str:
    """Where a wheel's file belongs in the prefix: programs in bin, and data and modules at its top."""
    kind = re.match(r"[^/]+\.data/([^/]+)/", name)
    if not kind:
        return name
    folder = {"scripts": "bin/", "headers": "include/"}.get(kind[1], "")
    return folder + name[kind.end() :]


def unpack(wheel: Path, prefix: Path) -> None:
    """pip itself would leave out what a wheel has for lib, when it installs into a folder."""
    with zipfile.ZipFile(wheel) as archive:
        for entry in archive.infolist():
            if entry.is_dir():
                continue
            place = prefix / place_of(entry.filename)
            place.parent.mkdir(parents=True, exist_ok=True)
            with archive.open(entry) as source, place.open("wb") as copy:
                shutil.copyfileobj(source, copy)
            place.chmod(entry.external_attr >> 16 & 0o777 or 0o644)


def install_wheels(prefix: Path) -> None:
    """The wheels, and in lib and include what they have in places of their own."""
    with tempfile.TemporaryDirectory(dir=prefix) as scratch:
        for wheel in download(WHEELS, Path(scratch), *ONE_PYTHON):
            unpack(wheel, prefix)
    shutil.copytree(prefix / "cmeel.prefix" / "lib64", prefix / "lib", dirs_exist_ok=True)
    for folder in ("include", "lib", "share"):
        shutil.copytree(prefix / "cmeel.prefix" / folder, prefix / folder, dirs_exist_ok=True)
    shutil.rmtree(prefix / "cmeel.prefix")
    (prefix / "lib64").symlink_to("lib")  # as its CMake files name it
    (blas,) = (prefix / "ngsolve_openblas").glob("libopenblas*.so")
    blas.rename(prefix / "lib" / "libopenblas.so.0")
    (prefix / "lib" / "libopenblas.so").symlink_to("libopenblas.so.0")
    shutil.copy(prefix / "torch" / "lib" / "libgfortran.so.5", prefix / "lib")
    shutil.copytree(prefix / "nlohmann_json" / "include", prefix / "include", dirs_exist_ok=True)
    for program in ("cmake", "ctest"):
        (prefix / "bin" / program).symlink_to(f"../cmake/data/bin/{program}")


def install_headers(prefix: Path) -> None:
    """toml++, which is nothing but headers, from the sources of its Python package."""
    with tempfile.TemporaryDirectory() as scratch:
        (archive,) = download(HEADERS, Path(scratch), "--no-binary", ":all:")
        with tarfile.open(archive) as files:
            files.extractall(scratch)
        (headers,) = Path(scratch).glob("*/third_party/tomlplusplus/include/toml++")
        shutil.copytree(headers, prefix / "include" / "toml++", dirs_exist_ok=True)


def hdf5_archive(scratch: Path) -> Path:
    if source := os.environ.get("HDF5_SOURCE"):
        return Path(source)
    archive = scratch / "hdf5.tar.gz"
    try:
        with urllib.request.urlopen(HDF5_URL, timeout=120) as answer:
            archive.write_bytes(answer.read())
    except (urllib.error.URLError, TimeoutError) as error:
        fail(
            f"{HDF5_URL}: {error}\nLoad HDF5 as a module (and set HDF5_ROOT), or download that "
            "file elsewhere and set HDF5_SOURCE to its copy here."
        )
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    if digest != HDF5_SHA256:
        fail(f"{HDF5_URL}: its SHA-256 is {digest}, expected {HDF5_SHA256}")
    return archive


def system_has_hdf5() -> bool:
    places = (Path("/usr/include/hdf5.h"), Path("/usr/include/hdf5/serial/hdf5.h"))
    return "HDF5_ROOT" in os.environ or any(place.exists() for place in places)


def build_hdf5(prefix: Path) -> None:
    print("Building HDF5 (a minute or two)", flush=True)
    programs = os.environ | {"PATH": f"{prefix / 'bin'}:{os.environ['PATH']}"}
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        with tarfile.open(hdf5_archive(scratch)) as files:
            files.extractall(scratch)
        (header,) = scratch.rglob("src/H5public.h")
        source, build = header.parent.parent, scratch / "build"
        places = (f"-DCMAKE_INSTALL_PREFIX={prefix}", f"-DCMAKE_PREFIX_PATH={prefix}")
        for step in (
            ("cmake", "-G", "Ninja", "-S", source, "-B", build, *places, *HDF5_OPTIONS),
            ("cmake", "--build", build),
            ("cmake", "--install", build),
        ):
            done = subprocess.run(step, check=False, env=programs, capture_output=True, text=True)
            if done.returncode != 0:
                fail(f"HDF5 cannot be built:\n{(done.stdout + done.stderr)[-3000:]}")


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    prefix = Path(sys.argv[1]).resolve()
    wanted = WHEELS.read_text() + HEADERS.read_text() + HDF5
    done = prefix / "done.txt"
    if done.exists() and done.read_text() == wanted:
        return
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        fail("the wheels are for Linux on x86-64; elsewhere build by hand (docs/start.md)")
    print(f"Installing libraries from Python wheels into {prefix} (0.7 GB to download)", flush=True)
    shutil.rmtree(prefix, ignore_errors=True)
    prefix.mkdir(parents=True)
    install_wheels(prefix)
    install_headers(prefix)
    if not system_has_hdf5():
        build_hdf5(prefix)
    done.write_text(wanted)


if __name__ == "__main__":
    main()
