# SPDX-License-Identifier: MIT
# Runs a few tiny cases of the map bench and reads what it wrote. No time is judged.
foreach(filter hash/lookup/8/1k ringbuf/reserve+submit rules/list/4/10)
	execute_process(COMMAND ${BENCH} ${DIR} maps ${filter} --quick --rounds 2 --json ${DIR}/smoke.json
		OUTPUT_VARIABLE out ERROR_VARIABLE out RESULT_VARIABLE result)
	if(result)
		message(FATAL_ERROR "${filter}: ${result}: ${out}")
	endif()
	file(READ ${DIR}/smoke.json json)
	string(JSON nr LENGTH "${json}" rows)
	if(nr LESS 4) # two engines, one thread and two
		message(FATAL_ERROR "${filter}: ${nr} rows: ${json}")
	endif()
	string(JSON engine GET "${json}" rows 0 engine)
	string(JSON min GET "${json}" rows 0 min)
	if(NOT engine STREQUAL jit OR NOT min MATCHES "^-?[0-9.]+$")
		message(FATAL_ERROR "${filter}: ${engine}, ${min}")
	endif()
endforeach()
