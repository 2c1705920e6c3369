"""The forecast itself: what each program of an object comes to on one kernel, as far as its types (BTF) show. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from harness.forecast.answers import Finding, ProgramForecast, Weight, without_repeats
from harness.forecast.btf import COMPOSITES, ENUMS, KINDS, STRUCT, Btf, essential_name
from harness.forecast.externs import ExternsOnKernel, externs_on_kernel
from harness.forecast.instructions import LD, LOADS_AND_STORES, Instruction
from harness.forecast.matching import RelocationError, Way, local_way
from harness.forecast.reaching import Place, Reached, Written, reached
from harness.forecast.relocations import OF_ENUMERATORS, OF_FIELDS, OF_TYPES, TESTS, Kind, Relocation
from harness.forecast.resolving import KernelTypes, Resolved, candidates, resolved
from harness.forecast.targets import Sight, listed, most_arguments, slots_of, target_findings
from harness.forecast.values import SOME, Constant
from harness.forecast.wants import Operations, WantedProgram, Wants
from harness.scenario.sections import section_of

LARGEST_OFFSET = 32767
"""What an instruction's offset can hold (SHRT_MAX)."""
PROBE_READS = frozenset(range(112, 116))
"""bpf_probe_read_kernel() and its like, in whose place libbpf calls an older one (libbpf.c,
bpf_program_fixup_func_proto and bpf_object__sanitize_prog())."""
OPERATIONS_VALUE = "bpf_struct_ops_"


@dataclass(frozen=True, kw_only=True)
class KernelView:
    """A kernel before it runs: its types, None where it has none, and what else its package says.

    `relocating` are the types that relocations are resolved by, if the user gives others.
    """

    sight: Sight | None
    relocating: KernelTypes | None = None
    config: Mapping[str, str] | None = None
    version: tuple[int, int, int] | None = None
    arch: str = ""


@dataclass(frozen=True)
class _Asked:
    """A relocation on a kernel: where it is, and what it comes to; None where libbpf refuses it for a `reason`."""

    place: Place
    number: int
    relocation: Relocation
    instruction: Instruction
    result: Resolved | None
    reason: str = ""

    @property
    def fails(self) -> bool:
        """Whether the instruction is poisoned: nothing is found, or a load cannot be adapted to what is."""
        if self.result is None:
            return False
        return self.result.poisoned or (self.result.misfits and self.instruction.kind in LOADS_AND_STORES)


@dataclass(kw_only=True)
class Forecaster:
    """Says what the programs of one object come to, kernel after kernel; what it finds out of the object it keeps."""

    wants: Wants
    _walks: dict[tuple[object, ...], Reached] = field(default_factory=dict)

    def forecast(self, kernel: KernelView) -> list[ProgramForecast]:
        """Return what is said of each program."""
        wants = self.wants
        if wants.types is None:
            return [self._untyped(each, kernel) for each in wants.programs.values()]
        if kernel.sight is None:
            return [self._on_untyped_kernel(each) for each in wants.programs.values()]
        externs = externs_on_kernel(
            wants.externs, wants.types, kernel.sight, config=kernel.config, version=kernel.version
        )
        types = kernel.relocating or kernel.sight.types
        known: dict[Relocation, tuple[Resolved | None, str]] = {}
        asked = {
            place: [self._ask(place, number, each, types, known) for number, each in relocations]
            for place, relocations in wants.relocations.items()
        }
        return [
            self._program(each, kernel, sight=kernel.sight, types=types, asked=asked, externs=externs)
            for each in wants.programs.values()
        ]

    def _untyped(self, program: WantedProgram, kernel: KernelView) -> ProgramForecast:
        """Return what is said of a program of an object without types: nothing but its target can be looked up."""
        if kernel.sight is None or program.inside:
            return ProgramForecast(program=program.name)
        walk = self._walk(program, Written(constants=self.wants.constants), ())
        section = program.section.partition("/")[0]
        found = target_findings(section, program.target, kernel.sight, context=walk.context)
        return ProgramForecast(program=program.name, findings=without_repeats(found))

    def _on_untyped_kernel(self, program: WantedProgram) -> ProgramForecast:
        """Return what is said where the kernel has no types: libbpf refuses whatever must be looked up in them."""
        wants = self.wants
        asks = any(wants.relocations.get(place) for place in program.functions)
        named = any(each.type and each.section != ".kconfig" and not each.weak for each in wants.externs.values())
        section = program.section.partition("/")[0].removeprefix("?")
        tracing = not program.inside and section.removesuffix(".s") in (
            *("fentry", "fexit", "fmod_ret", "fsession", "lsm", "iter", "tp_btf", "lsm_cgroup", "struct_ops"),
        )
        if not (asks or named or tracing):
            return ProgramForecast(program=program.name)
        finding = Finding(weight=Weight.MISSING, subject="BTF", text="the kernel has no BTF")
        return ProgramForecast(program=program.name, findings=(finding,))

    def _ask(
        self,
        place: Place,
        number: int,
        relocation: Relocation,
        types: KernelTypes,
        known: dict[Relocation, tuple[Resolved | None, str]],
    ) -> _Asked:
        local, code = self.wants.types, self.wants.code[place]
        assert local is not None
        instruction = code.instructions[number]
        key = replace(relocation, offset=0, section="")
        if key not in known:
            try:
                known[key] = resolved(relocation, local, types), ""
            except RelocationError as error:
                known[key] = None, str(error)
        result, reason = known[key]
        too_far = result is not None and instruction.kind in LOADS_AND_STORES and result.value > LARGEST_OFFSET
        if result is not None and too_far and not result.poisoned:
            return _Asked(place, number, relocation, instruction, None, f"the offset {result.value} is too large")
        return _Asked(place, number, relocation, instruction, result, reason)

    def _program(
        self,
        program: WantedProgram,
        kernel: KernelView,
        *,
        sight: Sight,
        types: KernelTypes,
        asked: Mapping[Place, list[_Asked]],
        externs: ExternsOnKernel,
    ) -> ProgramForecast:
        own = [each for place in program.functions for each in asked.get(place, ())]
        written, key = self._written(own, externs)
        walk = self._walk(program, written, key)
        found = [
            *self._externs(program, externs, walk),
            *self._target(program, sight, walk, most=most_arguments(kernel.arch, kernel.version)),
            *(each for one in own for each in self._relocation(one, types, walk, sight)),
            *_helpers(walk, sight),
        ]
        return ProgramForecast(program=program.name, findings=without_repeats(found))

    def _written(self, own: Iterable[_Asked], externs: ExternsOnKernel) -> tuple[Written, tuple[object, ...]]:
        """Return what libbpf writes into a program, and a key of all of it that may decide which way it takes."""
        wants = self.wants
        values: dict[tuple[Place, int], int | None] = {}
        for each in own:
            known = each.result is not None and not each.fails and each.relocation.kind is not Kind.FIELD_OFFSET
            values[each.place, each.number] = each.result.value if known and each.result is not None else None
        loads = {
            place: Constant(0) if name in externs.absent else SOME
            for place, name in wants.named.items()
            if name in externs.absent or name in externs.there
        }
        written = Written(values=values, loads=loads, constants={**wants.constants, **externs.values})
        return written, (tuple(values.items()), externs.absent, tuple(sorted(externs.values.items())))

    def _walk(self, program: WantedProgram, written: Written, key: tuple[object, ...]) -> Reached:
        whole = (program.place, *key)
        if whole not in self._walks:
            self._walks[whole] = reached(self.wants.code, program.place, written=written, order=self.wants.order)
        return self._walks[whole]

    def _externs(self, program: WantedProgram, externs: ExternsOnKernel, walk: Reached) -> Iterator[Finding]:
        """Yield what is wrong with externs: strong ones concern each program, weak ones who comes to them."""
        own = set(program.functions)
        for name, finding in externs.findings.items():
            if not self.wants.externs[name].weak:
                yield finding
                continue
            used = [at for at, each in self.wants.named.items() if each == name and at[0] in own]
            if used:
                calls = [at for at in used if not _is_load(self.wants, at)]
                needed = any(at in walk.instructions for at in calls)
                weight = (Weight.MODULE if finding.modules else Weight.MISSING) if needed else Weight.TESTED
                yield replace(finding, weight=weight)

    def _target(self, program: WantedProgram, sight: Sight, walk: Reached, *, most: int | None) -> Iterator[Finding]:
        section = program.section.partition("/")[0]
        if program.inside:
            return
        if not program.target and section_of(program.section).needs:
            text = "its section names no target, which its loader chooses: say it in `attach-to`"
            yield Finding(weight=Weight.NOT_SHOWN, subject="target", text=text)
        yield from target_findings(section, program.target, sight, context=walk.context, most=most)
        for operations in self.wants.operations:
            if program.name in operations.programs.values():
                yield from self._operations(program, operations, sight, walk)

    def _operations(
        self, program: WantedProgram, operations: Operations, sight: Sight, walk: Reached
    ) -> Iterator[Finding]:
        """Yield what is wrong with a struct_ops variable (libbpf.c, bpf_map__init_kern_struct_ops())."""
        local = self.wants.types
        assert local is not None
        name = essential_name(local.name(operations.type))
        found = sight.find(f"{OPERATIONS_VALUE}{name}", STRUCT)
        if found is None:
            modules = sight.modules_with(f"{OPERATIONS_VALUE}{name}")
            weight = Weight.MODULE if modules else Weight.MISSING
            text = f"struct_ops {name} is in the module {listed(modules)}" if modules else f"no struct_ops {name}"
            yield Finding(weight=weight, subject=f"struct_ops {name}", text=text, modules=modules)
            return
        types = found[0]
        number = types.find(name, STRUCT)
        there = {each.name: each for each in types.members(number)} if number is not None else {}
        mine = {each.name: each for each in local.members(operations.type)}
        for member in (*operations.programs, *operations.set):
            if operations.programs.get(member, program.name) != program.name:
                continue
            subject = f"struct_ops {name}.{member}"
            if member not in there:
                yield Finding(weight=Weight.MISSING, subject=subject, text=f"no {subject}")
                continue
            kinds = [
                btf.type(btf.bare(each.type)).kind for btf, each in ((local, mine[member]), (types, there[member]))
            ]
            if kinds[0] != kinds[1]:
                text = f"{subject} is a {KINDS[kinds[1]]}, not a {KINDS[kinds[0]]}"
                yield Finding(weight=Weight.MISSING, subject=subject, text=text)
            elif member in operations.programs:
                yield from _callback_arguments(types, there[member].type, subject, walk)

    def _relocation(self, asked: _Asked, types: KernelTypes, walk: Reached, sight: Sight) -> Iterator[Finding]:
        local, relocation = self.wants.types, asked.relocation
        assert local is not None
        subject = subject_of(local, relocation)
        if asked.result is None:
            yield Finding(weight=Weight.MISSING, subject=subject, text=f"libbpf refuses {subject}: {asked.reason}")
            return
        result = asked.result
        is_reached = (asked.place, asked.number) in walk.instructions
        if not result.found:
            weight = Weight.MISSING if asked.fails and is_reached else Weight.TESTED
            yield self._absence(relocation, subject, types, sight, weight=weight)
            return
        shape, own = result.shape, result.own_shape
        if shape is None or own is None or relocation.kind in TESTS:
            return
        difference = f"{subject} is {shape.text} ({shape.size} bytes), not {own.text} ({own.size} bytes)"
        if asked.fails:
            weight = Weight.MISSING if is_reached else Weight.TESTED
            yield Finding(weight=weight, subject=subject, text=f"{difference}, which cannot be read as that")
        elif own.kind not in COMPOSITES and (shape.kind, shape.size, shape.signed) != (own.kind, own.size, own.signed):
            yield Finding(weight=Weight.CHANGED, subject=subject, text=difference)

    def _absence(
        self, relocation: Relocation, subject: str, types: KernelTypes, sight: Sight, *, weight: Weight
    ) -> Finding:
        """Say what is not there: the field, or all of its type, which may be in a module."""
        local = self.wants.types
        assert local is not None
        name = essential_name(local.name(relocation.type))
        if candidates(local, relocation.type, name, types):
            what = "type like" if relocation.kind in OF_TYPES else "field" if relocation.kind in OF_FIELDS else "value"
            return Finding(weight=weight, subject=subject, text=f"no {what} {subject}")
        whole = f"{KINDS[local.type(relocation.type).kind].removesuffix('64')} {name}"
        modules = tuple(sight.modules_with(name))
        if not modules:
            return Finding(weight=weight, subject=whole, text=f"no {whole}")
        weight = Weight.MODULE if weight is Weight.MISSING else weight
        return Finding(
            weight=weight, subject=whole, text=f"{whole} is in the module {listed(modules)}", modules=modules
        )


def _is_load(wants: Wants, place: tuple[Place, int]) -> bool:
    """Say whether an instruction loads an address, which is 0 where there is none; a call fails there."""
    return wants.code[place[0]].instructions[place[1]].kind == LD


def _helpers(walk: Reached, sight: Sight) -> Iterator[Finding]:
    """Yield the helpers whose numbers the kernel does not know yet (enum bpf_func_id)."""
    number = sight.types.own.find("bpf_func_id", *ENUMS)
    if number is None:
        return
    end = next((value for name, value in sight.types.own.enumerators(number) if name == "__BPF_FUNC_MAX_ID"), None)
    for helper in sorted(walk.helpers):
        if end is not None and helper >= end and helper not in PROBE_READS:
            subject = f"helper {helper}"
            yield Finding(
                weight=Weight.MISSING, subject=subject, text=f"no {subject}: the kernel knows those below {end}"
            )


def _callback_arguments(types: Btf, number: int, subject: str, walk: Reached) -> Iterator[Finding]:
    slots = slots_of(types, number)
    most = max((offset // 8 for offset, _ in walk.context), default=-1)
    if slots is not None and most >= slots:
        text = f"the program reads argument {most + 1} of {subject}, which has {slots}"
        yield Finding(weight=Weight.MISSING, subject=f"{subject}, argument {most + 1}", text=text)


def subject_of(local: Btf, relocation: Relocation) -> str:
    """Return what a relocation is about: `struct sock.sk_protocol`, `enum bpf_map_type.BPF_MAP_TYPE_RINGBUF`."""
    name = essential_name(local.name(relocation.type)) or "(nameless)"
    kind = local.type(relocation.type).kind
    start = f"{KINDS[kind].removesuffix('64')} {name}"
    try:
        way = local_way(local, relocation)
    except RelocationError:
        return f"{start} {relocation.access}"
    if relocation.kind in OF_ENUMERATORS:
        return f"{start}.{essential_name(way.steps[0].name)}"
    return start + _path(way)


def _path(way: Way) -> str:
    return "".join(f".{step.name}" if step.name else f"[{step.index}]" for step in way.steps[1:])
