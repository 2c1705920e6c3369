// What some kernels have and others do not: each program needs it, or tests for it in one of the ways that people do.
typedef unsigned int u32;
typedef unsigned long long u64;
typedef _Bool bool;
#define SEC(name) __attribute__((section(name), used))
#define CORE __attribute__((preserve_access_index))
#define field_exists(field) __builtin_preserve_field_info(field, 2)
#define type_exists(type) __builtin_preserve_type_info(*(type *)0, 0)
#define value_exists(type, value) __builtin_preserve_enum_value(*(typeof(type) *)value, 0)
#define value_of(type, value) __builtin_preserve_enum_value(*(typeof(type) *)value, 1)
#define NOINLINE __attribute__((noinline))

// `state` until 5.13, `__state` since.
struct task_struct { int pid; unsigned int __state; } CORE;
struct task_struct___old { long state; } CORE;
struct bpf_iter_num { u64 __opaque[1]; } CORE;
enum bpf_func_id { BPF_FUNC_map_lookup_elem = 1, BPF_FUNC_get_attach_cookie = 174 };

extern struct task_struct *bpf_task_acquire(struct task_struct *task) __attribute__((section(".ksyms"), weak));
extern void bpf_task_release(struct task_struct *task) __attribute__((section(".ksyms"), weak));
extern int LINUX_KERNEL_VERSION __attribute__((section(".kconfig")));
extern bool CONFIG_THAT_NOBODY_HAS __attribute__((section(".kconfig"), weak));
const volatile bool as_before = 0;
static u64 (*const get_current_task)(void) = (void *)35;
static u64 (*const get_attach_cookie)(void *) = (void *)174;
static struct task_struct *(*const get_current_task_btf)(void) = (void *)158;
static long (*const probe_read_kernel)(void *, u32, const void *) = (void *)113;
u64 seen;

SEC("raw_tp/sched_switch") int always(u64 *ctx) { return ((struct task_struct *)ctx[1]) != 0; }

static NOINLINE int read_old(struct task_struct *task)
{
	long state = 0;

	probe_read_kernel(&state, sizeof(state), &((struct task_struct___old *)task)->state);
	return state;
}

static NOINLINE int read_new(struct task_struct *task)
{
	unsigned int state = 0;

	probe_read_kernel(&state, sizeof(state), &task->__state);
	return state;
}

SEC("raw_tp/sched_switch") int needs_state(u64 *ctx) { seen += read_old((void *)ctx[1]); return 0; }
SEC("raw_tp/sched_switch") int needs___state(u64 *ctx) { seen += read_new((void *)ctx[1]); return 0; }

SEC("raw_tp/sched_switch") int tests_by_field(u64 *ctx)
{
	struct task_struct *task = (void *)ctx[1];

	seen += field_exists(task->__state) ? read_new(task) : read_old(task);
	return 0;
}

static NOINLINE int read_either(struct task_struct *task, bool newer) { return newer ? read_new(task) : read_old(task); }

SEC("raw_tp/sched_switch") int tests_in_a_function(u64 *ctx)
{
	struct task_struct *task = (void *)ctx[1];

	seen += read_either(task, field_exists(task->__state));
	return 0;
}

SEC("raw_tp/sched_switch") int tests_by_version(u64 *ctx)
{
	struct task_struct *task = (void *)ctx[1];

	seen += LINUX_KERNEL_VERSION >= 0x50e00 ? read_new(task) : read_old(task);
	return 0;
}

SEC("raw_tp/sched_switch") int tests_by_constant(u64 *ctx)
{
	struct task_struct *task = (void *)ctx[1];

	seen += as_before ? read_old(task) : 1;
	return 0;
}

SEC("raw_tp/sched_switch") int tests_by_option(u64 *ctx)
{
	struct task_struct *task = (void *)ctx[1];

	seen += CONFIG_THAT_NOBODY_HAS ? read_old(task) + read_new(task) : 1;
	return 0;
}

SEC("raw_tp/sched_switch") int tests_the_wrong_way(u64 *ctx)
{
	struct task_struct *task = (void *)ctx[1];

	seen += field_exists(task->__state) ? read_old(task) : read_new(task);
	return 0;
}

SEC("raw_tp/sched_switch") int needs_a_type(u64 *ctx)
{
	struct bpf_iter_num *number = (void *)ctx[1];

	seen += (u64)&number->__opaque[0];
	return 0;
}

SEC("raw_tp/sched_switch") int tests_for_a_type(u64 *ctx)
{
	struct bpf_iter_num *number = (void *)ctx[1];

	if (type_exists(struct bpf_iter_num))
		seen += (u64)&number->__opaque[0];
	return 0;
}

SEC("raw_tp/sched_switch") int needs_a_value(u64 *ctx)
{
	seen += value_of(enum bpf_func_id, BPF_FUNC_get_attach_cookie);
	return 0;
}

SEC("kprobe/do_nanosleep") int tests_for_a_value(void *ctx)
{
	if (value_exists(enum bpf_func_id, BPF_FUNC_get_attach_cookie))
		seen += get_attach_cookie(ctx);
	return 0;
}

SEC("kprobe/do_nanosleep") int needs_a_helper(void *ctx) { seen += get_attach_cookie(ctx); return 0; }

SEC("tp_btf/sched_switch") int needs_a_kfunc(u64 *ctx)
{
	struct task_struct *task = bpf_task_acquire(get_current_task_btf());

	if (task)
		bpf_task_release(task);
	return 0;
}

SEC("tp_btf/sched_switch") int tests_for_a_kfunc(u64 *ctx)
{
	if (bpf_task_acquire) {
		struct task_struct *task = bpf_task_acquire(get_current_task_btf());

		if (task)
			bpf_task_release(task);
	}
	return 0;
}

// The state before came in 5.18.
SEC("raw_tp/sched_switch") int needs_an_argument(u64 *ctx) { seen += ctx[3]; return 0; }
SEC("tp_btf/sched_switch") int needs_a_typed_argument(u64 *ctx) { seen += ctx[3]; return 0; }
SEC("tp/sched/sched_switch") int reads_the_record(u64 *ctx) { seen += ctx[7]; return 0; }
SEC("tp/sched/sched_switch") int reads_behind_the_record(u64 *ctx) { seen += ctx[9]; return 0; }
SEC("fentry/folio_mark_accessed") int needs_a_function(u64 *ctx) { seen += 1; return 0; }
SEC("fexit/do_nanosleep") int reads_what_is_returned(u64 *ctx) { seen += ctx[2]; return 0; }
SEC("fexit/do_nanosleep") int reads_behind_what_is_returned(u64 *ctx) { seen += ctx[3]; return 0; }
char LICENSE[] SEC("license") = "GPL";
