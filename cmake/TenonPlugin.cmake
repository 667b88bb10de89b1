# SPDX-License-Identifier: MIT
# tenon_add_plugin(target source [MCPU v3] [INCLUDES dir...] [FLAGS flag...])
# Compiles an eBPF plugin with clang; the object is ${CMAKE_CURRENT_BINARY_DIR}/<target>.bpf.o and
# stands in the target's property TENON_PLUGIN_OBJECT.
find_program(TENON_BPF_CLANG NAMES clang-19 clang-18 clang-17 clang-16 clang-15 clang-14 clang
	DOC "clang that compiles eBPF plugins")

function(tenon_add_plugin target source)
	cmake_parse_arguments(arg "" "MCPU" "INCLUDES;FLAGS" ${ARGN})
	if(NOT TENON_BPF_CLANG)
		message(FATAL_ERROR "tenon_add_plugin(${target}): no clang found; set TENON_BPF_CLANG")
	endif()
	if(NOT arg_MCPU)
		set(arg_MCPU v3)
	endif()
	get_filename_component(source ${source} ABSOLUTE)
	set(object ${CMAKE_CURRENT_BINARY_DIR}/${target}.bpf.o)
	# TENON_INCLUDE_DIR: where tenon/plugin.h stands, in the source tree or installed.
	set(includes -I${TENON_INCLUDE_DIR})
	foreach(dir IN LISTS arg_INCLUDES)
		list(APPEND includes -I${dir})
	endforeach()
	# clang -target bpf does not look into the multiarch directory where asm/types.h stands.
	if(CMAKE_LIBRARY_ARCHITECTURE)
		list(APPEND includes -idirafter /usr/include/${CMAKE_LIBRARY_ARCHITECTURE})
	endif()
	add_custom_command(OUTPUT ${object}
		COMMAND ${TENON_BPF_CLANG} -target bpf -mcpu=${arg_MCPU} -O2 -g -Wall ${includes}
			${arg_FLAGS} -MD -MF ${object}.d -c ${source} -o ${object}
		DEPENDS ${source} DEPFILE ${object}.d
		COMMENT "Compiling plugin ${target}.bpf.o" VERBATIM)
	add_custom_target(${target} ALL DEPENDS ${object})
	set_target_properties(${target} PROPERTIES TENON_PLUGIN_OBJECT ${object})
endfunction()
