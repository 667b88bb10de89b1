#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# try.sh BUILD_DIR [check]: the server runs twice, and what it counted is read in between by the
# tenon command. With `check` the figures are compared.
set -euo pipefail
build=$1
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

jobs_of() { "$build/tenon" map dump pinned "$dir/clients" --json | tr '{' '\n' | sed -n 's/.*"jobs":\([0-9]*\).*/\1/p' | sort -n | tr '\n' ' '; }

for round in 1 2; do
	echo "+ workers clients.bpf.o $dir 4000"
	"$build/examples/workers/workers" "$build/examples/workers/clients.bpf.o" "$dir" 4000
	echo "+ tenon map dump pinned $dir/clients"
	"$build/tenon" map dump pinned "$dir/clients"
	if [ "${2:-}" = check ] && [ "$(jobs_of)" != "$(printf "$((3000 * round)) %.0s" 1 2 3 4)" ]; then
		echo "WRONG: jobs by client: $(jobs_of), expected four times $((3000 * round))"
		exit 1
	fi
done
echo "+ tenon map show pinned $dir/clients"
"$build/tenon" map show pinned "$dir/clients"
