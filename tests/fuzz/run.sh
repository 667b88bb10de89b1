#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# tests/fuzz/run.sh BUILD_DIR SECONDS: every fuzz target for SECONDS, on a corpus made from what the
# build compiled. Fails on the first finding.
set -euo pipefail
build=$(cd "$1" && pwd) seconds=$2
corpus=$(mktemp -d)
trap 'rm -rf "$corpus"' EXIT

for target in "$build"/tests/fuzz/fuzz_*; do
	[ -x "$target" ] && [ -f "$target" ] || continue
	name=$(basename "$target")
	mkdir -p "$corpus/$name"
	find "$build" -name '*.bpf.o' -size -64k -exec cp {} "$corpus/$name/" \; 2>/dev/null || true
	echo "+ $name for $seconds s"
	(cd "$corpus" && "$target" "$corpus/$name" -max_total_time="$seconds" -timeout=2 \
		-rss_limit_mb=2048 -max_len=65536 -print_final_stats=1 -verbosity=0 2>&1 | tail -12)
done
