#!/bin/sh
# SPDX-License-Identifier: MIT
# long.sh [BUILD [SECONDS [SIDE_BY_SIDE]]]: every kind of map that stress_maps knows, SECONDS each
# [120], so many at a time [4], and at the end what each did. Exit status 1 if one went wrong.
set -u

build=${1:-build}
seconds=${2:-120}
side_by_side=${3:-4}
out=$(mktemp)
trap 'rm -f "$out"' EXIT
"$build"/tests/stress_maps list |
	xargs -P "$side_by_side" -I KIND nice -n 15 "$build"/tests/stress_maps KIND "$seconds" \
		>"$out" 2>&1
status=$?
sort "$out"
exit $status
