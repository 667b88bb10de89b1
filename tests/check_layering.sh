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
	[cli]=""
	[examples]=""
)
# header prefix -> the only place that may include it
declare -A only=([libelf.h]=loader/elf.c [gelf.h]=loader/elf.c [ffi.h]=host-api/ffi.c)

floors="base maps vm loader verifier jit host-api"
include='#[[:space:]]*include[[:space:]]*(["<])([^">]+)[">]'
bad=0
complain() {
	echo "$*"
	bad=1
}
for folder in "${!allowed[@]}"; do
	[ -d "$folder" ] || continue
	while IFS=: read -r file line text; do
		[[ $text =~ $include ]] || continue
		quote=${BASH_REMATCH[1]} header=${BASH_REMATCH[2]} top=${BASH_REMATCH[2]%%/*}
		if [ "${only[$header]:-$file}" != "$file" ]; then
			complain "$file:$line: <$header> belongs to ${only[$header]} alone"
		fi
		case $folder in
		cli | examples) # Users: their own headers, and the public ones.
			[[ " $floors " != *" $top "* ]] ||
				complain "$file:$line: $folder may include tenon/*.h alone, not $header"
			continue ;;
		esac
		[ "$quote" = '"' ] || continue
		if [ "$top" = "$header" ]; then
			complain "$file:$line: write \"$header\" from the root of the tree"
		elif [[ " ${allowed[$folder]} " != *" $top "* ]]; then
			complain "$file:$line: $folder may not include $header (allowed: ${allowed[$folder]})"
		fi
	done < <(grep -rnE '^[[:space:]]*#[[:space:]]*include' --include='*.[ch]' --include='*.def' "$folder")
done
[ $bad -eq 0 ] && echo "layering: every include goes down"
exit $bad
