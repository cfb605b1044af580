# The front door. `make list` says what there is; the work is done by CMake (CMakePresets.json).
PREFIX ?= /usr/local
JOBS ?= $(shell nproc 2>/dev/null || echo 2)
# One more than there are processors, for some tests wait.
CTEST = TMPDIR=$$(tools/test-folder.sh) ctest -j $$(($(JOBS) + 1))

.DEFAULT_GOAL := release
.PHONY: list release dev tsan demo test soak fuzz coverage valgrind check-dev check-tsan bench install format lint clean

list: ## print these targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 22

release: ## build the optimised command and library (build/release)
	@tools/install-packages.sh build test
	@cmake --preset release >build-configure.log 2>&1 || { cat build-configure.log; rm -f build-configure.log; exit 1; }
	@rm -f build-configure.log
	@cmake --build --preset release -- -j $(JOBS)

dev: ## build with warnings as errors, ASan and UBSan (build/dev)
	@tools/install-packages.sh build test
	@cmake --preset dev >/dev/null
	@cmake --build --preset dev -- -j $(JOBS)

tsan: ## build with TSan (build/tsan)
	@tools/install-packages.sh build test
	@cmake --preset tsan >/dev/null
	@cmake --build --preset tsan -- -j $(JOBS)

demo: ## train on the King James Bible and tell the story (runs/demo)
	@tools/install-packages.sh demo
	@$(MAKE) --no-print-directory release
	@tools/demo.sh build/release/vectrail runs/demo

test: ## build and run all tests: optimised, then under ASan and UBSan, then the threaded ones under TSan
	@$(MAKE) --no-print-directory release
	@$(CTEST) --preset release
	@$(MAKE) --no-print-directory check-dev check-tsan

soak: ## an hour or two of what may go wrong: kills, power cuts, faults, flipped bits, limits, a server under load
	@tools/install-packages.sh build test
	@$(MAKE) --no-print-directory release
	@tools/soak.sh build/release $(ARGS)

fuzz: ## give every reader of foreign bytes hostile ones, ten minutes each (FUZZ_SECONDS=N for less; clang)
	@tools/install-packages.sh build fuzz
	@cmake --preset fuzz >/dev/null
	@cmake --build --preset fuzz -- -j $(JOBS)
	@tools/fuzz.sh $(TARGETS)

coverage: ## run the tests and say which lines of src/ they reach (build/coverage/report.txt)
	@tools/install-packages.sh build test coverage
	@cmake --preset coverage >/dev/null
	@cmake --build --preset coverage -- -j $(JOBS)
	@find build/coverage -name '*.gcda' -delete
	@$(CTEST) --preset coverage
	@gcovr -j $(JOBS) -r . -f src/ --exclude-throw-branches -o build/coverage/report.txt --print-summary build/coverage

valgrind: release ## run the unit tests and the replayed inputs of the fuzzers under Valgrind
	@tools/install-packages.sh valgrind
	@tools/valgrind.sh build/release

check-dev: dev ## run the tests under ASan and UBSan
	@$(CTEST) --preset dev

check-tsan: tsan ## run the threaded tests under TSan
	@$(CTEST) --preset tsan

bench: ## measure speed and memory beside other trainers (docs/benchmarks.md); ARGS=--quick, or see bench/bench.py -h
	@tools/install-packages.sh bench
	@$(MAKE) --no-print-directory release
	@bench/bench.py build/release/vectrail $(ARGS)

install: release ## install the command, library, headers, man page and completions (PREFIX=/usr/local)
	@cmake --install build/release --prefix $(PREFIX)

format: ## format all C sources in place
	@git ls-files '*.c' '*.h' | xargs clang-format -i

lint: ## clang-format in check mode, clang-tidy, cppcheck and the include rules
	@tools/lint.sh

clean: ## remove what was built
	@rm -rf build
