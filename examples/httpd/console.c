/* SPDX-License-Identifier: MIT */
/*
 * The commands: load, unload and replace plugins while requests are served, show their maps,
 * samples, statistics and cost. One row of the table per command; `help` prints the table.
 */
#include "console.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "plugins/sample.h"
#include "surface.h"

#define MAX_PLUGINS 16
#define MAX_WORDS   4
#define MAX_SLOTS   1024 /* more than any runtime has */

struct plugin {
	char name[64]; /* file name without ".bpf.o" */
	struct tenon_object *object;
};

struct console {
	struct tenon_runtime *rt;
	struct plugin plugins[MAX_PLUGINS];
	int nr_plugins;
};

static void print_error(const char *what)
{
	const struct tenon_error *e = tenon_last_error();

	printf("%s: %s%s%s\n", what, e->source ? e->source : "", e->source ? ": " : "", e->msg);
}

static void plugin_name(const char *path, char *name, size_t size)
{
	const char *base = strrchr(path, '/');
	char *dot;

	snprintf(name, size, "%s", base ? base + 1 : path);
	dot = strchr(name, '.');
	if (dot)
		*dot = 0;
}

static struct plugin *find_plugin(struct console *c, const char *name)
{
	for (int i = 0; i < c->nr_plugins; i++)
		if (strcmp(c->plugins[i].name, name) == 0)
			return &c->plugins[i];
	printf("no plugin '%s' is loaded\n", name);
	return NULL;
}

static struct tenon_map *find_map(struct console *c, const char *name)
{
	for (int i = 0; i < c->nr_plugins; i++) {
		struct tenon_map *map = tenon_object_find_map(c->plugins[i].object, name);

		if (map)
			return map;
	}
	printf("no loaded plugin has a map '%s'\n", name);
	return NULL;
}

static int load(struct console *c, char **words)
{
	struct plugin *p = &c->plugins[c->nr_plugins];

	if (c->nr_plugins == MAX_PLUGINS) {
		printf("%d plugins are loaded already\n", MAX_PLUGINS);
		return -1;
	}
	plugin_name(words[1], p->name, sizeof(p->name));
	p->object = tenon_object_plug(c->rt, words[1], NULL);
	if (!p->object) {
		print_error("refused");
		return -1;
	}
	c->nr_plugins++;
	printf("loaded %s\n", p->name);
	return 0;
}

static int unload(struct console *c, char **words)
{
	struct plugin *p = find_plugin(c, words[1]);

	if (!p)
		return -1;
	if (tenon_object_close(p->object)) {
		print_error("unload");
		return -1;
	}
	printf("unloaded %s\n", p->name);
	*p = c->plugins[--c->nr_plugins];
	return 0;
}

/* Load the new one beside the old, switch every link in one store, then let the old one go. */
static int replace(struct console *c, char **words)
{
	struct plugin *p = find_plugin(c, words[1]);
	struct tenon_object *next;

	if (!p)
		return -1;
	next = tenon_object_open_file(c->rt, words[2], NULL);
	if (!next || tenon_object_load(next) || tenon_object_replace(p->object, next)) {
		print_error("replace");
		tenon_object_close(next);
		return -1;
	}
	tenon_object_close(p->object);
	p->object = next;
	printf("replaced %s\n", p->name);
	return 0;
}

static int list(struct console *c, char **words)
{
	(void)words;
	for (int i = 0; i < c->nr_plugins; i++) {
		struct tenon_program *prog = NULL;

		while ((prog = tenon_object_next_program(c->plugins[i].object, prog))) {
			struct tenon_program_stats s = { .sz = sizeof(s) };

			tenon_program_stats(prog, &s);
			printf("%-12s %-16s %-14s %4u instructions, %5u bytes of code, ended early %llu\n",
			       c->plugins[i].name, tenon_program_name(prog),
			       tenon_program_section(prog), s.insns, s.code_bytes,
			       (unsigned long long)s.aborted);
		}
	}
	return 0;
}

/* ---- Maps ---- */

/* Write a prefix into the first free element of deny's map. */
static int deny_prefix(struct console *c, char **words)
{
	struct {
		uint32_t len;
		char text[32];
	} prefix = { .len = (uint32_t)strlen(words[1]) };
	struct tenon_map *map = find_map(c, "denied");
	struct tenon_map_info info = { .sz = sizeof(info) };

	if (!map || tenon_map_info(map, &info))
		return -1;
	if (prefix.len == 0 || prefix.len > sizeof(prefix.text) ||
	    info.value_size != sizeof(prefix)) {
		printf("a prefix has 1 to %zu bytes\n", sizeof(prefix.text));
		return -1;
	}
	memcpy(prefix.text, words[1], prefix.len);
	for (uint32_t i = 0; i < info.max_entries; i++) {
		uint32_t old[sizeof(prefix) / 4];

		if (tenon_map_lookup_elem(map, &i, sizeof(i), old, sizeof(old), 0) == 0 &&
		    old[0] == 0) {
			tenon_map_update_elem(map, &i, sizeof(i), &prefix, sizeof(prefix), 0);
			printf("denied %s\n", words[1]);
			return 0;
		}
	}
	printf("all %u prefixes are in use\n", info.max_entries);
	return -1;
}

static int print_statuses(struct console *c, char **words)
{
	struct tenon_map *map = find_map(c, "per_status");
	struct tenon_map_info info = { .sz = sizeof(info) };
	uint64_t slots[MAX_SLOTS];

	(void)words;
	if (!map || tenon_map_info(map, &info))
		return -1;
	for (uint32_t status = 0; status < info.max_entries; status++) {
		size_t nr = info.host_value_size / sizeof(slots[0]);
		uint64_t sum = 0;

		if (nr > MAX_SLOTS || tenon_map_lookup_elem(map, &status, sizeof(status), slots,
							    info.host_value_size, 0))
			return -1;
		for (size_t i = 0; i < nr; i++)
			sum += slots[i];
		if (sum)
			printf("status %u: %llu\n", status, (unsigned long long)sum);
	}
	return 0;
}

static int print_clients(struct console *c, char **words)
{
	struct {
		uint64_t start_ns;
		uint32_t count, refused;
	} window;
	struct tenon_map *map = find_map(c, "clients");
	uint32_t key, *prev = NULL;

	(void)words;
	if (!map)
		return -1;
	while (tenon_map_get_next_key(map, prev, &key, sizeof(key)) == 0) {
		char text[INET_ADDRSTRLEN];

		prev = &key;
		if (tenon_map_lookup_elem(map, &key, sizeof(key), &window, sizeof(window), 0))
			continue;
		inet_ntop(AF_INET, &key, text, sizeof(text));
		printf("client %s: %u in this window, %u refused\n", text, window.count,
		       window.refused);
	}
	return 0;
}

static int print_sample(void *user, void *data, size_t size)
{
	struct sample s;
	char text[INET_ADDRSTRLEN];
	int *left = user;

	if (size < sizeof(s))
		return 0;
	memcpy(&s, data, sizeof(s));
	if ((*left)-- > 0) {
		inet_ntop(AF_INET, &s.client, text, sizeof(text));
		printf("sample: %s:%u asked for %s\n", text, s.client_port, s.path);
	}
	return 0;
}

static int print_samples(struct console *c, char **words)
{
	struct tenon_map *map = find_map(c, "samples");
	struct tenon_ring_buffer *ring;
	int left = 3, n;

	(void)words;
	if (!map)
		return -1;
	ring = tenon_ring_buffer_new(map, print_sample, &left);
	if (!ring) {
		print_error("samples");
		return -1;
	}
	n = tenon_ring_buffer_consume(ring);
	tenon_ring_buffer_free(ring);
	printf("samples: %d in all\n", n);
	return n < 0 ? -1 : 0;
}

/* ---- Cost ---- */

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static double time_requests(long n)
{
	static const char path[] = "/private/report",
			  headers[] = "Host: example\r\nAccept: */*\r\n";
	uint64_t start = now_ns();

	for (long i = 0; i < n; i++) {
		struct request req = { .ctx = { .method = "GET",
						.method_len = 3,
						.path = path,
						.path_len = sizeof(path) - 1,
						.headers = headers,
						.headers_len = sizeof(headers) - 1 } };
		struct http_response response = { .path = path,
						  .path_len = sizeof(path) - 1,
						  .status = 200 };

		tenon_hook_fire(&hook_request, &req.ctx);
		tenon_hook_fire(&hook_response, &response);
		request_done(&req);
	}
	return (double)(now_ns() - start) / (double)n;
}

/* The plugins' part of one request: both hooks on a context made here, without the network. */
static int cost(struct console *c, char **words)
{
	double best = 0;

	(void)words;
	for (int round = 0; round < 20; round++) {
		double t = time_requests(10000);

		if (round == 0 || t < best)
			best = t;
	}
	printf("hooks of one request, %d plugins: %.1f ns\n", c->nr_plugins, best);
	return 0;
}

static int help(struct console *c, char **words);

static const struct command {
	const char *name, *args, *what;
	int nr_words;
	int (*run)(struct console *c, char **words);
} commands[] = {
	{ "load", "FILE", "verify, compile and attach a plugin", 2, load },
	{ "unload", "NAME", "detach and free it", 2, unload },
	{ "replace", "NAME FILE", "switch to another build without losing a request", 3, replace },
	{ "list", "", "programs and their statistics", 1, list },
	{ "deny", "PREFIX", "add a prefix to the map of deny", 2, deny_prefix },
	{ "statuses", "", "what count counted", 1, print_statuses },
	{ "clients", "", "the windows of ratelimit", 1, print_clients },
	{ "samples", "", "drain the ring buffer of sample", 1, print_samples },
	{ "cost", "", "nanoseconds that the plugins cost a request", 1, cost },
	{ "help", "", "this text", 1, help },
};

static int help(struct console *c, char **words)
{
	(void)c;
	(void)words;
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		printf("%-10s %-10s %s\n", commands[i].name, commands[i].args, commands[i].what);
	printf("quit\n");
	return 0;
}

static int run_line(struct console *c, char *line)
{
	char *words[MAX_WORDS] = { NULL }, *rest = NULL;
	int nr = 0;

	for (char *w = strtok_r(line, " \t\n", &rest); w && nr < MAX_WORDS;
	     w = strtok_r(NULL, " \t\n", &rest))
		words[nr++] = w;
	if (nr == 0)
		return 0;
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (strcmp(words[0], commands[i].name) != 0)
			continue;
		if (nr != commands[i].nr_words) {
			printf("usage: %s %s\n", commands[i].name, commands[i].args);
			return -1;
		}
		return commands[i].run(c, words);
	}
	printf("unknown command '%s'; try help\n", words[0]);
	return -1;
}

int console_run(struct tenon_runtime *rt, char **plugins)
{
	struct console c = { .rt = rt };
	char line[1024];
	int failed = 0;

	for (; *plugins; plugins++) {
		char *words[MAX_WORDS] = { "load", *plugins };

		if (load(&c, words))
			failed = 1;
	}
	while (!failed && fgets(line, sizeof(line), stdin)) {
		if (strncmp(line, "quit", 4) == 0)
			break;
		run_line(&c, line);
		/* Whoever drives the server reads up to this line. */
		printf(".\n");
		fflush(stdout);
	}
	while (c.nr_plugins > 0)
		tenon_object_close(c.plugins[--c.nr_plugins].object);
	return failed;
}
