#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# examples/vtable/try.sh BUILD_DIR/examples/vtable [check]: with `check`, the output must be that of
# README.md.
set -euo pipefail
dir=$1 readme=$(dirname "$0")/README.md

run() {
	"$dir/balancer" "$dir/vtable_types.bpf.o" "$dir/vtable_round_robin.bpf.o" \
		"$dir/vtable_least_open.bpf.o"
}

if [ "${2:-}" = check ]; then
	diff <(sed -n 's/^    //p' "$readme") <(run)
else
	run
fi
