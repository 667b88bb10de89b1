#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Starts the server on loopback, sends it real requests, and shows what each plugin does.
# Usage: examples/httpd/demo.sh BUILD_DIR. Ends by itself; exit 0 when every step did what it says.
set -euo pipefail

build=$(cd "${1:-build}" && pwd)
here=$build/examples/httpd
tenon=$build/tenon
port=${PORT:-$((20000 + $$ % 20000))}
url=http://127.0.0.1:$port
work=$(mktemp -d)
failed=0

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
check() { # WHAT EXPECTED FOUND
	if [ "$2" = "$3" ]; then
		echo "  ok: $1: $3"
	else
		echo "  WRONG: $1: expected $2, found $3"
		failed=1
	fi
}

coproc SERVER { exec "$here/httpd" --port "$port" 2>&1; }
server_pid=$SERVER_PID
# Own descriptors: those of a coprocess are closed in subshells, and pipelines are subshells.
exec {to_server}>&"${SERVER[1]}" {from_server}<&"${SERVER[0]}"
trap 'kill "$server_pid" 2>/dev/null || true; rm -rf "$work"' EXIT
read -r -t 10 line <&"$from_server"
echo "$line"
case $line in listening*) ;; *) exit 1 ;; esac

# Send the server one command; its answer, up to the line ".", goes to standard output.
ask() {
	echo "> $*" >&2
	echo "$*" >&"$to_server"
	while read -r -t 20 line <&"$from_server"; do
		[ "$line" = . ] && return 0
		echo "  $line"
	done
	return 1
}
get() { curl -s -o /dev/null -w '%{http_code}' --max-time 10 "$url$1"; }

# COUNT requests on several connections; prints how many had each status.
many() { # PATH COUNT
	curl -s --parallel --parallel-max 8 -o /dev/null -w '%{http_code}\n' "$url$1?[1-$2]" 2>/dev/null |
		sort | uniq -c | awk '{ printf "%s x %s ", $1, $2 }'
}

say "1. The server without plugins"
check "GET /" 200 "$(get /)"
check "GET /private/report" 200 "$(get /private/report)"
ask cost

say "2. deny: the host fills its map, the plugin reads it"
ask load "$here/deny.bpf.o"
check "GET /private/report, map empty" 200 "$(get /private/report)"
ask deny /private/
check "GET /private/report" 403 "$(get /private/report)"
check "GET /" 200 "$(get /)"

say "3. count: answers per status, in a per-slot array"
ask load "$here/count.bpf.o"
echo "  sent: $(many / 200)"
check "GET /missing" 404 "$(get /missing)"
check "GET /private/x" 403 "$(get /private/x)"
ask statuses | tee "$work/statuses"
check "counted 200s" 1 "$(grep -c 'status 200: 200$' "$work/statuses" || true)"

say "4. sample: every 10th request, through a ring buffer"
ask load "$here/sample.bpf.o"
echo "  sent: $(many /echo 100)"
ask samples | tee "$work/samples"
check "samples of 100 requests" 1 "$(grep -c 'samples: 10 in all' "$work/samples" || true)"

say "5. ratelimit: at most 100 requests in ten seconds and client, in a hash map"
ask load "$here/ratelimit.bpf.o"
echo "  sent: $(many / 300)"
ask clients
check "refused now" 429 "$(get /)"
ask unload ratelimit
check "after unloading it" 200 "$(get /)"

say "6. tag sets a header through a host function; its next build replaces it under load"
ask load "$here/tag.bpf.o"
curl -s "$url/echo" | grep -i x-plugin | sed 's/^/  /'
many /echo 3000 >"$work/load" &
load_pid=$!
ask replace tag "$here/tag_v2.bpf.o"
wait "$load_pid"
check "requests during the replacement" "3000 x 200 " "$(cat "$work/load")"
curl -s "$url/echo" | grep -i x-plugin | sed 's/^/  /' | tee "$work/tag"
check "the new build serves" 1 "$(grep -c v2 "$work/tag" || true)"

say "7. A plugin with an off-by-one is refused, and the message says why"
ask load "$here/off_by_one.bpf.o" | tee "$work/refused"
check "refused" 1 "$(grep -c '^  refused' "$work/refused" || true)"
check "GET /" 200 "$(get /)"

say "8. A plugin that loops for ever runs out of fuel; requests go on"
ask load "$here/forever.bpf.o"
check "GET / (three times)" "200 200 200" "$(get /) $(get /) $(get /)"
ask list | tee "$work/list"
check "faults counted" 1 "$(grep -cE 'wait_for_flag.*ended early [1-9]' "$work/list" || true)"
ask unload forever

say "9. What the plugins cost a request"
ask cost
for p in tag sample count deny; do ask unload $p; done
ask cost

if [ -x "$tenon" ]; then
	say "10. The same verdict without the server: tenon prog verify"
	"$tenon" prog verify "$here/off_by_one.bpf.o" --host "$here/httpd.tenon" && failed=1
	"$tenon" prog verify "$here/deny.bpf.o" --host "$here/httpd.tenon" || failed=1
fi

echo quit >&"$to_server"
wait "$server_pid" || failed=1
say "$([ $failed -eq 0 ] && echo 'The demo did what it says.' || echo 'Some steps went WRONG, see above.')"
exit $failed
