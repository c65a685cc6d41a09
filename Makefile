# `make demo` transcribes the bundled recording, `make test` runs the tests; both set up .venv first.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# The CPU build of torch: a few hundred MB. Another build: make clean setup TORCH_INDEX=...
TORCH ?= torch==2.13.0
TORCH_INDEX ?= https://download.pytorch.org/whl/cpu

.PHONY: demo test check wheel setup clean

demo: $(VENV)/ready
	$(BIN)/transcribe examples/gymnopedie.flac -o demo.mid --picture demo.png

test: $(VENV)/ready
	$(BIN)/python -m pytest

check: $(VENV)/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# The wheel works away from the source tree, in a fresh environment.
wheel: $(VENV)/ready
	$(BIN)/python -m tools.check_wheel

setup: $(VENV)/ready

# torch first and alone: from its index of CPU builds, else the default index's build of the same version.
$(VENV)/ready: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install -q --no-deps --retries 1 --timeout 15 --index-url $(TORCH_INDEX) $(TORCH) \
	  || { echo 'no CPU build at $(TORCH_INDEX): taking the default index, whose build may be large' >&2; \
	       $(BIN)/pip install -q $(TORCH); }
	$(BIN)/pip install -q -e '.[dev]'
	touch $@

clean:
	rm -rf $(VENV) demo.mid demo.png
