#!/bin/sh
# SPDX-License-Identifier: MIT
# tenon-host-btf.sh CLANG TOOL HEADER NAME OUT.c [FLAG...]: BTF of a host's API header, as a C file.
# Compilers write down only what is used. So clang lists first what the header declares, and a file
# that uses all of it is compiled for eBPF: a pointer to each type, the address of each function in
# section .ksyms (TENON_HELPER of tenon/host.h puts them there).
set -eu
clang=$1 tool=$2 header=$3 name=$4 out=$5
shift 5

"$clang" -target bpf "$@" -w -fsyntax-only -x c -Xclang -ast-dump=json "$header" >"$out.ast"
{
	echo "#include \"$header\""
	# One declaration of the file is an object four blanks in; its own words stand at six, the kinds of
	# its attributes at ten.
	awk '
	function words(line) { sub(/^ *"[A-Za-z]*": "?/, "", line); sub(/"?,?$/, "", line); return line }
	/^    {$/ { kind = name = tag = ""; whole = lent = implicit = 0 }
	/^      "kind": / { kind = words($0) }
	/^      "name": / { name = words($0) }
	/^      "tagUsed": / { tag = words($0) }
	/^      "completeDefinition": true/ { whole = 1 }
	/^      "isImplicit": true/ { implicit = 1 }
	/^          "kind": "SectionAttr"/ { lent = 1 }
	/^    },?$/ {
		if (name == "" || implicit || name in seen)
			next
		if (kind == "RecordDecl" && whole)
			print tag " " name " *tenon_keep_" ++n ";"
		else if (kind == "EnumDecl")
			print "enum " name " *tenon_keep_" ++n ";"
		else if (kind == "TypedefDecl")
			print name " *tenon_keep_" ++n ";"
		else if (kind == "FunctionDecl" && lent)
			print "void *tenon_keep_" ++n "(void) { return (void *)" name "; }"
		else
			next
		if (kind == "FunctionDecl")
			seen[name] = 1
	}' "$out.ast"
} >"$out.keep.c"
rm -f "$out.ast"
"$clang" -target bpf -O2 -g "$@" -w -MD -MF "$out.d" -MT "$out" -c "$out.keep.c" -o "$out.bpf.o"
"$tool" "$out.bpf.o" "$header" "$name" >"$out.tmp"
mv "$out.tmp" "$out"
