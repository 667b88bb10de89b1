#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# tests/verifier/mutants.sh [-q] BUILD_DIR [EFFORT [FIRST LAST]]: switch on each seeded bug of
# verifier/mutants.def and see which general check finds it first, in this order, or with -q in the
# order that takes the least time, beginning with the check that mutants.def names:
#   A  operators, exhaustively at small widths (test_tnum, test_scalar; the latter takes longer)
#   B  random programs under the embedding oracle, and C compiled between guard pages
#   D  the accept cases and changes of them under both
#   E  the kernel's verdict on random programs: what it refuses, and whether too many are refused
#      here that it accepts
#   cases: what verifier_cases runs; they count as a second finder alone
# EFFORT multiplies the number of programs. Fails unless A to E find all. A check that dies of the bug
# itself, by a signal, has found nothing.
set -euo pipefail
quick=
if [ "$1" = -q ]; then quick=1; shift; fi
build=$(cd "$1" && pwd) effort=${2:-1} first=${3:-1} last=${4:-999}
here=$(cd "$(dirname "$0")" && pwd)
tests=$build/tests
log=$(mktemp)
trap 'rm -f "$log"' EXIT

# name of the check, then its command; what it prints decides between B, C and time.
checks=(
	"A-tnum|$tests/mutants_tnum"
	"B|$tests/mutants_random -i 4 $((250 * effort)) 1"
	"B-packet|$tests/mutants_random -p -i 4 $((150 * effort)) 1"
	"D|$tests/mutants_random -i 4 -m $((4 * effort)) -c $here/accept 1"
	"A-scalar|$tests/mutants_scalar"
	"B-more|$tests/mutants_random -i 6 $((1500 * effort)) 100001"
	"B-packet-more|$tests/mutants_random -p -i 4 $((3000 * effort)) 1"
	"B-constructs|$tests/mutants_random -x -i 4 $((400 * effort)) 1"
	"E|$tests/mutants_random -k $((60 * effort)) 1"
)

kills() { # command
	local rc=0
	timeout $((120 * effort)) $1 >"$log" 2>&1 || rc=$?
	[ $rc -lt 128 ] || crashed=" (${2:-a check} crashes)"
	[ $rc != 0 ] && [ $rc != 77 ] && [ $rc -lt 124 ] && grep -qE '^UNSOUND|not explained|FAIL' "$log"
}

# The names of the checks, with -q the one of the comment at the end of $1 first.
order() {
	local first=B
	[[ $1 =~ /\*\ ([-A-Za-z]+)\ \*/ ]] && first=${BASH_REMATCH[1]}
	[ -z "$quick" ] || printf '%s\n' "${checks[@]}" | grep "^$first|"
	printf '%s\n' "${checks[@]}" | grep -v "^${quick:+$first}|"
}

detail() { # what the check saw, in a few words
	grep -m1 -oE 'no state of the walk|compiled: r0|compiled code faults|interpreter faults|references are left|never written|out of bounds|read-only|the fact says[^,;]*|outside of|steps; proved|reference is held|lock is held|released, but not held|address leaves|without an end|not explained|\[  FAILED  \] [0-9a-z_]+|FAIL [a-z_]+' "$log" | head -n 1
}

crashed=
for check in "${checks[@]}"; do
	if kills "${check#*|}"; then
		echo "without a bug, ${check%%|*} finds:"; tail -n 20 "$log"; exit 1
	fi
done

total=0 killed=0
while IFS='(,)' read -r macro number name words; do
	[[ $macro == TN_MUTANT ]] && [ "$number" -ge "$first" ] && [ "$number" -le "$last" ] || continue
	name=${name// /}
	grep -q "TN_MUT($name)" "$here"/../../verifier/*.[ch] || { echo "$number $name: has no hook"; continue; }
	total=$((total + 1)) by=nobody crashed=
	export TN_MUTANT=$number
	mapfile -t ordered < <(order "$words")
	for check in "${ordered[@]}"; do
		if kills "${check#*|}" "${check%%|*}"; then by=${check%%|*}; break; fi
	done
	if [ $by = nobody ]; then
		if kills "$tests/mutants_cases $here/accept $here/reject"; then by="nobody but the cases"; fi
	else
		killed=$((killed + 1))
	fi
	printf '%3d %-26s %-10s %s\n' "$number" "$name" "$by" "$(detail || true)$crashed"
done <"$here/../../verifier/mutants.def"
unset TN_MUTANT
echo "mutation score: $killed of $total"
[ "$killed" = "$total" ]
