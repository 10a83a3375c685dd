"""Files: a true shard is accepted, a false one is not; plans and reads cover exactly the range."""

from __future__ import annotations

import itertools
import random
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hutch.core.errors import RangeNotSatisfiable
from hutch.xet import files
from hutch.xet.errors import BadFile, DamagedRecord, DamagedXorb, UnknownXorb
from hutch.xet.files import Run, check_file, check_xorb, pack_terms, plan, read_range, unpack_terms
from hutch.xet.hashes import ZERO, file_hash
from hutch.xet.index import XorbIndex
from hutch.xet.shard import FileEntry, Term, XorbEntry, build_upload, parse
from hutch.xet.xorb import decode_frames
from tests.xet.conftest import Hub, content


class Ground(NamedTuple):
    """Two xorbs and a file over them."""

    hub: Hub
    first: bytes
    second: bytes
    entry: FileEntry
    raw: bytes


@pytest.fixture(scope="module")
def ground() -> Ground:
    hub = Hub()
    first = hub.store([content("text", size, size) for size in (100, 2000, 1, 30)])
    second = hub.store([content("random", size, size) for size in (7, 70, 700)])
    runs = [(first, 0, 3), (second, 1, 3), (first, 1, 2), (first, 3, 4), (second, 0, 1)]
    parts = [b"".join(decode_frames(hub.xorbs[x], a, b, hub.indexes[x])) for x, a, b in runs]
    return Ground(hub, first, second, hub.entry(runs), b"".join(parts))


def test_a_true_file_is_accepted_with_its_size(ground: Ground) -> None:
    assert check_file(ground.entry, ground.hub.index_of) == len(ground.raw)


def test_a_file_without_terms_is_the_empty_file(ground: Ground) -> None:
    assert check_file(FileEntry(ZERO, [], []), ground.hub.index_of) == 0
    with pytest.raises(BadFile, match="file hash"):
        check_file(FileEntry(b"\1" * 32, [], []), ground.hub.index_of)


def test_every_lie_about_a_file_is_refused(ground: Ground) -> None:
    entry = ground.entry
    term, proofs = entry.terms[0], entry.range_hashes
    assert proofs is not None
    lies = [
        FileEntry(bytes(31) + b"\1", entry.terms, proofs),
        FileEntry(entry.hash, entry.terms, None),
        FileEntry(entry.hash, entry.terms, proofs[:-1]),
        FileEntry(entry.hash, entry.terms[:-1], proofs),
        FileEntry(entry.hash, entry.terms, [bytes(32), *proofs[1:]]),
        FileEntry(entry.hash, [term._replace(raw_bytes=term.raw_bytes + 1), *entry.terms[1:]], proofs),
        FileEntry(entry.hash, [term._replace(end=5), *entry.terms[1:]], proofs),
        FileEntry(entry.hash, [term._replace(start=3), *entry.terms[1:]], proofs),
        FileEntry(entry.hash, list(reversed(entry.terms)), list(reversed(proofs))),
    ]
    for lie in lies:
        with pytest.raises(BadFile):
            check_file(lie, ground.hub.index_of)


def test_a_refusal_does_not_tell_the_right_proof(ground: Ground) -> None:
    """Else the error would hand out the proof that the sender lacks."""
    proofs = ground.entry.range_hashes
    assert proofs is not None
    with pytest.raises(BadFile) as refused:
        check_file(FileEntry(ground.entry.hash, ground.entry.terms, [ZERO, *proofs[1:]]), ground.hub.index_of)
    assert files.to_hex(proofs[0]) not in str(refused.value.body())


def test_a_xorb_that_is_not_here_is_the_lookups_error(ground: Ground) -> None:
    entry = FileEntry(ZERO, [Term(b"?" * 32, 0, 1, 1)], [ZERO])
    with pytest.raises(UnknownXorb):
        check_file(entry, ground.hub.index_of)


def test_a_file_of_too_many_chunks_is_refused_before_any_is_hashed(ground: Ground) -> None:
    count = files.MAX_FILE_CHUNKS // 8192 + 1
    entry = FileEntry(ZERO, [Term(ground.first, 0, 8192, 1)] * count, [ZERO] * count)
    with pytest.raises(BadFile) as refused:
        check_file(entry, lambda _: pytest.fail("looked up"))
    assert refused.value.limit == files.MAX_FILE_CHUNKS


def test_a_shards_description_of_a_xorb_is_held_against_the_stored_one(ground: Ground) -> None:
    indexes = ground.hub.indexes
    first, second = parse(build_upload([], indexes.items())).xorbs
    check_xorb(first, indexes[first.hash])
    check_xorb(second, indexes[second.hash])
    lies: list[XorbEntry] = [XorbEntry(first.hash, first.raw_bytes + 1, first.disk_bytes, first.table)]
    for name in ("hash", "offset", "length"):
        table = first.table.copy()
        table[name][1] ^= 1
        lies.append(XorbEntry(first.hash, first.raw_bytes, first.disk_bytes, table))
    for lie in [*lies, second]:
        with pytest.raises(BadFile):
            check_xorb(lie, indexes[first.hash])


def test_terms_survive_packing_and_refuse_any_cut(ground: Ground) -> None:
    packed = pack_terms(ground.entry.terms)
    assert unpack_terms(packed) == ground.entry.terms
    assert unpack_terms(pack_terms([])) == []
    for cut in range(len(packed)):
        with pytest.raises(DamagedRecord):
            unpack_terms(packed[:cut])


def test_every_range_is_read_as_a_slice_and_planned_to_match(ground: Ground) -> None:
    raw, terms, hub = ground.raw, ground.entry.terms, ground.hub
    rng = random.Random(1)
    edges = {0, len(raw), *itertools.accumulate(t.raw_bytes for t in terms)}
    points = sorted({p + d for p in edges for d in (-1, 0, 1)} | {rng.randrange(len(raw)) for _ in range(20)})
    for start, end in itertools.product(points, points):
        if not 0 <= start < end or start >= len(raw):
            continue
        assert b"".join(read_range(terms, hub.index_of, hub.open_xorb, start, end)) == raw[start:end]
        made = plan(terms, hub.index_of, start, end)
        pieces = [
            b"".join(decode_frames(hub.xorbs[t.xorb], t.start, t.end, hub.indexes[t.xorb]))
            for t in made.terms
        ]
        assert [len(piece) for piece in pieces] == [t.raw_bytes for t in made.terms]
        assert b"".join(pieces)[made.offset_into_first_range :][: end - start] == raw[start:end]
        assert len(b"".join(pieces)) - made.offset_into_first_range - (min(end, len(raw)) - start) < 2000
        for term in made.terms:
            homes = [r for r in made.xorbs[term.xorb] if r.start <= term.start and term.end <= r.end]
            assert len(homes) == 1


def test_runs_of_a_plan_are_merged_sorted_and_apart(ground: Ground) -> None:
    made = plan(ground.entry.terms, ground.hub.index_of)
    index = ground.hub.indexes[ground.first]
    assert made.xorbs == {
        ground.first: [Run(0, 4, 0, index.data_bytes)],
        ground.second: [Run(0, 3, 0, ground.hub.indexes[ground.second].data_bytes)],
    }
    part = plan(ground.entry.terms, ground.hub.index_of, 0, 2101)
    assert part.xorbs == {ground.first: [Run(0, 3, *index.frame_range(0, 3))]}
    assert part.terms == ground.entry.terms[:1]


def test_a_range_outside_the_file_is_not_satisfiable(ground: Ground) -> None:
    terms, hub = ground.entry.terms, ground.hub
    for start, end in [(len(ground.raw), None), (10**12, 10**13), (5, 5), (6, 5), (-1, 3)]:
        with pytest.raises(RangeNotSatisfiable):
            plan(terms, hub.index_of, start, end)
        with pytest.raises(RangeNotSatisfiable):
            read_range(terms, hub.index_of, hub.open_xorb, start, end)
    assert plan(terms, hub.index_of, 0, 10**12) == plan(terms, hub.index_of)


def test_a_plan_asks_once_for_each_xorb_that_the_range_touches(ground: Ground) -> None:
    asked: list[bytes] = []

    def index_of(xorb: bytes) -> XorbIndex:
        asked.append(xorb)
        return ground.hub.index_of(xorb)

    plan(ground.entry.terms, index_of)
    assert sorted(asked) == sorted([ground.first, ground.second])
    asked.clear()
    plan(ground.entry.terms, index_of, 0, 5)
    assert asked == [ground.first]


def test_the_empty_file_reads_as_nothing(ground: Ground) -> None:
    made = plan([], ground.hub.index_of)
    assert (made.terms, made.xorbs, made.offset_into_first_range) == ([], {}, 0)
    assert list(read_range([], ground.hub.index_of, ground.hub.open_xorb)) == []
    with pytest.raises(RangeNotSatisfiable):
        plan([], ground.hub.index_of, 1)


def test_reading_a_small_range_opens_only_what_holds_it(ground: Ground) -> None:
    ground.hub.opened.clear()
    list(read_range(ground.entry.terms, ground.hub.index_of, ground.hub.open_xorb, 0, 1))
    assert ground.hub.opened == [(ground.first, *ground.hub.indexes[ground.first].frame_range(0, 1))]


def test_reading_with_verification_finds_a_flipped_bit(ground: Ground) -> None:
    hub = Hub()
    name = hub.store([content("random", 5000)])
    flipped = bytearray(hub.xorbs[name])
    flipped[4000] ^= 1
    hub.xorbs[name] = bytes(flipped)
    terms = hub.entry([(name, 0, 1)]).terms
    assert len(b"".join(read_range(terms, hub.index_of, hub.open_xorb))) == 5000
    with pytest.raises(DamagedXorb):
        list(read_range(terms, hub.index_of, hub.open_xorb, verify=True))


@given(
    st.lists(
        st.tuples(
            st.binary(min_size=32, max_size=32),
            st.integers(0, 8000),
            st.integers(1, 192),
            st.integers(0, 2**32 - 1),
        )
    )
)
def test_any_terms_survive_packing(rows: list[tuple[bytes, int, int, int]]) -> None:
    terms = [Term(xorb, start, start + count, raw) for xorb, start, count, raw in rows]
    assert unpack_terms(pack_terms(terms)) == terms


def test_a_files_hash_is_over_all_its_chunks(ground: Ground) -> None:
    leaves = [
        (h, ground.hub.indexes[t.xorb].raw_length(c, c + 1))
        for t in ground.entry.terms
        for c, h in zip(range(t.start, t.end), ground.hub.indexes[t.xorb].hashes(t.start, t.end), strict=True)
    ]
    assert ground.entry.hash == file_hash(leaves)
