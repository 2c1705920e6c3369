"""The functions of libbpf that are called, with their types, and its structures that grow."""

from __future__ import annotations

import ctypes

TYPE_CHECKING = False  # `typing` takes a guest too long to import
if TYPE_CHECKING:
    from typing import Any


POINTER, INT, SIZE, TEXT, U32 = ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_uint32
# int (*libbpf_print_fn_t)(enum libbpf_print_level, const char *, va_list): a va_list is passed as one pointer on
# x86_64, arm64, s390x, riscv64 and ppc64le, and is handed on to vsnprintf() untouched.
PRINT_FN = ctypes.CFUNCTYPE(INT, INT, TEXT, POINTER)
SAMPLE_FN = ctypes.CFUNCTYPE(None, POINTER, INT, POINTER, U32)
RECORD_FN = ctypes.CFUNCTYPE(INT, POINTER, POINTER, SIZE)  # ring_buffer_sample_fn
LOST_FN = ctypes.CFUNCTYPE(None, POINTER, INT, ctypes.c_uint64)
PROTOTYPES = {
    "libbpf_set_print": (POINTER, [PRINT_FN]),
    "libbpf_version_string": (TEXT, []),
    "bpf_object__open_file": (POINTER, [TEXT, POINTER]),
    "bpf_object__load": (INT, [POINTER]),
    "bpf_object__next_program": (POINTER, [POINTER, POINTER]),
    "bpf_object__find_program_by_name": (POINTER, [POINTER, TEXT]),
    "bpf_object__find_map_by_name": (POINTER, [POINTER, TEXT]),
    "bpf_program__name": (TEXT, [POINTER]),
    "bpf_program__fd": (INT, [POINTER]),
    "bpf_program__set_log_buf": (INT, [POINTER, POINTER, SIZE]),
    "bpf_program__set_log_level": (INT, [POINTER, U32]),
    "bpf_program__set_attach_target": (INT, [POINTER, INT, TEXT]),
    "bpf_program__set_expected_attach_type": (INT, [POINTER, INT]),
    "bpf_program__set_type": (INT, [POINTER, INT]),
    "libbpf_prog_type_by_name": (INT, [TEXT, POINTER, POINTER]),
    "bpf_program__attach": (POINTER, [POINTER]),
    "bpf_link__destroy": (INT, [POINTER]),
    "bpf_link_update": (INT, [INT, INT, POINTER]),
    "bpf_link__update_map": (INT, [POINTER, POINTER]),
    "bpf_obj_pin": (INT, [INT, TEXT]),
    "bpf_map__fd": (INT, [POINTER]),
    "bpf_object__next_map": (POINTER, [POINTER, POINTER]),
    "bpf_map__autocreate": (ctypes.c_bool, [POINTER]),
    "bpf_map__set_autocreate": (INT, [POINTER, ctypes.c_bool]),
    "bpf_map__set_type": (INT, [POINTER, INT]),
    "bpf_map__set_max_entries": (INT, [POINTER, U32]),
    "bpf_map__set_key_size": (INT, [POINTER, U32]),
    "bpf_map__set_value_size": (INT, [POINTER, U32]),
    "bpf_map__set_pin_path": (INT, [POINTER, TEXT]),
    "bpf_map__initial_value": (POINTER, [POINTER, POINTER]),
    "bpf_map__attach_struct_ops": (POINTER, [POINTER]),
    "btf__type_cnt": (U32, [POINTER]),
    "bpf_map__reuse_fd": (INT, [POINTER, INT]),
    "bpf_map_update_elem": (INT, [INT, POINTER, POINTER, ctypes.c_uint64]),
    "bpf_map_lookup_elem": (INT, [INT, POINTER, POINTER]),
    "bpf_map_delete_elem": (INT, [INT, POINTER]),
    "bpf_program__type": (INT, [POINTER]),
    "bpf_program__flags": (U32, [POINTER]),
    "bpf_program__section_name": (TEXT, [POINTER]),
    "bpf_program__expected_attach_type": (INT, [POINTER]),
    "bpf_program__insns": (POINTER, [POINTER]),
    "bpf_program__insn_cnt": (SIZE, [POINTER]),
    "bpf_program__set_autoload": (INT, [POINTER, ctypes.c_bool]),
    "bpf_program__attach_cgroup": (POINTER, [POINTER, INT]),
    "bpf_program__attach_netns": (POINTER, [POINTER, INT]),
    "bpf_program__attach_xdp": (POINTER, [POINTER, INT]),
    "bpf_program__attach_tcx": (POINTER, [POINTER, INT, POINTER]),
    "bpf_program__attach_netkit": (POINTER, [POINTER, INT, POINTER]),
    "bpf_prog_attach": (INT, [INT, INT, INT, U32]),
    "bpf_prog_detach2": (INT, [INT, INT, INT]),
    "bpf_tc_hook_create": (INT, [POINTER]),
    "bpf_tc_hook_destroy": (INT, [POINTER]),
    "bpf_tc_attach": (INT, [POINTER, POINTER]),
    "bpf_tc_detach": (INT, [POINTER, POINTER]),
    "bpf_program__attach_netfilter": (POINTER, [POINTER, POINTER]),
    "bpf_program__attach_perf_event": (POINTER, [POINTER, INT]),
    "bpf_program__attach_iter": (POINTER, [POINTER, POINTER]),
    "bpf_program__attach_kprobe_multi_opts": (POINTER, [POINTER, TEXT, POINTER]),
    "bpf_program__attach_kprobe_opts": (POINTER, [POINTER, TEXT, POINTER]),
    "bpf_program__attach_ksyscall": (POINTER, [POINTER, TEXT, POINTER]),
    "bpf_program__attach_uprobe_opts": (POINTER, [POINTER, INT, TEXT, SIZE, POINTER]),
    "bpf_program__attach_uprobe_multi": (POINTER, [POINTER, INT, TEXT, TEXT, POINTER]),
    "bpf_program__attach_usdt": (POINTER, [POINTER, INT, TEXT, TEXT, TEXT, POINTER]),
    "bpf_program__attach_tracepoint": (POINTER, [POINTER, TEXT, TEXT]),
    "bpf_program__attach_raw_tracepoint": (POINTER, [POINTER, TEXT]),
    "bpf_program__attach_freplace": (POINTER, [POINTER, INT, TEXT]),
    "bpf_link__fd": (INT, [POINTER]),
    "bpf_raw_tracepoint_open": (INT, [TEXT, INT]),
    "bpf_prog_test_run_opts": (INT, [INT, POINTER]),
    "bpf_obj_get_info_by_fd": (INT, [INT, POINTER, POINTER]),
    "bpf_enable_stats": (INT, [INT]),
    "bpf_iter_create": (INT, [INT]),
    "btf__load_from_kernel_by_id": (POINTER, [U32]),
    "btf__find_by_name_kind": (INT, [POINTER, TEXT, U32]),
    "bpf_object__btf": (POINTER, [POINTER]),
    "btf__fd": (INT, [POINTER]),
    "bpf_map__name": (TEXT, [POINTER]),
    "bpf_map__type": (INT, [POINTER]),
    "bpf_map__key_size": (U32, [POINTER]),
    "bpf_map__value_size": (U32, [POINTER]),
    "bpf_map__max_entries": (U32, [POINTER]),
    "bpf_map__map_flags": (U32, [POINTER]),
    "libbpf_bpf_prog_type_str": (TEXT, [INT]),
    "libbpf_bpf_attach_type_str": (TEXT, [INT]),
    "libbpf_bpf_map_type_str": (TEXT, [INT]),
    "libbpf_probe_bpf_prog_type": (INT, [INT, POINTER]),
    "libbpf_probe_bpf_map_type": (INT, [INT, POINTER]),
    "btf__load_vmlinux_btf": (POINTER, []),
    "btf__type_by_id": (POINTER, [POINTER, U32]),
    "btf__name_by_offset": (TEXT, [POINTER, U32]),
    "perf_buffer__new": (POINTER, [INT, SIZE, SAMPLE_FN, LOST_FN, POINTER, POINTER]),
    "perf_buffer__poll": (INT, [POINTER, INT]),
    "perf_buffer__consume": (INT, [POINTER]),
    "ring_buffer__new": (POINTER, [INT, RECORD_FN, POINTER, POINTER]),
    "ring_buffer__consume": (INT, [POINTER]),
    "libbpf_num_possible_cpus": (INT, []),
    "bpf_map_get_next_key": (INT, [INT, POINTER, POINTER]),
    "bpf_map__btf_key_type_id": (U32, [POINTER]),
    "bpf_map__btf_value_type_id": (U32, [POINTER]),
}


def options(*fields: tuple[Any, Any]) -> Any:
    """Return a libbpf options structure: its size, then `fields` as (ctypes type, value), naturally aligned."""
    names = [("size", SIZE)] + [(f"f{index}", kind) for index, (kind, _) in enumerate(fields)]
    structure = type("Options", (ctypes.Structure,), {"_fields_": names})
    return structure(ctypes.sizeof(structure), *(value for _, value in fields))
