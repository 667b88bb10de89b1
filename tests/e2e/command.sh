#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The tenon command as a user types it: output and exit codes. Usage: command.sh BUILD_DIR
set -uo pipefail
build=$1
tenon=$build/tenon
http=$build/examples/httpd
same=$build/tests/e2e/same.bpf.o
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0

# expect NAME EXIT PATTERN COMMAND...: both outputs together must match the pattern.
expect() {
	local name=$1 code=$2 pattern=$3
	shift 3
	"$@" >"$work/out" 2>&1
	local got=$?
	if [ "$got" -ne "$code" ] || ! grep -Eq -- "$pattern" "$work/out"; then
		echo "WRONG: $name: exit $got, expected $code and /$pattern/; the output:"
		sed 's/^/    /' "$work/out" | head -30
		failed=1
	else
		echo "ok: $name"
	fi
}

expect "verify accepts a hook's plugin" 0 'deny_prefix: accepted' \
	"$tenon" prog verify "$http/deny.bpf.o" --host "$http/httpd.tenon"
expect "verify rejects an off-by-one, with its place" 1 'off_by_one.bpf.c:[0-9]+' \
	"$tenon" prog verify "$http/off_by_one.bpf.o" --host "$http/httpd.tenon"
expect "verify names the hook that nobody declared" 2 "request" \
	"$tenon" prog verify "$http/deny.bpf.o"
expect "verify cannot read" 2 'cannot|No such file' "$tenon" prog verify /does/not/exist.o
expect "verify: not an object" 2 'ELF' "$tenon" prog verify "$0"
expect "verify takes kernel sections" 0 'xdp_port_filter: accepted' \
	"$tenon" prog verify "$same" --program xdp_port_filter
expect "verify: no such program" 2 "no program 'nobody'" \
	"$tenon" prog verify "$same" --program nobody
expect "verify in JSON" 1 '"accepted": false' \
	"$tenon" prog verify "$http/off_by_one.bpf.o" --host "$http/httpd.tenon" --json
expect "verify says what is known at each line" 0 '^ +r[0-9]: .*0\.\.' \
	"$tenon" prog verify "$same" --program xdp_port_filter --explain
expect "verify explains a rejection at its line" 1 '>>> E_BOUNDS' \
	"$tenon" prog verify "$http/off_by_one.bpf.o" --host "$http/httpd.tenon" --explain
expect "verify draws the graph of each program" 0 '^digraph "xdp_port_filter" \{$' \
	"$tenon" prog verify "$same" --visual
options=$build/tests/e2e/options.bpf.o
expect "verify rejects an address as the result" 1 'E_LEAK' \
	"$tenon" prog verify "$options" --program returns_address
expect "verify lets trusted programs return an address" 0 'returns_address: accepted' \
	"$tenon" prog verify "$options" --program returns_address --addresses-visible
expect "verify accepts unaligned reads" 0 'reads_unaligned: accepted' \
	"$tenon" prog verify "$options" --program reads_unaligned
expect "verify rejects unaligned reads if asked to" 1 'E_ALIGN' \
	"$tenon" prog verify "$options" --program reads_unaligned --strict-alignment
expect "run loads under the same options" 1 'misaligned access' \
	"$tenon" prog run "$options" --program reads_unaligned --strict-alignment
expect "map dump: no such file" 2 "cannot open '/does/not/exist'" \
	"$tenon" map dump pinned /does/not/exist
expect "map dump: another file" 2 'no map of Tenon: it begins with 23 21 2f 75' \
	"$tenon" map dump pinned "$0"
printf 'TenonMap' >"$work/short"
expect "map show: a file that is cut off" 2 'the file has 8 bytes, its header' \
	"$tenon" map show pinned "$work/short"
expect "map lookup: a file that is cut off" 2 'the file has 8 bytes, its header' \
	"$tenon" map lookup pinned "$work/short" key 1
expect "map getnext: no such file" 2 "cannot open '/does/not/exist'" \
	"$tenon" map getnext pinned /does/not/exist
expect "map list tells what is no map" 0 'short: shared map: the file has 8 bytes' \
	"$tenon" map list "$work"
expect "map list: no such folder" 2 "cannot list '/does/not/exist'" "$tenon" map list /does/not/exist
expect "map update: not from outside" 2 'written by the processes that share it' \
	"$tenon" map update pinned "$work/short" key 1 value 2
expect "map dump: wrong words" 2 "expected 'pinned FILE'" "$tenon" map dump clients
if command -v dot >/dev/null; then
	expect "dot reads the graph" 0 '<svg' sh -c '"$@" | dot -Tsvg' - \
		"$tenon" prog verify "$same" --program xdp_port_filter --visual
fi
expect "verify with a plain context" 0 'count_stars: accepted' \
	"$tenon" prog verify "$build/examples/hello/hello_plugin.bpf.o" --ctx-size 8

printf '\2\0\0\0\0\1\2\0\0\0\0\2\10\0' >"$work/frame"
expect "run prints as bpftool does" 0 '^Return value: 3, duration \(average\): [0-9]+ns$' \
	"$tenon" prog run "$same" --program xdp_swap_mac --data-in "$work/frame"
expect "run on the interpreter, many times" 0 '^Return value: 77, ' \
	"$tenon" prog run "$same" --program xdp_tail_leaf --engine interp --repeat 1000
expect "run in JSON" 0 '"retval": 77' "$tenon" prog run "$same" --program xdp_tail_leaf --json
printf '\5\0\0\0\0\0\0\0' >"$work/ctx"
expect "run on a context's bytes" 0 'Return value: 0' "$tenon" prog run \
	"$build/examples/hello/hello_plugin.bpf.o" --ctx-size 8 --ctx-in "$work/ctx"
expect "run: a context that only a host can make" 2 "'http_request' holds pointers" \
	"$tenon" prog run "$http/sample.bpf.o" --host "$http/httpd.tenon"
expect "run: several programs" 2 'name one with --program' "$tenon" prog run "$same"

expect "disasm" 0 'call bpf_map_lookup_elem#1' "$tenon" prog disasm "$same" --program xdp_count
expect "disasm with source" 0 '; .*per_proto' \
	"$tenon" prog disasm "$same" --program xdp_count --source
expect "obj show" 0 'percpu_array' "$tenon" obj show "$same"
expect "obj show in JSON" 0 '"type": "ringbuf"' "$tenon" obj show "$same" --json
expect "feature probe" 0 'map_lookup_elem is available' "$tenon" feature probe
expect "help" 0 'tenon prog verify' "$tenon" help
expect "unknown command" 2 "unknown command 'prog frobnicate'" "$tenon" prog frobnicate
expect "an option of another command" 2 'does not take' "$tenon" obj show "$same" --repeat 2
exit $failed
