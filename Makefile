# The commands of this project. Each sets up what it needs, and ends with a status other than 0 on failure.

PYTHON ?= python3
VENV := .venv/bin
RUN_PACKAGES := bubblewrap uidmap
TEST_PACKAGES := gnupg mmdebstrap nginx ovmf postgresql qemu-system-x86 qemu-utils redis-server xz-utils
SUDO := $(shell test "$$(id -u)" = 0 || echo sudo)
ARGUMENTS ?=

# Compiled modules are kept, whatever the environment says: each run begins several processes.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test check faults bench up lock clean

# Set up, then regenerate a real, bootable image from the record of an earlier generation.
demo: .setup-run .setup-python
	@$(VENV)/reforge demo

# Every test: words, catalog, store, builder, flows on a real Prefect server, images that boot under QEMU.
# A process for each core, to which the modules go one by one (tests/conftest.py). Some tests only: make test ARGUMENTS='tests/blocks -k key'
test: .setup-run .setup-test .setup-python
	@$(VENV)/pytest -n logical --maxprocesses 4 --dist loadscope --no-loadscope-reorder --durations 30 $(ARGUMENTS)

# Lint, format, types, floors.
check: .setup-python
	@$(VENV)/ruff check
	@$(VENV)/ruff format --check
	@$(VENV)/mypy
	@$(VENV)/lint-imports

# Every fault of the matrix at every stage, and a random campaign (ARGUMENTS='--kills 100 --seed 7 --report table.md').
faults: .setup-run .setup-test .setup-python
	@$(VENV)/python -m tests.faults $(ARGUMENTS)

# Timings of the stages, side by side with the usual tools, as ratios.
bench: .setup-run .setup-test .setup-python
	@$(VENV)/python -m tests.benchmarks

# Serve all deployments, with Prefect's server and UI, until interrupted.
up: .setup-run .setup-python
	@$(VENV)/reforge up

# Resolve the dependencies anew: hashes, no addresses.
lock: .setup-python
	@$(VENV)/python -m pip install --quiet uv
	@$(VENV)/uv pip compile --universal --generate-hashes --no-header --no-annotate --no-emit-index-url \
		--python-version 3.11 --group dev pyproject.toml --output-file requirements.lock

.setup-run: Makefile
	@$(call install,$(RUN_PACKAGES))
	@touch $@

.setup-test: Makefile
	@$(call install,$(TEST_PACKAGES))
	@touch $@

.setup-python: pyproject.toml requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo 'Python 3.11 or newer is needed' >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2> /dev/null || { $(call install,python3-venv) }
	@echo 'Setting up the virtual environment .venv: about a minute'
	@$(PYTHON) -m venv .venv
	@$(VENV)/pip install --quiet --disable-pip-version-check --progress-bar on --no-deps --require-hashes -r requirements.lock
	@$(VENV)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

clean:
	@rm -rf .venv .setup-* .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis

# install(packages): the Debian packages that are missing, if any are.
define install
missing=''; for package in $(1); do \
	dpkg-query -W -f='$${Status}' $$package 2> /dev/null | grep -q '^install ok installed' || missing="$$missing $$package"; \
done; \
if [ -n "$$missing" ]; then \
	echo "Installing Debian packages:$$missing"; \
	$(SUDO) apt-get -q update && \
	$(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends install $$missing || exit 1; \
fi;
endef
