"""What every BlobStore does. An adapter's test class inherits this one and gives the fixture `store`."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from hutch.core.errors import RangeNotSatisfiable
from hutch.storage.errors import BadKey, BlobNotFound
from hutch.storage.keys import content_key
from hutch.storage.port import BlobStore, LocalFile, Staged
from hutch.storage.staging import Staging

Stage = Callable[[bytes], Staged]
HOUR = timedelta(hours=1)


def read_all(store: BlobStore, key: str, start: int = 0, end: int | None = None) -> bytes:
    with store.open(key, start, end) as stream:
        return stream.read()


def keys(store: BlobStore, prefix: str = "", after: str = "") -> list[str]:
    return [blob.key for blob in store.list(prefix, after)]


class BlobStoreContract:
    def test_what_was_put_is_read_back_whole(self, store: BlobStore, stage: Stage) -> None:
        content = bytes(range(256)) * 20_000
        blob = store.put("lfs/ab/cd/one", stage(content))
        assert (blob.key, blob.size) == ("lfs/ab/cd/one", len(content))
        assert read_all(store, "lfs/ab/cd/one") == content
        assert store.stat("lfs/ab/cd/one") == blob

    def test_an_empty_blob_is_a_blob(self, store: BlobStore, stage: Stage) -> None:
        assert store.put("lfs/empty", stage(b"")).size == 0
        assert read_all(store, "lfs/empty") == b""

    def test_the_staged_file_is_gone_after_put(self, store: BlobStore, stage: Stage) -> None:
        first, second = stage(b"same"), stage(b"same")
        store.put("k", first)
        store.put("k", second)
        assert not first.path.exists()
        assert not second.path.exists()

    def test_modified_is_the_time_of_the_put(self, store: BlobStore, stage: Stage) -> None:
        staged = stage(b"x")
        before = datetime.now(UTC)
        blob = store.put("k", staged)
        assert before - timedelta(milliseconds=1) <= blob.modified <= datetime.now(UTC)

    def test_put_of_the_same_size_renews_the_blob_and_keeps_it(self, store: BlobStore, stage: Stage) -> None:
        first = store.put("k", stage(b"same"))
        second = store.put("k", stage(b"same"))
        assert second.modified > first.modified
        assert read_all(store, "k") == b"same"

    def test_put_over_a_blob_of_another_size_replaces_the_damaged_one(
        self, store: BlobStore, stage: Stage
    ) -> None:
        store.put("k", stage(b"tru"))
        with store.open("k") as reader:
            assert store.put("k", stage(b"true")).size == 4
            assert reader.read() == b"tru"
        assert read_all(store, "k") == b"true"

    def test_put_repeated_with_the_same_staged_file_is_harmless(self, store: BlobStore, stage: Stage) -> None:
        staged = stage(b"once")
        store.put("k", staged)
        assert store.put("k", staged).size == 4

    def test_put_of_a_staged_file_that_is_gone_is_refused(self, store: BlobStore, stage: Stage) -> None:
        staged = stage(b"gone")
        staged.path.unlink()
        with pytest.raises(BlobNotFound):
            store.put("k", staged)
        assert store.stat("k") is None

    def test_many_puts_of_one_key_at_once_leave_one_whole_blob(self, store: BlobStore, stage: Stage) -> None:
        content = b"z" * 300_000
        candidates = [stage(content) for _ in range(12)]
        failures: list[BaseException] = []

        def put(staged: Staged) -> None:
            try:
                assert store.put("race/k", staged).size == len(content)
            except BaseException as error:
                failures.append(error)

        threads = [threading.Thread(target=put, args=(staged,)) for staged in candidates]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failures == []
        assert read_all(store, "race/k") == content
        assert keys(store) == ["race/k"]
        assert not any(staged.path.exists() for staged in candidates)

    @pytest.mark.parametrize(
        ("start", "end"), [(0, 0), (0, 1), (3, 7), (9, 10), (10, 10), (4, None), (0, 10)]
    )
    def test_a_range_is_read_exactly(
        self, store: BlobStore, stage: Stage, start: int, end: int | None
    ) -> None:
        store.put("k", stage(b"0123456789"))
        assert read_all(store, "k", start, end) == b"0123456789"[start:end]

    def test_a_range_is_read_in_small_bites(self, store: BlobStore, stage: Stage) -> None:
        store.put("k", stage(b"0123456789"))
        with store.open("k", 2, 9) as stream:
            assert [stream.read(3) for _ in range(4)] == [b"234", b"567", b"8", b""]

    @pytest.mark.parametrize(("start", "end"), [(-1, 2), (5, 4), (0, 11), (11, None), (11, 11)])
    def test_a_range_outside_the_blob_is_refused_with_its_size(
        self, store: BlobStore, stage: Stage, start: int, end: int | None
    ) -> None:
        store.put("k", stage(b"0123456789"))
        with pytest.raises(RangeNotSatisfiable) as refused:
            store.open("k", start, end)
        assert refused.value.size_bytes == 10

    def test_what_is_not_there_is_not_found(self, store: BlobStore, stage: Stage) -> None:
        store.put("folder/k", stage(b"x"))
        for key in ("none", "folder", "folder/none", "folder/k/below"):
            assert store.stat(key) is None
            assert store.delete(key) is False
            with pytest.raises(BlobNotFound):
                store.open(key)
            with pytest.raises(BlobNotFound):
                store.locate(key)

    def test_delete_removes_once_and_readers_go_on(self, store: BlobStore, stage: Stage) -> None:
        store.put("k", stage(b"read on"))
        with store.open("k") as reader:
            assert store.delete("k") is True
            assert reader.read() == b"read on"
        assert store.delete("k") is False
        assert store.stat("k") is None
        assert keys(store) == []

    def test_a_collector_cannot_take_a_blob_that_was_put_again_meanwhile(
        self, store: BlobStore, stage: Stage
    ) -> None:
        store.put("k", stage(b"wanted"))
        began = datetime.now(UTC)
        store.put("k", stage(b"wanted"))
        assert store.delete("k", unless_modified_since=began) is False
        assert read_all(store, "k") == b"wanted"
        assert store.delete("k", unless_modified_since=datetime.now(UTC) + HOUR) is True

    def test_a_collector_racing_a_put_never_wins_over_it(self, store: BlobStore, stage: Stage) -> None:
        for _ in range(60):
            store.put("k", stage(b"wanted"))
            began = datetime.now(UTC)
            again = stage(b"wanted")
            start = threading.Barrier(2)

            def collect(began: datetime = began, start: threading.Barrier = start) -> None:
                start.wait()
                store.delete("k", unless_modified_since=began)

            collector = threading.Thread(target=collect)
            collector.start()
            start.wait()
            store.put("k", again)
            collector.join()
            assert read_all(store, "k") == b"wanted"

    def test_locate_tells_where_the_bytes_are(self, store: BlobStore, stage: Stage) -> None:
        store.put("k", stage(b"here"))
        place = store.locate("k", {"content-type": "text/plain"})
        if isinstance(place, LocalFile):
            assert place.path.read_bytes() == b"here"
        else:
            assert place.url.startswith(("http://", "https://"))
            assert place.expires > datetime.now(UTC)

    def test_list_is_in_bytewise_order_of_whole_keys(self, store: BlobStore, stage: Stage) -> None:
        names = ["a/z", "a-b", "a.b", "a0", "B", "a_", "ab/c/d", "ab/c.d", "_x"]
        for name in names:
            store.put(name, stage(name.encode()))
        assert keys(store) == sorted(names)

    def test_list_by_prefix_and_after_pages_through(self, store: BlobStore, stage: Stage) -> None:
        names = [*sorted(f"lfs/{n:02d}/{m}" for n in (1, 2, 11) for m in "abc"), "other/x"]
        for name in names:
            store.put(name, stage(b"x"))
        assert keys(store, "lfs/1") == ["lfs/11/a", "lfs/11/b", "lfs/11/c"]
        assert keys(store, "lfs/01/b") == ["lfs/01/b"]
        assert keys(store, after="lfs/02/b") == [name for name in names if name > "lfs/02/b"]
        assert keys(store, "lfs/", after="lfs/11/c") == []
        assert keys(store, "none/") == []

    @pytest.mark.parametrize(
        "key",
        [
            "", "/", "a/", "/a", "a//b", ".", "..", "../a", "a/../b", "a/./b", "a/.hidden", "-option", "a\\b",
            "a b", "a\nb", "a\n", "a\0", "é", "a" * 129, "/".join(["a" * 100] * 6), "~", "%2e%2e/a", "C:a",
        ],
    )  # fmt: skip
    def test_a_key_that_is_no_key_is_refused_everywhere(
        self, store: BlobStore, stage: Stage, key: str
    ) -> None:
        staged = stage(b"x")
        calls: list[Callable[[], object]] = [
            lambda: store.put(key, staged),
            lambda: store.open(key),
            lambda: store.stat(key),
            lambda: store.delete(key),
            lambda: store.locate(key),
        ]
        for call in calls:
            with pytest.raises(BadKey) as refused:
                call()
            assert refused.value.body()["field"] == "key"
        assert staged.path.exists()

    def test_a_prefix_that_begins_no_key_is_refused(self, store: BlobStore) -> None:
        for prefix in ("a b", "a\\", "a\n", "x" * 513):
            with pytest.raises(BadKey):
                store.list(prefix)

    def test_a_content_key_has_two_levels(self, store: BlobStore, staging: Staging) -> None:
        content = b"content"
        digest = hashlib.sha256(content).hexdigest()
        with staging.create() as upload:
            upload.write(content)
            store.put(content_key("lfs", digest), upload.finish(len(content), digest))
        assert keys(store) == [f"lfs/{digest[:2]}/{digest[2:4]}/{digest}"]
        for wrong in (digest.upper(), digest[:-1], digest + "0", digest + "\n", "../" + digest):
            with pytest.raises(BadKey):
                content_key("lfs", wrong)
