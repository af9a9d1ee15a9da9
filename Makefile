# Thin wrappers; each line can be typed by hand.
PYTHON ?= python3
BIN := .venv/bin
HEADERS = $$($(PYTHON) -c "import sysconfig; print(sysconfig.get_path('include'))" 2>/dev/null)
CAN_COMPILE = $(shell command -v cc >/dev/null && test -e "$(HEADERS)/Python.h" && echo yes)

.PHONY: install compiled plain demo test check bench bench-neighbours bench-campus soak format lock

install: .venv/installed

.venv/installed: requirements.lock pyproject.toml
	@echo "Installing what dcops needs into .venv: a minute or two, more on a slow line"
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

compiled: .venv/compiled

.venv/compiled: .venv/installed setup.py facility/durations.py $(wildcard collectors/*.py collectors/modbus/*.py)
	@echo "Compiling what each poll passes through: a minute or two"
	find collectors facility -name '*.so' -delete
	touch .venv/compiling
	DCOPS_COMPILE=1 $(BIN)/python setup.py --quiet build_ext --inplace --force
	rm -rf build
	mv .venv/compiling $@

plain:
	find collectors facility -name '*.so' -delete
	rm -f .venv/compiled

demo: install
	$(BIN)/dcops demo $(ARGS)

test: install
	tests/servers/install
	$(BIN)/pytest --numprocesses logical --maxprocesses 4 --dist loadfile $(ARGS)

check: install
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: install
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: install
	$(BIN)/python -m bench $(ARGS)

bench-neighbours: install
	$(BIN)/python -m bench neighbours

soak: install
	tests/servers/install
	$(BIN)/python -m bench.soak $(ARGS)

bench-campus: install $(if $(CAN_COMPILE),compiled)
	$(BIN)/python -m bench.campus $(ARGS)

lock:
	uv pip compile --quiet --universal --python-version 3.11 --extra dev --generate-hashes --no-emit-index-url --no-header --no-annotate \
		pyproject.toml requirements-build.in --output-file requirements.lock
