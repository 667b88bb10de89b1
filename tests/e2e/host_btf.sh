#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The types of a host from its header to its plugins: tenon_host_btf(), descriptions, `btf dump`,
# `gen header`. Usage: host_btf.sh BUILD_DIR SOURCE_DIR CLANG
set -euo pipefail
build=$1 source=$2 clang=$3
lent=$source/tests/e2e/lent include=$source/host-api/include
tenon=$build/tenon host=$build/tests/lent
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

wrong() {
	echo "WRONG: $1"
	exit 1
}

# refuses PATTERN COMMAND...: it fails, and says so.
refuses() {
	local pattern=$1
	shift
	"$@" >"$work/said" 2>&1 && wrong "accepted: $*"
	grep -q "$pattern" "$work/said" || wrong "$*: no '$pattern'"
}

made=$(find "$build/tests/e2e" -name lent_btf.c)
"$host" "$work/lent.tenon"

"$clang" -target bpf -O2 -g -Wall -Werror -I"$include" -DLENT_HEADER="\"$lent/lent.h\"" \
	-c "$lent/plugin.bpf.c" -o "$work/plugin.o"
"$host" "$work/plugin.o" | grep -qx 'result 715' || wrong "the plugin of the host's header"
echo "ok: a plugin of the host's own header"

"$tenon" gen header --host "$work/lent.tenon" >"$work/gen.h"
grep -q '^extern uint32_t lent_weigh(struct lent_user \*, enum lent_mood, uint64_t) __ksym;' \
	"$work/gen.h" || wrong "no lent_weigh in the generated header"
"$clang" -target bpf -O2 -g -Wall -Werror -DLENT_HEADER="\"$work/gen.h\"" \
	-c "$lent/plugin.bpf.c" -o "$work/generated.o"
"$host" "$work/generated.o" | grep -qx 'result 715' || wrong "the plugin of the generated header"
"$tenon" prog verify "$work/generated.o" --host "$work/lent.tenon" | grep -q 'weigh: accepted' ||
	wrong "the plugin is not accepted under the description"
echo "ok: a plugin of the generated header"

"$tenon" btf dump --host "$work/lent.tenon" format c | grep -q '^struct lent_user {' ||
	wrong "btf dump --host"
"$tenon" btf dump "$work/plugin.o" | grep -q "STRUCT 'lent_ctx' size=24 vlen=3" || wrong "btf dump"
"$tenon" btf dump file "$work/plugin.o" root_id 1 -j | grep -q '"id": 1,' || wrong "btf dump in JSON"
refuses 'no type 9999' "$tenon" btf dump "$work/plugin.o" root_id 9999
refuses 'neither BTF nor an ELF file' "$tenon" btf dump "$work/lent.tenon"
refuses 'expected format raw|c' "$tenon" btf dump "$work/plugin.o" format xml
refuses 'needs --host' "$tenon" gen header
echo "ok: btf dump"

"$tenon" gen min-btf "$made.bpf.o" "$work/min.btf" "$work/plugin.o"
"$tenon" btf dump "$work/min.btf" >"$work/min"
grep -q "STRUCT 'lent_user' size=24 vlen=2" "$work/min" || wrong "no lent_user of two members in the part"
grep -q lent_point "$work/min" && wrong "the part is the whole"
refuses 'No such file' "$tenon" gen min_core_btf "$work/plugin.o" "$work/none" /nonexistent.o
refuses 'usage' "$tenon" gen min-btf "$work/plugin.o"
echo "ok: gen min-btf"

# The assertions: kept by each compiler, broken by another packing, and by a type that differs.
for cc in gcc clang-14 clang-19 cc; do
	command -v $cc >/dev/null || continue
	$cc -Wall -Wextra -Werror -I"$include" -c "$made" -o "$work/made.o" || wrong "$cc"
	if $cc -fpack-struct=1 -I"$include" -c "$made" -o "$work/made.o" 2>"$work/words"; then
		wrong "$cc packs the structs and nothing notices"
	fi
	grep -q 'offset of lent_user.id is not as clang has it' "$work/words" || wrong "words of $cc"
done
echo "ok: other layouts do not compile"
"$source/cmake/tenon-host-btf.sh" "$clang" "$build/tenon-host-btf" /nonexistent.h x "$work/x.c" \
	2>/dev/null && wrong "a header that is not there"
[ ! -e "$work/x.c" ] || wrong "a file is left behind"
echo "ok: a header that clang refuses"
