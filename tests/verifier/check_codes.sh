#!/bin/sh
# SPDX-License-Identifier: MIT
# check_codes.sh SOURCE-DIR: every error code of the verifier has its section in docs/verifier.md,
# under its number and with a cure, and a test that produces it.
cd "$1" || exit 1
failed=0

complain()
{
	echo "$1"
	failed=1
}

has_section()
{
	awk -v head="### $2 \`$1\`:" '
		/^##/ { in_it = 0 }
		index($0, head) == 1 { in_it = 1 }
		in_it && /^    / { example = 1 }
		in_it && /Cure:/ { cure = 1 }
		END { exit !(example && cure) }' docs/verifier.md
}

is_produced()
{
	grep -rqE "expect: reject $1( |$)" tests/verifier/reject tests/verifier/mistakes ||
		grep -rq "^// expect: $1 " tests/verifier/mistakes ||
		grep -q "\"$1\"" tests/verifier/test_verify.c
}

codes=$(sed -n 's/^TN_VERR(\(E_[A-Z_]*\), \([0-9]*\),.*/\1:\2/p' verifier/errors.def)
[ -n "$codes" ] || complain "no codes in verifier/errors.def"
for code in $codes; do
	name=${code%:*}
	number=${code#*:}
	has_section "$name" "$number" ||
		complain "docs/verifier.md: no section '### $number \`$name\`: ...' with an example and a cure"
	is_produced "$name" || complain "no test produces $name"
done
exit $failed
