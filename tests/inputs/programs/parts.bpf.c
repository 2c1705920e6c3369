/* Programs that need each other, each in another way: what is loaded with which of them is decided by relocations. */
#include "trace.h"

const volatile int wanted = 0;
int seen;

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, int);
	__type(value, int);
} own SEC(".maps");

/* Larger than any guest's memory: only what uses it is refused. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 4096);
	__type(key, int);
	__type(value, char[4000000]);
} huge SEC(".maps");

int leaf(void *ctx);

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 2);
	__type(key, int);
	__array(values, int(void *));
} progs SEC(".maps") = {.values = {[1] = (void *)&leaf}};

SEC("raw_tp/task_rename") int leaf(void *ctx)
{
	seen++;
	return 0;
}

SEC("raw_tp/task_rename") int caller(void *ctx)
{
	bpf_tail_call(ctx, &progs, 1);
	return 0;
}

SEC("raw_tp/task_rename") int plain(void *ctx)
{
	int key = 0;
	int *value = bpf_map_lookup_elem(&own, &key);

	return value ? *value + wanted : 0;
}

SEC("raw_tp/task_rename") int hungry(void *ctx)
{
	int key = 0;

	return bpf_map_lookup_elem(&huge, &key) != 0;
}

SEC("fentry/plain") int tracer(void *ctx)
{
	return 0;
}

SEC("kprobe") int anywhere(void *ctx)
{
	return 0;
}

SEC("?raw_tp/task_rename") int later(void *ctx)
{
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
