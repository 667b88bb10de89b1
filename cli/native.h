/* SPDX-License-Identifier: MIT */
/* Native code as assembly text, where the build found libcapstone. */
#ifndef CLI_NATIVE_H
#define CLI_NATIVE_H

/* Print one line of tenon_program_disasm() with TENON_DISASM_JITED: lines of code bytes ("  2d:  48
 * 89 fe") as instructions, others as they are. */
void native_print_line(const char *line);

#endif
