#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# tests/verifier/soundness.sh BUILD_DIR [SCALE]: the soundness checks A to G of docs/verifier.md, long.
# SCALE multiplies the number of random programs; 1 is some 10^8 state-embedding checks. FUZZ_SECONDS
# is the time of G, of which its build (clang, beside BUILD_DIR) is no part. Ends at the first finding.
set -euo pipefail
build=$(cd "$1" && pwd) scale=${2:-1}
here=$(cd "$(dirname "$0")" && pwd)
tests=$build/tests
cases=(-c "$here/accept" -c "$here/reject" -c "$here/mistakes")
[ ! -d "$here/loops" ] || cases+=(-c "$here/loops")

part() { printf '\n=== %s (%s)\n' "$*" "$(date +%H:%M:%S)"; }
run() { echo "+ ${*//$here/tests/verifier}"; "$@"; }

part "A: operators alone"
run "$tests/verifier_tnum"
run "$tests/verifier_scalar" long

part "B, C, D: random programs under the oracle, and compiled between guard pages"
run "$tests/verifier_random" -i 24 $((20000 * scale)) 1000000
run "$tests/verifier_random" -p -i 24 $((10000 * scale)) 2000000
run "$tests/verifier_random" -x -i 24 $((10000 * scale)) 5000000
run "$tests/verifier_random" -f $((5000 * scale)) 3000000

part "B, C, D: the cases, and changes of them"
run "$tests/verifier_random" -i 24 "${cases[@]}" 1
run "$tests/verifier_random" -i 8 -m $((40 * scale)) "${cases[@]}" 1000

part "E: what the kernel says of the same programs"
rc=0
run "$tests/verifier_random" -k $((2000 * scale)) 4000000 || rc=$?
[ $rc = 0 ] || [ $rc = 77 ] || exit $rc

part "F: mutation score"
run "$here/mutants.sh" "$build" $((2 * scale))

part "G: objects from bytes"
fuzz=$build-soundness-fuzz
cmake -S "$here/../.." -B "$fuzz" -G Ninja -DTENON_FUZZ=ON -DTENON_BENCH=OFF \
	-DCMAKE_C_COMPILER=clang-14 >/dev/null
cmake --build "$fuzz" --target fuzz_object >/dev/null
# Instrumented for coverage the verifier takes that much longer.
FUZZ_SLOWER=6 run "$here/../fuzz/run.sh" "$fuzz" "${FUZZ_SECONDS:-600}" fuzz_object

part "everything held"
