#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Fails on an include that goes up or sideways between the floors, and on a header of a library
# that belongs to one folder. The same lists stand in CMakeLists.txt (TN_BELOW_*).
set -euo pipefail
cd "$(dirname "$0")/.."

declare -A allowed=(
	[base]="base"
	[maps]="base maps"
	[vm]="base maps vm"
	[loader]="base maps vm loader"
	[verifier]="base maps vm verifier"
	[jit]="base maps vm jit"
	[host-api]="base maps vm loader verifier jit host-api tenon"
	[cli]="cli tenon"
	[examples]="tenon"
)
# header prefix -> the only place that may include it
declare -A only=([libelf.h]=loader/elf.c [gelf.h]=loader/elf.c [ffi.h]=host-api/ffi.c)

bad=0
for folder in "${!allowed[@]}"; do
	[ -d "$folder" ] || continue
	while IFS=: read -r file line text; do
		header=$(sed -E 's/.*#[[:space:]]*include[[:space:]]*["<]([^">]+)[">].*/\1/' <<<"$text")
		if [ -n "${only[$header]:-}" ] && [ "${only[$header]}" != "$file" ]; then
			echo "$file:$line: <$header> belongs to ${only[$header]} alone"
			bad=1
		fi
		case $text in *'"'*) ;; *) continue ;; esac
		top=${header%%/*}
		case $header in
		*/*) ;;
		*)	# A plain "x.h": only within a program's own folder (cli, examples).
			case $folder in cli | examples) continue ;; esac
			echo "$file:$line: write \"$header\" from the root of the tree"
			bad=1
			continue ;;
		esac
		case " ${allowed[$folder]} " in
		*" $top "*) ;;
		*)
			echo "$file:$line: $folder may not include $header (allowed: ${allowed[$folder]})"
			bad=1 ;;
		esac
	done < <(grep -rnE '^[[:space:]]*#[[:space:]]*include' --include='*.[ch]' --include='*.def' "$folder")
done
[ $bad -eq 0 ] && echo "layering: every include goes down"
exit $bad
