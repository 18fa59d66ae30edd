# Two commands to know: `make demo` and `make test`. Both install what is missing, and say so first.
PREFIX ?= /usr/local
JOBS ?= $(shell nproc)
CACHE := $(or $(ALAMBIC_CACHE),$(or $(XDG_CACHE_HOME),$(HOME)/.cache)/alambic)
TORCH := -DALAMBIC_TORCH_DIR="$(CACHE)/torch-2.11.0"
CCACHE := $(if $(shell command -v ccache),-DCMAKE_CXX_COMPILER_LAUNCHER=ccache)
# Warnings are errors in CI and for those who send changes: make test ALAMBIC_WERROR=ON.
ALAMBIC_WERROR ?= OFF
# Several files compiled as one, a third of the time (cmake/unity.cmake): what builds once, does.
UNITY ?= ON
CONFIGURE = cmake $(CCACHE) $(TORCH) -DALAMBIC_WERROR=$(ALAMBIC_WERROR) -DCMAKE_UNITY_BUILD=$(UNITY) --preset

.PHONY: help demo test test-slow build debug asan bench install lint tidy format clean setup setup-lint

help:
	@echo "make demo                 build, then distill a small teacher's skill into a smaller student"
	@echo "make test                 build and run the tests (test-slow: the slow ones too)"
	@echo "make build                build/release/alambic"
	@echo "make install PREFIX=DIR   DIR/bin/alambic, which runs from anywhere, and the library (default /usr/local)"
	@echo "make debug | asan         debug build | torch-free tests under AddressSanitizer and UBSan"
	@echo "make bench                compare with pinned peers (40 minutes; BENCH='--quick' or '--only decode')"
	@echo "make lint | format        check layers, format, and what changed by clang-tidy | format the code"
	@echo "make setup                install what is missing: Debian packages, libtorch (tools/setup --plan says what)"
	@echo "make clean                remove build/"

# The tests are not built for it.
demo: setup
	$(CONFIGURE) release
	cmake --build --preset release -j $(JOBS) --target alambic
	python3 recipes/word_problems/demo.py --alambic build/release/alambic

test: build
	tools/run-tests build/release -E 'Slow\.'

test-slow: build
	tools/run-tests build/release

build: setup
	$(CONFIGURE) release
	cmake --build --preset release -j $(JOBS)

debug: setup
	$(CONFIGURE) debug
	cmake --build --preset debug -j $(JOBS)

asan: setup
	$(CONFIGURE) asan
	cmake --build --preset asan -j $(JOBS)
	tools/run-tests build/asan -E 'Slow\.'

bench: setup
	$(CONFIGURE) release -DALAMBIC_BENCH=ON
	cmake --build --preset release -j $(JOBS) --target alambic decode_bench load_bench tokenize_bench
	python3 bench/run.py --build build/release $(BENCH)

install: build
	cmake --install build/release --prefix "$(abspath $(PREFIX))"

# The release build has nvcc's commands.
lint: setup-lint
	tools/lint/layers
	tools/lint/format
	$(MAKE) tidy
	tools/lint/cuda build/release

# A folder with a command for each of the torch-free files, where only what CMake generates is made.
tidy: UNITY = OFF
tidy: ALAMBIC_WERROR = ON
tidy: setup-lint
	$(CONFIGURE) asan -B build/tidy
	cmake --build build/tidy --target alambic_build_id alambic_build_facts
	tools/lint/tidy build/tidy

format: setup-lint
	tools/lint/format --fix

clean:
	rm -rf build

setup:
	@tools/setup

setup-lint:
	@tools/setup --lint
