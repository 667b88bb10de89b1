#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Judges the kernel's own verifier programs with Tenon and with the running kernel; README.md.
#   tests/linux-parity/run.sh BUILD [judge options]
# Everything of the kernel's stays in BUILD/linux-parity; a second run makes only what is missing.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "${1:?usage: run.sh BUILD [judge options]}" && pwd)
shift
out=$build/linux-parity
src=$out/src
bpf=$src/tools/testing/selftests/bpf
tarball=/usr/src/linux-source-6.12.tar.xz
clang=clang-19

mapfile -t names < <(grep -o 'verifier_[a-z0-9_]*/' "$here/list.txt" | tr -d / | sort -u)

extract() { # the listed programs and what they include
	local top=linux-source-6.12 members=() n
	for n in "${names[@]}"; do members+=("$top/tools/testing/selftests/bpf/progs/$n.c"); done
	for n in bpf_misc.h err.h task_kfunc_common.h; do members+=("$top/tools/testing/selftests/bpf/progs/$n"); done
	for n in bpf_experimental.h bpf_kfuncs.h bpf_arena_common.h xdp_metadata.h; do
		members+=("$top/tools/testing/selftests/bpf/$n")
	done
	for n in bpf_helpers.h bpf_core_read.h bpf_endian.h bpf_tracing.h; do
		members+=("$top/tools/lib/bpf/$n")
	done
	members+=("$top/include/linux/filter.h" "$top/tools/include/linux/filter.h"
		"$top/tools/include/uapi" "$top/scripts/bpf_doc.py")
	echo "linux-parity: extracting ${#names[@]} files of programs"
	rm -rf "$src.part" "$src"
	mkdir -p "$src.part"
	tar -xJf "$tarball" -C "$src.part" --strip-components=1 "${members[@]}"
	mv "$src.part" "$src"
}

headers() {
	mkdir -p "$out/inc/bpf" "$out/inc/gnu"
	: >"$out/inc/gnu/stubs-32.h" # glibc asks for it where the target is not x86_64
	cp "$src"/tools/lib/bpf/bpf_*.h "$out/inc/bpf/"
	python3 "$src/scripts/bpf_doc.py" --header \
		--file "$src/tools/include/uapi/linux/bpf.h" >"$out/inc/bpf/bpf_helper_defs.h"
	bpftool btf dump file /sys/kernel/btf/vmlinux format c >"$out/inc/vmlinux.h.part"
	mv "$out/inc/vmlinux.h.part" "$out/inc/vmlinux.h"
}

compile() { # NAME
	"$clang" -O2 -g -mcpu=v3 -D__TARGET_ARCH_x86 --target=bpf \
		-I"$out/inc" -I"$bpf" -I"$bpf/progs" -I"$src/tools/include/uapi" \
		-I"/usr/include/$(uname -m)-linux-gnu" \
		-c "$bpf/progs/$1.c" -o "$out/obj/$1.o.part" 2>"$out/obj/$1.err" || {
		cat "$out/obj/$1.err" >&2
		return 1
	}
	mv "$out/obj/$1.o.part" "$out/obj/$1.o"
}

"$here/../../scripts/install-deps.sh" parity
mkdir -p "$out/obj"
for n in "${names[@]/%/.c}" err.h task_kfunc_common.h ../xdp_metadata.h; do
	[ -e "$bpf/progs/$n" ] || { extract; break; }
done
[ -s "$out/inc/vmlinux.h" ] || headers
export -f compile
export clang out bpf src
missing=()
for n in "${names[@]}"; do [ -s "$out/obj/$n.o" ] || missing+=("$n"); done
if [ ${#missing[@]} -gt 0 ]; then
	echo "linux-parity: compiling ${#missing[@]} files"
	printf '%s\0' "${missing[@]}" |
		xargs -0 -n1 -P"$(nproc)" bash -c 'compile "$0" || { echo "$0: does not compile" >&2; exit 255; }'
fi
exec "$build/tests/linux_parity" --list "$here/list.txt" --reasons "$here/reasons.txt" \
	--objects "$out/obj" "$@"
