#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What tenon.h declares, libtenon.map lists and the library exports must be the same names.
# Usage: check_exports.sh tenon.h libtenon.map libtenon.so
set -euo pipefail

# A declaration may be broken over lines; static inline functions are the host's own.
declared=$(tr '\n' ' ' <"$1" | grep -oE 'TENON_API [^;(]*\(' | grep -oE 'tenon_[a-z0-9_]+ *\($' |
	tr -d ' (' | sort -u)
listed=$(grep -oE '\btenon_[a-z0-9_]+;' "$2" | tr -d ';' | sort -u)
exported=$(nm -D --defined-only "$3" | awk '$2 ~ /[TDBR]/ { sub(/@.*/, "", $3); print $3 }' | sort -u)
bad=0
diff <(echo "$declared") <(echo "$listed") || { echo "tenon.h and libtenon.map differ"; bad=1; }
diff <(echo "$listed") <(echo "$exported") || { echo "libtenon.map and the library differ"; bad=1; }
[ $bad -eq 0 ] && echo "exports: $(echo "$declared" | wc -l) functions, the same everywhere"
exit $bad
