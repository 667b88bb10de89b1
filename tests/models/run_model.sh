#!/bin/sh
# SPDX-License-Identifier: MIT
# Check one Promela model with spin: run_model.sh MODEL.pml
#
# A line "RUN pass|fail FLAGS" in the model's first comment is one run: every interleaving of the
# model, compiled with FLAGS, keeps the assertions (pass), or spin must find one that does not
# (fail). Exit 77 where spin is not installed.
set -eu

model=$(realpath "$1")
command -v spin >/dev/null || { echo "skipped: spin is not installed (Debian package spin)"; exit 77; }
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
sed -n 's/^[ /*]*RUN \(pass\|fail\)/\1/p' "$model" >runs
[ -s runs ] || { echo "$model has no RUN line"; exit 1; }

status=0
while read -r expected flags; do
	# spin's compiler takes -D, pan's its own; the model decides nothing about the latter.
	# shellcheck disable=SC2086
	spin -a $flags "$model" >spin.log 2>&1 || { cat spin.log; exit 1; }
	cc -O2 -w -DSAFETY -DCOLLAPSE -DVECTORSZ=4096 -o pan pan.c
	timeout "${MODEL_SECONDS:-300}" ./pan -m1000000 >pan.log 2>&1 || true
	case $(sed -n 's/.*errors: \([0-9]*\).*/\1/p' pan.log) in
	0) found=pass ;;
	'') found=incomplete ;;
	*) found=fail ;;
	esac
	grep -Eq 'max search depth too small|out of memory|reached -?DMEMLIM|aborted' pan.log && found=incomplete
	states=$(sed -n 's/^ *\([0-9.e+]*\) states, stored.*/\1/p' pan.log)
	reason=$(sed -n 's/^pan:[0-9]*: \(.*\) (at depth.*/\1/p' pan.log)
	echo "$(basename "$model") $flags: $found, ${states:-?} states${reason:+: $reason}"
	[ "$found" = "$expected" ] || { echo "  expected: $expected"; cat pan.log; status=1; }
done <runs
exit $status
