# make demo   environment, then the shipped network on the sample images, with a report to open
# make test   environment, then the tests
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready

.PHONY: demo test lint format lock clean

demo: $(READY)
	$(BIN)/transxv2s predict samples --out reports/demo
	@echo && echo "Open reports/demo/report.html in a browser."

test: $(READY)
	OMP_NUM_THREADS=1 $(BIN)/pytest --numprocesses 2 --dist loadfile

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed; name it with make PYTHON=python3.12"; exit 2; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --require-hashes --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

# one lock for every platform, and of it what the server needs; needs uv
LOCK := uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes \
  --no-emit-index-url --no-emit-find-links --no-header

lock:
	$(LOCK) --extra cluster --extra dev --extra engines --extra serve --output-file requirements.lock
	$(LOCK) --extra serve --constraint requirements.lock --output-file deploy/requirements.lock

clean:
	rm -rf .venv reports
