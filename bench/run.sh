#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# bench/run.sh BUILD_DIR [NAME [FILTER]] [--quick] [--rounds N] [--json FILE]
# Results as JSON go to FILE or BUILD_DIR/bench/results.json; those of whole map types also as plots to
# BUILD_DIR/bench/plots.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
build=$1
shift
json=$build/bench/results.json
filter='' name=''
for ((i = 1; i <= $#; i++)); do
	case ${!i} in
	--json)
		((++i))
		json=${!i} ;;
	--quick) ;;
	--rounds) ((++i)) ;;
	*) if [ -z "$name" ]; then name=${!i}; else filter=${!i}; fi ;;
	esac
done
"$build/tenon-bench" "$build/bench" "$@" --json "$json"
echo "results: $json"
# A filter that names an operation would draw over the plot of the whole type.
if [[ ${name:-maps} == maps && $filter != */* ]]; then
	if command -v gnuplot >/dev/null && command -v python3 >/dev/null; then
		python3 "$here/plot_maps.py" "$json" "$build/bench/plots"
	else
		echo "no plots: they need gnuplot and python3"
	fi
fi
