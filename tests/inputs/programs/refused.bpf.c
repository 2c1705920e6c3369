/* Programs that the verifier refuses, each for another reason, as people meet them. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#define RAW __attribute__((naked))

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __u64[2]);
} numbers SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} ring SEC(".maps");

const volatile __u32 limit = 7;

SEC("tc") int null_read(struct __sk_buff *skb)
{
	__u32 at = skb->len;
	__u64 *value = bpf_map_lookup_elem(&numbers, &at);

	return *value;
}

SEC("tc") int null_passed(struct __sk_buff *skb)
{
	__u32 at = skb->len;
	__u64 *value = bpf_map_lookup_elem(&numbers, &at);

	return bpf_map_update_elem(&numbers, &at, value, BPF_ANY);
}

SEC("tc") int bare_number(struct __sk_buff *skb)
{
	return *(volatile __u32 *)(long)skb->hash;
}

SEC("tc") RAW int unset_register(void *ctx)
{
	asm volatile("r0 = r6; exit;");
}

SEC("tc") RAW int unset_stack(void *ctx)
{
	asm volatile("r2 = r10; r2 += -4; r1 = %[map] ll; call 1; r0 = 0; exit;" ::[map] "i"(&numbers));
}

SEC("tc") int unbounded_index(struct __sk_buff *skb)
{
	__u32 at = 0;
	char *value = bpf_map_lookup_elem(&numbers, &at);

	return value ? value[skb->len] : 0;
}

SEC("tc") RAW int beyond_value(void *ctx)
{
	asm volatile("r1 = 0; *(u32 *)(r10 - 4) = r1; r2 = r10; r2 += -4; r1 = %[map] ll; call 1;"
		     "if r0 == 0 goto +1; r0 = *(u64 *)(r0 + 16); r0 = 0; exit;" ::[map] "i"(&numbers));
}

SEC("tc") int beyond_packet(struct __sk_buff *skb)
{
	return *(volatile char *)(long)skb->data;
}

SEC("tc") RAW int beyond_stack(void *ctx)
{
	asm volatile("r1 = 0; *(u64 *)(r10 - 520) = r1; r0 = 0; exit;");
}

SEC("tc") int length_may_be_negative(struct __sk_buff *skb)
{
	char room[16];
	int length = (int)skb->mark;

	if (length > 16)
		return 0;
	bpf_skb_load_bytes(skb, 0, room, length);
	return room[0];
}

SEC("tc") RAW int endless(void *ctx)
{
	asm volatile("r0 = 0; goto -1;");
}

SEC("tc") RAW int unreachable(void *ctx)
{
	asm volatile("r0 = 0; exit; r0 = 1; exit;");
}

SEC("tc") RAW int misaligned(void *ctx)
{
	asm volatile("r1 = 0; *(u64 *)(r10 - 8) = r1; r0 = *(u32 *)(r10 - 7); exit;");
}

SEC("tc") int leaks_record(struct __sk_buff *skb)
{
	return bpf_ringbuf_reserve(&ring, 8, 0) ? 1 : 0;
}

SEC("tc") int wrong_argument(struct __sk_buff *skb)
{
	__u32 at = 0;

	return bpf_map_lookup_elem(skb, &at) ? 1 : 0;
}

SEC("tc") int wrong_map(struct __sk_buff *skb)
{
	__u32 at = 0;

	return bpf_perf_event_output(skb, &numbers, 0, &at, sizeof(at));
}

SEC("tc") RAW int shifts_pointer(void *ctx)
{
	asm volatile("r1 <<= 2; r0 = 0; exit;");
}

SEC("tc") int writes_constant(struct __sk_buff *skb)
{
	*(volatile __u32 *)&limit = 8;
	return 0;
}

SEC("tc") int writes_context(struct __sk_buff *skb)
{
	*(volatile __u32 *)&skb->len = 8;
	return 0;
}

SEC("tp_btf/task_rename") RAW int beyond_structure(void *ctx)
{
	asm volatile("r1 = *(u64 *)(r1 + 0); r0 = *(u64 *)(r1 + 16960); r0 = 0; exit;");
}

SEC("tp_btf/task_rename") RAW int writes_task(void *ctx)
{
	asm volatile("r1 = *(u64 *)(r1 + 0); r2 = 0; *(u64 *)(r1 + 0) = r2; r0 = 0; exit;");
}

SEC("tc") int no_program_array(struct __sk_buff *skb)
{
	bpf_tail_call(skb, &numbers, 0);
	return 0;
}

struct bpf_cpumask {
};
extern struct bpf_cpumask *bpf_cpumask_create(void) __ksym __weak;
SEC("tc") int kernel_function_of_others(struct __sk_buff *skb)
{
	return bpf_cpumask_create() ? 1 : 0;
}

char LICENSE[] SEC("license") = "GPL";
