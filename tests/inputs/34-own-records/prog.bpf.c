#include "kernel.h"

/* Everything that a program can leave for user space, with the types that users have. */
enum color { RED = 1, GREEN = -2 };

struct place {
	__u16 port;
	char name[8];
};

struct event {
	__u64 wide;
	__u32 pid;
	enum color color;
	__s16 small;
	__u8 active : 1, rest : 7;
	char comm[16];
	struct place places[2];
	union {
		__u32 as_number;
		__u8 as_bytes[4];
	};
};

struct {
	__uint(type, 27); /* BPF_MAP_TYPE_RINGBUF */
	__uint(max_entries, 64 * 1024);
} rb SEC(".maps");

struct key {
	__u32 a, b;
};

struct {
	__uint(type, 1); /* BPF_MAP_TYPE_HASH */
	__uint(max_entries, 8);
	__type(key, struct key);
	__type(value, struct place);
} pairs SEC(".maps");

struct {
	__uint(type, 1); /* BPF_MAP_TYPE_HASH */
	__uint(max_entries, 8);
	__type(key, __u32);
	__type(value, __u64);
} seen SEC(".maps");

struct {
	__uint(type, 6); /* BPF_MAP_TYPE_PERCPU_ARRAY */
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, __u32);
} counts SEC(".maps");

const volatile __u32 my_pid = 0;
__u64 hits = 0;
struct {
	enum color color;
	__s32 levels[2];
} state = { .levels = { 5, -6 } };
const struct event *unused_event = 0; /* so that the type is in the BTF */

SEC("raw_tp/task_rename")
int on_rename(void *ctx)
{
	__u32 pid = bpf_get_current_pid_tgid() >> 32, one = 1, *count;
	struct key key = { 1, 2 };
	struct place place = { .port = 443, .name = "web" };
	__u64 value = 7;
	struct event *e;

	if (my_pid && pid != my_pid)
		return 0;
	__sync_fetch_and_add(&hits, 1);
	state.color = GREEN;
	bpf_map_update_elem(&pairs, &key, &place, 0);
	bpf_map_update_elem(&seen, &one, &value, 0);
	count = bpf_map_lookup_elem(&counts, &one);
	if (count)
		*count += 3;
	bpf_printk("renamed %d", pid);
	e = bpf_ringbuf_reserve(&rb, sizeof(*e), 0);
	if (!e)
		return 0;
	__builtin_memset(e, 0, sizeof(*e));
	e->wide = 0x1122334455667788;
	e->pid = pid;
	e->color = GREEN;
	e->small = -300;
	e->active = 1;
	bpf_get_current_comm(e->comm, sizeof(e->comm));
	e->places[1] = place;
	e->as_bytes[1] = 9;
	bpf_ringbuf_submit(e, 0);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
