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
echo "+ tenon map lookup pinned $dir/clients key 101"
"$build/tenon" map lookup pinned "$dir/clients" key 101 | tee "$dir/element"
if [ "${2:-}" = check ]; then
	grep -q '^key: { .id = 101 }  value: { .jobs = 6000, ' "$dir/element"
	"$build/tenon" map lookup pinned "$dir/clients" key hex 65 00 00 00 | cmp - "$dir/element"
	"$build/tenon" map getnext pinned "$dir/clients" | grep -q '^next key: [0-9a-f][0-9a-f] 00 00 00$'
	"$build/tenon" map list "$dir" | grep -q "clients: hash  name clients"
	status=0
	"$build/tenon" map lookup pinned "$dir/clients" key 7 2>"$dir/words" || status=$?
	[ "$status" = 1 ]
	grep -q 'no element has this key' "$dir/words"
	if "$build/tenon" map lookup pinned "$dir/clients" key 1 2 2>"$dir/words"; then exit 1; fi
	grep -q 'the key has 4 bytes, 2 are given' "$dir/words"
	if "$build/tenon" map update pinned "$dir/clients" key 101 2>"$dir/words"; then exit 1; fi
	grep -q 'written by the processes that share it' "$dir/words"
fi
