/* SPDX-License-Identifier: MIT */
/*
 * A small shared library for test_symbol.c and test_usdt.c: functions of all kinds of symbols, and
 * probes whose notes are written by hand, as sys/sdt.h writes them, so that every form of argument
 * is there. Linked without the C library and with probed.map.
 */
int plain(int x);
int work_1(int x);
int work_2(int x);
int chosen_now(int x);
int chosen(int x);
int weak_one(int x);

int plain(int x)
{
	return x + 1;
}

/* Two versions of one name; VER_2 is the default. */
__asm__(".symver work_1, work@VER_1");
__asm__(".symver work_2, work@@VER_2");

int work_1(int x)
{
	return x * 3;
}

int work_2(int x)
{
	return x * 5;
}

int chosen_now(int x)
{
	return x;
}

static int (*choose(void))(int)
{
	return chosen_now;
}

int chosen(int x) __attribute__((ifunc("choose")));

__attribute__((weak)) int weak_one(int x)
{
	return x - 1;
}

/* In .symtab alone. */
__attribute__((noinline, used)) static int inner(int x)
{
	return x * 7;
}

/* Two local functions of one name, as two files of a program may have. */
__asm__(".text\n"
	".type twin, @function\n"
	"twin: ret\n"
	".size twin, .-twin\n");
__asm__(".text\n"
	".type twin_other, @function\n"
	"twin_other: nop; ret\n"
	".size twin_other, .-twin_other\n");

__attribute__((section(".probes"), used)) unsigned short probe_semaphore;
__asm__(".hidden probe_semaphore");
__attribute__((visibility("hidden"), used)) long counter = 5;

#define PROBE(name, semaphore, args)                                  \
	__asm__ volatile("990: nop\n"                                 \
			 ".pushsection .note.stapsdt,\"\",\"note\"\n" \
			 ".balign 4\n"                                \
			 ".4byte 992f-991f, 994f-993f, 3\n"           \
			 "991: .asciz \"stapsdt\"\n"                  \
			 "992: .balign 4\n"                           \
			 "993: .8byte 990b\n"                         \
			 ".8byte _.stapsdt.base\n"                    \
			 ".8byte " semaphore "\n"                     \
			 ".asciz \"tenon\"\n"                         \
			 ".asciz \"" name "\"\n"                      \
			 ".asciz \"" args "\"\n"                      \
			 "994: .balign 4\n"                           \
			 ".popsection\n")

__asm__(".pushsection .stapsdt.base,\"aG\",\"progbits\",.stapsdt.base,comdat\n"
	".weak _.stapsdt.base\n"
	".hidden _.stapsdt.base\n"
	"_.stapsdt.base: .space 1\n"
	".size _.stapsdt.base, 1\n"
	".popsection\n");

void probes(void);
void probes(void)
{
	PROBE("forms", "probe_semaphore",
	      "-4@%eax 8@-16(%rbp) 8@8(%rax,%rdx,4) 4@$5 -8@counter+8(%rip) 1@%ah");
	PROBE("none", "0", "");
	PROBE("forms", "probe_semaphore", "8@%r15");
}
