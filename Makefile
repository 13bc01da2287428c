# The short way to everything; CMake does the work. `make help` lists what there is.
# PRESET=debug (or asan, tsan, clang ...) builds and tests that preset of CMakePresets.json instead.
PRESET ?= release
JOBS   ?= $(shell nproc)
DESTDIR ?=
PREFIX ?= /usr/local
BUILD  := build/$(PRESET)

.PHONY: help deps deps-test deps-bench build run test bench bench-data bench-signal fuzz lint format install clean
.DEFAULT_GOAL := help

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 22

deps: ## install what building needs (Debian packages, only what is missing)
	@tools/deps build

deps-test: ## and what the tests need: cmocka, clang, Chromium, playwright-core ...
	@tools/deps build test

deps-bench: ## and the peers that the benchmarks stand beside; what cannot be had is left out
	@tools/deps bench || echo "bench: goes on with the peers that are here"

build: deps ## build/release/peerline, the libraries, tests and benchmarks
	@cmake --preset $(PRESET) -DCMAKE_INSTALL_PREFIX=$(PREFIX) -DPL_TESTS=OFF >build/cmake.log 2>&1 || { cat build/cmake.log; exit 1; }
	@cmake --build $(BUILD) -j $(JOBS)

run: build ## the demo: a server and two peers that call each other; on a terminal it then keeps serving
	@$(BUILD)/peerline demo

test: deps-test ## build and pass every test, browser tests included
	@cmake --preset $(PRESET) -DCMAKE_INSTALL_PREFIX=$(PREFIX) -DPL_TESTS=ON >build/cmake.log 2>&1 || { cat build/cmake.log; exit 1; }
	@cmake --build $(BUILD) -j $(JOBS)
	@ctest --test-dir $(BUILD) --output-on-failure -j $(JOBS)

bench: deps-bench build ## every benchmark beside the peers of Debian and npm, 5 minutes; BENCH_QUICK=1: two
	@tools/bench $(BUILD)

bench-data: deps-bench build ## what data channels carry alone: throughput, latency, Chromium as the receiver; 3 minutes
	@BENCH_ONLY=throughput tools/bench $(BUILD)

bench-signal: deps-bench build ## 10,000 peers that write to each other, on one node, on two over Redis, on Prosody; 8 minutes
	@BENCH_ONLY=signal tools/bench $(BUILD)

fuzz: deps-test ## every fuzz target for SECONDS (20) each, two at a time
	@tools/fuzz $(or $(SECONDS),20)

lint: deps-test ## format check, floors and clang-tidy; no warning is left standing
	@tools/lint

format: deps-test ## clang-format over the whole tree
	@tools/lint --format

install: build ## into PREFIX (/usr/local) below DESTDIR
	@DESTDIR=$(DESTDIR) cmake --install $(BUILD) --prefix $(PREFIX)

clean: ## throw build/ away
	@rm -rf build
