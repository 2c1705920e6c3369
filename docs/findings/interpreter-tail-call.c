// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * A BPF program that is interpreted and tail-calls another gets a stack that is sized for itself alone; the other program
 * then writes below it, over the interpreter's own variables and return address. Since Linux 6.9.
 *
 * Build and run (as root, in a machine that may die):
 *
 *	cc -O2 -Wall -o interpreter-tail-call interpreter-tail-call.c -lbpf
 *	./interpreter-tail-call
 *
 * It turns the JIT off while it loads its programs (net.core.bpf_jit_enable=0); where there is no such setting, the
 * kernel has no JIT, or cannot do without one (CONFIG_BPF_JIT_ALWAYS_ON: then nothing is shown). It runs them by
 * BPF_PROG_TEST_RUN, so nothing else of the machine is concerned.
 *
 * The first caller has 512 bytes of stack itself, so the interpreter that runs it has room for any program: the control.
 * The second has 8 bytes. Both call the same program, which fills its 512 bytes of stack with 0x42 and returns 42.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#define JIT "/proc/sys/net/core/bpf_jit_enable"
#define STACK 512 /* MAX_BPF_STACK, include/linux/filter.h */

#define INSN(c, d, s, o, i) ((struct bpf_insn){ .code = (c), .dst_reg = (d), .src_reg = (s), .off = (o), .imm = (i) })
#define MOV(dst, imm) INSN(BPF_ALU64 | BPF_MOV | BPF_K, dst, 0, 0, imm)
#define STORE(off, imm) INSN(BPF_ST | BPF_MEM | BPF_DW, BPF_REG_10, 0, off, imm)
#define EXIT INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0)

/* Write a sysctl; return what it was, or -1 where there is none. */
static int set_jit(int value)
{
	int before = -1;
	FILE *file = fopen(JIT, "r+");

	if (!file)
		return -1;
	if (fscanf(file, "%d", &before) == 1) {
		rewind(file);
		fprintf(file, "%d\n", value);
	}
	if (fclose(file))
		fprintf(stderr, "%s cannot be set to %d: %s\n", JIT, value, strerror(errno));
	return before;
}

static int load(const char *name, const struct bpf_insn *insns, size_t count)
{
	char log[65536] = "";
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .log_buf = log, .log_size = sizeof(log));
	int fd = bpf_prog_load(BPF_PROG_TYPE_SOCKET_FILTER, name, "GPL", insns, count, &opts);

	if (fd < 0)
		fprintf(stderr, "%s does not load: %s\n%s", name, strerror(errno), log);
	return fd;
}

/* Fill all of the stack, and return 42. */
static int load_callee(void)
{
	struct bpf_insn insns[STACK / 8 + 2];
	int count = 0, off;

	for (off = 8; off <= STACK; off += 8)
		insns[count++] = STORE(-off, 0x42424242);
	insns[count++] = MOV(BPF_REG_0, 42);
	insns[count++] = EXIT;
	return load("callee", insns, count);
}

/* Use `depth` bytes of stack, and tail-call what is in slot 0 of the array; return 1 where that is nothing. */
static int load_caller(int array, int depth)
{
	const struct bpf_insn insns[] = {
		STORE(-depth, 0),
		INSN(BPF_LD | BPF_DW | BPF_IMM, BPF_REG_2, BPF_PSEUDO_MAP_FD, 0, array),
		INSN(0, 0, 0, 0, 0),
		MOV(BPF_REG_3, 0),
		INSN(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_tail_call),
		MOV(BPF_REG_0, 1),
		EXIT,
	};

	return load("caller", insns, sizeof(insns) / sizeof(insns[0]));
}

static int jited(int fd)
{
	struct bpf_prog_info info = {};
	__u32 size = sizeof(info);

	return bpf_obj_get_info_by_fd(fd, &info, &size) == 0 && info.jited_prog_len != 0;
}

static int run(const char *what, int fd)
{
	char packet[64] = "";
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = packet, .data_size_in = sizeof(packet), .repeat = 1);

	printf("%s: ", what);
	fflush(stdout);
	usleep(200000); /* let the line leave the machine: it may be the last one */
	if (bpf_prog_test_run_opts(fd, &opts)) {
		printf("does not run: %s\n", strerror(errno));
		return 1;
	}
	printf("returned %u%s\n", opts.retval, opts.retval == 42 ? "" : ", which is wrong: 42 is right");
	return opts.retval != 42;
}

int main(void)
{
	int before, array, callee, deep, shallow, key = 0;
	struct utsname name;

	uname(&name);
	setvbuf(stdout, NULL, _IONBF, 0);
	printf("Linux %s %s\n", name.release, name.machine);
	before = set_jit(0);
	array = bpf_map_create(BPF_MAP_TYPE_PROG_ARRAY, "programs", sizeof(int), sizeof(int), 1, NULL);
	callee = load_callee();
	deep = load_caller(array, STACK);
	shallow = load_caller(array, 8);
	if (before >= 0)
		set_jit(before);
	if (array < 0 || callee < 0 || deep < 0 || shallow < 0 || bpf_map_update_elem(array, &key, &callee, BPF_ANY)) {
		perror("cannot prepare");
		return 2;
	}
	if (jited(shallow)) {
		printf("the programs were compiled: this kernel has no interpreter, and nothing is shown\n");
		return 2;
	}
	if (run("tail call from a program with 512 bytes of stack", deep))
		return 1;
	return run("tail call from a program with 8 bytes of stack", shallow);
}
