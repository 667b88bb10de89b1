#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Installs the Debian packages that building, testing and the demo need and that are missing.
# Usage: scripts/install-deps.sh [build|test|all|parity]   (default: all). As root, or with sudo.
set -euo pipefail

what=${1:-all}
build=(gcc libc6-dev binutils cmake ninja-build pkg-config libelf-dev libffi-dev linux-libc-dev clang-14)
test=(g++ libjson-c-dev libcapstone-dev libcmocka-dev libbpf-dev libmicrohttpd-dev curl spin python3 procps git
	libclang-rt-14-dev llvm-14 clang-format-14 bpftool systemtap-sdt-dev)
optional=(clang-19 libclang-rt-19-dev # a second compiler for plugins, where the release has it
	gnuplot-nox) # the plots of ./dev bench maps
parity=(linux-source-6.12 xz-utils python3 bpftool clang-19 libbpf-dev) # tests/linux-parity alone
case $what in
build) wanted=("${build[@]}") optional=() ;;
parity) wanted=("${parity[@]}") optional=() ;;
test | all) wanted=("${build[@]}" "${test[@]}") ;;
*) echo "usage: scripts/install-deps.sh [build|test|all|parity]" >&2; exit 2 ;;
esac

installed() { dpkg-query -W -f '${Status}' "$1" 2>/dev/null | grep -q 'install ok installed'; }

missing=()
for p in "${wanted[@]}" "${optional[@]}"; do installed "$p" || missing+=("$p"); done
if [ ${#missing[@]} -eq 0 ]; then
	echo "install-deps: every package is there"
	exit 0
fi

sudo=()
if [ "$(id -u)" -ne 0 ]; then
	command -v sudo >/dev/null || {
		echo "install-deps: missing ${missing[*]}; run as root, or install sudo" >&2
		exit 1
	}
	sudo=(sudo)
fi
apt() {
	echo "+ apt-get $*"
	"${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -o Dpkg::Use-Pty=0 "$@" >/dev/null
}

apt update
install=()
for p in "${missing[@]}"; do
	case " ${optional[*]} " in
	*" $p "*)
		apt-cache show "$p" >/dev/null 2>&1 || {
			echo "install-deps: $p is not in this release; going on without it"
			continue
		} ;;
	esac
	install+=("$p")
done
[ ${#install[@]} -eq 0 ] || apt install -y --no-install-recommends "${install[@]}"
