# SPDX-License-Identifier: MIT

CLANG ?= clang-19
CLANG_FORMAT ?= clang-format-19
STATICCHECK = v0.8.2
FUZZ_EXECS ?= 1000000
PREFIX ?= /usr/local
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
LDFLAGS = -s -w -X main.release=$(VERSION)

.PHONY: help generate docs check-generated build test test-bpf test-lab test-kernels test-kernel test-packages lint vulncheck check fuzz flood bench bench-wire eval coverage refresh-geo install packages clean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 18

build: ## build build/denmap; needs Go only
	CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)' -o build/denmap ./cmd/denmap

generate: ## rebuild the BPF objects and their Go side with clang 19
	cd bpf && CLANG=$(CLANG) sh generate.sh

docs: ## rebuild docs/configuration.md and the example file from the table of keys
	go test ./userspace/config -run Example -update

check-generated: ## fail if the committed BPF objects are out of date
	CLANG=$(CLANG) sh bpf/check.sh

lint: ## gofmt, vet, staticcheck, clang-format
	@test -z "$$(gofmt -l bpf cmd docs loader packaging testenv userspace | tee /dev/stderr)"
	go vet ./...
	go run honnef.co/go/tools/cmd/staticcheck@$(STATICCHECK) ./...
	$(CLANG_FORMAT) --dry-run --Werror bpf/scan.c bpf/*.h

vulncheck: ## known vulnerabilities in what the program calls; needs the network
	sh testenv/vuln/check.sh

test: ## tests that need no privilege
	go test ./userspace/... ./cmd/... ./docs/...

test-bpf: ## the real program on crafted packets; root
	go test ./bpf/... ./loader/...

test-lab: ## real scanners in network namespaces; root
	go test -p 1 -timeout 20m ./testenv/...

test-packages: ## the packages on a bare Debian, booted and not; root, the first time the network
	go test -timeout 15m ./packaging/...

test-kernels: ## other kernels (6.1, 6.12) in qemu: the program's tests and live scans
	sh testenv/kernels/run.sh

test-kernel: ## the oldest of them, quickly
	sh testenv/kernels/run.sh --quick 6.1

# A test that would skip fails.
check: export DENMAP_TEST_ALL = 1
check: lint check-generated test test-bpf test-lab test-packages test-kernel ## all tests; root
	sh testenv/vuln/check.sh --offline-ok

fuzz: ## every fuzz target, FUZZ_EXECS executions each (a million); root
	go run ./testenv/cmd/fuzz -execs $(FUZZ_EXECS)

flood: ## forged floods at full size, 10 million sources of one and of two packets each, eight minutes; root
	DENMAP_FLOOD_SOURCES=10000000 go test -count=1 -timeout 30m -v -run '^(TestForgedFloods|TestFlood|TestFloodOfPairs)$$' ./loader ./testenv

bench: ## cost of each path as a ratio to a bare drop, and of loading lists; root
	go run ./testenv/cmd/bench -json build/bench.json

bench-wire: ## drops beside other filters, TCP traffic, and how fast the daemon starts and logs, on a veth pair; six minutes; root
	go run ./testenv/cmd/benchwire -json build/bench-wire.json

eval: build ## detection and false alarms on labelled captures: make eval PCAPS=DIR; root
	go run ./testenv/cmd/eval -denmap build/denmap $(PCAPS)

coverage: build ## write docs/coverage.md: every scanner of the lab against DenMap, four minutes; root
	go run ./testenv/cmd/coverage -denmap build/denmap -o docs/coverage.md

refresh-geo: ## refresh the built-in country database; needs npm
	sh userspace/geo/refresh.sh

install: build ## install the program below PREFIX
	install -D -m 0755 build/denmap $(DESTDIR)$(PREFIX)/sbin/denmap

packages: ## .deb, .rpm and .tar.gz for amd64 and arm64 into build/packages; the first time needs the network
	sh packaging/build.sh

clean: ## remove what was built
	rm -rf build
