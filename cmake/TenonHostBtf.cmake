# SPDX-License-Identifier: MIT
# tenon_host_btf(target header [NAME name] [CLANG clang] [INCLUDES dir...] [FLAGS flag...])
# Puts the types and functions of an API header (see <tenon/host.h>) into `target`, for
#	#include "<name>.h"
#	tenon_runtime_add_btf(rt, <name>, <name>_size, NULL);
# NAME is tenon_host_btf where it is not given. The header is compiled with clang for eBPF; the target
# does not compile where its compiler lays out a structure, or numbers an enumerator, in another way.
# INCLUDES and FLAGS are for clang.
set(TENON_HOST_BTF_SCRIPT ${CMAKE_CURRENT_LIST_DIR}/tenon-host-btf.sh)

function(tenon_host_btf target header)
	cmake_parse_arguments(arg "" "NAME;CLANG" "INCLUDES;FLAGS" ${ARGN})
	if(NOT arg_NAME)
		set(arg_NAME tenon_host_btf)
	endif()
	if(NOT arg_CLANG)
		set(arg_CLANG ${TENON_BPF_CLANG})
	endif()
	if(NOT arg_CLANG)
		message(FATAL_ERROR "tenon_host_btf(${target}): no clang found; set TENON_BPF_CLANG")
	endif()
	set(tool tenon_host_btf_tool)
	if(NOT TARGET ${tool})
		set(tool tenon::tenon_host_btf_tool)
	endif()
	get_filename_component(header ${header} ABSOLUTE)
	set(dir ${CMAKE_CURRENT_BINARY_DIR}/${target}.${arg_NAME})
	file(MAKE_DIRECTORY ${dir})
	set(flags -I${TENON_INCLUDE_DIR})
	foreach(include IN LISTS arg_INCLUDES)
		get_filename_component(include ${include} ABSOLUTE)
		list(APPEND flags -I${include})
	endforeach()
	if(CMAKE_LIBRARY_ARCHITECTURE)
		list(APPEND flags -idirafter /usr/include/${CMAKE_LIBRARY_ARCHITECTURE})
	endif()
	set(out ${dir}/${arg_NAME}.c)
	add_custom_command(OUTPUT ${out}
		COMMAND ${TENON_HOST_BTF_SCRIPT} ${arg_CLANG} $<TARGET_FILE:${tool}> ${header}
			${arg_NAME} ${out} ${flags} ${arg_FLAGS}
		DEPENDS ${header} ${tool} ${TENON_HOST_BTF_SCRIPT} DEPFILE ${out}.d
		COMMENT "Making BTF of ${header}" VERBATIM)
	file(CONFIGURE OUTPUT ${dir}/${arg_NAME}.h @ONLY CONTENT
"/* Made by tenon_host_btf(). */
#ifndef TENON_BTF_OF_@arg_NAME@_H
#define TENON_BTF_OF_@arg_NAME@_H
#include <stddef.h>
#ifdef __cplusplus
extern \"C\" {
#endif
extern const unsigned char @arg_NAME@[];
extern const size_t @arg_NAME@_size;
#ifdef __cplusplus
}
#endif
#endif
")
	target_sources(${target} PRIVATE ${out})
	target_include_directories(${target} PRIVATE ${dir} ${TENON_INCLUDE_DIR})
endfunction()
