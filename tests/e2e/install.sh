#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Installs into a fresh prefix and builds two outsiders against it: one by CMake package with
# tenon_add_plugin(), one by pkg-config. Checks what the library links and exports.
# Usage: install.sh BUILD_DIR SOURCE_DIR
set -euo pipefail
build=$1 source=$2
prefix=$(mktemp -d)
trap 'rm -rf "$prefix"' EXIT

cmake --install "$build" --prefix "$prefix/root" >/dev/null
lib=$(dirname "$(find "$prefix/root" -name libtenon.so)")
export PKG_CONFIG_PATH=$lib/pkgconfig LD_LIBRARY_PATH=$lib

mkdir "$prefix/app"
cp "$source"/examples/hello/{hello.c,hello.bpf.c,greet.h} "$prefix/app"
cp "$source"/tests/e2e/lent/{lent.c,lent.h,plugin.bpf.c} "$prefix/app"
cat >"$prefix/app/CMakeLists.txt" <<'CMAKE'
cmake_minimum_required(VERSION 3.22)
project(app C)
find_package(tenon 0.1 REQUIRED)
add_executable(hello hello.c)
target_link_libraries(hello PRIVATE tenon::tenon)
add_executable(hello_static hello.c)
target_link_libraries(hello_static PRIVATE tenon::tenon_static)
tenon_add_plugin(plugin hello.bpf.c MCPU v2)
add_executable(lent lent.c)
target_link_libraries(lent PRIVATE tenon::tenon)
tenon_host_btf(lent lent.h NAME lent_btf)
tenon_add_plugin(lent_plugin plugin.bpf.c FLAGS -DLENT_HEADER="lent.h")
CMAKE
cmake -G Ninja -S "$prefix/app" -B "$prefix/app/build" -DCMAKE_PREFIX_PATH="$prefix/root" >/dev/null
cmake --build "$prefix/app/build" >/dev/null
for host in hello hello_static; do
	"$prefix/app/build/$host" "$prefix/app/build/plugin.bpf.o" | grep -q 'visit 3: 6 stars'
	echo "CMake package: $host ran"
done

"$prefix/app/build/lent" "$prefix/app/build/lent_plugin.bpf.o" | grep -qx 'result 715'
echo "CMake package: types of a header in the host"

# shellcheck disable=SC2046
cc -o "$prefix/app/by_pkg_config" "$prefix/app/hello.c" $(pkg-config --cflags --libs tenon)
"$prefix/app/by_pkg_config" "$prefix/app/build/plugin.bpf.o" | grep -q 'visit 3: 6 stars'
echo "pkg-config: hello ran"

# libelf brings zlib; nothing else may come in.
needed=$(objdump -p "$lib/libtenon.so" | awk '/NEEDED/ { print $2 }' | sort | tr '\n' ' ')
for so in $needed; do
	case $so in
	libelf.so.1 | libffi.so.* | libc.so.6 | ld-linux*.so.*) ;;
	*) echo "libtenon.so needs $so: only libelf, libffi and libc may be needed"; exit 1 ;;
	esac
done
echo "needed: $needed"
foreign=$(nm -D --defined-only "$lib/libtenon.so" | awk '$3 !~ /^tenon_/ && $2 != "A" { print $3 }')
[ -z "$foreign" ] || { echo "exported beside tenon_*: $foreign"; exit 1; }
echo "exports: $(nm -D --defined-only "$lib/libtenon.so" | grep -c tenon_) tenon_* names"
