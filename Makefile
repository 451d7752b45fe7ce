# Each target makes what it needs, in .venv and target/, and is quick when nothing changed.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
# Named after the interpreter, so that another PYTHON makes the environment anew.
STAMP  := $(VENV)/.stamp-$(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)

RUST_SOURCES := Cargo.toml Cargo.lock $(shell find rust -name '*.rs' -o -name Cargo.toml)

.DEFAULT_GOAL := help
.PHONY: help demo test conformance conformance-coverage fuzz lint format bench bench-instructions wheel wheel-pgo clean rust-toolchain
.PHONY: compute compute-test compute-bench compute-viceroy

help: ## Show this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-20s %s\n", $$1, $$2}'

demo: $(STAMP)/native ## Publish a sample project to a local store, read it back, evaluate it
	@$(BIN)/statsig-fastly demo

test: rust-toolchain $(STAMP)/native $(STAMP)/test ## Run every test: the engine's, then the package's
	cargo test --locked --quiet -p statsig-engine
	$(BIN)/pytest -n auto --dist worksteal $(PYTEST_ARGS)

# How many checks at least, and the first of the random payloads.
N    ?= 1000000
SEED ?= 0

conformance: $(STAMP)/native $(STAMP)/test ## Compare N checks with the official core, random ones from SEED on
	PYTHONPATH=tests $(BIN)/python -m conformance $(N) --seed $(SEED)

conformance-coverage: rust-toolchain $(STAMP)/test ## Measure what the comparison reaches of the engine
	PYTHONPATH=tests $(BIN)/python -m conformance.coverage

# One of payload, payload_user, text, user_agent; and for how long.
T       ?= payload
SECONDS ?= 60

fuzz: rust-toolchain ## Feed the engine made-up input for SECONDS: T is the target
	@test -f rust/fuzz/fuzz_targets/$(T).rs || { echo 'T is one of: $(basename $(notdir $(wildcard rust/fuzz/fuzz_targets/*.rs)))' >&2; exit 1; }
	@cargo fuzz --version >/dev/null 2>&1 || { echo 'cargo-fuzz is missing: installing it takes a minute or two.'; cargo install --locked cargo-fuzz; }
	@mkdir -p rust/fuzz/corpus/$(T)
	RUSTC_BOOTSTRAP=1 cargo fuzz run --fuzz-dir rust/fuzz $(T) rust/fuzz/corpus/$(T) rust/fuzz/seeds/$(T) -- \
		-timeout=10 -rss_limit_mb=2048 -max_total_time=$(SECONDS)

lint: rust-toolchain $(STAMP)/native $(STAMP)/test $(STAMP)/lint ## Check formatting, lints and types
	cargo fmt --check
	cargo clippy --locked --workspace --all-targets --features pyo3/abi3-py310 -- -D warnings
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/python -m mypy.stubtest statsig_fastly._native

format: rust-toolchain $(STAMP)/lint ## Format the sources
	cargo fmt
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

bench: rust-toolchain $(STAMP)/native $(STAMP)/bench ## Measure everything: what calls cost, beside other SDKs too
	@# A budget that is exceeded is shown here, and is an error of bench-instructions alone: all else is measured still.
	-PYTHONPATH=benches $(BIN)/python benches/instructions/count.py
	@mkdir -p target
	PYTHONPATH=benches $(BIN)/python -c 'import sys, cases; sys.stdout.buffer.write(cases.payload())' > target/payload.json
	STATSIG_BENCH_PAYLOAD=$(CURDIR)/target/payload.json cargo bench --locked --quiet -p statsig-engine --bench engine
	PYTHONPATH=benches $(BIN)/pytest benches/python -c benches/python/pytest.ini
	PYTHONPATH=benches $(BIN)/python benches/versus/compare.py
	PYTHONPATH=benches $(BIN)/python benches/growth.py
	PYTHONPATH=benches $(BIN)/python benches/edge.py

bench-instructions: rust-toolchain $(STAMP)/native ## Count instructions per call; fail if any is off its budget
	PYTHONPATH=benches $(BIN)/python benches/instructions/count.py

wheel: rust-toolchain $(STAMP)/build ## Build the sdist and, from it alone, the wheel, into dist/
	rm -f dist/statsig_fastly-* && mkdir -p dist
	$(BIN)/maturin sdist --quiet --out dist
	$(BIN)/pip wheel --quiet --no-deps --wheel-dir dist dist/statsig_fastly-*.tar.gz
	@ls -l dist

wheel-pgo: rust-toolchain $(STAMP)/build ## Build a wheel with what a profile of benches/train.py tells the compiler
	@ls "$$(rustc --print sysroot)"/lib/rustlib/*/bin/llvm-profdata >/dev/null 2>&1 \
		|| command -v llvm-profdata >/dev/null || { echo 'llvm-profdata is needed: rustup component add llvm-tools' >&2; exit 1; }
	rm -f dist/statsig_fastly-*.whl
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/maturin build --release --pgo --interpreter $(BIN)/python --out dist
	@ls -l dist

# Fastly Compute has an environment of its own: Python 3.12 or newer builds components.
COMPUTE   := .venv-compute
SERVICES  := target/compute/services
GATE      := $(SERVICES)/gate.wasm
SERVICE    = cd $(1) && VIRTUAL_ENV="$(CURDIR)/$(COMPUTE)" "$(CURDIR)/$(COMPUTE)/bin/fastly-compute-py" build --output "$(CURDIR)/$@"
PY_SOURCES = $(shell find python/statsig_fastly -name '*.py')

compute: $(GATE) ## Build the engine for Fastly Compute, its wheel, and a component of the example
	@ls -l dist/statsig_fastly_compute-*.whl $(GATE)

compute-test: $(GATE) $(SERVICES)/probe.wasm $(STAMP)/native ## Run components in wasmtime
	$(COMPUTE)/bin/python -m pytest tests/compute $(PYTEST_ARGS)

compute-bench: $(GATE) $(SERVICES)/bench.wasm $(SERVICES)/plain.wasm $(STAMP)/native ## Measure a component in wasmtime
	PYTHONPATH=tests $(COMPUTE)/bin/python benches/compute/measure.py

compute-viceroy: $(GATE) $(SERVICES)/probe.wasm $(STAMP)/native ## Run components in Viceroy, Fastly's local server
	@command -v viceroy >/dev/null || { echo 'Viceroy is missing: cargo install --locked viceroy' >&2; exit 1; }
	$(COMPUTE)/bin/python -m pytest tests/compute/test_viceroy.py $(PYTEST_ARGS)

$(COMPUTE)/.stamp: pyproject.toml
	@for python in $(COMPUTE_PYTHON) python3.14 python3.13 python3.12 "$$HOME"/.pyenv/versions/3.1[2-9].*/bin/python3; do \
		if "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 12))' 2>/dev/null; then \
			exec "$$python" -m venv --clear $(COMPUTE); fi; done; \
		echo 'Python 3.12 or newer is needed to build components: make compute COMPUTE_PYTHON=python3.x' >&2; exit 1
	$(COMPUTE)/bin/python -m pip install --quiet --upgrade 'pip>=25.1'
	$(COMPUTE)/bin/pip install --quiet --group compute
	@echo '$(CURDIR)/python' > "$$($(COMPUTE)/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/statsig_fastly.pth"
	@touch $@

$(COMPUTE)/.engine: $(RUST_SOURCES) $(wildcard rust/compute/*.* rust/compute/*/*.py) $(COMPUTE)/.stamp | rust-toolchain
	@echo 'Building the engine for WebAssembly, and a standard library to go with it: some minutes the first time.'
	$(COMPUTE)/bin/python rust/compute/build.py
	@rm -f dist/statsig_fastly_compute-*
	$(COMPUTE)/bin/pip wheel --quiet --no-deps --no-build-isolation --wheel-dir dist ./rust/compute
	$(COMPUTE)/bin/pip install --quiet --no-deps --force-reinstall dist/statsig_fastly_compute-*.whl
	@touch $@

$(GATE): examples/compute/main.py examples/compute/pyproject.toml $(PY_SOURCES) $(COMPUTE)/.engine
	@mkdir -p $(@D)
	$(call SERVICE,examples/compute)

$(SERVICES)/probe.wasm: tests/compute/probe/main.py $(PY_SOURCES) $(COMPUTE)/.engine
	@mkdir -p $(@D)
	$(call SERVICE,$(<D))

$(SERVICES)/bench.wasm: benches/compute/bench/main.py $(PY_SOURCES) $(COMPUTE)/.engine
	@mkdir -p $(@D)
	$(call SERVICE,$(<D))

# On its own: the engine of an environment gets into every component that is built with it.
PLAIN := target/compute/plain

$(SERVICES)/plain.wasm: benches/compute/plain/main.py $(COMPUTE)/.stamp
	@rm -rf $(PLAIN) && mkdir -p $(@D) $(PLAIN)/lib/python3/site-packages
	@cp -R "$$($(COMPUTE)/bin/python -c 'import fastly_compute; print(*fastly_compute.__path__)')" $(PLAIN)/lib/python3/site-packages
	cd $(<D) && "$(CURDIR)/$(COMPUTE)/bin/fastly-compute-py" build --virtualenv "$(CURDIR)/$(PLAIN)" --output "$(CURDIR)/$@"

clean: ## Remove everything that was made
	rm -rf $(VENV) $(COMPUTE) target rust/fuzz/target dist .mypy_cache .pytest_cache .ruff_cache .hypothesis .benchmarks
	find python tests benches -name __pycache__ -prune -exec rm -rf {} +
	rm -f python/statsig_fastly/*.so rust/compute/statsig_fastly_compute/*.so

$(STAMP)/venv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "Python 3.10 or newer is needed: make PYTHON=python3.x")'
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1'
	@mkdir -p $(STAMP) && touch $@

rust-toolchain:
	@command -v cargo >/dev/null || { echo 'cargo is needed: install a Rust toolchain (https://rustup.rs)' >&2; exit 1; }

$(STAMP)/build: $(STAMP)/venv pyproject.toml | rust-toolchain
	$(BIN)/pip install --quiet 'maturin>=1.9,<2'
	@touch $@

$(STAMP)/native: $(STAMP)/build $(RUST_SOURCES)
	@echo 'Building the Rust core: a minute or two the first time.'
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/pip install --quiet --no-build-isolation --editable '.[cli]'
	@touch $@

$(STAMP)/test $(STAMP)/lint $(STAMP)/bench: $(STAMP)/%: $(STAMP)/venv pyproject.toml
	$(BIN)/pip install --quiet --group $*
	@touch $@
