#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# tests/fuzz/run.sh BUILD_DIR SECONDS [TARGET]: every fuzz target, or one, for SECONDS, on a corpus made
# from what the build compiled and from the objects in the directory SEEDS, if it is set. Fails on the
# first finding. An input may take 2 seconds; fuzz_object counts processor time, and divides it by
# FUZZ_SLOWER, which the sanitizers and the coverage make of it.
set -euo pipefail
build=$(cd "$1" && pwd) seconds=$2 only=${3:-}
export FUZZ_SLOWER=${FUZZ_SLOWER:-30}
corpus=$(mktemp -d)
trap 'rm -rf "$corpus"' EXIT
objcopy=$(command -v llvm-objcopy-19 llvm-objcopy-14 llvm-objcopy | head -n 1 || true)

# Two bytes, the lower first.
word() { printf "\\x$(printf %02x $(($1 & 255)))\\x$(printf %02x $(($1 >> 8 & 255)))"; }

# Plugins with CO-RE records, each with types of hosts: see fuzz_core.c.
seed_core() {
	local dir=$1 plugin target part n=0
	[ -n "$objcopy" ] || return 0
	for plugin in "$build"/tests/loader/core_[efct]*.clang-*.v3.bpf.o; do
		[[ $plugin != *core_target_* ]] && [ -f "$plugin" ] || continue
		for part in core .BTF.ext .BTF; do
			"$objcopy" --dump-section "$part=$corpus/part$part" "$plugin" "$corpus/scratch"
		done
		for target in "$build"/tests/loader/core_target_*.bpf.o; do
			"$objcopy" --dump-section ".BTF=$corpus/partHOST" "$target" "$corpus/scratch"
			for part in core .BTF.ext .BTF; do
				word "$(stat -c %s "$corpus/part$part")"
			done >"$dir/$((++n))"
			cat "$corpus/partcore" "$corpus/part.BTF.ext" "$corpus/part.BTF" \
				"$corpus/partHOST" >>"$dir/$n"
		done
	done
}

# Sections of probes and arguments, each with the library that they are about: see fuzz_probe.c.
seed_probe() {
	local dir=$1 library=$build/tests/loader/libprobed.so line n=0
	[ -f "$library" ] || return 0
	for line in uprobe/x:work@VER_1 uprobe/x:inner+2 uretprobe/x:plain uprobe/x:0x1000 \
		usdt/x:tenon:forms 'uprobe.multi/x:*' '-4@%eax 8@-16(%rbp) 8@8(%rax,%rdx,4)' \
		'4@$5 -8@counter+8(%rip) 1@%ah'; do
		{ printf '%s\n' "$line" && cat "$library"; } >"$dir/$((++n))"
	done
}

# What a target eats: objects, or the sections of them that hold types or instructions.
seed() {
	local name=$1 dir=$2 object section
	[ "$name" != fuzz_core ] || seed_core "$dir"
	[ "$name" != fuzz_probe ] || seed_probe "$dir"
	find "$build" ${SEEDS:+"$SEEDS"} -name '*.o' -size -64k 2>/dev/null | grep -E "bpf|${SEEDS:-bpf}" | while read -r object; do
		case $name in
		fuzz_elf | fuzz_object) cp "$object" "$dir/" ;;
		fuzz_btf | fuzz_insns)
			[ -n "$objcopy" ] || continue
			section=.BTF
			[ "$name" = fuzz_btf ] || section=xdp
			"$objcopy" --dump-section "$section=$dir/$(basename "$object")" \
				"$object" "$corpus/scratch" 2>/dev/null || true
			;;
		esac
	done
}

ran=0
for target in "$build"/tests/fuzz/fuzz_*; do
	[ -x "$target" ] && [ -f "$target" ] || continue
	name=$(basename "$target")
	[ -z "$only" ] || [ "$only" = "$name" ] || continue
	ran=$((ran + 1)) timeout=2
	[ "$name" != fuzz_object ] || timeout=600
	mkdir -p "$corpus/$name"
	seed "$name" "$corpus/$name"
	echo "+ $name for $seconds s"
	(cd "$corpus" && "$target" "$corpus/$name" -max_total_time="$seconds" -timeout="$timeout" \
		-rss_limit_mb=2048 -max_len=65536 -print_final_stats=1 -verbosity=0 2>&1 | tail -12)
done
[ $ran != 0 ] || { echo "run.sh: no fuzz target${only:+ named $only} in $build/tests/fuzz" >&2; exit 1; }
