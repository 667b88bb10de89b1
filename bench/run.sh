#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# bench/run.sh BUILD_DIR [NAME [FILTER]] [--quick] [--json FILE]
set -euo pipefail
build=$1
shift
exec "$build/tenon-bench" "$build/bench" "$@"
