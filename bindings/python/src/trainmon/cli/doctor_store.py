# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""Checks of the doctor: the store, its file system, its rings and log files."""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
import struct
import time

from trainmon.cli.doctor import Check
from trainmon.cli.places import Trouble, trouble_of
from trainmon.cli.terminal import ago, size_of
from trainmon.errors import TrainmonError
from trainmon.store import Store, default_folder, to_time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

NETWORK = ("nfs", "nfs4", "cifs", "smb3", "smbfs", "lustre", "ceph", "beegfs", "gpfs", "afs", "glusterfs", "fuse.sshfs", "fuse.s3fs", "fuse.glusterfs", "9p")
LITTLE_DISK = 1 << 30
NO_DISK = 64 << 20
QUICK_SECONDS = 5.0
LOGS = ("monitoring.log", "websocket.log", "metrics.log", "dashboard.log")
GET_LOCK = 36  # F_OFD_GETLK: asks without taking anything
ADVICE = {
    "TMON_EVERSION": "a newer trainmon wrote it: upgrade to that one",
    "TMON_ECORRUPT": "keep a copy of the folder; `sqlite3 trainmon.db .recover` gets out what can be had, or restore a backup",
    "TMON_EACCESS": "look at the owner and mode of the folder and its files: ls -la",
    "TMON_EBUSY": "another process holds its lock: lsof trainmon.db tells which",
    "TMON_EFULL": "make room on the disk",
    "TMON_EIO": "the disk or the network file system has errors: dmesg tells more",
}


def folder_of(options: Any) -> str:
    """Gives the folder that is meant."""
    return os.path.abspath(options.store or default_folder())


def disk(options: Any) -> Iterator[Check]:
    """Free room, and what kind of file system it is."""
    place = folder_of(options)
    while not os.path.isdir(place) and os.path.dirname(place) != place:
        place = os.path.dirname(place)
    found = os.statvfs(place)
    free, total = found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize
    kind = _file_system(place)
    status = "fail" if free < NO_DISK else "warn" if free < LITTLE_DISK else "ok"
    yield Check("disk", status, f"{size_of(free)} of {size_of(total)} free at {place}", "make room, or name another folder with --store or $TRAINMON_DIR",
                free=free, total=total)
    if found.f_favail == 0 and found.f_files:
        yield Check("disk", "fail", f"no inode is left at {place}", "delete files that are not needed: df -i")
    if kind in NETWORK:
        yield Check("file system", "warn", f"{kind}, a network file system: commits are slower and one process at a time writes",
                    "works; a local disk is faster. Rings stay on the node that trains", kind=kind)
    else:
        yield Check("file system", "ok", kind or "unknown", kind=kind)


def _file_system(path: str) -> str:
    """Gives the type of the mount with the longest path above this one."""
    best, kind, real = "", "", os.path.realpath(path)
    with contextlib.suppress(OSError), open("/proc/self/mountinfo") as mounts:
        for line in mounts:
            left, _, right = line.partition(" - ")
            point = left.split()[4].replace("\\040", " ")
            if (real == point or real.startswith(point.rstrip("/") + "/")) and len(point) >= len(best):
                best, kind = point, right.split()[0]
    return kind


def store(options: Any) -> Iterator[Check]:
    """Opens it, as a training would, and reads its database."""
    folder = folder_of(options)
    trouble = trouble_of(folder)
    if trouble is not None:
        yield _not_there(folder, trouble)
        return
    yield from _integrity(folder, options.full)
    try:
        opened = Store(folder, must_exist=True, lock_timeout=2)
    except TrainmonError as error:
        yield Check("store", "fail", f"{folder} can't be opened: {error}", ADVICE.get(error.name, "look at its folder: ls -la"), code=error.name)
        return
    with opened:
        yield from _opened(opened)


def _not_there(folder: str, trouble: Trouble) -> Check:
    if not trouble.absent:
        return Check("store", "fail", trouble.message, trouble.hint)
    place = folder
    while not os.path.isdir(place) and os.path.dirname(place) != place:
        place = os.path.dirname(place)
    if not os.access(place, os.W_OK):
        return Check("store", "fail", f"{trouble.message}, and this user can't make one", f"look at the mode of {place}, or name another folder with --store")
    return Check("store", "warn", f"{trouble.message} yet", f"{trouble.hint}\nis this the folder that the training was started in?")


def _opened(opened: Store) -> Iterator[Check]:
    info = opened.info()
    runs = f"{info['sessions']} {'run' if info['sessions'] == 1 else 'runs'}, {size_of(info['database_bytes'])}, format {info['schema_version']}"
    if info["read_only"]:
        yield Check("store", "warn", f"{info['path']} opens read-only: {runs}", "trainings can't be recorded there: look at owner and mode, ls -la", **info)
    else:
        yield Check("store", "ok", f"{info['path']}: {runs}", **info)
    words = {"wal": "write-ahead log: readers and writers don't wait for each other", "delete": "rollback journal, as network file systems need",
             "immutable": "none, it can only be read"}
    yield Check("journal", "ok" if info["journal"] == "wal" else "warn", words.get(info["journal"], info["journal"]),
                "a store on a local disk has a write-ahead log, which is faster", journal=info["journal"])
    active = opened.runs(active=True, limit=1000)
    unseen = [record for record in active if record.unreachable]
    text = ", ".join(f"{record.name} ({record.id[:8]}, sign of life {ago(record.heartbeat_at)})" for record in active[:5])
    if unseen:
        yield Check("active runs", "warn", text, f"{unseen[0].name} runs on another host or in another container: its points come a second late, by the store")
    else:
        yield Check("active runs", "ok", text or "none", count=len(active))
    yield _rings(info)


def _integrity(folder: str, full: bool) -> Iterator[Check]:
    """Has SQLite's own reader look, before this process opens the store: closing a file twice open would take the other's locks away."""
    try:
        import sqlite3
    except ImportError:
        yield Check("integrity", "warn", "this Python has no sqlite3, it can't be checked", 'sqlite3 trainmon.db "PRAGMA integrity_check"')
        return
    path = os.path.join(folder, "trainmon.db")
    address = f"file:{path.replace('%', '%25').replace('?', '%3f').replace('#', '%23')}?mode=ro"
    if not os.access(folder, os.W_OK):
        address += "&immutable=1"  # SQLite can't make the files that it needs beside a database with a write-ahead log
    end = time.monotonic() + QUICK_SECONDS
    try:
        with contextlib.closing(sqlite3.connect(address, uri=True, timeout=2)) as database:
            if not full:
                database.set_progress_handler(lambda: time.monotonic() > end, 10_000)
            rows = [row[0] for row in database.execute("PRAGMA integrity_check(5)" if full else "PRAGMA quick_check(5)")]
    except sqlite3.Error as error:
        if "interrupted" in str(error):
            yield Check("integrity", "ok", f"no error in the first {QUICK_SECONDS:.0f} s of reading; --full reads it to the end")
        elif "locked" in str(error) or "busy" in str(error):
            yield Check("integrity", "warn", f"could not be checked: {error}", "another process holds the lock; try again")
        else:
            yield Check("integrity", "fail", f"SQLite says: {error}", ADVICE["TMON_ECORRUPT"])
        return
    if rows == ["ok"]:
        yield Check("integrity", "ok", "the whole database and its indexes are sound" if full else "the database is sound; --full compares indexes too")
    else:
        yield Check("integrity", "fail", f"SQLite says: {'; '.join(rows)}", ADVICE["TMON_ECORRUPT"], errors=rows)


def _rings(info: dict[str, Any]) -> Check:
    """Opening the store has adopted its own dead rings; what is left belongs to live trainers, to other stores, or to nobody."""
    live, left, size = 0, [], 0
    for folder in {info["ring_folder"], info["path"]}:
        for name in os.listdir(folder) if os.path.isdir(folder) else ():
            path = os.path.join(folder, name)
            if not name.startswith("trainmon-") or len(name) != 45:
                continue
            with contextlib.suppress(OSError):
                status = os.lstat(path)
                if not stat.S_ISREG(status.st_mode) or status.st_uid != os.getuid():
                    continue
                if _is_locked(path):
                    live += 1
                elif time.time() - status.st_mtime > 60:  # a younger one may just be made
                    left.append((path, status.st_mtime))
                    size += status.st_size
    if not left:
        return Check("rings", "ok", f"{live} of live trainers, none left over", live=live, left_over=[])
    old = max(left, key=lambda entry: -entry[1])
    return Check("rings", "warn", f"{live} of live trainers, {len(left)} left over ({size_of(size)}), the oldest from {ago(to_time(int(old[1] * 1e6)))}",
                 "they hold the last points of killed trainings of other stores: opening those stores takes them in (trainmon runs --store DIR)\n"
                 f"where such a store is gone, delete them: rm {old[0]}", live=live, left_over=[path for path, _ in left])


def _is_locked(path: str) -> bool:
    """Asks whether a process holds the lock of a ring, which shows that it lives."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        asked = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
        return bool(struct.unpack("hhqqi4x", fcntl.fcntl(descriptor, GET_LOCK, asked))[0] != fcntl.F_UNLCK)
    finally:
        os.close(descriptor)


def logs(options: Any) -> Iterator[Check]:
    """The log files of the server."""
    folder = os.path.join(folder_of(options), "logs")
    found: dict[str, Any] = {}
    for name in LOGS:
        with contextlib.suppress(OSError):
            status = os.stat(os.path.join(folder, name))
            found[name] = {"bytes": status.st_size, "changed": to_time(int(status.st_mtime * 1e6))}
    if not found:
        yield Check("log files", "ok", f"none in {folder}: the server writes them once it runs", files={})
        return
    text = ", ".join(f"{name} {size_of(one['bytes'])} ({ago(one['changed'])})" for name, one in found.items())
    facts = {name: {"bytes": one["bytes"], "changed": one["changed"].isoformat()} for name, one in found.items()}
    if os.access(folder, os.W_OK):
        yield Check("log files", "ok", f"{folder}: {text}", files=facts)
    else:
        yield Check("log files", "warn", f"{folder} can't be written: {text}", f"chmod u+w {folder}", files=facts)


CHECKS = (disk, store, logs)
