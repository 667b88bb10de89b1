#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# examples/upgrade/try.sh BUILD_DIR/examples/upgrade [check]: both plugins on all three releases. With
# `check`, the output must be that of README.md.
set -euo pipefail
dir=$1 readme=$(dirname "$0")/README.md

run() {
	for plugin in charge careful; do
		for release in 1 2 3; do
			echo "\$ server_v$release $plugin"
			"$dir/server_v$release" "$dir/server_v${release}_types.bpf.o" \
				"$dir/upgrade_$plugin.bpf.o" 2>&1 || true
		done
	done
}

# Numbers of types are the compiler's.
plain() { sed 's/type [0-9]*)/type N)/g'; }

if [ "${2:-}" = check ]; then
	diff <(sed -n 's/^    //p' "$readme" | plain) <(run | plain)
else
	run
fi
