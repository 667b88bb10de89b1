# SPDX-License-Identifier: MIT
# cmake --install: library, headers, the command, pkg-config and CMake package files.
include(CMakePackageConfigHelpers)

install(TARGETS tenon_shared tenon_static EXPORT tenon-targets
	LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
	ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
if(TARGET tenon_command)
	install(TARGETS tenon_command RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()
install(TARGETS tenon_host_btf_tool EXPORT tenon-targets
	RUNTIME DESTINATION ${CMAKE_INSTALL_LIBEXECDIR}/tenon)
install(DIRECTORY host-api/include/tenon DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
	FILES_MATCHING PATTERN "*.h")

set(tenon_cmake_dir ${CMAKE_INSTALL_LIBDIR}/cmake/tenon)
install(EXPORT tenon-targets NAMESPACE tenon:: DESTINATION ${tenon_cmake_dir})
configure_package_config_file(cmake/tenon-config.cmake.in ${CMAKE_BINARY_DIR}/tenon-config.cmake
	INSTALL_DESTINATION ${tenon_cmake_dir} PATH_VARS CMAKE_INSTALL_INCLUDEDIR)
write_basic_package_version_file(${CMAKE_BINARY_DIR}/tenon-config-version.cmake
	COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/tenon-config.cmake
	${CMAKE_BINARY_DIR}/tenon-config-version.cmake cmake/TenonPlugin.cmake
	cmake/TenonHostBtf.cmake
	DESTINATION ${tenon_cmake_dir})
install(PROGRAMS cmake/tenon-host-btf.sh DESTINATION ${tenon_cmake_dir})

# The file finds its own prefix, so that an installed tree can be moved.
file(RELATIVE_PATH TENON_PC_TO_PREFIX /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
configure_file(cmake/tenon.pc.in ${CMAKE_BINARY_DIR}/tenon.pc @ONLY)
install(FILES ${CMAKE_BINARY_DIR}/tenon.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
